package expression

import (
	"errors"
	"strings"
	"testing"
)

// An entry is found out when an expression comes to it, and one that cannot be found out is
// an error there alone. What is asked of all entries is an error, never an empty map.
func TestLazy(t *testing.T) {
	l := Language{Variables: []Variable{{"v", Map}}, Example: "v.a == 1", Optional: true}
	for text, want := range map[string]string{
		"v.a == 1": "true", "v['a'] == 1": "true", "true || v.bad == 1": "true", "'a' in v": "true", "'none' in v": "false", "has(v.none)": "false",
		"v.bad == 1": "it is bad", "'bad' in v": "it is bad", "v.none == 1": "no such key", "size(v) == 1": "cannot be counted", "v == {}": "internal error",
		"v.all(k, true)": "cannot be asked in turn", "v.?a.orValue(0) == 1": "true", "v.?none.orValue(0) == 0": "true", "string(v) == ''": "",
	} {
		p, err := l.Compile(text)
		if err != nil && want == "" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		ok, err := p.Holds(t.Context(), map[string]any{"v": Lazy(func(name string) (any, bool, error) {
			if name == "bad" {
				return nil, true, errors.New("it is bad")
			}
			return 1, name == "a", nil
		})})
		got := map[bool]string{true: "true", false: "false"}[ok]
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s", text, got)
		}
	}
}
