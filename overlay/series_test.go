package overlay_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubepromote/kubepromote/overlay"
)

// one after the other is what a series stands for: its steps and its outcome are those of
// edits of which each is made of what the one before has made.
func oneAfterTheOther(t *testing.T, f *overlay.File, requests []overlay.Request, taken []bool) (steps []overlay.Step, after []byte) {
	t.Helper()
	for n, r := range requests {
		e, err := f.Edit(r)
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, overlay.Step{Changes: e.Changes, Diff: e.Diff()})
		if taken[n] {
			f = e.After
		}
	}
	return steps, f.Bytes()
}

const manyServices = `# all of them
services:
  cart:
    image: {repository: r.io/shop/cart, tag: v1}
    text: |
      v1
  web:
    image:
      repository: r.io/shop/web # ours
      tag: "v1"
      digest: ""

  api:
    image:
      repository: r.io/shop/api
      tag: 'v1'
    sidecar:
      image:
        repository: r.io/shop/proxy
        tag: v7
  last:
    image:
      repository: r.io/shop/last
      tag: v1@sha256:` + "0000000000000000000000000000000000000000000000000000000000000001"

const manyEntries = `resources: [../../base]
images:
- name: a
  newTag: v1
- name: b
  newTag: v1 # why
- name: c
  newName: r.io/c
  digest: sha256:0000000000000000000000000000000000000000000000000000000000000001
- {name: d, newTag: v1}
commonLabels: {a: b}
`

func TestSeries(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, src := range []string{manyServices, manyServices + "\n", manyEntries, strings.ReplaceAll(manyEntries, "\n", "\r\n"), strings.TrimSuffix(manyEntries, "\n")} {
		f, err := overlay.Parse(map[bool]string{true: "kustomization.yaml", false: "values.yaml"}[strings.HasPrefix(src, "res")], []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			var requests []overlay.Request
			var taken []bool
			pins := slices.Clone(f.Images())
			random.Shuffle(len(pins), func(i, j int) { pins[i], pins[j] = pins[j], pins[i] })
			for _, p := range pins {
				c := overlay.Change{Path: p.Path}
				if random.IntN(4) > 0 {
					c.Tag = overlay.To(fmt.Sprintf("v%d", random.IntN(3)))
				}
				if random.IntN(3) > 0 {
					c.Digest = overlay.To(fmt.Sprintf("sha256:%064x", random.IntN(3)))
				}
				if len(requests) > 0 && random.IntN(4) == 0 {
					requests[len(requests)-1].Changes = append(requests[len(requests)-1].Changes, c)
					continue
				}
				requests, taken = append(requests, overlay.Request{Changes: []overlay.Change{c}}), append(taken, random.IntN(5) > 0)
			}
			series := f.Series(requests)
			if series == nil {
				t.Fatalf("no series of %+v", requests)
			}
			wantSteps, wantAfter := oneAfterTheOther(t, f, requests, taken)
			var passing []overlay.Request
			for n := range requests {
				step := series.Step(n)
				step.Before, step.After = nil, nil
				if d := cmp.Diff(wantSteps[n], step); d != "" {
					t.Fatalf("%+v: step %d (-want +got):\n%s", requests, n, d)
				}
				if taken[n] {
					series.Take(n)
					passing = append(passing, requests[n])
				}
			}
			if got := f.Series(passing).After.Bytes(); !bytes.Equal(got, wantAfter) {
				t.Fatalf("%+v: got\n%s\nwant\n%s", requests, got, wantAfter)
			}
		}
	}
}

// What cannot be told apart, or what Edit has something to say about, is made one by one.
func TestNoSeries(t *testing.T) {
	tag := func(path, tag string) overlay.Request {
		return overlay.Request{Changes: []overlay.Change{{Path: path, Tag: overlay.To(tag)}}}
	}
	for name, tc := range map[string]struct {
		file, src string
		requests  []overlay.Request
	}{
		"two on one line":  {"values.yaml", "a: {image: {repository: r.io/a, tag: v1}, b: {image: {repository: r.io/b, tag: v1}}}\n", []overlay.Request{tag("a.image", "v2"), tag("a.b.image", "v2")}},
		"two wishes":       {"values.yaml", "image: {repository: r.io/a, tag: v1}\n", []overlay.Request{tag("image", "v2"), tag("image", "v3")}},
		"one of two":       {"values.yaml", "image: {repository: r.io/a, tag: v1}\n", []overlay.Request{tag("image", "v2"), tag("image", "v1")}},
		"another's quotes": {"kustomization.yaml", "images:\n- name: a\n- name: b\n", []overlay.Request{tag("images[name=a]", "1.10"), tag("images[name=b]", "v1")}},
		"a line of YAML":   {"values.yaml", "# \u2028\na: {image: {repository: r.io/a, tag: v1}}\n", []overlay.Request{tag("a.image", "v2")}},
		"an anchor":        {"values.yaml", "a: {image: {repository: r.io/a, tag: &v v1}}\nb:\n  image: {repository: r.io/b, tag: *v}\n", []overlay.Request{tag("a.image", "v2")}},
		"a chain":          {"kustomization.yaml", "images:\n- {name: a, newName: b}\n- {name: b, newTag: v1}\n", []overlay.Request{{Changes: []overlay.Change{{Name: "b", Tag: overlay.To("v2")}}}}},
		"nothing is there": {"values.yaml", "image: {repository: r.io/a, tag: v1}\n", []overlay.Request{tag("c", "v2")}},
		"malformed":        {"values.yaml", "image: {repository: r.io/a, tag: v1}\n", []overlay.Request{tag("image", "v 2")}},
		"a value":          {"values.yaml", "n: 1\nimage: {repository: r.io/a, tag: v1}\n", []overlay.Request{{Values: []overlay.ValueChange{{Path: "n", Text: "2"}}}}},
		"one for two tags": {"values.yaml", "a:\n  image: {repository: r.io/a, tag: v1}\nb:\n  image: {repository: r.io/a, tag: v2}\n", []overlay.Request{{Changes: []overlay.Change{{Name: "r.io/a", Tag: overlay.To("v3")}}}}},
	} {
		f, err := overlay.Parse(tc.file, []byte(tc.src))
		if err != nil {
			t.Fatal(err)
		}
		if f.Series(tc.requests) != nil {
			t.Errorf("%s: a series", name)
		}
	}
}

// The work goes with the file, and not with its square: twice as many services are at most
// three times as many bytes to allocate.
func TestSeriesGrows(t *testing.T) {
	allocated := func(services int) int64 {
		var src strings.Builder
		src.WriteString("services:\n")
		for i := range services {
			fmt.Fprintf(&src, "  s%05d:\n    image:\n      repository: r.io/s%05d\n      tag: v1\n", i, i)
		}
		f, err := overlay.Parse("values.yaml", []byte(src.String()))
		if err != nil {
			t.Fatal(err)
		}
		var requests []overlay.Request
		for _, p := range f.Images() {
			requests = append(requests, overlay.Request{Changes: []overlay.Change{{Path: p.Path, Tag: overlay.To("v2"), Digest: overlay.To(fmt.Sprintf("sha256:%064x", 1))}}})
		}
		return testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				s := f.Series(requests)
				for n := range requests {
					s.Step(n)
					s.Take(n)
				}
			}
		}).AllocedBytesPerOp()
	}
	if few, many := allocated(200), allocated(400); many > 3*few {
		t.Errorf("200 services take %d bytes, and 400 take %d", few, many)
	}
}
