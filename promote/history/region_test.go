package history

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
)

// samples are files in the forms that pins stand in, with other things around them.
var samples = []string{`applications:
  web:
    image:
      repository: quay.io/acme/web
      tag: v1
    replicaCount: 2
    extraEnv:
      - name: LOG_LEVEL
        value: info
      - name: URL
        value: "http://cart:8080/x"
    args:
    - serve
    - --port=80
  cart:
    replicaCount: 2 # as many as there are
    image: {repository: quay.io/acme/cart, tag: v1}
    hosts:
      - cart.example.com
`, `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: web
        image: quay.io/acme/web:v1
        env:
        - name: A
          value: b
        ports: [{containerPort: 80}]
      - image: quay.io/acme/side:v1
        name: side
      volumes:
      - name: x
        emptyDir: {}
`, `resources: [../base]
namespace: shop
images:
- newTag: v1
  name: quay.io/acme/web
- name: quay.io/acme/cart
  newTag: v2
replicas:
- name: web
  count: 2
commonAnnotations:
  note: >-
    some text
    of lines
`, `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web}
spec:
  source:
    helm:
      parameters:
      - name: image.repository
        value: quay.io/acme/web
      - name: image.tag
        value: v1
      - name: replicas
        value: "2"
      values: |
        image:
          repository: quay.io/acme/other
          tag: v3
        replicas: 2
    kustomize:
      images:
      - quay.io/acme/web:v1
      - quay.io/acme/cart:v1
`}

// pinned are a file's pins as one text; ok is false where it cannot be read.
func pinned(data []byte) (string, bool) {
	f, err := overlay.Parse("values.yaml", data)
	if err != nil {
		return "", false
	}
	var all []string
	for _, p := range f.Images() {
		all = append(all, p.Name+" "+p.Repository()+" "+p.Tag+" "+p.Digest)
	}
	slices.Sort(all)
	return strings.Join(all, "\n"), true
}

// mutate changes some lines of a text as people do, and as nobody should.
func mutate(r *rand.Rand, text string) string {
	all := strings.SplitAfter(text, "\n")
	others := strings.SplitAfter(samples[r.IntN(len(samples))], "\n")
	for range 1 + r.IntN(3) {
		i := r.IntN(len(all))
		switch r.IntN(7) {
		case 0:
			all = slices.Delete(all, i, i+1)
		case 1:
			all = slices.Insert(all, i, others[r.IntN(len(others))])
		case 2:
			all = slices.Insert(all, i, all[i])
		case 3:
			all[i] = strings.NewReplacer("1", "7", "2", "8", "web", "shop").Replace(all[i])
		case 4:
			all[i] = "  " + all[i]
		case 5:
			all[i] = strings.TrimPrefix(all[i], "  ")
		case 6:
			indent := len(all[i]) - len(strings.TrimLeft(all[i], " "))
			all = slices.Insert(all, i, strings.Repeat(" ", indent)+[]string{"other: 3\n", "- x\n", "- name: B\n", "more:\n", "'a\n", "text\n"}[r.IntN(6)])
		}
		if len(all) == 0 {
			return ""
		}
	}
	return strings.Join(all, "")
}

