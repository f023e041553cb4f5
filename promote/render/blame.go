package render

import (
	"bytes"
	"fmt"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/promote"
	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
)

// blame finds, once kustomize has failed, the file that it has failed at: one that is no YAML,
// and one with a document that is no object. Kustomize names files as the kustomization does that
// they are in, and tells of each that leads there.
func (s *source) blame(n *node) error {
	for _, file := range n.files() {
		if err := s.noObject(file); err != nil {
			return err
		}
	}
	return nil
}

// manyObjects is from how many on kustomize takes long: it compares each object with all others,
// at every level.
const manyObjects = 1000

// late is the error of a kustomization that was not rendered in time.
func (s *source) late(n *node, cause error) error {
	e := &promote.Error{Msg: n.dir + " was not rendered in time", Hint: "timeout: 2m in the gate, or --timeout", Err: cause}
	count := 0
	for _, file := range n.files() {
		if k, err := s.at(file); err != nil || k != isFile {
			continue
		}
		if data, err := s.bytes(file); err == nil {
			count += 1 + bytes.Count(bytes.TrimSuffix(bytes.TrimSpace(data), []byte("---")), []byte("\n---"))
		}
	}
	if count >= manyObjects {
		e.Msg += fmt.Sprintf(": it has about %d objects, each of which kustomize compares with all others", count)
		e.Hint = "divide it into several overlays, or timeout: 10m in the gate"
	}
	return e
}

// files are those among the resources of a kustomization and all below it, each once, those
// below first.
func (n *node) files() []string {
	var all []string
	seen := make(map[string]bool)
	var visit func(*node)
	visit = func(n *node) {
		if seen[n.dir] {
			return
		}
		seen[n.dir] = true
		for _, below := range slices.Concat(n.resources, n.components) {
			visit(below)
		}
		for _, entry := range n.k.Resources {
			if at := path.Join(n.dir, entry); !strings.Contains(entry, "\n") && !seen[at] {
				seen[at] = true
				all = append(all, at)
			}
		}
	}
	visit(n)
	return all
}

var accumulated = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`recursed accumulation of path '([^']+)'`) })

// innermost is the kustomization below one that an error of kustomize names last: what is nested
// is told from the outside. It is nil where there is none.
func (n *node) innermost(text string) *node {
	all := accumulated().FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return nil
	}
	return n.below(all[len(all)-1][1])
}

func (n *node) below(dir string) *node {
	for _, one := range slices.Concat(n.resources, n.components) {
		if one.dir == dir {
			return one
		}
		if found := one.below(dir); found != nil {
			return found
		}
	}
	return nil
}

// noObject says what is wrong with a file of resources; nil where nothing is, or nobody can tell.
func (s *source) noObject(file string) error {
	if k, err := s.at(file); err != nil || k != isFile {
		return nil //nolint:nilerr // it is not this which kustomize has failed at
	}
	docs, err := s.documents(file)
	if err != nil {
		return err
	}
	for _, d := range docs {
		meta := field(d.root, "metadata")
		lacks := ""
		switch {
		case d.root.Kind != yaml.MappingNode || len(d.root.Content) == 0, strings.HasSuffix(d.kind, "List"):
		case d.apiVersion == "":
			lacks = "apiVersion"
		case d.kind == "":
			lacks = "kind"
		case meta == nil || d.name == "" && value(meta, "generateName") == "":
			lacks = "metadata.name"
		}
		if lacks != "" {
			return &promote.Error{Msg: fmt.Sprintf("%s:%d: is listed among resources, and is no object of Kubernetes: it has no %s", file, d.root.Line, lacks)}
		}
	}
	return nil
}

var unknownField = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^json: unknown field "(.*)"$`) })

// kustomizationError is what kustomize says of a kustomization file that it does not take: with
// the line where that can be told, and what may be meant.
func kustomizationError(file string, doc *yaml.Node, err error) error {
	text := strings.TrimPrefix(fault.OneLine(err.Error()), "invalid Kustomization: ")
	m := unknownField().FindStringSubmatch(text)
	if m == nil {
		return &promote.Error{Msg: file + ": " + text}
	}
	place, hint := file+": ", ""
	if at, top := keyOf(doc, m[1], 0); at != nil {
		place = fmt.Sprintf("%s:%d:%d: ", file, at.Line, at.Column)
		if near := spelling.Nearest(m[1], fieldsOf(reflect.TypeFor[types.Kustomization]())); top && near != "" {
			hint = "did you mean " + near + "?"
		}
	}
	return &promote.Error{Msg: place + fmt.Sprintf("unknown field %q", m[1]), Hint: hint}
}

// keyOf finds a key that is called so in a mapping or below it, the outermost first; top tells
// that it is one of the mapping's own.
func keyOf(n *yaml.Node, name string, depth int) (at *yaml.Node, top bool) {
	if depth > 20 || n.Kind == yaml.AliasNode {
		return nil, false
	}
	for i, one := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && one.Value == name {
			return one, depth == 0
		}
	}
	for _, one := range n.Content {
		if at, _ := keyOf(one, name, depth+1); at != nil {
			return at, false
		}
	}
	return nil, false
}

// fieldsOf are the names that the fields of a struct have in JSON.
func fieldsOf(t reflect.Type) []string {
	var out []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name != "" && name != "-":
			out = append(out, name)
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			out = append(out, fieldsOf(f.Type)...)
		}
	}
	return out
}
