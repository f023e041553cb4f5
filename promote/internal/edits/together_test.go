package edits

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubepromote/kubepromote/overlay"
)

// oneByOne is what Together stands for: each part is made of what those before it that are
// taken have made.
func oneByOne(parts []Part, src []byte) (made []*Made, after []byte, err error) {
	name := parts[0].File.Name()
	for _, p := range parts {
		f, err := overlay.Parse(name, src)
		if err != nil {
			return nil, nil, err
		}
		m := Make(f, p.Asked, p.Others, p.Values, true)
		if made = append(made, m); m.Err == nil && p.Taken {
			src = m.After
		}
	}
	return made, src, nil
}

// checkTogether asks for changes of a file's images by chance, in one go and one by one. Together
// may leave it to the other way, and else gives the same: bytes, diffs, lines and notes.
func checkTogether(t *testing.T, name string, src []byte, random *rand.Rand) (together bool) {
	t.Helper()
	f, err := overlay.Parse(name, src)
	if err != nil {
		return false
	}
	pins := f.Images()
	if len(pins) < 2 || len(pins) > 40 {
		return false
	}
	parts := chance(f, pins, random)
	made := Together(parts, true)
	if made == nil {
		return false
	}
	want, after, err := oneByOne(parts, src)
	if err != nil {
		t.Fatalf("one by one: %v", err)
	}
	got := src
	for n, m := range made {
		if want[n].Err != nil {
			t.Fatalf("%s: part %d of %+v is refused one by one: %v\n%q", name, n, parts, want[n].Err, src)
		}
		w := *want[n]
		if w.After = m.After; parts[n].Taken {
			got = m.After
		}
		if d := cmp.Diff(&w, m, cmp.AllowUnexported(overlay.Value{}), cmp.Comparer(func(a, b []string) bool { return fmt.Sprint(a) == fmt.Sprint(b) })); d != "" {
			t.Fatalf("%s: part %d of %d (-one by one +together):\n%s\n%s\n%q", name, n, len(parts), d, show(parts), src)
		}
	}
	if !bytes.Equal(got, after) {
		t.Fatalf("%s: %s\n%q\ngives\n%q\nand one by one\n%q", name, show(parts), src, got, after)
	}
	return true
}

