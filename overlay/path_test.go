package overlay

import (
	"strings"
	"testing"
)

const valuesFile = `# head
replicas: 2 # two
ratio: 0.5
on: true
tag: 1.19
name: 'web'
empty:
nested:
    deeper:
        list: [a, b]
        items:
        - name: x
          image: old
        - name: y
          image: old   # keep
flow: {a: 1, b: {}}
a.b: {"c[0]": 1}
anchor: &v one
alias: *v
block: |-
  text
`

func TestValues(t *testing.T) {
	for _, tc := range []struct{ arg, old, now string }{
		{"replicas=3", "replicas: 2 # two", "replicas: 3 # two"},
		{`replicas="3"`, "replicas: 2 # two", `replicas: "3" # two`},
		{"replicas=many", "replicas: 2 # two", "replicas: many # two"},
		{"ratio=0.25", "ratio: 0.5", "ratio: 0.25"},
		{"on=false", "on: true", "on: false"},
		{"on=no", "on: true", "on: false"},
		{`on="no"`, "on: true", `on: "no"`},
		{"tag=1.21", "tag: 1.19", "tag: 1.21"},
		{"tag=1.20", "tag: 1.19", `tag: "1.20"`},
		{"tag=v1", "tag: 1.19", "tag: v1"},
		{"name=api", "name: 'web'", "name: 'api'"},
		{"name=it's", "name: 'web'", "name: 'it''s'"},
		{"name=5", "name: 'web'", "name: '5'"},
		{"empty=x", "empty:\n", "empty: x\n"},
		{"nested.deeper.list[1]=c", "[a, b]", "[a, c]"},
		{"nested.deeper.items[name=y].image=new", "old   # keep", "new   # keep"},
		{"nested.deeper.items[0].image=new", "x\n          image: old", "x\n          image: new"},
		{`a\.b.c\[0]=2`, `"c[0]": 1`, `"c[0]": 2`},
		{"flow.a=7", "{a: 1,", "{a: 7,"},
		{"anchor=two", "&v one", "&v two"},
		{"block=now", "block: |-\n  text\n", "block: now\n"},
	} {
		t.Run(tc.arg, func(t *testing.T) {
			got, err := setValues(t, valuesFile, false, tc.arg)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Replace(valuesFile, tc.old, tc.now, 1); got != want || tc.old == tc.now {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

func setValues(t *testing.T, src string, create bool, args ...string) (string, error) {
	t.Helper()
	f, err := Parse("values.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	r := Request{}
	for _, a := range args {
		v, err := ParseValue(a)
		if err != nil {
			return "", err
		}
		v.Create = create
		r.Values = append(r.Values, v)
	}
	edit, err := f.Edit(r)
	if err != nil {
		return "", err
	}
	again, err := edit.After.Edit(r)
	if err != nil || again.Changed() {
		t.Errorf("a second time: %v", err)
	}
	return string(edit.After.Bytes()), nil
}

func TestValuesAll(t *testing.T) {
	got, err := setValues(t, valuesFile, false, "nested.deeper.items[*].image=new", "replicas=9")
	if want := strings.NewReplacer("image: old", "image: new", "replicas: 2", "replicas: 9").Replace(valuesFile); err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestValuesCreate(t *testing.T) {
	for _, tc := range []struct{ src, arg, want string }{
		{"a: 1\n# end\n", "b.c.d=2", "a: 1\nb:\n  c:\n    d: 2\n# end\n"},
		{"a:\n    x: 1\nz: 0", "a.w=two words", "a:\n    x: 1\n    w: two words\nz: 0"},
		{"a:\n    x: 1\n", "b.w=1.20", "a:\n    x: 1\nb:\n    w: 1.20\n"},
		{"a: {x: 1}\n", "a.w.z=true", "a: {x: 1, w: {z: true}}\n"},
		{"a: {}\n", `a.w="1"`, "a: {w: \"1\"}\n"},
		{`{"a": {"b": 1}}`, "a.c.d=x", `{"a": {"b": 1, "c": {"d": "x"}}}`},
		{"- x: 1\n  y: 2\n- x: 2\n", "[x=2].w=3", "- x: 1\n  y: 2\n- x: 2\n  w: 3\n"},
		{"a: 1\r\n", "b=x", "a: 1\r\nb: x\r\n"},
		{"a: 1\n", "on=x", "a: 1\n\"on\": x\n"},
		{"kind: A\nmetadata: {name: x}\n---\nkind: B\nmetadata: {name: x}\n", "B/x:spec.m=1", "kind: A\nmetadata: {name: x}\n---\nkind: B\nmetadata: {name: x}\nspec:\n  m: 1\n"},
	} {
		got, err := setValues(t, tc.src, true, tc.arg)
		if err != nil || got != tc.want {
			t.Errorf("%s: %v\ngot  %q\nwant %q", tc.arg, err, got, tc.want)
		}
	}
}

func TestValueErrors(t *testing.T) {
	for _, tc := range []struct{ src, arg, want string }{
		{valuesFile, "replicas", `"replicas" is malformed: want PATH=VALUE`},
		{valuesFile, "=x", `path "" names nothing`},
		{valuesFile, "a..b=x", `path "a..b": byte 3: an empty key`},
		{valuesFile, "a[b]=x", `path "a[b]": byte 2: want [N], [*] or [FIELD=VALUE]`},
		{valuesFile, "a[1]b=x", `path "a[1]b": byte 5: 'b' where a dot or a bracket should be`},
		{valuesFile, "doc:x:a=1", `path "doc:x:a": want doc:N:PATH, with N from 0`},
		{valuesFile, "a:b=1", `path "a:b": byte 2: a colon; want KIND/NAME:PATH or doc:N:PATH, or \: in a key`},
		{valuesFile, "replica=3", `values.yaml:2:1: replica leads nowhere: the document has no key "replica"`},
		{valuesFile, "nested.deper.list=3", `values.yaml:9:5: nested.deper.list leads nowhere: nested has no key "deper"`},
		{valuesFile, "nested.deeper.list[7]=3", `values.yaml:10:15: nested.deeper.list[7] leads nowhere: nested.deeper.list is a sequence and has no [7]`},
		{valuesFile, "name.x=3", `values.yaml:6:7: name.x leads nowhere: name is a scalar and has no x`},
		{valuesFile, "nested.deeper=3", `values.yaml:10:9: this value is a mapping, not a string`},
		{valuesFile, "alias=3", `values.yaml:19:8: this value is an alias of &v (line 18)`},
		{valuesFile, "doc:1:a=3", `values.yaml: no document is doc:1`},
		{"a: 1\n---\na: 2\n", "a=3", `values.yaml:3:4: a names 2 values; the first is at line 1`},
	} {
		_, err := setValues(t, tc.src, false, tc.arg)
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.arg, err, tc.want)
		}
	}
}

func TestFollowAliases(t *testing.T) {
	f, err := Parse("values.yaml", []byte(valuesFile))
	if err != nil {
		t.Fatal(err)
	}
	edit, err := f.Edit(Request{Values: []ValueChange{{Path: "alias", Text: "two"}}, FollowAliases: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(valuesFile, "&v one", "&v two", 1); string(edit.After.Bytes()) != want || len(edit.Warnings) != 1 {
		t.Errorf("%v\n%s", edit.Warnings, edit.After.Bytes())
	}
}

func FuzzValue(f *testing.F) {
	for _, arg := range []string{"replicas=3", "a.b[1]=x", "a[name=x].c=", `a\.b=1`, "doc:0:a=b", "K/n:a=b", "a[*]=1", "nested.x.y=1"} {
		f.Add([]byte(valuesFile), arg)
		f.Add([]byte("{\"a\": [{\"name\": \"x\"}]}"), arg)
	}
	f.Fuzz(func(t *testing.T, src []byte, arg string) {
		file, err := Parse("values.yaml", src)
		if err != nil {
			return
		}
		v, err := ParseValue(arg)
		if err != nil {
			return
		}
		v.Create = true
		edit, err := file.Edit(Request{Values: []ValueChange{v}})
		if err != nil {
			return
		}
		again, err := edit.After.Edit(Request{Values: []ValueChange{v}})
		if err != nil || again.Changed() {
			t.Fatalf("a second time: %v\n%s", err, again.Diff())
		}
	})
}

// A value that was yes was taken for a string, so that false became "false", which
// is true in a template; a number became a string when it turned from fraction to
// integer; into JSON, YAML was written.
func TestValuesKeepTheirType(t *testing.T) {
	for _, tc := range []struct{ src, arg, want string }{
		{"enabled: yes\n", "enabled=false", "enabled: false\n"},
		{"enabled: yes\n", "enabled=no", "enabled: no\n"},
		{"enabled: Off\n", "enabled=on", "enabled: on\n"},
		{"enabled: y\n", "enabled=n", "enabled: n\n"},
		{"debug: true\n", "debug=no", "debug: false\n"},
		{"debug: False\n", "debug=True", "debug: true\n"},
		{"debug: true\n", "debug=yes", "debug: true\n"},
		{"country: no\n", "country=se", "country: se\n"},
		{"word: 'yes'\n", "word=no", "word: 'no'\n"},
		{"{enabled: yes, debug: true}\n", "debug=off", "{enabled: yes, debug: false}\n"},
		{`{"debug": true}`, "debug=off", `{"debug": false}`},
		{"cpu: 0.5\n", "cpu=1", "cpu: 1\n"},
		{"ratio: 2\n", "ratio=0.75", "ratio: 0.75\n"},
		{"ratio: 2\n", "ratio=-1.5", "ratio: -1.5\n"},
		{"offset: -3\n", "offset=-4", "offset: -4\n"},
		{"limit: 5\n", "limit=1e3", "limit: 1e3\n"},
		{"limit: 5\n", "limit=010", "limit: \"010\"\n"},
		{`{"ratio": 2}`, "ratio=0.75", `{"ratio": 0.75}`},
		{`{"ratio": 2}`, "ratio=.5", `{"ratio": ".5"}`},
		{`{"ratio": 2}`, "ratio=much", `{"ratio": "much"}`},
		{"replicas:\n", "replicas=3", "replicas: 3\n"},
		{"replicas: null\n", "replicas=3", "replicas: 3\n"},
		{"tag: 1.10\n", "tag=1.10", "tag: \"1.10\"\n"},
		{"tag: &a # c\nb: *a\n", "tag=v1", "tag: &a v1 # c\nb: *a\n"},
		{"tag: &a 1.10\nb: *a\n", "tag=1.10", "tag: &a \"1.10\"\nb: *a\n"},
		{"tag: !!str\n", "tag=v1", "tag: !!str v1\n"},
		{"tag: on\n", "tag=off", "tag: \"off\"\n"},
	} {
		got, err := setValues(t, tc.src, false, tc.arg)
		if err != nil || got != tc.want {
			t.Errorf("%s: %v\ngot  %q\nwant %q", tc.arg, err, got, tc.want)
		}
	}
}

// In an empty file, below null and in an empty JSON object, nothing could be
// created or YAML was; and of several keys that stand in one another, only one.
func TestValuesCreateInNothing(t *testing.T) {
	for _, tc := range []struct{ src, want string }{
		{"", "image:\n  tag: v1\n  digest: x\n"},
		{"\n", "\nimage:\n  tag: v1\n  digest: x\n"},
		{"# head", "# head\nimage:\n  tag: v1\n  digest: x\n"},
		{"---\n# head\n", "---\n# head\nimage:\n  tag: v1\n  digest: x\n"},
		{"# a\r\n", "# a\r\nimage:\r\n  tag: v1\r\n  digest: x\r\n"},
		{"image:\n", "image:\n  tag: v1\n  digest: x\n"},
		{"image: # of web\nz: 1\n", "image: # of web\n  tag: v1\n  digest: x\nz: 1\n"},
		{"image: ~ # none\n", "image: # none\n  tag: v1\n  digest: x\n"},
		{"image: null", "image:\n  tag: v1\n  digest: x"},
		{"{image: null}\n", "{image: {tag: v1, digest: x}}\n"},
		{"image: {}\n", "image: {tag: v1, digest: x}\n"},
		{"{}\n", "{\"image\": {\"tag\": \"v1\", \"digest\": \"x\"}}\n"},
		{`{"image": null}`, `{"image": {"tag": "v1", "digest": "x"}}`},
		{`{"image": {}}`, `{"image": {"tag": "v1", "digest": "x"}}`},
		{"{\n  \"image\": {\n  }\n}\n", "{\n  \"image\": {\"tag\": \"v1\", \"digest\": \"x\"\n  }\n}\n"},
		{"a:\n    b: 1\n", "a:\n    b: 1\nimage:\n    tag: v1\n    digest: x\n"},
	} {
		got, err := setValues(t, tc.src, true, "image.tag=v1", "image.digest=x")
		if err != nil || got != tc.want {
			t.Errorf("%q: %v\ngot  %q\nwant %q", tc.src, err, got, tc.want)
		}
	}
	for arg, want := range map[string]string{"a.tag=1.10": "a:\n  tag: \"1.10\"\n", "a.cpu=0.50": "a:\n  cpu: 0.50\n", "m=-5": "m: -5\n", "on=off": "\"on\": \"off\"\n"} {
		if got, err := setValues(t, "", true, arg); err != nil || got != want {
			t.Errorf("%s: %v %q", arg, err, got)
		}
	}
}

// Escapes that JSON has, and a tab in a blank line of a block scalar, were refused;
// some of what is no YAML was accepted.
func TestValuesAsYAML12(t *testing.T) {
	for _, tc := range []struct{ src, want string }{
		{`{"url": "https:\/\/x.test\/", "tag": "v1"}`, `{"url": "https:\/\/x.test\/", "tag": "v2"}`},
		{`{"url": "a\\/\a", "t": "\/", "tag": "v1"}`, `{"url": "a\\/\a", "t": "\/", "tag": "v2"}`},
		{`{"face": "\ud83d\ude00 \\ud83d\/", "tag": "v1"}`, `{"face": "\ud83d\ude00 \\ud83d\/", "tag": "v2"}`},
		{"# a\\/b\nu: \"https:\\/\\/x\"\np: C:\\/x\ntag: v1 # \\/\n", "# a\\/b\nu: \"https:\\/\\/x\"\np: C:\\/x\ntag: v2 # \\/\n"},
		{"k: |-\n \t\ntag: v1\n", "k: |-\n \t\ntag: v2\n"},
		{"k: |\n  \t\n  text\ntag: v1\n", "k: |\n  \t\n  text\ntag: v2\n"},
		{"{\n\t\"a\": 1,\n\t\"tag\": \"v1\"\n}\n", "{\n\t\"a\": 1,\n\t\"tag\": \"v2\"\n}\n"},
	} {
		got, err := setValues(t, tc.src, false, "tag=v2")
		if err != nil || got != tc.want {
			t.Errorf("%q: %v\ngot  %q\nwant %q", tc.src, err, got, tc.want)
		}
	}
	if got, err := setValues(t, `{"a\/b": 1, "c": "x\/y"}`, false, "a/b=2"); err != nil || got != `{"a\/b": 2, "c": "x\/y"}` {
		t.Errorf("%v %q", err, got)
	}
	for src, want := range map[string]string{
		"a: \"x \\' y\"\n":        `values.yaml:1:4: not valid YAML: \' is no escape`,
		"b: ># no space\n  z\n":   `values.yaml:1:4: not valid YAML: no space before the comment`,
		"b: |-#x\n  z\n":          `values.yaml:1:4: not valid YAML: no space before the comment`,
		`{"a": "\ud83d", "b": 1}`: `values.yaml:1:1: not valid YAML: found invalid Unicode character escape code`,
	} {
		if _, err := Parse("values.yaml", []byte(src)); err == nil || err.Error() != want {
			t.Errorf("%q: %v", src, err)
		}
	}
	if _, err := Parse("values.yaml", []byte("a: \"x \\\\' y\"\nb: 'it\\''s'\nc: x>#y\n")); err != nil {
		t.Error(err)
	}
}
