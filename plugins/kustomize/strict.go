package kustomize

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// fieldError is a fault in a configuration.
type fieldError struct {
	path, msg, hint string
}

func (e *fieldError) Error() string { return e.path + ": " + e.msg }

// HintText gives what to do about it, or "".
func (e *fieldError) HintText() string { return e.hint }

// check compares a configuration with the schema of its kind. It is stricter than
// the framework: unknown fields are errors, and each error says what was probably
// meant.
func check(n *yaml.Node, s *spec.Schema, path string) []*fieldError {
	fail := func(hint, format string, args ...any) []*fieldError {
		return []*fieldError{{strings.TrimPrefix(path, "."), fmt.Sprintf(format, args...), hint}}
	}
	if n.Kind == yaml.AliasNode {
		return fail("write the value here", "is an alias")
	}
	if want := typeOf(s); want != "" && kindOf(n) != want {
		return fail("", "is a %s, not a %s", kindOf(n), want)
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, any(n.Value)) {
		return fail("", "is %q, and must be %v", n.Value, s.Enum[0])
	}
	var errs []*fieldError
	switch n.Kind {
	case yaml.SequenceNode:
		for i, it := range n.Content {
			errs = append(errs, check(it, s.Items.Schema, fmt.Sprintf("%s[%d]", path, i))...)
		}
	case yaml.MappingNode:
		errs = checkFields(n, s, path)
	}
	return errs
}

func checkFields(n *yaml.Node, s *spec.Schema, path string) []*fieldError {
	if len(s.Properties) == 0 {
		return nil // metadata: anything
	}
	var errs []*fieldError
	names := slices.Sorted(maps.Keys(s.Properties))
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		at := strings.TrimPrefix(path+"."+name, ".")
		p, known := s.Properties[name]
		switch {
		case seen[name]:
			errs = append(errs, &fieldError{at, "is there twice", "remove one of them"})
		case !known:
			errs = append(errs, &fieldError{at, "unknown field", meant(name, names)})
		default:
			errs = append(errs, check(n.Content[i+1], &p, at)...)
		}
		seen[name] = true
	}
	for _, name := range s.Required {
		if !seen[name] {
			errs = append(errs, &fieldError{strings.TrimPrefix(path+"."+name, "."), "is missing", ""})
		}
	}
	return errs
}

func meant(name string, names []string) string {
	if best := overlay.Nearest(name, names); best != "" {
		return "did you mean " + best + "?"
	}
	return "known here: " + strings.Join(names, ", ")
}

// typeOf gives the type that a schema asks for, in the words of kindOf.
func typeOf(s *spec.Schema) string {
	if len(s.Type) == 0 {
		return ""
	}
	switch s.Type[0] {
	case "object":
		return "mapping"
	case "array":
		return "list"
	}
	return s.Type[0]
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "mapping"
	case n.Kind == yaml.SequenceNode:
		return "list"
	}
	switch n.ShortTag() {
	case yaml.NodeTagString:
		return "string"
	case yaml.NodeTagBool:
		return "boolean"
	case yaml.NodeTagInt, yaml.NodeTagFloat:
		return "number"
	case yaml.NodeTagNull:
		return "null"
	}
	return strings.TrimPrefix(n.ShortTag(), "!!")
}
