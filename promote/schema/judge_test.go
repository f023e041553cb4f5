package schema

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maker makes schemas and values at random, small ones, so that they meet often.
type maker struct{ *rand.Rand }

func (m maker) one(of ...any) any { return of[m.IntN(len(of))] }

func (m maker) schema(depth int) map[string]any {
	out := make(map[string]any)
	for range 1 + m.IntN(3) {
		switch m.IntN(14) {
		case 0, 1, 2:
			out["type"] = m.one("object", "array", "string", "integer", "number", "boolean")
		case 3:
			out["enum"] = []any{m.value(1), m.value(0)}
		case 4:
			out["pattern"] = m.one("^a", "b$", "^[ab]+$")
		case 5:
			out[m.one("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties").(string)] = m.IntN(3)
		case 6:
			out[m.one("minimum", "maximum").(string)] = m.one(1, 2, 1.5)
		case 7:
			out["multipleOf"] = m.one(2, 0.5, 3)
		case 8:
			out["required"] = []any{m.one("a", "b", "c")}
		}
		if depth == 0 {
			continue
		}
		switch m.IntN(9) {
		case 0, 1:
			out["properties"] = map[string]any{"a": m.schema(depth - 1), "b": m.schema(depth - 1)}
		case 2:
			out["additionalProperties"] = m.one(true, false, m.schema(depth-1))
		case 3:
			out["items"] = m.schema(depth - 1)
		case 4:
			out[m.one("allOf", "anyOf", "oneOf").(string)] = []any{m.schema(depth - 1), m.schema(depth - 1)}
		case 5:
			out["not"] = m.schema(depth - 1)
		}
	}
	return out
}

func (m maker) value(depth int) any {
	if depth > 0 {
		switch m.IntN(4) {
		case 0:
			return []any{m.value(depth - 1), m.value(depth - 1)}[:m.IntN(3)]
		case 1, 2:
			out := make(map[string]any)
			for range m.IntN(4) {
				out[m.one("a", "b", "c").(string)] = m.value(depth - 1)
			}
			return out
		}
	}
	return m.one(nil, true, "", "a", "ab", "cab", 0, 1, 2, 1.5, 3.0)
}

// A library of JSON Schema is the judge of what fits: it is too slow to start for the
// program, and knows all that an API server means by these keywords.
func TestAsTheLibrary(t *testing.T) {
	text := func(v any) []byte {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	valid := 0
	const rounds = 1000
	for seed := range uint64(rounds) {
		m := maker{rand.New(rand.NewPCG(seed, 1))}
		in, value := text(m.schema(3)), text(m.value(3))
		judge := jsonschema.NewCompiler()
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		if err := judge.AddResource("https://schema.invalid/", doc); err != nil {
			t.Fatal(err)
		}
		compiled, err := judge.Compile("https://schema.invalid/")
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
		if err != nil {
			t.Fatal(err)
		}
		want := compiled.Validate(instance)
		var own *schema
		if err := parseSchema(in, &own); err != nil {
			t.Fatal(err)
		}
		found, err := (&Set{}).validate(&objects.Object{}, instance, own)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			valid++
		}
		if (want == nil) != (len(found) == 0) {
			t.Fatalf("seed %d: %s\nby %s\ngives %v\nthe library %v", seed, value, in, found, want)
		}
	}
	if valid < rounds/10 || valid > rounds*9/10 {
		t.Errorf("%d of %d fit: too one-sided to tell anything", valid, rounds)
	}
}

// Whatever a definition has for a schema, there is an answer.
func FuzzSchema(f *testing.F) {
	f.Add([]byte(`{"type":["object"],"properties":{"a":{"x-kubernetes-int-or-string":true,"nullable":true}}}`), []byte(`{"a":"b"}`))
	f.Add([]byte(`{"anyOf":[null,{"not":{"multipleOf":0}}],"additionalProperties":{"items":null}}`), []byte(`[1e999999999,{"metadata":null}]`))
	f.Fuzz(func(t *testing.T, in, value []byte) {
		s, err := parseDefined(in)
		if err != nil {
			return
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
		if err != nil {
			return
		}
		set, err := Load(tree(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := set.validate(&objects.Object{}, prune(instance, s), s); err != nil {
			t.Fatal(err)
		}
	})
}