func show(parts []Part) string {
	var out strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&out, "taken %v:", p.Taken)
		for _, c := range p.Asked {
			fmt.Fprintf(&out, " %+v", c)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

var tags = []string{"v1", "v1.2.3", "1.10", "0123", "v2.0.0-rc.1", "1e3", "v1.2.4", "yes"}

// chance makes parts: of one image or several, by path or by name.
func chance(f *overlay.File, pins []overlay.Pin, random *rand.Rand) (parts []Part) {
	random.Shuffle(len(pins), func(i, j int) { pins[i], pins[j] = pins[j], pins[i] })
	if random.IntN(3) == 0 {
		pins = append(pins, pins[0]) // of two services
	}
	digests := random.IntN(3) > 0
	for _, p := range pins {
		c := overlay.Change{Path: p.Path}
		if random.IntN(3) == 0 {
			c = overlay.Change{Name: p.Name}
		}
		if random.IntN(5) > 0 {
			c.Tag = overlay.To(tags[random.IntN(len(tags))])
		} else if random.IntN(2) > 0 {
			c.Tag = overlay.To(p.Tag)
		}
		if digests && random.IntN(5) > 0 {
			c.Digest = overlay.To(fmt.Sprintf("sha256:%064x", random.IntN(3)))
		} else if random.IntN(3) > 0 {
			c.Digest = overlay.To("")
		}
		if len(parts) > 0 && random.IntN(4) == 0 {
			parts[len(parts)-1].Asked = append(parts[len(parts)-1].Asked, c)
			continue
		}
		parts = append(parts, Part{File: f, Asked: []overlay.Change{c}, Taken: random.IntN(4) > 0})
	}
	return parts
}

const some = "sha256:0000000000000000000000000000000000000000000000000000000000000001"

var hostile = map[string][]string{
	"kustomization.yaml": {
		"resources: [x]\nimages:\n- name: a\n  newTag: v1.2.3\n- name: b\n  newTag: v1 # why\n- name: c\n  newName: r.io/c\n  digest: " + some + "\n- {name: d, newTag: v1.2.3}\nlabels: {version: v1.2.3}\n",
		"images:\n- name: a\n  digest: " + some + "\n- name: b\n  newTag: 'v1'\n- name: c\n  digest: \"" + some + "\"\n- name: d\n  newTag: v1.2.3\n- name: e\n  newTag: v1.2.3@" + some + "\n# v1.2.3\ncommonAnnotations:\n  release: v1.2.3\n  img: a:v1.2.3",
		"images:\n- newTag: v1.2.3\n  name: a\n\n\n- newTag: &t v1.2.3\n  name: b\n- name: c\n  newTag: *t\n- &d\n  name: d\n  newTag: v1.2.3\n- <<: *d\n  name: e\n- name: f\n  newTag: v1.2.3\n",
		"{\"images\": [\n{\"name\": \"a\", \"newTag\": \"v1.2.3\"},\n{\"name\": \"b\",\n\"newTag\": \"v1.2.3\"},\n{\"name\": \"c\", \"digest\": \"" + some + "\"}]}",
		"images:\n- name: a\n  newTag: |-\n    v1.2.3\n- name: b\n  newTag: >-\n    v1.2.3\n- name: c\n  newTag:\n    v1.2.3\n- name: d\n  newTag: \"v1\\\n    .2.3\"\n- name: e\n- name: f\n  newTag: v1.2.3\n",
		"images:\n- name: b\n  newTag: v1.2.3\n- name: a\n  newName: b\n- name: c\n  newTag: v1\n- name: d\n  newTag: v1\n",
		"images:\n- name: a # \u2028 \u0085\n  newTag: v1.2.3\n# \r x\n- name: b\n  newTag: v1.2.3\n- name: \"c\"\t\n  newTag:\tv1.2.3\n",
	},
	"values.yaml": {
		"a:\n  image: {repository: r.io/a, tag: v1.2.3}\n  text: |\n    r.io/a:v1.2.3\nb:\n  image:\n    repository: r.io/b # ours\n    tag: \"v1.2.3\"\n    digest: \"\"\n\nc:\n  image:\n    repository: r.io/c\n    tag: 'v1.2.3'\n  side:\n    image: r.io/a:v1.2.3\nversion: v1.2.3\nlast:\n  image:\n    repository: r.io/last\n    tag: v1.2.3@" + some,
		"x: &x\n  image:\n    repository: r.io/x\n    tag: v1.2.3\ny:\n  <<: *x\nz: *x\nw:\n  image:\n    <<: {repository: r.io/w, tag: v1}\nv:\n  image:\n    repository: r.io/v\n    tag: v1.2.3\nu:\n  image: r.io/u:v1.2.3\n",
		"a: {image: \"r.io/a:v1.2.3\"}\nb: {image: r.io/b:v1.2.3,\n  c: {image: r.io/c:v1.2.3}}\nimages:\n  d: r.io/d:v1.2.3\n  e: r.io/e@" + some + "\n  f:\n    repository: r.io/f\n    tag: v1.2.3\n",
		"aImage: r.io/a\naImageTag: v1.2.3\nbImage: r.io/b\nbImageTag: 1.10\ncart: r.io/cart:v1.2.3\nweb: r.io/web:v1.2.3\nnested: |\n  image: r.io/n:v1.2.3\n  other:\n    image: r.io/m:v1.2.3\n",
		"a:\n  image:\n    repository: r.io/a\n    tag: v1.2.3\n---\nb:\n  image:\n    repository: r.io/a\n    tag: v1.2.3\n",
		"{\"a\":{\"image\":{\"repository\":\"r.io/a\",\"tag\":\"v1.2.3\"}},\n\"b\":{\"image\":{\n\"repository\":\"r.io/b\",\"tag\":\"v1.2.3\"\n}}}",
	},
	"deploy.yaml": {
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, labels: {version: v1.2.3}}\nspec:\n  template:\n    spec:\n      containers:\n      - name: a\n        image: r.io/a:v1.2.3\n      - {name: b, image: 'r.io/b:v1.2.3'}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: c}\nspec:\n  template:\n    spec:\n      containers:\n      - name: a\n        image: r.io/a:v1.2.3\n      - name: c\n        image: >-\n          r.io/c:v1.2.3\n        args: [--image=r.io/b:v1.2.3]\n",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  values.yaml: |\n    image: r.io/a:v1.2.3\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - {name: a, image: r.io/b:v1.2.3}\n  - name: b\n    image: r.io/c:v1.2.3\n",
	},
	"images.env":        {"# all\nA_IMAGE=r.io/a:v1.2.3\nB_IMAGE=\"r.io/b:v1.2.3\"\nexport C_IMAGE=r.io/c\nC_IMAGE_TAG=v1.2.3\nVERSION=v1.2.3\nD_IMAGE='r.io/a:v1.2.3'"},
	"images.properties": {"# all\na.image=r.io/a:v1.2.3\nb.image: r.io/b:v1.2.3\n! x\nc.image = r.io/c:v1.2.3\nversion=v1.2.3"},
}

func variants(src string) []string {
	return []string{src, strings.ReplaceAll(src, "\n", "\r\n"), "\ufeff" + src, strings.TrimRight(src, "\n"), strings.ReplaceAll(src, "\n", "\r\n") + "\r\n\r\n",
		"# " + strings.Repeat("long ", 3000) + "\n" + src, "---\n" + src + "...\n", strings.Replace(src, "\n", "\n\n\n\n\n# r.io/a:v1.2.3\n", 1), strings.Replace(src, "\n", "\r", 1)}
}

// Edits made in one go are those that are made one by one, whatever the file looks like.
func TestTogether(t *testing.T) {
	for name, all := range hostile {
		for n, src := range all {
			random, together := rand.New(rand.NewPCG(uint64(n), 4)), 0
			for _, v := range variants(src) {
				for range 10 {
					if checkTogether(t, name, []byte(v), random) {
						together++
					}
				}
			}
			if together == 0 && n < 1 {
				t.Errorf("%s %d is never edited in one go", name, n)
			}
		}
	}
}

// FuzzTogether is TestTogether of any file.
func FuzzTogether(f *testing.F) {
	for name, all := range hostile {
		for _, src := range all {
			f.Add(name, []byte(src), uint64(1))
		}
	}
	f.Fuzz(func(t *testing.T, name string, src []byte, seed uint64) {
		checkTogether(t, name, src, rand.New(rand.NewPCG(seed, 5)))
	})
}
