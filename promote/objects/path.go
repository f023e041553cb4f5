package objects

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Path leads to a field: a step for each key, and [name=web] or [2] for an element of a
// list.
type Path []string

// String is the path as patterns and messages have it: spec.containers[name=web].image. A
// dot in a key stands behind a backslash.
func (p Path) String() string {
	var b strings.Builder
	for n, step := range p {
		switch {
		case isElement(step):
			b.WriteString(step)
			continue
		case n > 0:
			b.WriteByte('.')
		}
		b.WriteString(escapeKey.Replace(step))
	}
	return b.String()
}

var escapeKey = strings.NewReplacer(`\`, `\\`, ".", `\.`, "[", `\[`)

func isElement(step string) bool { return strings.HasPrefix(step, "[") && strings.HasSuffix(step, "]") }

// Find gives the field that the path leads to.
func (p Path) Find(v any) (any, bool) {
	for _, step := range p {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[step]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			next, ok := element(at, step)
			if !ok {
				return nil, false
			}
			v = next
		default:
			return nil, false
		}
	}
	return v, true
}

func element(list []any, step string) (any, bool) {
	for n, v := range list {
		if m, ok := v.(map[string]any); ok && Selects(step, func(key string) (string, bool) { s, ok := scalar(m[key]); return s, ok }) || step == fmt.Sprintf("[%d]", n) {
			return v, true
		}
	}
	return nil, false
}

// Selects tells whether a step such as [containerPort=80,protocol=TCP] leads to an element
// of a list, whose fields value gives as texts. A key that the element does not have and
// that is empty in the step makes no difference.
func Selects(step string, value func(key string) (string, bool)) bool {
	if !isElement(step) || !strings.Contains(step, "=") {
		return false
	}
	for _, one := range strings.Split(step[1:len(step)-1], ",") {
		key, want, _ := strings.Cut(one, "=")
		if got, ok := value(key); got != want || !ok && want != "" {
			return false
		}
	}
	return true
}

// Pattern says which fields are meant: a path in which * stands for one step and ** for
// any number of them, and [*] for any element of a list. It means all that is below, too.
// KIND: or KIND/NAME: may stand in front, with globs.
type Pattern struct {
	text, kind, name string
	steps            []string
}

// ParsePattern reads a pattern.
func ParsePattern(s string) (Pattern, error) {
	p := Pattern{text: s}
	rest := s
	if of, fields, ok := strings.Cut(s, ":"); ok && !strings.ContainsAny(of, ".[") {
		rest = fields
		p.kind, p.name, _ = strings.Cut(of, "/")
		for _, glob := range []string{p.kind, p.name} {
			if _, err := path.Match(glob, ""); err != nil {
				return p, fmt.Errorf("%q is malformed", glob)
			}
		}
		if p.kind == "" {
			return p, errors.New("there is no kind before the colon")
		}
	}
	var err error
	if p.steps, err = splitPath(rest); err != nil {
		return p, err
	}
	if p.kind == "" && len(p.steps) == 1 && p.steps[0] == "**" {
		return p, errors.New("it allows everything")
	}
	return p, nil
}

// splitPath reads steps.
func splitPath(s string) ([]string, error) {
	var steps []string
	var key strings.Builder
	open := true // a key must follow
	end := func() {
		if key.Len() > 0 {
			steps = append(steps, key.String())
			key.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			key.WriteByte(s[i])
			open = false
		case c == '.':
			if open {
				return nil, errors.New("a step is empty")
			}
			end()
			open = true
		case c == '[':
			n := strings.IndexByte(s[i:], ']')
			if n < 2 || open && i > 0 {
				return nil, errors.New("a bracket stands alone")
			}
			end()
			steps = append(steps, s[i:i+n+1])
			i, open = i+n, false
		default:
			key.WriteByte(c)
			open = false
		}
	}
	end()
	if open {
		return nil, errors.New("a step is empty")
	}
	return steps, nil
}

// String is the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Means tells whether the pattern means a field of an object.
func (p Pattern) Means(o *Object, at Path) bool {
	if p.kind != "" && !glob(p.kind, o.Kind) || p.name != "" && !glob(p.name, o.Name) && !glob(p.name, o.Original) {
		return false
	}
	return leads(p.steps, at)
}

func glob(pattern, s string) bool {
	ok, err := path.Match(pattern, s)
	return ok && err == nil
}

// leads tells whether steps of a pattern lead to a path or to what is around it.
func leads(steps []string, at Path) bool {
	if len(steps) == 0 {
		return true
	}
	if steps[0] == "**" {
		for n := range len(at) + 1 {
			if leads(steps[1:], at[n:]) {
				return true
			}
		}
		return false
	}
	if len(at) == 0 {
		return false
	}
	one := steps[0] == at[0]
	switch {
	case isElement(at[0]):
		one = one || steps[0] == "[*]"
	case !one:
		one = glob(steps[0], at[0])
	}
	return one && leads(steps[1:], at[1:])
}

// Allowed are patterns of fields that may differ.
type Allowed []Pattern

// ParseAllowed reads patterns. The error names the first that is none.
func ParseAllowed(all []string) (Allowed, error) {
	var out Allowed
	for _, s := range all {
		p, err := ParsePattern(s)
		if err != nil {
			return nil, fmt.Errorf("%q is no pattern of fields: %w", s, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// Allows tells whether one of the patterns means a field.
func (a Allowed) Allows(o *Object, at Path) bool {
	for _, p := range a {
		if p.Means(o, at) {
			return true
		}
	}
	return false
}

// At is the path to a field that keys and, for elements of lists, numbers lead to. Elements
// are told apart as elsewhere, where they can be.
func At(v any, steps []string) Path {
	out := make(Path, 0, len(steps))
	for _, step := range steps {
		switch at := v.(type) {
		case map[string]any:
			out, v = append(out, step), at[step]
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n < 0 || n >= len(at) {
				return append(out, step)
			}
			out, v = append(out, stepOf(at, n)), at[n]
		default:
			return append(out, step)
		}
	}
	return out
}

// stepOf is an element of a list as paths have it.
func stepOf(list []any, n int) string {
	if !slices.ContainsFunc(list, func(v any) bool { _, ok := v.(map[string]any); return !ok }) {
		if key := keyOf(list); key != nil {
			return key.step(list[n])
		}
	}
	return number(n)
}
