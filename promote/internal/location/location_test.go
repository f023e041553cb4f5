package location

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const overlays = "apps/{service}/overlays/{environment}"

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		template, path, environment string
		holes                       Holes // nil where it does not fit
		stars                       []string
	}{
		{template: overlays, path: "apps/cart/overlays/dev", environment: "dev", holes: Holes{"service": "cart"}},
		{template: overlays, path: "apps/cart/base", environment: "dev"},
		{template: overlays, path: "apps/cart/overlays/dev/sub", environment: "dev"},
		{template: "clusters/{environment}-eu/app-{service}", path: "clusters/prod-eu/app-cart", environment: "prod", holes: Holes{"service": "cart"}},
		{template: "clusters/{environment}-eu/app-{service}", path: "clusters/-eu/app-cart", environment: "prod"},
		{template: "{environment}/{service}.yaml", path: "prod/-x.yaml", environment: "prod"},
		{template: "{service}-{environment}.yaml", path: "cart-prod.yaml", environment: "prod", holes: Holes{"service": "cart"}},
		{template: "{service}/{service}-{environment}.yaml", path: "cart/cart-prod.yaml", environment: "prod", holes: Holes{"service": "cart"}},
		{template: "{service}/{service}-{environment}.yaml", path: "cart/web-prod.yaml", environment: "prod"},
		{template: "apps/{environment}/{service}", path: "apps/prod/eu/cart", environment: "prod/eu", holes: Holes{"service": "cart"}},
		{template: "{team}/{service}/*/{environment}.yaml", path: "red/cart/eu/prod.yaml", environment: "prod", holes: Holes{"service": "cart", "team": "red"}, stars: []string{"eu"}},
		// What flux bootstrap writes was a service.
		{template: "clusters/{environment}/flux-system/{service}.yaml", path: "clusters/prod/flux-system/gotk-components.yaml", environment: "prod"},
		{template: "clusters/{environment}/*.yaml", path: "clusters/prod/gotk-sync.yaml", environment: "prod"},
		{template: "clusters/{environment}/{service}/gotk-components.yaml", path: "clusters/prod/flux/gotk-components.yaml", environment: "prod", holes: Holes{"service": "flux"}},
		// What lists the services of a folder was one of them.
		{template: "{environment}/{service}.yaml", path: "prod/kustomization.yaml", environment: "prod"},
		{template: "{environment}/{service}.yml", path: "prod/kustomization.yml", environment: "prod"},
		{template: "{environment}/{service}", path: "prod/Kustomization", environment: "prod"},
		{template: "{environment}/{service}/kustomization.yaml", path: "prod/cart/kustomization.yaml", environment: "prod", holes: Holes{"service": "cart"}},
		{template: "{service}/{environment}.yaml", path: "kustomization/prod.yaml", environment: "prod", holes: Holes{"service": "kustomization"}},
		{template: "*-{environment}/x.yaml", path: "-prod/x.yaml", environment: "prod"},
	} {
		got, ok := Match(tc.template, tc.path, Holes{Environment: tc.environment})
		if ok != (tc.holes != nil) {
			t.Errorf("%s in %s: %v", tc.path, tc.template, ok)
		} else if d := cmp.Diff(Found{Path: tc.path, Holes: tc.holes, Stars: tc.stars}, got); ok && d != "" {
			t.Errorf("%s in %s:\n%s", tc.path, tc.template, d)
		}
	}
}

func TestCheck(t *testing.T) {
	for template, want := range map[string]string{
		overlays: "", "{service}-{environment}.yaml": "", "{team}/{service}/{service}/*.yaml": "", "a/*-{environment}": "",
		"../{service}/{environment}":      `"../{service}/{environment}" is not a path inside the repository`,
		"/{service}/{environment}":        `"/{service}/{environment}" is not a path inside the repository`,
		"{service}/{environment}/":        `"{service}/{environment}/" is not a path inside the repository`,
		"{service}/{environment":          `"{service}/{environment" is not a path inside the repository`,
		"{service}/{}":                    `"{service}/{}" has the hole {}, whose name is not made of letters`,
		"{service}/{a b}":                 `"{service}/{a b}" has the hole {a b}, whose name is not made of letters`,
		"{team}-{service}/{environment}":  `"{team}-{service}/{environment}" has two placeholders in one path element, which cannot be told apart`,
		"{service}{environment}/x":        `"{service}{environment}/x" has two placeholders in one path element, which cannot be told apart`,
		"**/{service}/{environment}.yaml": `"**/{service}/{environment}.yaml" has two placeholders in one path element, which cannot be told apart`,
	} {
		if got := fmt.Sprint(Check(template)); got != want && (want != "" || got != "<nil>") {
			t.Errorf("%s:\ngot  %s\nwant %s", template, got, want)
		}
	}
}

