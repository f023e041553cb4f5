package discovery

import (
	"bytes"
	"context"
	"path"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay"
)

// pin is what a file says of a version.
type pin struct {
	kind   overlay.Type
	format overlay.Format // empty where no convention knows the pin
	name   string         // empty where the file does not say which image it is
	path   string
	own    bool // its key is the name of a service
}

// matches tells whether two pins of two files are of the same thing.
func (p pin) matches(o pin) bool {
	return p.kind == o.kind && (p.path == o.path || p.name != "" && p.name == o.name)
}

// reader reads the pins of files, each once.
type reader struct {
	ctx  context.Context
	tree Tree
	// folders are those that hold a kustomization file, by its path.
	folders map[string]string
	lock    sync.Mutex
	known   map[string]*once
}

// once is a file that is read at most once.
type once struct {
	sync.Once
	pins []pin
	err  error
}

// pins gives those of a file, less the images that the kustomization beside it pins
// again.
func (r *reader) pins(file string) ([]pin, error) {
	pins, err := r.read(file)
	beside, ok := r.folders[path.Dir(file)]
	if !ok || beside == file || len(pins) == 0 {
		return pins, err
	}
	over, _ := r.read(beside)
	type image struct {
		kind overlay.Type
		name string
	}
	again := make(map[image]bool)
	for _, o := range over {
		again[image{o.kind, o.name}] = o.name != ""
	}
	return slices.DeleteFunc(slices.Clone(pins), func(p pin) bool { return again[image{p.kind, p.name}] }), err
}

func (r *reader) read(file string) ([]pin, error) {
	r.lock.Lock()
	o := r.known[file]
	if o == nil {
		o = new(once)
		r.known[file] = o
	}
	r.lock.Unlock()
	o.Do(func() {
		var data []byte
		if o.err = r.ctx.Err(); o.err != nil {
			return
		}
		if data, o.err = r.tree.ReadFile(file); o.err == nil {
			o.pins, o.err = pinsOf(file, data)
			o.pins = append(o.pins, r.named(file, data)...)
		}
	})
	return o.pins, o.err
}

func pinsOf(file string, data []byte) ([]pin, error) {
	switch ext := path.Ext(file); {
	case ext == ".env" || ext == ".properties":
		return linePins(data), nil
	case ext == "":
		if text := strings.TrimSpace(string(data)); isVersion(text) {
			return []pin{{kind: overlay.TypeImage}}, nil
		}
	}
	f, err := overlay.Parse(file, data)
	if err != nil {
		return nil, err
	}
	var out []pin
	for _, p := range f.Pins() {
		if p.Tag+p.Digest == "" {
			continue // nothing to promote
		}
		found := pin{kind: p.Type, format: p.Format, path: f.NamedPath(p)}
		if p.Known() {
			found.name = p.Repository()
		}
		out = append(out, found)
	}
	if len(out) == 0 {
		out = valuePins(file, data)
	}
	return out, nil
}

// linePins finds the versions in lines of KEY=VALUE.
func linePins(data []byte) []pin {
	var out []pin
	for line := range bytes.Lines(data) {
		text := strings.TrimSpace(string(line))
		i := strings.IndexAny(text, "=:")
		if i <= 0 || text[0] == '#' {
			continue
		}
		key, value := strings.TrimSpace(strings.TrimPrefix(text[:i], "export ")), strings.Trim(strings.TrimSpace(text[i+1:]), `"'`)
		if isVersionKey(key) && isVersion(value) || isImageKey(key) && isReference(value) {
			out = append(out, pin{kind: overlay.TypeImage, path: escape(key)})
		}
	}
	return out
}

