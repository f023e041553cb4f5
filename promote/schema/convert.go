package schema

import (
	"maps"
	"slices"
)

// kept are the keywords that mean the same in a CustomResourceDefinition as in JSON Schema.
var kept = []string{
	"type", "required", "enum", "pattern", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum", "multipleOf",
}

// convert gives the schema of a CustomResourceDefinition as JSON Schema: with no other
// fields than it has, unless it says otherwise, as an API server would leave them out.
// Below allOf, anyOf, oneOf and not the same fields are spoken of again, so there it is not
// said.
func convert(in map[string]any, structural bool) map[string]any {
	out := make(map[string]any)
	for key, value := range in {
		switch {
		case slices.Contains(kept, key):
			out[key] = value
		case key == "format" && slices.Contains(formats, text(value)):
			out[key] = value
		case key == "exclusiveMinimum" && value == true:
			out[key] = in["minimum"]
		case key == "exclusiveMaximum" && value == true:
			out[key] = in["maximum"]
		case key == "items" || key == "not":
			out[key] = below(value, structural && key == "items")
		case key == "allOf" || key == "anyOf" || key == "oneOf":
			list, _ := value.([]any)
			all := []any{}
			for _, one := range list {
				all = append(all, below(one, false))
			}
			if len(all) > 0 {
				out[key] = all
			}
		case key == "additionalProperties":
			out[key] = below(value, structural)
		case key == "properties":
			properties := make(map[string]any)
			for name, one := range mapping(value) {
				properties[name] = below(one, structural)
			}
			out[key] = properties
		}
	}
	if in["x-kubernetes-int-or-string"] == true {
		out["type"] = []any{"integer", "string"}
	}
	if structural {
		closed(in, out)
	}
	if in["nullable"] == true {
		return map[string]any{"anyOf": []any{map[string]any{"type": "null"}, out}}
	}
	return out
}

// closed keeps all fields out that a schema does not have. Those of an object are known
// wherever one is.
func closed(in, out map[string]any) {
	properties, ok := out["properties"].(map[string]any)
	if in["x-kubernetes-embedded-resource"] == true || in[root] == true {
		if !ok {
			properties = make(map[string]any)
		}
		properties["apiVersion"], properties["kind"] = map[string]any{"type": "string"}, map[string]any{"type": "string"}
		properties["metadata"] = map[string]any{"$ref": kubernetesURL + objectMeta}
		out["properties"] = properties
	}
	if out["type"] == "object" && out["additionalProperties"] == nil && in["x-kubernetes-preserve-unknown-fields"] != true {
		out["additionalProperties"] = false
	}
}

// root marks the schema of an object itself.
const root = "x-kubepromote-root"

func below(v any, structural bool) any {
	if m, ok := v.(map[string]any); ok {
		return convert(m, structural)
	}
	return v == true // additionalProperties may be one
}

func mapping(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// prune leaves out fields that are null, as an API server does, but for those that may be
// by a schema. What is given stays as it is.
func prune(v any, schema map[string]any) any {
	switch v := v.(type) {
	case map[string]any:
		properties := mapping(schema["properties"])
		out := make(map[string]any, len(v))
		for name, one := range v {
			next, ok := properties[name].(map[string]any)
			if !ok {
				next = mapping(schema["additionalProperties"])
			}
			if one != nil || next["nullable"] == true {
				out[name] = prune(one, next)
			}
		}
		return out
	case []any:
		next := mapping(schema["items"])
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = prune(one, next)
		}
		return out
	}
	return v
}

// asRoot marks a schema as that of an object itself.
func asRoot(schema map[string]any) map[string]any {
	out := maps.Clone(schema)
	if out == nil { // it has none: everything goes
		out = map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	}
	out[root] = true
	return out
}
