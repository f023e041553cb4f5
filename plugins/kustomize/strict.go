package kustomize

import (
	"cmp"
	"maps"
	"slices"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// fieldError is a fault in a configuration.
type fieldError struct {
	path, msg, hint string
}

// Error is the path of the field and what is wrong with it.
func (e *fieldError) Error() string { return e.path + ": " + e.msg }

// HintText gives what to do about it, or "".
func (e *fieldError) HintText() string { return e.hint }

// check compares a configuration with the schema of its kind. It is stricter than
// the framework: unknown fields are errors, and each error says what was probably
// meant.
func check(n *yaml.Node, s *spec.Schema) error {
	var f yamlfile.File
	f.Check(n, shapeOf(s))
	return f.Err(func(fault yamlfile.Fault) error {
		return &fieldError{fault.Path, cmp.Or(fault.Brief, fault.Msg), fault.Hint}
	})
}

// shapeOf gives the shape that a schema asks for.
func shapeOf(s *spec.Schema) *yamlfile.Shape {
	shape := &yamlfile.Shape{Kind: typeOf(s)}
	if s.Items != nil {
		shape.Items = shapeOf(s.Items.Schema)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field := s.Properties[name]
		shape.Fields = append(shape.Fields, yamlfile.Field{Name: name, Shape: shapeOf(&field), Required: slices.Contains(s.Required, name)})
	}
	return shape
}

// typeOf gives the type that a schema asks for.
func typeOf(s *spec.Schema) yamlfile.Kind {
	if len(s.Type) == 0 {
		return yamlfile.Any
	}
	switch s.Type[0] {
	case "object":
		return yamlfile.Mapping
	case "array":
		return yamlfile.List
	}
	return yamlfile.Kind(s.Type[0])
}