// valuePins finds the versions in a YAML file that no convention knows: tag:, *Tag:,
// and *_VERSION: in the variables of Flux; version: where the file is called so.
func valuePins(file string, data []byte) []pin {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil || len(root.Content) == 0 {
		return nil
	}
	w := valueWalk{versions: strings.Contains(path.Base(file), "version")}
	top, at := root.Content[0], ""
	if field(top, "kind") != nil {
		for _, key := range []string{"spec", "postBuild", "substitute"} {
			top = field(top, key)
			at = join(at, key)
		}
	}
	if w.versions && at == "" {
		w.list(top)
	}
	if top != nil && len(w.found) == 0 {
		w.walk(top, at, 0)
	}
	return w.found
}

// list takes a mapping of names to versions, with nothing else in it: each is of a service.
func (w *valueWalk) list(n *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	var found []pin
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, n.Content[i+1]
		switch nested := value.Kind == yaml.MappingNode && isEnvironment(key); {
		case nested: // a list for each environment
			inner := valueWalk{}
			if inner.list(value); len(inner.found) == 0 {
				return
			}
			for _, p := range inner.found {
				p.path = join(escape(key), p.path)
				found = append(found, p)
			}
		case value.Kind != yaml.ScalarNode || validName(key) == "" || isEnvironment(key) || isVersionKey(key) || strings.HasSuffix(strings.ToLower(key), "version") || !isVersion(value.Value):
			return
		default:
			found = append(found, pin{kind: overlay.TypeImage, path: escape(key), own: true})
		}
	}
	w.found = found
}

func field(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// mostPins of one file are enough to know it by: more than a layout lists, which is told.
const mostPins = mostDeclared + 1

type valueWalk struct {
	versions bool // version: is a pin as well
	found    []pin
}

func (w *valueWalk) walk(n *yaml.Node, at string, depth int) {
	if n.Kind != yaml.MappingNode || depth > 8 || len(w.found) >= mostPins {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, n.Content[i+1]
		if value.Kind == yaml.ScalarNode {
			if (isVersionKey(key) || w.versions && key == "version") && isVersion(value.Value) {
				w.found = append(w.found, pin{kind: overlay.TypeImage, path: join(at, escape(key))})
			}
			continue
		}
		w.walk(value, join(at, escape(key)), depth+1)
	}
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

var escapes = strings.NewReplacer(`\`, `\\`, `.`, `\.`, `[`, `\[`, `:`, `\:`)

func escape(key string) string { return escapes.Replace(key) }

// isVersionKey tells keys that usually hold an image's version alone.
func isVersionKey(key string) bool {
	lower := strings.ToLower(key)
	for _, end := range []string{"_version", "_tag", "-tag", "_digest", "_sha"} {
		if strings.HasSuffix(lower, end) {
			return true
		}
	}
	return lower == "tag" || strings.HasSuffix(key, "Tag") || lower == "imagetag"
}

func isImageKey(key string) bool {
	lower := strings.ToLower(key)
	return lower == "image" || strings.HasSuffix(lower, "_image") || strings.HasSuffix(key, "Image")
}

// isVersion tells a text that may be an image's tag, and is more than a word.
func isVersion(s string) bool {
	if s == "" || len(s) > 128 || !strings.ContainsAny(s, "0123456789") {
		return false
	}
	for _, c := range []byte(s) {
		if !isWordByte(c) && c != '.' && c != '-' && c != ':' && c != '+' {
			return false
		}
	}
	return isWordByte(s[0]) && (!strings.Contains(s, ":") || strings.HasPrefix(s, "sha256:"))
}

// isReference tells a text that may be an image with its tag or digest.
func isReference(s string) bool {
	i := strings.LastIndexByte(s, '/')
	return strings.ContainsAny(s[i+1:], ":@") && !strings.Contains(s, "://") && !strings.ContainsAny(s, " ${}")
}

func isWordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// steps splits a path at its dots, but not in brackets.
func steps(p string) []string {
	var out []string
	start, depth := 0, 0
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '\\':
			i++
		case '[':
			depth++
		case ']':
			depth--
		case '.':
			if depth == 0 {
				out = append(out, p[start:i])
				start = i + 1
			}
		}
	}
	return append(out, p[start:])
}
