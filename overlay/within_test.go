package overlay_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/overlay"
)

const oneForAll = `services:
  web: {image: {repository: r.io/web, tag: v1}}
  web-api: {image: {repository: r.io/api, tag: v2}}
  "a.b":
    sidecar: {image: r.io/side:v3}
  none:
  broken: text
`

const applicationSet = `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: web}
spec:
  generators:
  - list:
      elements:
      - {env: staging, imageTag: v2}
      - {env: production, imageTag: v1}
  template:
    spec: {source: {kustomize: {images: [r.io/web:v1]}}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web}
spec:
  images:
  - {name: r.io/web, newTag: v1}
  - {name: "r.io:5000/api", newTag: v1}
`

func TestImagesWithin(t *testing.T) {
	for _, tc := range []struct {
		src, path string
		want      []string
		err       string
		absent    bool
	}{
		{oneForAll, "services.web", []string{"services.web.image"}, "", false},
		{oneForAll, "services.web.image", []string{"services.web.image"}, "", false},
		{oneForAll, `services.a\.b`, []string{`services.a\.b.sidecar.image`}, "", false},
		{oneForAll, "services.*", nil, "values.yaml:7:11: services.* is a scalar, and no part of the file that could hold images", false},
		{oneForAll, "services", []string{"services.web.image", "services.web-api.image", `services.a\.b.sidecar.image`}, "", false},
		{oneForAll, ".", []string{"services.web.image", "services.web-api.image", `services.a\.b.sidecar.image`}, "", false},
		{oneForAll, "services.none", nil, "", false},
		{oneForAll, "services.broken", nil, "values.yaml:7:11: services.broken is a scalar, and no part of the file that could hold images", false},
		{oneForAll, "services.webb", nil, `values.yaml:2:3: services.webb leads nowhere: services has no key "webb"`, true},
		{oneForAll, "services[env=x]", nil, "values.yaml:2:3: services[env=x] leads nowhere: services is a mapping and has no [env=x]", true},
		{oneForAll, "Deployment/web:spec", nil, "values.yaml: Deployment/web:spec leads nowhere", true},
		{oneForAll, "a..b", nil, `values.yaml: path "a..b": byte 3: an empty key`, false},
		{"", "services.web", nil, "values.yaml: services.web leads nowhere", true},
		{applicationSet, "spec.generators[0].list.elements[env=production]", []string{"doc:0:spec.generators[0].list.elements[1].imageTag"}, "", false},
		{applicationSet, "spec.generators[*].list.elements[env=*]", []string{
			"doc:0:spec.generators[0].list.elements[0].imageTag", "doc:0:spec.generators[0].list.elements[1].imageTag"}, "", false},
		{applicationSet, "ApplicationSet/web:spec.template", []string{"doc:0:spec.template.spec.source.kustomize.images[0]"}, "", false},
		{applicationSet, "doc:1:spec.images[1]", []string{`doc:1:spec.images[name=r.io\:5000/api]`}, "", false},
		{applicationSet, "doc:1:.", []string{"doc:1:spec.images[name=r.io/web]", `doc:1:spec.images[name=r.io\:5000/api]`}, "", false},
		{applicationSet, "spec.images[name=r.io/web]", []string{"doc:1:spec.images[name=r.io/web]"}, "", false},
		{"a: &x\n  image: r.io/a:v1\nb: *x\n", "b", nil, "", false}, // it stands at the anchor
	} {
		t.Run(tc.path, func(t *testing.T) {
			f, err := overlay.Parse("values.yaml", []byte(tc.src))
			if err != nil {
				t.Fatal(err)
			}
			pins, err := f.ImagesWithin(tc.path)
			var got []string
			for _, p := range pins {
				got = append(got, p.Path)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
			var at *overlay.Error
			switch {
			case tc.err == "" && err != nil, tc.err != "" && (err == nil || err.Error() != tc.err || !errors.As(err, &at)):
				t.Errorf("got %v, want %q", err, tc.err)
			case errors.Is(err, overlay.ErrAbsent) != tc.absent:
				t.Errorf("%v: absent is %v", err, !tc.absent)
			}
		})
	}
}

func TestKeysAt(t *testing.T) {
	for _, tc := range []struct {
		src, path string
		want      []string
	}{
		{oneForAll, "services", []string{"web", "web-api", "a.b", "none", "broken"}},
		{oneForAll, ".", []string{"services"}},
		{oneForAll, "services.*", []string{"image", "sidecar"}},
		{oneForAll, "nothing", nil},
		{oneForAll, "services.broken", nil},
		{oneForAll, "a..b", nil},
		{applicationSet, "spec.generators[*].list.elements[env=*]", []string{"staging", "production"}},
		{applicationSet, "spec.images[name=*]", []string{"r.io/web", "r.io:5000/api"}},
		{"a: [{env: x}, {env: x}, {b: 1}]\n", "a[env=*]", []string{"x"}},
		{`a: [{env: "*"}, {env: x}]`, `a[env=\*]`, []string{"env"}}, // selects, and leaves nothing open
	} {
		f, err := overlay.Parse("values.yaml", []byte(tc.src))
		if err != nil {
			t.Fatal(err)
		}
		got := f.KeysAt(tc.path)
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s: %s", tc.path, d)
		}
	}
}

