package yamlfile

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

type config struct {
	Name   string            `yaml:"name"`
	Labels map[string]string `yaml:"labels"`
	Free   yaml.Node         `yaml:"free"`
	Parts  []part            `yaml:"parts"`
	Extra  *part             `yaml:"extra"`
}

type part struct {
	On    bool   `yaml:"on"`
	Count string `yaml:"count"`
}

// lines are the faults as a person sees them.
func lines(f *File) []string {
	var out []string
	for _, fault := range f.Faults() {
		line := fmt.Sprintf("%d:%d: %s", fault.Line, fault.Col, fault.Msg)
		if fault.Hint != "" {
			line += "; " + fault.Hint
		}
		out = append(out, line)
	}
	return out
}

func TestDecodeFaults(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{"0:0: is empty"}},
		{"a comment", "# a\n", []string{"0:0: is empty"}},
		{"no YAML", "a: b\nc: [\n", []string{"2:1: not valid YAML: did not find expected node content"}},
		{"no YAML, without a line", "a: *b\n", []string{"1:1: not valid YAML: unknown anchor 'b' referenced"}},
		{"no mapping", "- a\n", []string{"1:1: the document is a list, not a mapping"}},
		{"two documents", "name: a\n---\nname: b\n", []string{"2:1: a second document; keep one document"}},
		{"a second document that is broken", "name: a\n---\n]\n", []string{"2:1: not valid YAML: did not find expected node content"}},
		{"unknown", "nmae: a\n", []string{`1:1: unknown field "nmae"; did you mean name?`}},
		{"unknown below", "parts:\n- {on: true}\n- {of: true}\n", []string{`3:4: unknown field "parts[1].of"; did you mean on?`}},
		{"nothing near", "zzzzz: a\n", []string{`1:1: unknown field "zzzzz"; known here: name, labels, free, parts, extra`}},
		{"twice", "name: a\nname: b\n", []string{`2:1: duplicate field "name"; remove one of them`}},
		{"label twice", "labels: {a: b, a: c}\n", []string{`1:16: duplicate field "a"; remove one of them`}},
		{"wrong types", "name: [a]\nlabels: a\nparts: {}\nextra: {on: \"yes\", count: [2]}\n", []string{
			"1:7: name is a list, not a string", "2:9: labels is a string, not a mapping", "3:8: parts is a mapping, not a list",
			"4:13: extra.on is a string, not a boolean", "4:27: extra.count is a list, not a string"}},
		{"a type with a line break", "name: !%0A [a]\nparts: !%0A a\n", []string{"1:7: name is a list, not a string", `2:8: parts is a value of type "!\n", not a list`}},
		{"null", "parts:\n", []string{"1:7: parts is a null, not a list"}},
		{"merge", "extra: &e {on: true}\n<<: {name: a}\n", []string{`2:1: unknown field "<<"; known here: name, labels, free, parts, extra`}},
		{"alias", "name: &n a\nlabels: {x: *n}\nfree: [*n]\n", []string{
			"2:13: aliases are not supported in this file; write the value here", "3:8: aliases are not supported in this file; write the value here"}},
		{"a list as a name", "? [a]\n: b\n", []string{"1:3: the document has a list as the name of a field"}},
		{"what a terminal obeys", "labels:\n  \"a\\e[0m\": [b]\n", []string{`2:13: labels["a\x1b[0m"] is a list, not a string`}},
		{"a long name", strings.Repeat("x", 300) + ": a\n", []string{
			`1:1: unknown field "[\"` + strings.Repeat("x", 100) + `…\"]"; known here: name, labels, free, parts, extra`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c config
			f := Parse("f.yaml", []byte(tc.text), Options{})
			if f.Decode(0, &c) {
				t.Errorf("decoded: %+v", c)
			}
			if d := cmp.Diff(tc.want, lines(f)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	var c config
	f := Parse("f.yaml", []byte("name: 1.10\nlabels: {a: true}\nfree: {any: [thing]}\nparts: [{on: true, count: 2}]\n"), Options{})
	if !f.Decode(0, &c) || f.Err(nil) != nil {
		t.Fatal(lines(f))
	}
	if c.Name != "1.10" || c.Labels["a"] != "true" || c.Free.Kind != yaml.MappingNode || c.Parts[0] != (part{true, "2"}) {
		t.Errorf("%+v", c)
	}
	if f.Decode(1, &c) {
		t.Error("there is a second document")
	}
}

// A value that the file does not have is told at the nearest one around it.
// place may be written as a text for short.
type place struct {
	Path string `yaml:"path"`
	Name string `yaml:"name"`
}

func (p *place) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&p.Path)
	}
	type plain place
	return n.Decode((*plain)(p))
}

