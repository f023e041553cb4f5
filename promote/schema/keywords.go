package schema

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
)

// schema is a schema of OpenAPI v3, with the keywords that an API server heeds. A library
// of JSON Schema compiles the schemas of schemas when a program starts, which takes as long
// as all that kustomize does before it begins: this is what is left of it for API objects.
type schema struct {
	Ref    string   `json:"$ref"` // the name of a built-in schema
	Type   types    `json:"type"`
	Format string   `json:"format"`
	Enum   []any    `json:"enum"`
	Match  *pattern `json:"pattern"`

	MinLength        *int     `json:"minLength"`
	MaxLength        *int     `json:"maxLength"`
	MinItems         *int     `json:"minItems"`
	MaxItems         *int     `json:"maxItems"`
	MinProperties    *int     `json:"minProperties"`
	MaxProperties    *int     `json:"maxProperties"`
	Minimum          *float64 `json:"minimum"`
	Maximum          *float64 `json:"maximum"`
	ExclusiveMinimum bool     `json:"exclusiveMinimum"`
	ExclusiveMaximum bool     `json:"exclusiveMaximum"`
	MultipleOf       *float64 `json:"multipleOf"`

	Items      *schema            `json:"items"`
	Required   []string           `json:"required"`
	Properties map[string]*schema `json:"properties"`
	Others     *others            `json:"additionalProperties"`

	AllOf []*schema `json:"allOf"`
	AnyOf []*schema `json:"anyOf"`
	OneOf []*schema `json:"oneOf"`
	Not   *schema   `json:"not"`

	Nullable    bool `json:"nullable"`
	IntOrString bool `json:"x-kubernetes-int-or-string"`
	Preserve    bool `json:"x-kubernetes-preserve-unknown-fields"`
	Embedded    bool `json:"x-kubernetes-embedded-resource"`
}

// types are the types that a value may have.
type types []string

// UnmarshalJSON takes one type, or a list.
func (t *types) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(data, []byte("[")) && string(data) != "null" {
		*t = make(types, 1)
		return json.Unmarshal(data, &(*t)[0])
	}
	return json.Unmarshal(data, (*[]string)(t))
}

// takes tells whether a value of a type will do.
func (t types) takes(v any) bool {
	got := typeOf(v)
	return len(t) == 0 || slices.Contains(t, got) || got == "number" && slices.Contains(t, "integer") && isInteger(v)
}

// pattern is an expression as Go and API servers know them.
type pattern struct{ *regexp.Regexp }

// UnmarshalText compiles it.
func (p *pattern) UnmarshalText(text []byte) (err error) {
	p.Regexp, err = regexp.Compile(string(text))
	return err
}

// others is what holds for fields that are not listed.
type others struct {
	forbidden bool
	schema    *schema // nil: anything goes
}

// UnmarshalJSON takes a schema, true or false.
func (o *others) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("{")) {
		return parseSchema(data, &o.schema)
	}
	allowed := false
	err := json.Unmarshal(data, &allowed)
	o.forbidden = !allowed
	return err
}

// parseSchema reads a schema.
func parseSchema(data []byte, into **schema) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return dec.Decode(into)
}

// objectMeta is the schema of metadata.
const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

// parseDefined reads the schema that a CustomResourceDefinition has for a version.
func parseDefined(data []byte) (*schema, error) {
	var s *schema
	if len(data) > 0 {
		if err := parseSchema(data, &s); err != nil {
			return nil, err
		}
	}
	if s == nil { // it has none: everything goes
		s = &schema{Type: types{"object"}, Preserve: true}
	}
	s.Embedded = true
	s.close(true)
	return s, nil
}

// close keeps all fields out that a schema does not have, unless it says otherwise, as an
// API server would leave them out. Below allOf, anyOf, oneOf and not the same fields are
// spoken of again, so there it is not said.
func (s *schema) close(structural bool) {
	if s == nil {
		return
	}
	s.Ref = "" // none are allowed there
	if s.IntOrString {
		s.Type = types{"integer", "string"}
	}
	s.Items.close(structural)
	for _, one := range s.Properties {
		one.close(structural)
	}
	if s.Others != nil {
		s.Others.schema.close(structural)
	}
	for _, one := range slices.Concat(s.AllOf, s.AnyOf, s.OneOf) {
		one.close(false)
	}
	s.Not.close(false)
	if !structural {
		return
	}
	if s.Embedded {
		if s.Properties == nil {
			s.Properties = make(map[string]*schema)
		}
		s.Properties["apiVersion"], s.Properties["kind"] = &schema{Type: types{"string"}}, &schema{Type: types{"string"}}
		s.Properties["metadata"] = &schema{Ref: objectMeta}
	}
	if s.Others == nil && !s.Preserve && slices.Equal(s.Type, types{"object"}) {
		s.Others = &others{forbidden: true}
	}
}

// prune leaves out fields that are null, as an API server does, but for those that may be
// by a schema. What is given stays as it is.
func prune(v any, s *schema) any {
	if s == nil {
		s = &schema{}
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, one := range v {
			next, ok := s.Properties[name]
			if !ok && s.Others != nil {
				next = s.Others.schema
			}
			if one != nil || next != nil && next.Nullable {
				out[name] = prune(one, next)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = prune(one, s.Items)
		}
		return out
	}
	return v
}
