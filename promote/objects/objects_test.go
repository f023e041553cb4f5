package objects

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// from reads objects of YAML documents, with numbers as a renderer has them.
func from(t testing.TB, text string) []Object {
	t.Helper()
	var out []Object
	for dec := yaml.NewDecoder(strings.NewReader(text)); ; {
		var v map[string]any
		if dec.Decode(&v) != nil {
			return out
		}
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		numbers := json.NewDecoder(bytes.NewReader(data))
		numbers.UseNumber()
		if err := numbers.Decode(&fields); err != nil {
			t.Fatal(err)
		}
		out = append(out, Of(fields))
	}
}

func deployment(spec string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: " + spec + "\n"
}

// show writes differences a line each.
func show(all []Difference) string {
	var out []string
	for n := range all {
		d := &all[n]
		if d.Old == nil || d.New == nil {
			out = append(out, d.Summary())
			continue
		}
		for _, c := range d.Changes {
			out = append(out, fmt.Sprintf("%s: %s -> %s", c.Path, Text(c.Old), Text(c.New)))
		}
	}
	return strings.Join(out, "\n")
}

func TestCompare(t *testing.T) {
	for name, tc := range map[string]struct{ old, now, want string }{
		"nothing":               {deployment("{replicas: 1}"), deployment("{replicas: 1}"), ""},
		"a number":              {deployment("{replicas: 1}"), deployment("{replicas: 2}"), "spec.replicas: 1 -> 2"},
		"a number and its text": {deployment("{a: 1}"), deployment("{a: '1'}"), "spec.a: 1 -> 1"},
		"a field that is new":   {deployment("{}"), deployment("{a: {b: 1}}"), "spec.a.b: null -> 1"},
		"a field that is gone":  {deployment("{a: {b: 1}}"), deployment("{}"), "spec.a.b: 1 -> null"},
		"an element by its name": {deployment("{containers: [{name: a, image: x}, {name: b, image: y}]}"), deployment("{containers: [{name: a, image: x}, {name: b, image: z}]}"),
			"spec.containers[name=b].image: y -> z"},
		"an element in front": {deployment("{containers: [{name: a, image: x}]}"), deployment("{containers: [{name: z, image: x}, {name: a, image: x}]}"),
			"spec.containers[name=z].image: null -> x\nspec.containers[name=z].name: null -> z"},
		"the order of variables": {deployment("{env: [{name: a}, {name: b}]}"), deployment("{env: [{name: b}, {name: a}]}"), `spec.env: ["[name=a]","[name=b]"] -> ["[name=b]","[name=a]"]`},
		"ports": {deployment("{ports: [{containerPort: 80, protocol: TCP}, {containerPort: 80, protocol: UDP}]}"), deployment("{ports: [{containerPort: 80, protocol: TCP, hostPort: 1}, {containerPort: 80, protocol: UDP}]}"),
			"spec.ports[containerPort=80,protocol=TCP].hostPort: null -> 1"},
		"no key":          {deployment("{from: [{a: {name: x}}, {b: {name: y}}]}"), deployment("{from: [{b: {name: y}}, {a: {name: z}}]}"), "spec.from[1].a.name: x -> z"},
		"arguments":       {deployment("{args: [a, b]}"), deployment("{args: [a, c, b]}"), `spec.args: ["a","b"] -> ["a","c","b"]`},
		"a list of lists": {deployment("{a: [[1]]}"), deployment("{a: [[2]]}"), "spec.a: [[1]] -> [[2]]"},
		"another type":    {deployment("{a: {b: 1}}"), deployment("{a: text}"), `spec.a: {"b":1} -> text`},
		"a new object":    {"", deployment("{a: 1}"), "+ Deployment web is new"},
		"an object gone":  {deployment("{a: 1}"), "", "- Deployment web is gone"},
		"another version": {strings.Replace(deployment("{a: 1}"), "apps/v1", "apps/v1beta1", 1), deployment("{a: 1}"), "apiVersion: apps/v1beta1 -> apps/v1"},
		"a secret": {"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: c2VjcmV0, b: eA==}\nstringData: {c: secret}\n", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: b3RoZXI=, b: eA==}\n",
			"data.a: *** (before) -> *** (after)\nstringData.c: *** (before) -> null"},
		"in a list": {"kind: List\napiVersion: v1\nitems: [{kind: A, apiVersion: v1, metadata: {name: x}, a: 1}]", "kind: List\napiVersion: v1\nitems: [{kind: A, apiVersion: v1, metadata: {name: x}, a: 2}]", "a: 1 -> 2"},
		"in a list in one": {"kind: List\napiVersion: v1\nitems: [{kind: List, apiVersion: v1, items: [{kind: SecretList, apiVersion: v1, items: [{kind: Secret, apiVersion: v1, metadata: {name: x}, data: {a: eA==}}]}]}]",
			"kind: List\napiVersion: v1\nitems: [{kind: List, apiVersion: v1, items: [{kind: Secret, apiVersion: v1, metadata: {name: x}, data: {a: eQ==}}]}]", "data.a: *** (before) -> *** (after)"},
		"dots and slashes":   {"kind: A\nmetadata: {name: x, annotations: {a.b/c: '1'}}", "kind: A\nmetadata: {name: x, annotations: {a.b/c: '2'}}", `metadata.annotations.a\.b/c: 1 -> 2`},
		"names that are odd": {deployment("{c: [{name: 'a,b', x: 1}]}"), deployment("{c: [{name: 'a,b', x: 2}]}"), "spec.c[0].x: 1 -> 2"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := show(Compare(from(t, tc.old), from(t, tc.now), ByName)); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// Lists that lie deeper than they are taken apart are told, as what is in them is not seen.
func TestDeep(t *testing.T) {
	fields := map[string]any{"kind": "Secret", "metadata": map[string]any{"name": "x"}}
	for n := range maxLists + 1 {
		if o := Of(fields); o.Deep() {
			t.Errorf("%d lists are too deep", n)
		}
		fields = map[string]any{"kind": "List", "items": []any{fields}}
	}
	if o := Of(fields); !o.Deep() {
		t.Error("any depth will do")
	}
}

// What a path of a change leads to is the value that it says.
func TestFind(t *testing.T) {
	old, now := from(t, deployment("{c: [{name: a, p: [{port: 1}, {port: 2, protocol: UDP}]}], l: [{x: {y: 1}}]}")), from(t, deployment("{c: [{name: a, p: [{port: 1, z: 0}, {port: 2, protocol: UDP, z: 1}]}], l: [{x: {y: 2}}]}"))
	changes := Compare(old, now, ByName)[0].Changes
	if len(changes) != 3 {
		t.Fatal(show(Compare(old, now, ByName)))
	}
	for _, c := range changes {
		if got, ok := c.Path.Find(now[0].Fields); !ok || Text(got) != Text(c.New) {
			t.Errorf("%s: %v, want %v", c.Path, got, c.New)
		}
	}
	for _, p := range []Path{{"spec", "none"}, {"spec", "c", "[name=b]"}, {"kind", "x"}} {
		if _, ok := p.Find(now[0].Fields); ok {
			t.Errorf("%s was found", p)
		}
	}
}

// Generated names differ by their hashes, and those of two environments by prefixes and
// namespaces.
func TestPair(t *testing.T) {
	object := func(namespace, name, original, value string) Object {
		o := Of(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": namespace}, "data": map[string]any{"a": value}})
		o.Original = original
		return o
	}
	before := []Object{object("a", "x-1", "x", "1"), object("a", "y", "y", "1"), object("a", "twice-1", "twice", "1"), object("a", "twice-2", "twice", "2")}
	after := []Object{object("a", "x-2", "x", "2"), object("a", "y", "y", "1"), object("a", "twice-2", "twice", "2"), object("a", "twice-1", "twice", "1")}
	if got := show(Compare(before, after, ByName)); got != "data.a: 1 -> 2\nmetadata.name: x-1 -> x-2" {
		t.Error(got)
	}
	other := []Object{object("b", "prod-x", "x", "1"), object("b", "prod-y", "y", "1")}
	got := Compare(before[:2], other, ByOriginal)
	allowed, err := ParseAllowed([]string{"metadata.namespace", "metadata.name"})
	if err != nil || len(got) != 2 || got[0].Without(allowed) != nil {
		t.Error(show(got), err)
	}
}

// What is environments' own does not differ; where one name is part of another text, it does.
func TestParity(t *testing.T) {
	of := func(namespace, prefix, image, host string, replicas int) []Object {
		all := from(t, fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %[2]sweb, namespace: %[1]s}\nspec: {replicas: %[5]d, template: {spec: {serviceAccountName: %[2]sacc, containers: [{name: web, image: '%[3]s', env: [{name: HOST, value: '%[4]s'}]}]}}}\n"+
			"---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: %[2]sacc, namespace: %[1]s}\n", namespace, prefix, image, host, replicas))
		all[0].Original, all[1].Original = "web", "acc"
		return all
	}
	digest := "@sha256:" + strings.Repeat("1", 64)
	source := of("staging", "s-", "a/web:v1"+digest, "db.staging", 1)
	for want, target := range map[string][]Object{
		"": of("prod", "p-", "b/web"+digest, "db.staging", 1),
		"spec.template.spec.containers[name=web].env[name=HOST].value: db.staging -> db.prod": of("prod", "p-", "b/web"+digest, "db.prod", 1),
		"spec.template.spec.containers[name=web].image: a/web:v1" + digest + " -> b/web:v2":   of("prod", "p-", "b/web:v2", "db.staging", 1),
		"- ServiceAccount staging/s-acc is gone":                                              of("prod", "p-", "b/web"+digest, "db.staging", 1)[:1],
	} {
		got := show(Parity(source, target, nil))
		if strings.HasPrefix(want, "- ") {
			got = got[strings.LastIndexByte(got, '\n')+1:]
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	allowed, err := ParseAllowed([]string{"spec.replicas"})
	if err != nil || len(Parity(source, of("prod", "p-", "a/web"+digest, "db.staging", 9), allowed)) != 0 {
		t.Error("replicas are not allowed to differ")
	}
}

func TestIsImage(t *testing.T) {
	for text, want := range map[string]bool{
		"spec.containers[name=a].image": true, "spec.template.spec.initContainers[0].image": true, "spec.volumes[name=v].image.reference": true,
		"image": false, "spec.image": false, "spec.containers[name=a].env[name=x].image": false, "spec.parts[name=a].image": false,
	} {
		steps, err := splitPath(text)
		if err != nil || IsImage(steps) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestPatterns(t *testing.T) {
	o := Of(map[string]any{"kind": "Deployment", "metadata": map[string]any{"name": "prod-web"}})
	o.Original = "web"
	at := Path{"spec", "template", "spec", "containers", "[name=web]", "resources", "limits", "cpu"}
	for text, want := range map[string]bool{
		"spec.template": true, "**.resources": true, "**.limits.cpu": true, "spec.**.cpu": true, "spec.template.spec.containers[*].resources": true,
		"spec.template.spec.containers[name=web].resources": true, "spec.template.spec.containers[name=other].resources": false, "**.requests": false,
		"Deployment:**.resources": true, "Deployment/web:**.resources": true, "Deployment/prod-*:spec": true, "Deployment/other:spec": false, "Deployment/web:**": true, "StatefulSet:spec": false,
		"spec.*.spec": true, "spec.replicas": false, "*": true, "spec.template.spec.containers[*].resources.limits.cpu.more": false,
	} {
		p, err := ParsePattern(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := p.Means(&o, at); got != want || p.String() != text {
			t.Errorf("%s: %v", text, got)
		}
	}
	for _, text := range []string{"", "a..b", "a.", ".a", "**", "a[", "a[]", ":a", "Dep[:a", "Deployment:"} {
		if _, err := ParseAllowed([]string{text}); err == nil {
			t.Errorf("%q is a pattern", text)
		}
	}
	if p, err := ParsePattern(`metadata.annotations.a\.b/c`); err != nil || !p.Means(&o, Path{"metadata", "annotations", "a.b/c"}) {
		t.Error(err)
	}
}

func TestWrite(t *testing.T) {
	before, after := from(t, deployment("{replicas: 1, gone: x}")), from(t, deployment("{replicas: 2}"))
	after[0].Places = func(p Path) Place { return Place{"apps/web.yaml", len(p)} }
	all := Compare(before, after, ByName)
	var b strings.Builder
	if err := Write(&b, all, Style{Color: true}); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[1m~ Deployment web: 2 fields differ\x1b[0m\n    spec.gone\n\x1b[31m    - x\x1b[0m\n    spec.replicas  (apps/web.yaml:2)\n\x1b[31m    - 1\x1b[0m\n\x1b[32m    + 2\x1b[0m\n"
	if b.String() != want {
		t.Errorf("got %q", b.String())
	}
	data, err := json.Marshal(all[0].Report())
	if err != nil || !strings.Contains(string(data), `{"path":"spec.replicas","old":1,"new":2,"origin":{"file":"apps/web.yaml","line":2}}`) {
		t.Errorf("%s, %v", data, err)
	}
}

// What stands in objects steers neither a terminal nor a forge, and is bounded.
func TestHostile(t *testing.T) {
	before := from(t, deployment("{a: x}"))
	after := from(t, deployment("{a: \"\\e[31m```\\n@team <b>\", b: "+strings.Repeat("x", 9999)+"}"))
	after[0].Name = "we`b|\n# x"
	all := []Difference{{Old: &before[0], New: &after[0], Changes: Compare(before, after, ByOriginal)[0].Changes}}
	var b strings.Builder
	if err := Write(&b, all, Style{}); err != nil {
		t.Fatal(err)
	}
	md := Markdown(all, 1, Style{})
	for _, text := range []string{b.String(), md} {
		if strings.Contains(text, "\x1b") || len(text) > 1500 || strings.Contains(text, "\n# x") {
			t.Errorf("%q", text)
		}
	}
	if strings.Count(md, "```") != 2 || !strings.Contains(md, "and 1 more fields") || !strings.HasPrefix(md, "- `~ Deployment we'b¦") {
		t.Errorf("%s", md)
	}
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"spec.replicas", "**.resources", "Deployment/web:spec.a[*].b", `a\.b`, "a[name=x]"} {
		f.Add(s)
	}
	o := Of(map[string]any{"kind": "A"})
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePattern(s); err == nil {
			p.Means(&o, Path{"a", "[name=x]", "b"})
		}
	})
}

func ExampleCompare() {
	object := func(replicas string) []Object {
		return []Object{Of(map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web"},
			"spec": map[string]any{"replicas": json.Number(replicas)}})}
	}
	for _, d := range Compare(object("1"), object("2"), ByName) {
		fmt.Println(d.Summary())
		for _, c := range d.Changes {
			fmt.Println(c.Path, c.Old, c.New)
		}
	}
	// Output:
	// ~ Deployment web: 1 field differs
	// spec.replicas 1 2
}
