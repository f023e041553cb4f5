package expression

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func language() Language {
	return Language{Example: "n == 1", Variables: []Variable{{"n", Int}, {"m", Texts}, {"any", Any}, {"list", List}, {"text", Text}, {"map", Map}}}
}

func values() map[string]any {
	return map[string]any{"n": int64(1), "m": map[string]string{"a": "b"}, "any": []any{1.0}, "list": []any{"x"}, "text": "t", "map": map[string]any{"k": int64(2)}}
}

func TestHolds(t *testing.T) {
	for text, want := range map[string]string{
		"n == 1 && n > 0.5": "true", `m.a == "b" && list[0] == "x" && text == "t" && map.k > any[0]`: "true", "n > 1": "false",
		"m.c == 'x'": "no such key: c", `any.x == 1`: "unsupported index type",
		"lists.range(50000).all(i, lists.range(50000).all(j, i + j >= 0))": ErrCost.Error(),
	} {
		p, err := language().Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := p.Holds(t.Context(), values())
		_, inapplicable := errors.AsType[*Inapplicable](err)
		switch {
		case want == "true" || want == "false":
			if err != nil || got != (want == "true") {
				t.Errorf("%s: %v, %v", text, got, err)
			}
		case err == nil || got || !strings.Contains(err.Error(), want) || inapplicable == errors.Is(err, ErrCost):
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	p, err := language().Compile("lists.range(50000).all(i, i >= n - 1)")
	if err != nil || !p.Uses("n") || p.Uses("text") || !strings.HasPrefix(p.Text(), "lists.") {
		t.Fatalf("%+v, %v", p, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Holds(ctx, values()); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

func TestCompileErrors(t *testing.T) {
	for text, want := range map[string][2]string{
		"":                             {"expression is empty", "n == 1"},
		"n":                            {"1:1: expression is of type int, not bool", "compare with a value: n == 1"},
		"true &&\n q":                  {"2:2: undeclared reference to 'q'", "known here: n, m, any, list, text, map"},
		"text.matches('(')":            {"1:", ""},
		strings.Repeat("a", 17<<10):    {"expression is over 16 KiB", ""},
		strings.Repeat("!", 400) + "t": {"", ""},
	} {
		_, err := language().Compile(text)
		e, ok := errors.AsType[*Error](err)
		if !ok || !strings.HasPrefix(e.Error(), want[0]) || want[1] != "" && e.HintText() != want[1] || strings.Contains(e.Error(), "\n") {
			t.Errorf("%.20q: %v, want %s", text, err, want)
		}
	}
}

// FuzzCompile: no panic, one line, and what compiles ends.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{"n == 1", "m.a", "((", "text.matches('a{900}')", "list.all(x, list.all(y, x == y))"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := language().Compile(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Fatalf("%q", err)
			}
			return
		}
		_, _ = p.Holds(t.Context(), values()) // whatever it says
	})
}