func tree(files ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for _, f := range files {
		m[f] = &fstest.MapFile{}
	}
	return m
}

// What is found is what there is up to the last hole.
func TestFind(t *testing.T) {
	files := tree("apps/a/overlays/prod/k", "apps/b/none", "apps/file", "apps/-x/k", "x/dev/a/k", "x/prod/a/k", "x/dev/b/k", "x/prod/c.yaml", "x/dev/c.yaml",
		"y/a.yaml/dev", "red/a/eu/dev.yaml", "red/a/us/dev.yaml", "one/dev.yaml")
	for template, want := range map[string][]string{
		overlays:                         {"apps/a/overlays/dev", "apps/b/overlays/dev"},
		"x/{environment}/{service}":      {"x/dev/a", "x/dev/b"},
		"x/{environment}/{service}.yaml": {"x/dev/c.yaml"},
		"y/{service}.yaml/{environment}": {"y/a.yaml/dev"},
		"none/{service}/{environment}":   nil,
		"{team}/{service}/*/dev.yaml":    {"apps/a/overlays/dev.yaml", "red/a/eu/dev.yaml", "red/a/us/dev.yaml", "x/dev/a/dev.yaml", "x/dev/b/dev.yaml", "x/prod/a/dev.yaml"},
		"one/{environment}.yaml":         {"one/dev.yaml"},
		"gone/{environment}.yaml":        {"gone/dev.yaml"},
	} {
		found, err := (&Finder{Tree: files}).Find(template, Holes{Environment: "dev"})
		var got []string
		for _, f := range found {
			got = append(got, f.Path)
		}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", template, err, d)
		}
	}
}

// locked is a tree of which one directory cannot be read.
type locked struct {
	fstest.MapFS
	dir string
}

func (l locked) ReadDir(dir string) ([]fs.DirEntry, error) {
	if dir == l.dir {
		return nil, fs.ErrPermission
	}
	return l.MapFS.ReadDir(dir)
}

// A directory that cannot be read is an error, never one without anything in it.
func TestFindLocked(t *testing.T) {
	files := tree("apps/a/overlays/dev/k", "apps/b/overlays/dev/k")
	for _, dir := range []string{"apps", "apps/a/overlays"} {
		if _, err := (&Finder{Tree: locked{files, dir}}).Find(overlays, nil); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestExists(t *testing.T) {
	f := &Finder{Tree: tree("a/b/c.yaml")}
	for path, want := range map[string]bool{"a/b": true, "a/b/c.yaml": true, "a/b/d.yaml": false, "x/y": false} {
		if got, err := f.Exists(path); got != want || err != nil {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
}

// FuzzMatch: what fits a template is what the template makes of its holes and stars.
func FuzzMatch(f *testing.F) {
	f.Add(overlays, "apps/cart/overlays/dev")
	f.Add("{environment}/{service}.yaml", "prod/cart.yaml")
	f.Add("*/{team}/{service}/{service}-{environment}", "eu/red/cart/cart-prod")
	f.Fuzz(func(t *testing.T, template, path string) {
		if Check(template) != nil || strings.Contains(path, "*") {
			t.Skip("no template, or a path in which stars cannot be told apart")
		}
		found, ok := Match(template, path, nil)
		if !ok {
			return
		}
		at := Fill(template, found.Holes)
		for _, star := range found.Stars {
			at = strings.Replace(at, "*", star, 1)
		}
		if at != path {
			t.Fatalf("%q in %q: %v would be %q", path, template, found, at)
		}
	})
}
