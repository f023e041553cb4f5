package build

import (
	"fmt"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// operation is one step of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// difference gives the steps that lead from one value to another.
func difference(a, b *yaml.Node, path string) []operation {
	switch {
	case a.Kind == yaml.MappingNode && b.Kind == yaml.MappingNode:
		return mappingDifference(a, b, path)
	case a.Kind == yaml.SequenceNode && b.Kind == yaml.SequenceNode && len(a.Content) == len(b.Content):
		var ops []operation
		for i := range a.Content {
			ops = append(ops, difference(a.Content[i], b.Content[i], fmt.Sprintf("%s/%d", path, i))...)
		}
		return ops
	case a.Kind == yaml.ScalarNode && b.Kind == yaml.ScalarNode && a.Value == b.Value && a.ShortTag() == b.ShortTag():
		return nil
	}
	return []operation{{"replace", path, plain(b)}}
}

func mappingDifference(a, b *yaml.Node, path string) []operation {
	var ops []operation
	old := fieldsOf(a)
	for i := 0; i+1 < len(b.Content); i += 2 {
		name := b.Content[i].Value
		at := path + "/" + escapePointer.Replace(name)
		if v, ok := old[name]; ok {
			ops = append(ops, difference(v, b.Content[i+1], at)...)
		} else {
			ops = append(ops, operation{"add", at, plain(b.Content[i+1])})
		}
	}
	kept := fieldsOf(b)
	for i := 0; i+1 < len(a.Content); i += 2 {
		if name := a.Content[i].Value; kept[name] == nil {
			ops = append(ops, operation{Op: "remove", Path: path + "/" + escapePointer.Replace(name)})
		}
	}
	return ops
}

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")

func fieldsOf(m *yaml.Node) map[string]*yaml.Node {
	fields := make(map[string]*yaml.Node, len(m.Content)/2)
	for i := 0; i+1 < len(m.Content); i += 2 {
		fields[m.Content[i].Value] = m.Content[i+1]
	}
	return fields
}

// plain gives a value as encoding/json writes it.
func plain(n *yaml.Node) any {
	var v any
	if n.Decode(&v) != nil {
		return n.Value
	}
	return v
}
