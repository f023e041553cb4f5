package explaincmd

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// schema is what is read of a JSON Schema. It is read as YAML, which keeps the order of
// fields.
type schema struct {
	Title       string     `yaml:"title"`
	Description string     `yaml:"description"`
	Ref         string     `yaml:"$ref"`
	Type        string     `yaml:"type"`
	Const       string     `yaml:"const"`
	Enum        []string   `yaml:"enum"`
	OneOf       []*schema  `yaml:"oneOf"`
	AnyOf       []*schema  `yaml:"anyOf"`
	AllOf       []*schema  `yaml:"allOf"`
	Items       *schema    `yaml:"items"`
	Properties  properties `yaml:"properties"`
	Required    []string   `yaml:"required"`
	Additional  values     `yaml:"additionalProperties"`
	Defs        properties `yaml:"$defs"`
}

// values is what a mapping with free keys holds; nil where there are none.
type values struct{ *schema }

// UnmarshalYAML reads a schema, and false as none.
func (v *values) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	v.schema = &schema{}
	return n.Decode(v.schema)
}

type property struct {
	name string
	*schema
}

// properties are in the order of the file.
type properties []property

// UnmarshalYAML reads a mapping.
func (p *properties) UnmarshalYAML(n *yaml.Node) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		one := property{n.Content[i].Value, &schema{}}
		if err := n.Content[i+1].Decode(one.schema); err != nil {
			return err
		}
		*p = append(*p, one)
	}
	return nil
}

func (p properties) named(name string) *schema {
	for _, one := range p {
		if strings.EqualFold(one.name, name) {
			return one.schema
		}
	}
	return nil
}

// kind is a file whose fields are explained.
type kind struct {
	names   []string
	version string
	text    []byte
	root    *schema
}

// parse reads the kind's schema.
func (k *kind) parse() error {
	k.root = &schema{}
	if err := yaml.Unmarshal(k.text, k.root); err != nil {
		return fmt.Errorf("reading the schema of %s: %w", k.names[0], err)
	}
	return nil
}

// all gives a schema and those that it stands for or chooses between, without the types
// of lists.
func (k *kind) all(s *schema) []*schema {
	out := []*schema{s}
	if s.Ref != "" {
		out = append(out, k.all(k.named(s.Ref))...)
	}
	for _, one := range slices.Concat(s.AllOf, s.OneOf, s.AnyOf) {
		out = append(out, k.all(one)...)
	}
	return out
}

// fields are what may stand below a value: in it, or in each of a list of it.
func (k *kind) fields(s *schema) properties {
	var out properties
	for _, one := range k.all(s) {
		found := one.Properties
		if one.Items != nil {
			found = k.fields(one.Items)
		}
		if one.Additional.schema != nil && len(found) == 0 {
			found = k.fields(one.Additional.schema)
		}
		for _, p := range found {
			if out.named(p.name) == nil {
				out = append(out, p)
			}
		}
	}
	return out
}

// requires tells whether a field has to be there: in each of the forms that a value may
// have which have fields at all.
func (k *kind) requires(s *schema, name string) bool {
	if slices.Contains(s.Required, name) || s.Items != nil && k.requires(s.Items, name) ||
		s.Ref != "" && k.requires(k.named(s.Ref), name) ||
		slices.ContainsFunc(s.AllOf, func(one *schema) bool { return k.requires(one, name) }) {
		return true
	}
	forms := slices.DeleteFunc(slices.Concat(s.OneOf, s.AnyOf), func(one *schema) bool { return one.Type != "object" && one.Ref == "" && len(one.Required) == 0 })
	return len(forms) > 0 && !slices.ContainsFunc(forms, func(one *schema) bool { return !k.requires(one, name) })
}

// named gives the schema that a reference is to.
func (k *kind) named(ref string) *schema {
	return k.root.Defs.named(strings.TrimPrefix(ref, "#/$defs/"))
}

// typeOf is what a value is, as Go would write it.
func (k *kind) typeOf(s *schema) string {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, one := range k.all(s) {
		switch {
		case one.Type == "array" && one.Items != nil:
			of := k.typeOf(one.Items)
			if strings.Contains(of, " ") {
				of = "(" + of + ")"
			}
			add("[]" + of)
		case one.Type == "object" && one.Additional.schema != nil && len(one.Properties) == 0:
			add("map[string]" + k.typeOf(one.Additional.schema))
		case one.Type == "object" || len(one.Properties) > 0:
			add("object")
		case one.Type != "":
			add(one.Type)
		case one.Const != "" || len(one.Enum) > 0:
			add("string")
		}
	}
	return strings.Join(names, " | ")
}

// values are those that are possible, where that is a list.
func (k *kind) values(s *schema) []string {
	var out []string
	for _, one := range k.all(s) {
		out = append(out, one.Enum...)
		if one.Const != "" {
			out = append(out, one.Const)
		}
	}
	return out
}

// about says what a value means: what is said of the field, then of its type.
func (k *kind) about(s *schema) []string {
	var out []string
	for _, one := range k.all(s) {
		if one.Description != "" && !slices.Contains(out, one.Description) {
			out = append(out, one.Description)
		}
		if one.Items != nil {
			for _, text := range k.about(one.Items) {
				if !slices.Contains(out, text) {
					out = append(out, text)
				}
			}
		}
	}
	return out
}
