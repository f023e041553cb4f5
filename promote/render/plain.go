package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"go.yaml.in/yaml/v3"
	kyaml "sigs.k8s.io/yaml"
)

// document is one document of a YAML file.
type document struct {
	root *yaml.Node
	// apiVersion, kind and name are empty where it is no object.
	apiVersion, kind, name string
}

// documents parses a file, once.
func (s *source) documents(file string) ([]document, error) {
	if _, over := s.over[file]; s.below != nil && !over {
		return s.below.documents(file)
	}
	s.mu.Lock()
	known, ok := s.texts[file]
	s.mu.Unlock()
	if ok {
		return known, nil
	}
	data, err := s.bytes(file)
	if err != nil {
		return nil, err
	}
	docs, err := parseDocuments(file, data)
	if err == nil {
		s.mu.Lock()
		s.texts[file] = docs
		s.mu.Unlock()
	}
	return docs, err
}

func parseDocuments(file string, data []byte) ([]document, error) {
	var docs []document
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var n yaml.Node
		switch err := dec.Decode(&n); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			return nil, yamlError(file, err)
		}
		if len(n.Content) == 1 {
			d := document{root: n.Content[0]}
			d.apiVersion, d.kind = value(d.root, "apiVersion"), value(d.root, "kind")
			if meta := field(d.root, "metadata"); meta != nil {
				d.name = value(meta, "name")
			}
			docs = append(docs, d)
		}
	}
}

// field gives the value of a mapping's key, or nil.
func field(n *yaml.Node, key string) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			if v := n.Content[i+1]; v.Kind == yaml.AliasNode {
				return v.Alias
			}
			return n.Content[i+1]
		}
	}
	return nil
}

func value(n *yaml.Node, key string) string {
	if v := field(n, key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

// plainDir gives the objects of the files right in a directory, in the order of their
// names.
func (r *Renderer) plainDir(dir string) (*Rendered, error) {
	entries, err := r.source.list(dir)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)) && entries[name] == isFile {
			all = append(all, path.Join(dir, name))
		}
	}
	out, err := r.plain(all)
	if err == nil && len(out.Objects) == 0 {
		err = &promote.Error{Msg: dir + " has neither a kustomization nor an object of Kubernetes"}
	}
	return out, err
}

// plain gives the objects of files. What has no kind is none.
func (r *Renderer) plain(all []string) (*Rendered, error) {
	out := &Rendered{}
	for _, file := range all {
		docs, err := r.source.documents(file)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if d.kind == "" || d.apiVersion == "" {
				continue
			}
			o, err := d.object(file)
			if err != nil {
				return nil, err
			}
			if out.Objects = append(out.Objects, o); len(out.Objects) > maxObjects {
				return nil, &promote.Error{Msg: fmt.Sprintf("%s: there are more than %d objects", file, maxObjects)}
			}
		}
	}
	out.text = func() ([]byte, error) {
		var b bytes.Buffer
		for n, o := range out.Objects {
			if n > 0 {
				b.WriteString("---\n")
			}
			data, err := kyaml.Marshal(o.Fields)
			if err != nil {
				return nil, err
			}
			b.Write(data)
		}
		return b.Bytes(), nil
	}
	return out, nil
}

// object is the document as Kubernetes reads it.
func (d document) object(file string) (objects.Object, error) {
	fail := func(err error) (objects.Object, error) {
		return objects.Object{}, &promote.Error{Msg: fmt.Sprintf("%s:%d: cannot be read as an object", file, d.root.Line), Err: err}
	}
	text, err := yaml.Marshal(d.root)
	if err != nil {
		return fail(err)
	}
	data, err := kyaml.YAMLToJSON(text)
	if err != nil {
		return fail(err)
	}
	fields, err := decode(data)
	if err != nil {
		return fail(err)
	}
	o := objects.Of(fields)
	if o.Deep() {
		return objects.Object{}, deep(fmt.Sprintf("%s:%d", file, d.root.Line), &o)
	}
	o.Places = func(p objects.Path) objects.Place {
		n, _ := find(d.root, p)
		return objects.Place{File: file, Line: n.Line}
	}
	return o, nil
}

func deep(where string, o *objects.Object) error {
	return &promote.Error{Msg: fmt.Sprintf("%s: %s has lists in lists, deeper than they are read", where, fault.OneLine(o.String())), Hint: "write the objects by themselves"}
}

// find goes as far along a path as a document has it, and tells whether that is all of it.
func find(n *yaml.Node, at objects.Path) (*yaml.Node, bool) {
	found := n
	for _, step := range at {
		var next, shown *yaml.Node
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					shown, next = n.Content[i], n.Content[i+1]
				}
			}
		case yaml.SequenceNode:
			for i, e := range n.Content {
				if e.Kind == yaml.AliasNode {
					e = e.Alias
				}
				if step == fmt.Sprintf("[%d]", i) || objects.Selects(step, func(key string) (string, bool) { v := field(e, key); return scalarOf(v), v != nil }) {
					shown, next = e, e
					break
				}
			}
		}
		if next == nil {
			return found, false
		}
		if next.Kind == yaml.AliasNode {
			next = next.Alias
		}
		found, n = shown, next
	}
	return found, true
}

func scalarOf(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}