// What is taken for the same has the same pins, whatever was changed, where both versions
// can be read. FILES adds files of a folder to the samples.
func TestRegionKeeps(t *testing.T) {
	texts := slices.Clone(samples)
	if dir := os.Getenv("FILES"); dir != "" {
		files, _ := filepath.Glob(filepath.Join(dir, "*.yaml"))
		for _, file := range files {
			if data, err := os.ReadFile(file); err == nil && len(data) < 64<<10 {
				texts = append(texts, string(data))
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	kept := 0
	for n := range 20_000 {
		old := texts[n%len(texts)]
		if n%3 == 0 {
			old = mutate(r, old)
		}
		now := mutate(r, old)
		if !differing([]byte(old), []byte(now)).keeps(nil, nil) {
			continue
		}
		before, ok := pinned([]byte(old))
		after, nowOK := pinned([]byte(now))
		if ok && nowOK && before != after {
			t.Fatalf("taken for the same:\n%s---\n%s", old, now)
		}
		kept++
	}
	if kept < 2000 {
		t.Errorf("only %d were told apart from what must be parsed", kept)
	}
}

func TestDiffering(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := range 5000 {
		old := samples[n%len(samples)]
		now := mutate(r, old)
		d := differing([]byte(old), []byte(now))
		if got := slices.Concat(d.before, d.old, d.after); string(got) != old {
			t.Fatalf("old is put together as %q", got)
		}
		if got := slices.Concat(d.before, d.now, d.after); string(got) != now {
			t.Fatalf("now is put together as %q", got)
		}
		for _, part := range [][]byte{d.before, d.old, d.now} {
			if len(part) > 0 && len(d.after) > 0 && !bytes.HasSuffix(part, []byte("\n")) {
				t.Fatalf("%q ends within a line", part)
			}
		}
	}
}

func TestRegionParts(t *testing.T) {
	text := samples[0]
	change := func(old, now string) region {
		if !strings.Contains(text, old) {
			t.Fatal(old)
		}
		return differing([]byte(text), []byte(strings.Replace(text, old, now, 1)))
	}
	web, cart := [][]string{{"applications", "web"}}, [][]string{{"applications", "cart"}}
	for _, tc := range []struct {
		region region
		parts  [][]string
		want   bool
	}{
		{change("      tag: v1", "      tag: v2"), web, false},
		{change("      tag: v1", "      tag: v2"), cart, true},
		{change("      tag: v1", "      tag: v2"), append(web, cart...), false},
		{change("      tag: v1", "      tag: v2"), nil, false},
		{change("  cart:", "  basket:"), web, false},
		{change("  cart:", "  basket:"), cart, false},
		{change("    replicaCount: 2\n", "    replicaCount: 3\n"), web, true},
		{change("        value: info", "        value: debug"), nil, true},
		{change("applications:", "global: {imageRegistry: x}\napplications:"), web, false},
	} {
		if got := tc.region.keeps(tc.parts, nil); got != tc.want {
			t.Errorf("%q → %q for %v: %v", tc.region.old, tc.region.now, tc.parts, got)
		}
	}
	if fmt.Sprint(change("    replicaCount: 2\n", "    replicaCount: 3\n").keeps(nil, []string{"replicacount"})) != "false" {
		t.Error("a key that the pipeline names was overlooked")
	}
}

// What is left of a file has the same pins at the same paths, whatever its lines are, where all
// of it can be read.
func TestReduced(t *testing.T) {
	at := func(text []byte) (string, bool) {
		all, ok := pinned(text)
		if f, err := overlay.Parse("values.yaml", text); err == nil {
			for _, p := range f.Pins() {
				all += "\n" + p.Path
			}
		}
		return all, ok
	}
	r := rand.New(rand.NewPCG(5, 6))
	left, all := 0, 0
	for n := range 3000 {
		lines := strings.SplitAfter(mutate(r, samples[n%len(samples)]), "\n")
		for i := range 40 {
			k := r.IntN(len(lines))
			indent := len(lines[k]) - len(strings.TrimLeft(lines[k], " "))
			noise := "%[1]skey%[2]d: some text\n"
			switch i % 4 {
			case 1:
				noise = "%[1]skey%[2]d: \"some: text, [quoted]\"\n"
			case 2:
				noise = "%[1]skey%[2]d:\n%[1]s  a: 'one'\n%[1]s  b:\n%[1]s  - c: d\n%[1]s  - e: x\n%[1]s  value: g\n"
			case 3:
				noise = "%[1]skey%[2]d:\n%[1]s- h: i\n%[1]s  j: k\n"
			}
			lines = slices.Insert(lines, k, fmt.Sprintf(noise, strings.Repeat(" ", indent), i))
		}
		text := strings.Join(lines, "")
		want, ok := at([]byte(text))
		if !ok {
			continue
		}
		short := reduced([]byte(text), nil, n%2 == 0)
		if got, ok := at(short); !ok || got != want {
			t.Fatalf("got %v %s, want %s of\n%s---\n%s", ok, got, want, text, short)
		}
		left, all = left+len(short), all+len(text)
	}
	if left*10 > all*8 {
		t.Errorf("%d of %d bytes are left", left, all)
	}
}

// A key that the pipeline names stays, and so does what a text of several lines begins with.
func TestReducedKeeps(t *testing.T) {
	text := "a: b\nc: d\nengine: x\ntext: one\n  two\nlist: e\nm:\n  f: g\n  h: i\nimages:\n  j: k\n  l: m\n"
	want := "a: b\nengine: x\ntext: one\n  two\nm:\n  f: g\nimages:\n  j: k\n  l: m\n"
	if got := string(reduced([]byte(text), []string{"engine"}, false)); got != want {
		t.Errorf("got %q", got)
	}
	// Mappings in which nothing can be a pin were kept with their first lines each, which was
	// most of a large file, as was all that has quotes.
	text = "a:\n  b: c\nd:\n  e:\n    f: \"g: h\"\n  i:\n  - j: k\nl:\n  m:\n    tag: v1\n  n:\n    o: p\nq:\n  r: |\n    s\n"
	want = "a:\n  b: c\nl:\n  m:\n    tag: v1\nq:\n  r: |\n    s\n"
	if got := string(reduced([]byte(text), nil, true)); got != want {
		t.Errorf("got %q", got)
	}
}
