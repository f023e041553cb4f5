package schema

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/promote/objects"
)

// wrong is what is wrong in a place. No value is told: it may be a secret.
type wrong struct {
	at        []string
	msg, hint string
	want      types // where it is the type
}

// validate holds fields against a schema. What is wrong is told in the order of the fields.
func (s *Set) validate(o *objects.Object, fields any, against *schema) ([]Finding, error) {
	v := validator{set: s}
	v.check(nil, fields, against)
	var out []Finding
	for _, one := range v.wrong {
		out = append(out, Finding{Object: o, Path: objects.At(fields, one.at), Msg: one.msg, Hint: one.hint})
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return strings.Compare(a.Path.String(), b.Path.String()) })
	return out, v.err
}

// validator collects what is wrong with a value.
type validator struct {
	set   *Set
	wrong []wrong
	err   error
}

func (v *validator) add(at []string, format string, args ...any) {
	v.wrong = append(v.wrong, wrong{at: at, msg: fmt.Sprintf(format, args...)})
}

// check holds a value against a schema; without one anything goes.
func (v *validator) check(at []string, value any, s *schema) {
	if s != nil && s.Ref != "" {
		named, err := v.set.named(s.Ref)
		if err != nil {
			v.err = err
		}
		s = named
	}
	if s == nil || value == nil && s.Nullable {
		return
	}
	if !s.Type.takes(value) {
		v.wrong = append(v.wrong, wrong{at: at, msg: mistyped(value, s.Type), want: s.Type})
		return
	}
	switch value := value.(type) {
	case map[string]any:
		v.object(at, value, s)
	case []any:
		v.count(at, len(value), s.MinItems, s.MaxItems, "elements")
		for n, one := range value {
			v.check(below(at, strconv.Itoa(n)), one, s.Items)
		}
	case string:
		v.count(at, utf8.RuneCountInString(value), s.MinLength, s.MaxLength, "characters")
		if s.Match != nil && !s.Match.MatchString(value) {
			v.add(at, "does not match %s", s.Match)
		}
	default:
		v.number(at, value, s)
	}
	if err := formatted(value, s.Format); err != nil {
		v.add(at, "%v", err)
	}
	v.enumerated(at, value, s)
	v.alternatives(at, value, s)
}

func below(at []string, step string) []string { return append(at[:len(at):len(at)], step) }

func mistyped(value any, want types) string {
	return fmt.Sprintf("is %s, and must be %s", typeOf(value), strings.Join(want, " or "))
}

// object looks at fields: those that there are, and those that there should be.
func (v *validator) object(at []string, fields map[string]any, s *schema) {
	v.count(at, len(fields), s.MinProperties, s.MaxProperties, "fields")
	for name, one := range fields {
		next, ok := s.Properties[name]
		switch {
		case ok:
			v.check(below(at, name), one, next)
		case s.Others != nil && s.Others.forbidden:
			unknown := wrong{at: below(at, name), msg: "is no field that is known there"}
			if best := spelling.Nearest(name, slices.Sorted(maps.Keys(s.Properties))); best != "" {
				unknown.hint = "did you mean " + best + "?"
			}
			v.wrong = append(v.wrong, unknown)
		case s.Others != nil:
			v.check(below(at, name), one, s.Others.schema)
		}
	}
	for _, name := range s.Required {
		if _, ok := fields[name]; !ok {
			v.add(below(at, name), "is missing")
		}
	}
}

func (v *validator) count(at []string, n int, least, most *int, of string) {
	if least != nil && n < *least {
		v.add(at, "has %d %s, and must have %d or more", n, of, *least)
	}
	if most != nil && n > *most {
		v.add(at, "has %d %s, and must have %d or fewer", n, of, *most)
	}
}

func (v *validator) number(at []string, value any, s *schema) {
	n, ok := numberOf(value)
	if !ok {
		return
	}
	if least := s.Minimum; least != nil && (n < *least || s.ExclusiveMinimum && n == *least) {
		v.add(at, "must be %s%v", pick(s.ExclusiveMinimum, "more than ", "at least "), *least)
	}
	if most := s.Maximum; most != nil && (n > *most || s.ExclusiveMaximum && n == *most) {
		v.add(at, "must be %s%v", pick(s.ExclusiveMaximum, "less than ", "at most "), *most)
	}
	if s.MultipleOf != nil && *s.MultipleOf > 0 && math.Trunc(n / *s.MultipleOf) != n / *s.MultipleOf {
		v.add(at, "must be a multiple of %v", *s.MultipleOf)
	}
}

