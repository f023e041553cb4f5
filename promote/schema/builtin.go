package schema

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed" // the schemas
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/promote/objects"
)

// packed is written by tools/schemas.
//
//go:embed kubernetes.gz
var packed []byte

// Versions are those of Kubernetes whose schemas are built in, in their order.
func Versions() []string {
	b, err := kubernetes()
	if err != nil {
		return nil
	}
	return slices.Clone(b.versions)
}

// key names an API.
type key struct{ group, version, kind string }

func keyOf(o *objects.Object) key {
	return key{o.Group(), o.APIVersion[strings.LastIndexByte(o.APIVersion, '/')+1:], o.Kind}
}

// parseKey reads GROUP/VERSION/KIND.
func parseKey(s string) key {
	parts := strings.SplitN(s, "/", 3)
	return key{parts[0], parts[1], parts[2]}
}

func (k key) groupKind() key { return key{group: k.group, kind: k.kind} }

func (k key) apiVersion() string { return strings.TrimPrefix(k.group+"/"+k.version, "/") }

// builtin is what Kubernetes itself has. Schemas are texts until they are asked for.
type builtin struct {
	versions []string
	schemas  map[string][]versioned
	kinds    map[key][]versioned // with the name of the schema as text
	groups   map[string]bool
	lives    map[key]life
}

// versioned is a text for some versions, a bit each.
type versioned struct {
	versions int
	text     string
}

// life is when an API is deprecated and removed.
type life struct {
	deprecated, removed string
	replacement         string // GROUP/VERSION/KIND
}

func (l life) instead() string {
	if l.replacement == "" {
		return ""
	}
	k := parseKey(l.replacement)
	return "in its place there is " + k.apiVersion() + " " + k.kind
}

// kubernetes unpacks what is built in, once. It takes a few milliseconds, which only those
// pay that ask.
var kubernetes = sync.OnceValues(func() (*builtin, error) { return unpack(packed) })

func unpack(packed []byte) (*builtin, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("the built-in schemas are damaged: %w", err)
	}
	b := &builtin{schemas: make(map[string][]versioned), kinds: make(map[key][]versioned), groups: make(map[string]bool), lives: make(map[key]life)}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		switch parts := strings.Split(lines.Text(), "\t"); parts[0] {
		case "versions":
			b.versions = strings.Fields(parts[1])
		case "def":
			versions, err := strconv.Atoi(parts[2])
			if err != nil {
				return nil, fmt.Errorf("the built-in schemas are damaged: %w", err)
			}
			b.schemas[parts[1]] = append(b.schemas[parts[1]], versioned{versions, parts[4]})
			for _, kind := range strings.Fields(parts[3]) {
				k := parseKey(kind)
				b.groups[k.group] = true
				b.kinds[k] = append(b.kinds[k], versioned{versions, parts[1]})
			}
		case "api":
			k := parseKey(parts[1])
			b.groups[k.group] = true
			b.lives[k] = life{parts[2], parts[3], parts[4]}
		}
	}
	return b, lines.Err()
}

// named gives the name of the schema that a version has of an API; "" where it has none.
func (b *builtin) named(k key, version int) string { return of(b.kinds[k], version) }

func of(all []versioned, version int) string {
	for _, one := range all {
		if one.versions&version != 0 {
			return one.text
		}
	}
	return ""
}

// others are the API versions in which a version has a kind of a group.
func (b *builtin) others(k key, version int) []string {
	var out []string
	for other := range b.kinds {
		if other.groupKind() == k.groupKind() && b.named(other, version) != "" {
			out = append(out, other.apiVersion())
		}
	}
	slices.Sort(out)
	return out
}

// before tells whether one version such as 1.9 comes before another.
func before(a, b string) bool {
	number := func(s string) int {
		_, minor, _ := strings.Cut(s, ".")
		n, _ := strconv.Atoi(minor)
		return n
	}
	return number(a) < number(b)
}

// named gives a schema of the set's version, read once.
func (s *Set) named(name string) (*schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[name]; known != nil {
		return known, nil
	}
	var out *schema
	text := of(s.builtin.schemas[name], s.bit)
	if err := parseSchema([]byte(text), &out); err != nil || out == nil {
		return nil, fmt.Errorf("the built-in schema %s is damaged: %v", name, err)
	}
	s.known[name] = out
	return out, nil
}
