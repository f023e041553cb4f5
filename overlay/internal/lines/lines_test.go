package lines

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shown is an entry as key, quote and value; "…" behind one that is on several lines.
func shown(text string, d Dialect) []string {
	var out []string
	for _, e := range Parse([]byte(text), d) {
		line := fmt.Sprintf("%s=%s", e.Key, between(text[e.Start:e.End], e.Quote))
		if e.Several {
			line += "…"
		}
		out = append(out, line)
	}
	return out
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		text string
		d    Dialect
		want []string
	}{
		{"", Env, nil},
		{"# A=x\n\n  # B\n", Env, nil},
		{"A=x\nB=y", Env, []string{"A=x", "B=y"}},
		{"A=x\r\nB=\"y\"\r\n", Env, []string{"A=x", `B="y"`}},
		{"A=x\rB=y\r", Env, []string{"A=x", "B=y"}},
		{"\xef\xbb\xbfA=x\n", Env, []string{"A=x"}},
		{"export A=x # why\nexport\tB='y' # why\n", Env, []string{"A=x", "B='y'"}},
		{"  A = x  \n", Env, []string{"A=x"}},
		{"A: \"x\"\nB: y\nhttp://x\nC:\n", Env, []string{`A="x"`, "B=y", "C="}},
		{"A=a#b\nB=#c\nC= # d\nD=\n", Env, []string{"A=a#b", "B=#c", "C=", "D="}},
		{`A="a # b" # c` + "\n", Env, []string{`A="a # b"`}},
		{`A="a"b` + "\nB=\"a\"#b\n", Env, []string{`A="a"b`, `B="a"#b`}},
		{`A="a \" b"` + "\nB='a\\'\n", Env, []string{`A="a \" b"`, `B='a\'`}},
		{"A=\"a\nB=b\"\nC=c\n", Env, []string{"A=\"a\nB=b\"…", "C=c"}},
		{"A=\"a\nB=b\n", Env, []string{`A="a`, "B=b"}},
		{"A=a\\\nB=b\nC=c\n", Env, []string{"A=a\\\nB=b…", "C=c"}},
		{"A=a\\\\\nB=b\n", Env, []string{`A=a\\`, "B=b"}},
		{"A\nno key here\nB=b\n", Env, []string{"B=b"}},
		{"exported=x\nexport =y\n", Env, []string{"exported=x"}},
		{"a.b: x\nc.d=y # z\n! no\n# no\n", Properties, []string{"a.b=x", "c.d=y # z"}},
		{"a x\nb  =  y \nc\n", Properties, []string{"a=x", "b=y "}},
		{`a\=b:c` + "\n", Properties, []string{`a\=b=c`}},
		{"a=1\\\n  2\nb=3\n", Properties, []string{"a=1\\\n  2…", "b=3"}},
		{"a=\"x\"\nb=\"x\ny\"\n", Properties, []string{`a="x"`, `b="x`, `y"=`}[:2]},
	} {
		if d := cmp.Diff(tc.want, shown(tc.text, tc.d)); d != "" {
			t.Errorf("%q: %s", tc.text, d)
		}
	}
}

func TestQuoted(t *testing.T) {
	for _, tc := range []struct {
		entry, value, want string // want is "" where it is refused
		d                  Dialect
	}{
		{"A=x", "v1", "v1", Env},
		{`A="x"`, "v1", `"v1"`, Env},
		{"A='x'", "v1", "'v1'", Env},
		{"A=x", "", "", Env},
		{"A=x", "a b", "a b", Env},
		{"export A=x", "a b", `"a b"`, Env},
		{"export A=x", "a $b", "'a $b'", Env},
		{"A=x", "a #b", `"a #b"`, Env},
		{"A=x", " a", `" a"`, Env},
		{`A="x"`, `a"b`, `'a"b'`, Env},
		{"A='x'", "it's", `"it's"`, Env},
		{"A='x'", `it's "$a"`, "", Env},
		{"A=x", "a\nb", "", Env},
		{"A=x", "a\\", `'a\'`, Env},
		{"a=x", " a", "", Properties},
		{"a=x", "a b #c", "a b #c", Properties},
		{"a=x", "a\\", "", Properties},
		{`a="x"`, "y", `"y"`, Properties},
	} {
		e := Parse([]byte(tc.entry), tc.d)[0]
		got, _, ok := e.Quoted(tc.value, tc.d)
		if got != tc.want || ok != (tc.want != "" || tc.value == "") {
			t.Errorf("%s with %q: %q, %v", tc.entry, tc.value, got, ok)
		}
	}
}

func TestAppend(t *testing.T) {
	for _, tc := range []struct{ text, key, want string }{
		{"", "B", "B=v\n"},
		{"# none\n", "B", "B=v\n"},
		{"A=x\n", "B", "B=v\n"},
		{"A=x", "B", "\nB=v"},
		{"A = x\r\n", "B", "B = v\r\n"},
		{"export A=\"x\"\n", "B", "export B=\"v\"\n"},
		{"A: x\n", "B", "B: v\n"},
		{"A=x\n", "B C", ""},
		{"A=x\n", "#", ""},
		{"A=x\n", "export", "export=v\n"},
	} {
		if got, ok := Append([]byte(tc.text), Env, tc.key, "v"); got != tc.want || ok != (tc.want != "") {
			t.Errorf("%q: %q, %v", tc.text, got, ok)
		}
	}
}

// FuzzParse: entries stand in the text in order, and a value that is written in the
// place of another is read again, beside nothing else that differs.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"A=x\nB: \"y\" # z\n", "export A='x'\r\nB=a\\\nb\n", "a.b: c\n! d\n", "\xef\xbb\xbfA=\"x\ny\"\rB=#\r"} {
		f.Add([]byte(text), "v2", false)
		f.Add([]byte(text), " a #b", true)
	}
	f.Fuzz(func(t *testing.T, text []byte, value string, properties bool) {
		d := Env
		if properties {
			d = Properties
		}
		all, at := Parse(text, d), 0
		for i, e := range all {
			if e.At < at || e.At+len(e.Key) > e.Start || e.End < e.Start || e.End > len(text) {
				t.Fatalf("%d: %+v", i, e)
			}
			at = e.End
			written, quote, ok := e.Quoted(value, d)
			if !ok || e.Several {
				continue
			}
			start, end := e.Start, e.End
			if e.Quote != 0 {
				start, end = start-1, end+1
			}
			after := string(text[:start]) + written + string(text[end:])
			again := Parse([]byte(after), d)
			if strings.ContainsAny(value, breaks) || len(again) != len(all) || again[i].Quote != quote || after[again[i].Start:again[i].End] != value {
				t.Skip("is refused by who compares before and after")
			}
		}
	})
}