func pick(exclusive bool, yes, no string) string {
	if exclusive {
		return yes
	}
	return no
}

func (v *validator) enumerated(at []string, value any, s *schema) {
	if len(s.Enum) == 0 || slices.ContainsFunc(s.Enum, func(one any) bool { return equal(one, value) }) {
		return
	}
	var names []string
	for _, one := range s.Enum {
		names = append(names, objects.Text(one))
	}
	none := wrong{at: at, msg: "is none of " + strings.Join(names, ", ")}
	if got, ok := value.(string); ok {
		if best := spelling.Nearest(got, names); best != "" {
			none.hint = "did you mean " + best + "?"
		}
	}
	v.wrong = append(v.wrong, none)
}

// alternatives looks at what a value must, may and must not fit.
func (v *validator) alternatives(at []string, value any, s *schema) {
	for _, one := range s.AllOf {
		v.check(at, value, one)
	}
	if failed, fits := v.fitting(at, value, s.AnyOf); len(s.AnyOf) > 0 && fits == 0 {
		v.wrong = append(v.wrong, noneOf(at, value, failed))
	}
	failed, fits := v.fitting(at, value, s.OneOf)
	switch {
	case len(s.OneOf) > 0 && fits == 0:
		v.wrong = append(v.wrong, noneOf(at, value, failed))
	case fits > 1:
		v.add(at, "fits more than one of its alternatives")
	}
	if s.Not != nil {
		if _, fits := v.fitting(at, value, []*schema{s.Not}); fits > 0 {
			v.add(at, "is what it must not be")
		}
	}
}

// fitting says how many schemas a value fits, and what is wrong by the others.
func (v *validator) fitting(at []string, value any, all []*schema) (failed []wrong, fits int) {
	for _, one := range all {
		alone := validator{set: v.set}
		alone.check(at, value, one)
		if v.err = errors.Join(v.err, alone.err); len(alone.wrong) == 0 {
			fits++
		}
		failed = append(failed, alone.wrong...)
	}
	return failed, fits
}

// noneOf says what would have done.
func noneOf(at []string, value any, failed []wrong) wrong {
	var want types
	for _, one := range failed {
		if one.want == nil || len(one.at) != len(at) {
			return wrong{at: at, msg: "fits none of its alternatives"}
		}
		want = append(want, one.want...)
	}
	return wrong{at: at, msg: mistyped(value, want), want: want}
}

// typeOf is the type of a value as schemas have it. Any number is one here.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "number"
}

// numberOf gives a number, of whatever kind it is.
func numberOf(v any) (float64, bool) {
	if n, ok := v.(json.Number); ok {
		f, err := n.Float64()
		return f, err == nil
	}
	switch n := reflect.ValueOf(v); {
	case n.CanInt():
		return float64(n.Int()), true
	case n.CanUint():
		return float64(n.Uint()), true
	case n.CanFloat():
		return n.Float(), true
	}
	return 0, false
}

func isInteger(v any) bool {
	n, ok := numberOf(v)
	return ok && n == math.Trunc(n) && !math.IsInf(n, 0)
}

func equal(a, b any) bool {
	x, isNumber := numberOf(a)
	y, areNumbers := numberOf(b)
	return isNumber && areNumbers && x == y || reflect.DeepEqual(a, b)
}

// formatted tells what is wrong with a value of a format.
func formatted(value any, format string) error {
	if s, ok := value.(string); ok {
		switch format {
		case "byte":
			if _, err := base64.StdEncoding.DecodeString(s); err != nil {
				return errors.New("is not in base64")
			}
		case "date-time":
			if _, err := time.Parse(time.RFC3339, s); err != nil {
				return errors.New("is no time such as 2006-01-02T15:04:05Z")
			}
		}
	}
	bits := map[string]int{"int32": 32, "int64": 64}[format]
	if n, ok := value.(json.Number); ok && bits > 0 { // exactly: the largest of 64 bits is no float
		if _, err := strconv.ParseInt(string(n), 10, bits); errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("does not fit into %d bits", bits)
		}
	}
	return nil
}