// A type that decodes itself may stand as a text, and is no less strict as a mapping.
func TestDecodeShort(t *testing.T) {
	var c struct {
		Places []place `yaml:"places"`
	}
	f := Parse("x.yaml", []byte("places: [a, {path: b, name: c}]\n"), Options{})
	if want := []place{{Path: "a"}, {"b", "c"}}; !f.Decode(0, &c) || !cmp.Equal(c.Places, want) {
		t.Errorf("got %v: %v", c.Places, lines(f))
	}
	f = Parse("x.yaml", []byte("places: [[a], {pth: b}]\n"), Options{})
	want := []string{"1:10: places[0] is a list, not a mapping", `1:16: unknown field "places[1].pth"; did you mean path?`}
	if f.Decode(0, &c); !cmp.Equal(lines(f), want) {
		t.Errorf("got %q, want %q", lines(f), want)
	}
}

func TestAt(t *testing.T) {
	var c config
	f := Parse("f.yaml", []byte("name: a\nparts:\n- on: true\n- {count: 1}\n"), Options{})
	f.Decode(0, &c)
	for _, path := range []string{"parts[1].count", "parts[0].count", "parts[7].on", "extra.on", ""} {
		f.At(path, "", "fault at %s", path)
	}
	want := []string{"1:1: fault at extra.on", "1:1: fault at ", "3:1: fault at parts[7].on", "3:3: fault at parts[0].count", "4:11: fault at parts[1].count"}
	if d := cmp.Diff(want, lines(f)); d != "" {
		t.Error(d)
	}
}

func TestLimits(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 'b'; i < 'h'; i++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*%c, ", i-1), 10))
	}
	for _, tc := range []struct {
		name, text string
		options    Options
		want       string
	}{
		{"size", "#" + strings.Repeat(" ", 1<<20), Options{}, "0:0: is larger than 1 MiB"},
		{"small size", "#" + strings.Repeat(" ", 2048), Options{Size: 2048}, "0:0: is larger than 2 KiB"},
		{"values", "[" + strings.Repeat("a,", 10) + "]", Options{Values: 10}, "1:20: has more than 10 values"},
		{"depth", strings.Repeat("[", 100) + strings.Repeat("]", 100), Options{}, "1:65: values stand more than 64 deep"},
		{"documents", "a\n---\nb\n---\nc\n", Options{Documents: 2}, "4:1: more than 2 documents"},
		{"aliases", "- &a x\n- *a\n- *a\n", Options{Aliases: 1}, "1:1: has 2 aliases, and 1 are the most"},
		{"what aliases stand for", bomb, Options{Aliases: 100}, "has more than 100000 values"},
		{"an alias of what it is in", "a: &a [*a]\n", Options{Aliases: 1}, "1:8: values stand more than 64 deep"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := Parse("f.yaml", []byte(tc.text), tc.options)
			if got := lines(f); len(got) != 1 || !strings.HasSuffix(got[0], tc.want) {
				t.Errorf("got %q, want %s", got, tc.want)
			}
		})
	}
}

// A file that has one mistake a thousand times is told in few lines.
func TestMaxFaults(t *testing.T) {
	var c config
	f := Parse("f.yaml", []byte("parts:\n"+strings.Repeat("- {off: true}\n", 1000)), Options{})
	f.Decode(0, &c)
	got := lines(f)
	if len(got) != MaxFaults+1 || !strings.HasPrefix(got[0], `2:4: unknown field "parts[0].off"`) || got[MaxFaults] != "0:0: has 980 more faults" {
		t.Errorf("%d: %q", len(got), got)
	}
}

// Where values are secrets, nothing that the parser quotes of them is told. What it
// cannot read tells the line.
func TestSecret(t *testing.T) {
	for text, want := range map[string]string{
		"name: *hunter2\n":               "1:1: not valid YAML",
		"a: b\nname: 'hunter2\n":         "2:1: not valid YAML",
		"name: !!binary hunter2\n":       "1:1: not valid YAML",
		"extra: {on: hunter2}\n":         "1:13: extra.on is a string, not a boolean",
		"parts: [{on: true}, hunter2]\n": "1:21: parts[1] is a string, not a mapping",
		"name: {hunter2: hunter2}\n":     "1:7: name is a mapping, not a string",
		"labels: {a: b}\n---\nhunter2\n": "2:1: a second document; keep one document",
	} {
		var c config
		f := Parse("f.yaml", []byte(text), Options{Secret: true})
		f.Decode(0, &c)
		if got := lines(f); len(got) != 1 || !strings.HasPrefix(got[0], want) || strings.Contains(got[0], "hunter2") {
			t.Errorf("%q: %q, want %s", text, got, want)
		}
	}
}

