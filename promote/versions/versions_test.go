package versions

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
)

// some are entries with everything that a file may have to write: several images, no tag,
// no digest, what moves along, and text that is neither JSON nor Markdown as it stands.
func some() []Entry {
	return []Entry{
		{Service: "web", Environment: "prod/eu", Images: []Image{{Image: "r.example.com:5000/web", Tag: "v1"}, {Image: "spec.engine[0].tag", Digest: "sha256:22"}}},
		{Service: "cart", Environment: "staging", Images: []Image{{Image: "a|b`c <br> %41\n\"", Tag: "-"}}, Along: []Along{{"chart", "shop cart", "1.2.3"}, {"revision", "https://git.example.com/x?y", ""}}},
		{Service: "none", Environment: "staging"},
		{Service: "cart", Environment: "dev", Images: []Image{{Image: "&<>", Tag: "ü"}}},
	}
}

// What is written is read again, byte for byte, with either kind of line ends.
func TestRoundTrip(t *testing.T) {
	for _, name := range []string{"versions.json", "docs/VERSIONS.md"} {
		for _, eol := range []string{"\n", "\r\n"} {
			for _, entries := range [][]Entry{nil, some()[:1], some()} {
				f := New(name, entries)
				f.eol = eol
				data := f.Bytes()
				got, err := Parse(name, data)
				if err != nil {
					t.Fatalf("%s: %v\n%s", name, err, data)
				}
				if again := got.Bytes(); !bytes.Equal(again, data) {
					t.Errorf("%s became\n%s\nof\n%s", name, again, data)
				}
				if d := Compare(got, entries); len(d) > 0 {
					t.Errorf("%s: %+v", name, d)
				}
			}
		}
	}
}

// A promotion changes one line, and no other; the line of what is pinned to nothing goes.
func TestPutChangesOneLine(t *testing.T) {
	for _, name := range []string{"versions.json", "VERSIONS.md"} {
		f := New(name, some())
		before := strings.Split(string(f.Bytes()), "\n")
		f.Put([]Entry{{Service: "cart", Environment: "staging", Images: []Image{{Image: "cart", Tag: "v2"}}}})
		after := strings.Split(string(f.Bytes()), "\n")
		changed := 0
		for n := range before {
			if before[n] != after[n] {
				changed++
			}
		}
		if len(before) != len(after) || changed != 1 {
			t.Errorf("%s: %d lines changed", name, changed)
		}
		f.Put([]Entry{{Service: "cart", Environment: "staging"}, {Service: "new", Environment: "dev", Images: []Image{{Image: "new"}}}})
		if _, there := f.find(Entry{Service: "cart", Environment: "staging"}); there || len(f.Entries) != 3 {
			t.Errorf("%s: %+v", name, f.Entries)
		}
		if _, err := Parse(name, f.Bytes()); err != nil {
			t.Error(err)
		}
	}
}

// What a person or a merge has made of a file is an error with its line, and not lost.
func TestParseRefuses(t *testing.T) {
	json, md := string(New("versions.json", some()).Bytes()), string(New("VERSIONS.md", some()).Bytes())
	for _, tc := range []struct{ name, data, want string }{
		{"versions.json", "", "versions.json:1:1: is not as"},
		{"versions.json", "[]\n", "versions.json:1:1: is not as"},
		{"versions.json", strings.Replace(json, "v1alpha1", "v1", 1), "versions.json:2:1: is not as"},
		{"versions.json", strings.Replace(json, `    {"service":"cart"`, `    {"service": "cart"`, 1), "versions.json:5:1: is not as"},
		{"versions.json", strings.Replace(json, `"ü"`, `"\u00fc"`, 1), "versions.json:5:1: is not as"},
		{"versions.json", strings.Replace(json, `"dev"`, `"dev","dev":1`, 1), "versions.json:5:1: is no entry: "},
		{"versions.json", strings.Replace(json, `"cart"`, `""`, 1), "versions.json:5:1: is no entry: it has no service"},
		{"versions.json", strings.Replace(json, "    {", "<<<<<<< HEAD\n    {", 1), "versions.json:5:1: is no entry: "},
		{"versions.json", strings.Replace(json, `"dev"`, `"uat"`, 1), "versions.json:6:1: cart in staging is not where it belongs"},
		{"versions.json", strings.Replace(json, `"dev"`, `"staging"`, 1), "versions.json:6:1: cart in staging is not where it belongs"},
		{"versions.json", strings.TrimSuffix(json, "\n"), "versions.json:9:1: the last line has no end"},
		{"versions.json", json + "\n", "versions.json:8:1: is no entry: "},
		{"versions.json", strings.Replace(json, "\n", "\r\n", 1), "versions.json:2:1: is not as"},
		{"versions.json", strings.Repeat(" ", maxSize+1), "versions.json:1:1: is larger than 16 MiB"},
		{"versions.json", strings.Repeat("\n", maxEntries+10), "versions.json:1:1: has more than 200000 entries"},
		{"VERSIONS.md", strings.Replace(md, "`-`", "`a``b`", 1), "VERSIONS.md:8:1: is not as"},
		{"VERSIONS.md", strings.Replace(md, "%0A", "%zz", 1), "VERSIONS.md:8:1: is no entry: "},
		{"VERSIONS.md", md + "More text.\n", "VERSIONS.md:10:1: is no entry: it is no line of five cells"},
		{"VERSIONS.md", strings.Replace(md, "<br>", " ", 1), "VERSIONS.md:8:1: is no entry: its cells have not"},
	} {
		_, err := Parse(tc.name, []byte(tc.data))
		var fault *overlay.Error
		if !errors.As(err, &fault) || !strings.HasPrefix(err.Error(), tc.want) || fault.Hint == "" {
			t.Errorf("%.60q: got %v, want %s", tc.data, err, tc.want)
		}
	}
}

// A file is written anew whatever has become of it, and another file never is.
func TestAnew(t *testing.T) {
	whole := New("versions.json", some()).Bytes()
	for _, there := range []string{"", " \n", strings.Replace(string(whole), "    {", "<<<<<<< HEAD\n    {", 1), `{"kind" : "Versions"`} {
		got, err := Anew("versions.json", []byte(there), some())
		if err != nil || !bytes.Equal(got, whole) {
			t.Errorf("%.40q: %v\n%s", there, err, got)
		}
	}
	for name, there := range map[string]string{"versions.json": `{"kind": "List"}`, "README.md": "# Shop\n"} {
		if _, err := Anew(name, []byte(there), some()); err == nil {
			t.Errorf("%s was written over", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"versions.json", "VERSIONS.md"} {
		f.Add(name == "VERSIONS.md", New(name, some()).Bytes())
		f.Add(name == "VERSIONS.md", New(name, nil).Bytes())
	}
	f.Fuzz(func(t *testing.T, md bool, data []byte) {
		name := "versions.json"
		if md {
			name = "VERSIONS.md"
		}
		file, err := Parse(name, data)
		if err == nil && !bytes.Equal(file.Bytes(), data) {
			t.Errorf("%q became %q", data, file.Bytes())
		}
	})
}