func TestScalars(t *testing.T) {
	f, err := overlay.Parse("values.yaml", []byte("VERSION: v2\nconfig:\n  \"*\": x\n  n: 3\n  q: \"3\"\n  b: yes\n  nil:\n  m: {}\n  i: &i s\n  j: *i\n"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(line, col int) overlay.Position { return overlay.Position{Line: line, Col: col} }
	for path, want := range map[string][]overlay.Scalar{
		"VERSION": {{Path: "VERSION", Text: "v2", Kind: "string", Position: at(1, 10)}},
		"config.*": {
			{`config.\*`, "x", "string", at(3, 8)}, {"config.n", "3", "number", at(4, 6)}, {"config.q", "3", "string", at(5, 6)},
			{"config.b", "yes", "boolean", at(6, 6)}, {"config.nil", "", "null", at(7, 7)},
			{"config.i", "s", "string", at(9, 6)}, {"config.j", "s", "string", at(10, 6)}},
		`config.\*`: {{`config.\*`, "x", "string", at(3, 8)}},
		"config":    nil,
		"x":         nil,
		"x..y":      nil,
	} {
		if d := cmp.Diff(want, f.Scalars(path)); d != "" {
			t.Errorf("%s: %s", path, d)
		}
	}
}

// What is copied has the type of the source, and the quotes of the target as far as
// they leave it that.
func TestScalarChange(t *testing.T) {
	for _, tc := range []struct{ source, target, want string }{
		{"v: v2", "v: v1 # keep", "v: v2 # keep"},
		{"v: v2", "v: 'v1'", "v: 'v2'"},
		{"v: '3'", "v: 2", `v: "3"`},
		{"v: 3", "v: '2'", "v: 3"},
		{"v: 3", "v: '3'", "v: 3"},
		{"v: 3", "v: some", "v: 3"},
		{"v: 3", "v: |\n  some", "v: 3"},
		{"v: 3", "v: 2", "v: 3"},
		{"v: true", "v: 'no'", "v: true"},
		{"v: yes", "v: no", "v: yes"},
		{`v: "say \"hi\""`, "v: x", `v: "say \"hi\""`},
		{"v: ''", "v: x", `v: ""`},
		{"v: 1.10", "v: '1.9'", "v: 1.10"},
		{"v: {a: 3}", "v: {a: 2}", "v: {a: 3}"},
	} {
		source, err := overlay.Parse("a.yaml", []byte(tc.source+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		target, err := overlay.Parse("b.yaml", []byte(tc.target+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		var values []overlay.ValueChange
		for _, path := range []string{"v", "v.*"} {
			for _, s := range source.Scalars(path) {
				v, ok := s.Change(s.Path)
				if !ok {
					t.Errorf("%s: %+v is not to be copied", tc.source, s)
				}
				values = append(values, v)
			}
		}
		edit, err := target.Edit(overlay.Request{Values: values})
		if err != nil {
			t.Errorf("%s: %v", tc.source, err)
			continue
		}
		if got := string(edit.After.Bytes()); got != tc.want+"\n" {
			t.Errorf("%s over %s gives %s, want %s", tc.source, tc.target, got, tc.want)
		}
		again, err := edit.After.Edit(overlay.Request{Values: values})
		if err != nil || again.Changed() || len(again.Changes) > 0 {
			t.Errorf("%s: a second time: %v, %v", tc.source, err, again)
		}
	}
	if _, ok := (overlay.Scalar{Path: "v", Kind: "null"}).Change("v"); ok {
		t.Error("null is to be copied")
	}
}
