package syntax

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// nestedCase parses a file whose key v holds YAML text.
func nestedCase(t *testing.T, text string) (outer *Source, node *yaml.Node, inner *Source) {
	t.Helper()
	outer, err := Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	node = find(outer.Docs[0], "v")
	inner, err = outer.Nested(node)
	if err != nil {
		t.Fatal(err)
	}
	return outer, node, inner
}

func find(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

// TestNested sets tag in the nested text to v2. want is the text with "v1"
// replaced, so that every other byte must be as it was.
func TestNested(t *testing.T) {
	for name, text := range map[string]string{
		"clip":                  "v: |\n  image: x\n  tag: v1\nafter: 1\n",
		"strip":                 "v: |-\n  tag: v1\nafter: 1\n",
		"keep":                  "v: |+\n  tag: v1\n\n\nafter: 1\n",
		"keep at the end":       "v: |+\n  tag: v1\n\n\n",
		"indicator":             "v: |2\n  tag: v1\n  b: 2\n",
		"indicator and deeper":  "v: |1\n   \n  a: 1\n  tag: v1\n",
		"indicator both ways":   "v: |-4\n    tag: v1\nafter: 1\n",
		"header comment":        "v: | # note\n  tag: v1\n",
		"blank lines":           "v: |\n\n\n  a: 1\n\n  tag: v1\n\n  b: 2\n",
		"blank lines, indented": "v: |\n  \n  a: 1\n \n     \n  tag: v1\n   \n  b: 2\n",
		"CRLF":                  "v: |\r\n  a: 1\r\n\r\n  tag: v1\r\n  b: 2\r\nafter: 1\r\n",
		"no final newline":      "v: |\n  a: 1\n  tag: v1",
		"no final newline CRLF": "v: |\r\n  a: 1\r\n  tag: v1",
		"comments":              "v: |\n  # é: one\n  tag: v1 # é two\n  # three\nafter: 1\n",
		"quotes":                "v: |\n  tag: \"v1\"\n  b: 'x'\n",
		"flow":                  "v: |\n  {a: é, tag: v1, b: 2}\n",
		"deep":                  "a:\n- b\n\nv: |\n        tag: v1\n        b: 2\n",
		"document marker":       "v: |\n  ---\n  tag: v1\n",
		"tab":                   "v: |\n  a: 1\t# tab\n  tag: v1\t# tab\n",
		"anchored":              "v: &x |\n  tag: v1\n",
		"tagged":                "v: !!str |\n  tag: v1\n",
		"BOM":                   "\ufeffv: |\n  tag: v1\n",
		"value is folded":       "v: |\n  a: >\n    x\n\n    y\n  tag: v1\n",
	} {
		t.Run(name, func(t *testing.T) {
			outer, node, inner := nestedCase(t, text)
			tag := find(inner.Docs[0], "tag")
			line, col := inner.Place(tag)
			if at := outer.Bytes[outer.offset(line, col):]; !strings.HasPrefix(strings.TrimLeft(string(at), `"`), "v1") {
				t.Errorf("the place is that of %.12q", at)
			}
			in := inner.Edit()
			if err := in.SetScalar(tag, "v2"); err != nil {
				t.Fatal(err)
			}
			e := outer.Edit()
			if err := e.ReplaceNested(node, in); err != nil {
				t.Fatal(err)
			}
			after, err := e.Apply()
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Replace(text, "v1", "v2", 1); string(after.Bytes) != want {
				t.Errorf("got  %q\nwant %q", after.Bytes, want)
			}
		})
	}
}

// TestNestedLines inserts and removes whole lines in nested text.
func TestNestedLines(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"in the middle", "v: |\n  a: 1\n  b: 2\nz: 1\n", "v: |\n  a: 1\n  new: x\nz: 1\n"},
		{"blank lines", "v: |\n  a: 1\n\n  b: 2\n\nz: 1\n", "v: |\n  a: 1\n  new: x\n\n\nz: 1\n"},
		{"CRLF", "v: |\r\n  a: 1\r\n  b: 2\r\nz: 1\r\n", "v: |\r\n  a: 1\r\n  new: x\r\nz: 1\r\n"},
		{"no final newline", "v: |\n    a: 1\n    b: 2", "v: |\n    a: 1\n    new: x"},
		{"strip", "v: |-\n  a: 1\n  b: 2\n", "v: |-\n  a: 1\n  new: x\n"},
		{"keep", "v: |+\n  a: 1\n  b: 2\n\nz: 1\n", "v: |+\n  a: 1\n  new: x\n\nz: 1\n"},
		{"indicator", "v: |1\n  a: 1\n  b: 2\n", "v: |1\n  a: 1\n  new: x\n"},
		{"comment", "v: |\n  a: 1 # one\n  b: 2\n", "v: |\n  a: 1 # one\n  new: x\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			outer, node, inner := nestedCase(t, c.text)
			in := inner.Edit()
			if err := in.InsertField(inner.Docs[0], 0, Field{Key: "new", Value: "x"}); err != nil {
				t.Fatal(err)
			}
			if err := in.RemoveFields(inner.Docs[0], []int{2}); err != nil {
				t.Fatal(err)
			}
			e := outer.Edit()
			if err := e.ReplaceNested(node, in); err != nil {
				t.Fatal(err)
			}
			after, err := e.Apply()
			if err != nil {
				t.Fatal(err)
			}
			if string(after.Bytes) != c.want {
				t.Errorf("got  %q\nwant %q", after.Bytes, c.want)
			}
		})
	}
}

