package overlay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
)

// TestBytes holds what a text archive cannot: line endings, byte order marks
// and files without a final newline.
func TestBytes(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"crlf", "images:\r\n- name: web\r\n  newTag: v1 # x\r\nnamePrefix: y\r\n", "images:\r\n- name: web\r\n  newTag: v2 # x\r\nnamePrefix: y\r\n"},
		{"crlf, new field", "images:\r\n- name: web\r\n", "images:\r\n- name: web\r\n  newTag: v2\r\n"},
		{"crlf, new entry, no final newline", "images:\r\n- name: api", "images:\r\n- name: api\r\n- name: web\r\n  newTag: v2"},
		{"cr only", "images:\r- name: web\r  newTag: v1\r", "images:\r- name: web\r  newTag: v2\r"},
		{"byte order mark", "\ufeffimages:\n- name: web\n  newTag: v1\n", "\ufeffimages:\n- name: web\n  newTag: v2\n"},
		{"byte order mark, first line", "\ufeffimages: [{name: web, newTag: v1}]\n", "\ufeffimages: [{name: web, newTag: v2}]\n"},
		{"no final newline", "images:\n- name: web\n  newTag: v1", "images:\n- name: web\n  newTag: v2"},
		{"no final newline, new field", "images:\n- name: web", "images:\n- name: web\n  newTag: v2"},
		{"no final newline, field removed", "images:\n- name: web\n  newTag: v2\n  newName: x", "images:\n- name: web\n  newTag: v2"},
		{"no final newline, new list", "namePrefix: x", "namePrefix: x\nimages:\n- name: web\n  newTag: v2"},
		{"NEL and LS before the value", "x: \"a\u0085b\u2028c\"\nimages:\n- name: web\n  newTag: v1\n", "x: \"a\u0085b\u2028c\"\nimages:\n- name: web\n  newTag: v2\n"},
		{"tab before a comment", "images:\n- name: web\n  newTag: v1\t# x\n", "images:\n- name: web\n  newTag: v2\t# x\n"},
		{"trailing spaces", "images:\n- name: web  \n  newTag: v1  \n", "images:\n- name: web  \n  newTag: v2  \n"},
		{"document marker", "images:\n- name: web\n---\n", "images:\n- name: web\n  newTag: v2\n---\n"},
		{"new list before a marker", "namePrefix: x\n# end\n\n---\n", "namePrefix: x\n# end\nimages:\n- name: web\n  newTag: v2\n\n---\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, err := overlay.Parse("kustomization.yaml", []byte(tc.in))
			if err != nil {
				t.Fatal(err)
			}
			edit, err := f.Set(overlay.Change{Name: "web", Tag: overlay.To("v2"), NewName: overlay.To(""), Create: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := string(edit.After.Bytes()); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestParseRefusesBytes(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"binary", "images:\x00\n", "k.yaml: is binary: byte 7 is NUL"},
		{"UTF-16", "\xff\xfei\x00m\x00", "k.yaml: is UTF-16, not UTF-8"},
		{"Latin-1", "a: b\nname: caf\xe9\n", "k.yaml:2:10: byte 0xe9 is not UTF-8"},
		{"too large", strings.Repeat("#", 64<<20+1), "k.yaml: is larger than 64 MiB"},
		{"deep", "images: " + strings.Repeat("[", 20000), "k.yaml:1:1: not valid YAML: exceeded max depth of 10000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := overlay.Parse("k.yaml", []byte(tc.in))
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// An alias stands for its anchor's value; a thousand million of them must cost
// nothing, because they are never expanded.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&b, "x%d: &x%d [*x%d, *x%d, *x%d, *x%d]\n", i, i, i-1, i-1, i-1, i-1)
	}
	b.WriteString("images:\n- name: web\n  newTag: v1\n")
	f, err := overlay.Parse("kustomization.yaml", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Set(overlay.Change{Name: "web", Tag: overlay.To("v2")}); err != nil {
		t.Fatal(err)
	}
}

// Whatever finds a fault, its error is an *overlay.Error: callers read the place and the
// hint of it.
func TestErrorsArePublic(t *testing.T) {
	parsed := func(src string) error { _, err := overlay.Parse("a.yaml", []byte(src)); return err }
	set := func(src string, c overlay.Change) error {
		f, err := overlay.Parse("a.yaml", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Set(c)
		return err
	}
	for name, err := range map[string]error{
		"no YAML":      parsed("a: [\n"),
		"binary":       parsed("\x00"),
		"twice":        parsed("a: 1\na: 2\nb: 1\nb: 2\n"),
		"no entry":     set("images:\n- name: a\n", overlay.Change{Name: "b", Tag: overlay.To("v2")}),
		"malformed":    set("images:\n- name: a\n", overlay.Change{Name: "a", Tag: overlay.To(" ")}),
		"alias":        set("images:\n- {name: &x a, newTag: *x}\n", overlay.Change{Name: "a", Tag: overlay.To("v2")}),
		"wrong policy": set("image: a:v1 # {\"$imagepolicy\": \"f:x:digest\"}\n", overlay.Change{Policy: "f:x", Tag: overlay.To("v2")}),
	} {
		all := []error{err}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			all = joined.Unwrap()
		}
		for _, err := range all {
			var e *overlay.Error
			if !errors.As(err, &e) || e.File != "a.yaml" || e.Msg == "" || e.Line > 0 == (e.Col == 0) || !strings.HasSuffix(e.Error(), ": "+e.Msg) {
				t.Errorf("%s: %#v", name, err)
			}
		}
	}
}