// What stands behind an alias is looked at wherever it is used, and told once.
func TestAliasesAllowed(t *testing.T) {
	var c config
	f := Parse("f.yaml", []byte("extra: &p {on: maybe}\nparts: [*p, *p]\n"), Options{Aliases: 2})
	f.Decode(0, &c)
	want := []string{"1:16: extra.on is a string, not a boolean"}
	got := lines(f)
	if len(got) == 0 || got[0] != want[0] {
		t.Errorf("got %q", got)
	}
	f = Parse("f.yaml", []byte("extra: &p {on: true}\nparts: [*p, *p]\n"), Options{Aliases: 2})
	if !f.Decode(0, &c) || len(c.Parts) != 2 || !c.Parts[1].On {
		t.Errorf("%+v, %q", c, lines(f))
	}
}

// A value that somebody else has parsed is checked with paths instead of a file's
// name.
func TestCheckShape(t *testing.T) {
	s := &Shape{Kind: Mapping, Fields: []Field{
		{Name: "kind", Shape: &Shape{Kind: String}, Required: true},
		{Name: "metadata", Shape: &Shape{Kind: Mapping}},
		{Name: "images", Shape: &Shape{Kind: List, Items: &Shape{Kind: String}}},
	}}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte("metadata: {any: [thing]}\nimages: [a, 1, ~]\nimages: x\nmore: 1\n"), &doc); err != nil {
		t.Fatal(err)
	}
	var f File
	f.Check(doc.Content[0], s)
	var got []string
	for _, fault := range f.Faults() {
		got = append(got, fault.Path+": "+fault.Brief)
	}
	want := []string{"kind: is missing", "images[1]: is a number, not a string", "images[2]: is a null, not a string", "images: is there twice", "more: unknown field"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Every user has an error type of its own.
func TestErr(t *testing.T) {
	f := Parse("f.yaml", nil, Options{})
	f.Add(nil, "", "second")
	err := f.Err(func(fault Fault) error { return errors.New(fault.File + ": " + fault.Msg) })
	if err == nil || err.Error() != "f.yaml: is empty\nf.yaml: second" {
		t.Errorf("got %v", err)
	}
}

// FuzzDecode: no panic, a bounded number of faults on one line each, and what is
// decoded has none.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"name: a\n", "parts: [{on: true}]\n", "a: &a [*a]\n", "? [a]\n: b\n", "<<: *x\n", "---\n---\n", "name: !!binary x\n", "extra: &p {count: 9e99}\nparts: [*p]\n"} {
		f.Add([]byte(seed), 0)
		f.Add([]byte(seed), 8)
	}
	f.Fuzz(func(t *testing.T, data []byte, aliases int) {
		var c config
		file := Parse("f.yaml", data, Options{Aliases: max(0, aliases), Documents: 3})
		ok := file.Decode(0, &c)
		faults := file.Faults()
		if len(faults) > MaxFaults+1 || !ok && len(faults) == 0 {
			t.Fatalf("%v, %d faults", ok, len(faults))
		}
		for _, fault := range faults {
			if strings.ContainsAny(fault.Msg, "\n\r\x1b") {
				t.Fatalf("a message of several lines: %q", fault.Msg)
			}
		}
	})
}

// count has numbers, and others of its own type.
type count struct {
	Whole  int      `yaml:"whole"`
	Any    *float64 `yaml:"any"`
	Others []count  `yaml:"others"`
}

func TestNumbers(t *testing.T) {
	var c count
	f := Parse("f.yaml", []byte("whole: 3\nany: 1e2\nothers: [{whole: 0x10, others: [{any: -1}]}]\n"), Options{})
	if !f.Decode(0, &c) || c.Whole != 3 || *c.Any != 100 || c.Others[0].Whole != 16 || *c.Others[0].Others[0].Any != -1 {
		t.Errorf("%+v: %v", c, lines(f))
	}
	if got := f.Place("others[0].others[0].any"); got != "f.yaml:3:39" || f.Place("no.where") != "f.yaml" {
		t.Errorf("place %s", got)
	}
	f = Parse("f.yaml", []byte("whole: 1.5\nany: \"1\"\nothers: [{whole: 99999999999999999999}, {whole: \"3\"}, {others: [{whol: 1}]}]\n"), Options{})
	want := []string{
		"1:8: whole is a number, not a whole number", "2:6: any is a string, not a number", "3:18: others[0].whole is a number, not a whole number",
		"3:49: others[1].whole is a string, not a whole number", `3:66: unknown field "others[2].others[0].whol"; did you mean whole?`}
	if f.Decode(0, &c); !cmp.Equal(lines(f), want) {
		t.Errorf("got %q, want %q", lines(f), want)
	}
}