// TestNestedAdd adds a list at the end of nested text.
func TestNestedAdd(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"clip", "v: |\n  a: 1\nz: 1\n", "v: |\n  a: 1\n  l:\n  - name: x\nz: 1\n"},
		{"strip", "v: |-\n  a: 1\n", "v: |-\n  a: 1\n  l:\n  - name: x\n"},
		{"comment below", "v: |\n  a: 1\n  # end\n\nz: 1\n", "v: |\n  a: 1\n  # end\n  l:\n  - name: x\n\nz: 1\n"},
		{"CRLF, no final newline", "v: |\r\n  a: 1", "v: |\r\n  a: 1\r\n  l:\r\n  - name: x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			outer, node, inner := nestedCase(t, c.text)
			in := inner.Edit()
			if err := in.Add(inner.Docs[0], "l", []Field{{Key: "name", Value: "x"}}); err != nil {
				t.Fatal(err)
			}
			e := outer.Edit()
			if err := e.ReplaceNested(node, in); err != nil {
				t.Fatal(err)
			}
			after, err := e.Apply()
			if err != nil {
				t.Fatal(err)
			}
			if string(after.Bytes) != c.want {
				t.Errorf("got  %q\nwant %q", after.Bytes, c.want)
			}
		})
	}
}

// TestNestedRefused: what has no lines of its own, or no text, is no nested YAML.
func TestNestedRefused(t *testing.T) {
	for _, text := range []string{
		"v: >\n  a: 1\n", "v: 'a: 1'\n", "v: \"a: 1\\nb: 2\"\n", "v: |\n\nz: 1\n", "v: |\n", "v: |\n  a: {{ b }}: c\n", "v: |\n  a: 1\n  a: 2\n", "v: 1\n",
	} {
		s, err := Parse("f.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Nested(find(s.Docs[0], "v")); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// TestAddInner adds a list at the end of a mapping that is not the root.
func TestAddInner(t *testing.T) {
	for text, want := range map[string]string{
		"v:\n  a: 1\nz: 1\n":            "v:\n  a: 1\n  l:\n  - name: x\nz: 1\n",
		"v:\n  a: 1\n# about z\nz: 1\n": "v:\n  a: 1\n  l:\n  - name: x\n# about z\nz: 1\n",
		"v:\n  a: 1":                    "v:\n  a: 1\n  l:\n  - name: x",
		"v:\n  a: 1 # c\n\nz: 1\n":      "v:\n  a: 1 # c\n  l:\n  - name: x\n\nz: 1\n",
		"v:\n  a: |\n    t\nz: 1\n":     "v:\n  a: |\n    t\n  l:\n  - name: x\nz: 1\n",
		"v:\n  a:\n    - 1\nz: 1\n":     "v:\n  a:\n    - 1\n  l:\n    - name: x\nz: 1\n",
		"v:\r\n  a: 1\r\nz: 1\r\n":      "v:\r\n  a: 1\r\n  l:\r\n  - name: x\r\nz: 1\r\n",
		"v:\n  a:\nz: 1\n":              "v:\n  a:\n  l:\n  - name: x\nz: 1\n",
		"v:\n  a: |+\n    t\n\nz: 1\n":  "refused",
		"v: {a: 1}\nz: 1\n":             "v: {a: 1, l: [{name: x}]}\nz: 1\n",
	} {
		s, err := Parse("f.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		e := s.Edit()
		got := "refused"
		if err = e.Add(find(s.Docs[0], "v"), "l", []Field{{Key: "name", Value: "x"}}); err == nil {
			if after, err := e.Apply(); err == nil {
				got = string(after.Bytes)
			}
		}
		if got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", text, got, want)
		}
	}
}

func TestSetPart(t *testing.T) {
	for text, want := range map[string]string{
		"v: a?ref=v1&x=1 # c\n":     "v: a?ref=v2&x=1 # c\n",
		"v: 'a?ref=v1'\n":           "v: 'a?ref=v2'\n",
		"v: \"a?ref=v1\"\n":         "v: \"a?ref=v2\"\n",
		"v: \"\\x61?ref=v1\"\n":     "v: \"a?ref=v2\"\n",
		"v: >-\n  a?ref=v1\nz: 1\n": "v: a?ref=v2\nz: 1\n",
		"v: &x a?ref=v1\n":          "v: &x a?ref=v2\n",
		"v: !!str a?ref=v1\n":       "v: !!str a?ref=v2\n",
		"v: [a, b]\n":               "refused",
		"x: &x a?ref=v1\nv: *x\n":   "refused",
	} {
		s, err := Parse("f.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		e, n := s.Edit(), find(s.Docs[0], "v")
		got := "refused"
		if err := e.SetPart(n, 6, 8, "v2"); err == nil {
			if after, err := e.Apply(); err == nil {
				got = string(after.Bytes)
			} else {
				t.Log(err)
			}
		}
		if got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", text, got, want)
		}
	}
}
