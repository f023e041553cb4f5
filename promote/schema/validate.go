package schema

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// formats are those that an API server refuses a value for.
var formats = []string{"byte", "date-time", "int32", "int64"}

func newCompiler(l jsonschema.URLLoader) *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.UseLoader(l)
	c.AssertFormat()
	c.RegisterFormat(&jsonschema.Format{Name: "byte", Validate: isBytes})
	c.RegisterFormat(&jsonschema.Format{Name: "date-time", Validate: isTime})
	c.RegisterFormat(&jsonschema.Format{Name: "int32", Validate: fits(32)})
	c.RegisterFormat(&jsonschema.Format{Name: "int64", Validate: fits(64)})
	return c
}

func isBytes(v any) error {
	if s, ok := v.(string); ok {
		if _, err := base64.StdEncoding.DecodeString(s); err != nil {
			return errors.New("is not in base64")
		}
	}
	return nil
}

func isTime(v any) error {
	if s, ok := v.(string); ok {
		if _, err := time.Parse(time.RFC3339, s); err != nil {
			return errors.New("is no time such as 2006-01-02T15:04:05Z")
		}
	}
	return nil
}

// fits is the format of an integer with so many bits.
func fits(bits int) func(any) error {
	return func(v any) error {
		if n, ok := v.(json.Number); ok {
			if _, err := strconv.ParseInt(string(n), 10, bits); errors.Is(err, strconv.ErrRange) {
				return fmt.Errorf("does not fit into %d bits", bits)
			}
		}
		return nil
	}
}

// validate holds fields against a schema. What is wrong is told in the order of the fields.
func validate(o *objects.Object, fields any, schema *jsonschema.Schema) []Finding {
	var wrong *jsonschema.ValidationError
	if err := schema.Validate(fields); !errors.As(err, &wrong) {
		return nil
	}
	var out []Finding
	var visit func(e *jsonschema.ValidationError)
	visit = func(e *jsonschema.ValidationError) {
		switch e.ErrorKind.(type) {
		case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
			for _, cause := range e.Causes {
				visit(cause)
			}
			return
		case *kind.AnyOf, *kind.OneOf:
			if len(e.Causes) == 2 { // where null will do, the other is what was meant
				if t, ok := e.Causes[0].ErrorKind.(*kind.Type); ok && slices.Equal(t.Want, []string{"null"}) {
					visit(e.Causes[1])
					return
				}
			}
		}
		at := objects.At(fields, e.InstanceLocation)
		for _, f := range messages(e, schema) {
			f.Object, f.Path = o, append(slices.Clone(at), f.Path...)
			out = append(out, f)
		}
	}
	visit(wrong)
	slices.SortStableFunc(out, func(a, b Finding) int { return strings.Compare(a.Path.String(), b.Path.String()) })
	return out
}

// messages are what is wrong in a place. Paths lead on from there. No value is told: it may
// be a secret.
func messages(e *jsonschema.ValidationError, schema *jsonschema.Schema) []Finding {
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		var out []Finding
		known := fieldsAt(schema, e.InstanceLocation)
		for _, name := range k.Properties {
			f := Finding{Path: objects.Path{name}, Msg: "is no field that is known there"}
			if best := spelling.Nearest(name, known); best != "" {
				f.Hint = "did you mean " + best + "?"
			}
			out = append(out, f)
		}
		return out
	case *kind.Required:
		var out []Finding
		for _, name := range k.Missing {
			out = append(out, Finding{Path: objects.Path{name}, Msg: "is missing"})
		}
		return out
	case *kind.Type:
		return []Finding{{Msg: fmt.Sprintf("is %s, and must be %s", k.Got, strings.Join(k.Want, " or "))}}
	case *kind.Format:
		return []Finding{{Msg: k.Err.Error()}}
	case *kind.Pattern:
		return []Finding{{Msg: "does not match " + k.Want}}
	case *kind.Enum:
		var names []string
		for _, v := range k.Want {
			names = append(names, objects.Text(v))
		}
		f := Finding{Msg: "is none of " + strings.Join(names, ", ")}
		if got, ok := k.Got.(string); ok {
			if best := spelling.Nearest(got, names); best != "" {
				f.Hint = "did you mean " + best + "?"
			}
		}
		return []Finding{f}
	case *kind.AnyOf, *kind.OneOf:
		return []Finding{{Msg: alternatives(e)}}
	}
	return []Finding{{Msg: e.ErrorKind.LocalizedString(message.NewPrinter(language.English))}}
}

// alternatives says what would have done.
func alternatives(e *jsonschema.ValidationError) string {
	var want []string
	got := ""
	for _, cause := range e.Causes {
		t, ok := cause.ErrorKind.(*kind.Type)
		if !ok || len(cause.InstanceLocation) != len(e.InstanceLocation) {
			return "fits none of its alternatives, or more than one"
		}
		got, want = t.Got, append(want, t.Want...)
	}
	if len(want) == 0 {
		return "fits more than one of its alternatives"
	}
	return fmt.Sprintf("is %s, and must be %s", got, strings.Join(want, " or "))
}

// fieldsAt are the fields that a schema has in a place, in their order.
func fieldsAt(s *jsonschema.Schema, at []string) []string {
	for n := 0; s != nil; {
		switch {
		case s.Ref != nil:
			s = s.Ref
		case len(s.AnyOf) == 2 && len(s.Properties) == 0 && s.Items2020 == nil:
			s = s.AnyOf[1] // nullable
		case n == len(at):
			return slices.Sorted(maps.Keys(s.Properties))
		case s.Properties[at[n]] != nil:
			s = s.Properties[at[n]]
			n++
		case s.Items2020 != nil:
			s = s.Items2020
			n++
		default:
			s, _ = s.AdditionalProperties.(*jsonschema.Schema)
			n++
		}
	}
	return nil
}
