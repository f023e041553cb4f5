package promote

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestLayoutMatch(t *testing.T) {
	for _, tc := range []struct{ layout, file, service, environment string }{
		{defaultLayout, "apps/cart/overlays/dev/kustomization.yaml", "cart", "dev"},
		{defaultLayout, "apps/cart/overlays/dev/Kustomization", "cart", "dev"},
		{defaultLayout, "apps/cart/overlays/dev/patch.yaml", "", ""},
		{defaultLayout, "apps/cart/base/kustomization.yaml", "", ""},
		{defaultLayout, "apps/cart/overlays/dev/sub/kustomization.yaml", "", ""},
		{"{environment}/{service}", "prod/cart/kustomization.yml", "cart", "prod"},
		{"clusters/{environment}-eu/app-{service}", "clusters/prod-eu/app-cart/kustomization.yaml", "cart", "prod"},
		{"clusters/{environment}-eu/app-{service}", "clusters/prod-us/app-cart/kustomization.yaml", "", ""},
		{"clusters/{environment}-eu/app-{service}", "clusters/-eu/app-cart/kustomization.yaml", "", ""},
		{"{environment}/{service}.yaml", "prod/cart.yaml", "cart", "prod"},
		{"{environment}/{service}.yaml", "prod/cart.yml", "", ""},
		{"{environment}/{service}.yaml", "prod/.yaml", "", ""},
		{"{environment}/{service}.yaml", "prod/-x.yaml", "", ""},
	} {
		l := Layout{Path: tc.layout}
		if err := l.check(); err != nil {
			t.Errorf("%s: %v", tc.layout, err)
		}
		service, environment, ok := l.match(tc.file)
		if ok != (tc.service != "") || ok && (service != tc.service || environment != tc.environment) {
			t.Errorf("%s in %s: %q, %q, %v", tc.file, tc.layout, service, environment, ok)
		}
	}
}

func TestLayoutCheck(t *testing.T) {
	for layout, want := range map[string]string{
		"apps/{service}":                    `"apps/{service}" must hold {environment} once`,
		"{environment}/{environment}":       `"{environment}/{environment}" must hold {service} once`,
		"../{service}/{environment}":        `"../{service}/{environment}" is not a path inside the repository`,
		"/{service}/{environment}":          `"/{service}/{environment}" is not a path inside the repository`,
		"{service}/{environment}/":          `"{service}/{environment}/" is not a path inside the repository`,
		"{service}/{environment}/{cluster}": `"{service}/{environment}/{cluster}" is not a path inside the repository`,
		"{service}-{environment}":           `"{service}-{environment}" has two placeholders in one path element, which cannot be told apart`,
	} {
		if err := (Layout{Path: layout}).check(); err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", layout, err, want)
		}
	}
}

// What is found is what there is up to the service's name, in both environments.
func TestLayoutServicesIn(t *testing.T) {
	tree := memory{fstest.MapFS{}}
	for _, f := range []string{
		"apps/a/overlays/prod/k", "apps/b/none", "apps/file", "apps/-x/k", "x/dev/a/k", "x/prod/a/k", "x/dev/b/k", "x/prod/c.yaml", "x/dev/c.yaml",
		"y/a.yaml/dev", "y/a.yaml/prod",
	} {
		tree.MapFS[f] = &fstest.MapFile{}
	}
	for layout, want := range map[string][]string{
		defaultLayout:                    {"a", "b"},
		"x/{environment}/{service}":      {"a"},
		"x/{environment}/{service}.yaml": {"c"},
		"y/{service}.yaml/{environment}": {"a"},
		"none/{service}/{environment}":   nil,
		"{service}/{environment}.yaml":   {"apps", "x", "y"},
	} {
		got, err := Layout{Path: layout}.servicesIn(tree, "dev", "prod")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", layout, got, err, want)
		}
	}
}

// memory is a tree of files for tests that need no Git.
type memory struct{ fstest.MapFS }

func (m memory) ReadAny(dir string, names []string) (found Found, err error) {
	for _, name := range names {
		if data, err := m.ReadFile(path.Join(dir, name)); err == nil {
			if found.Have = append(found.Have, name); len(found.Have) == 1 {
				found.Name, found.Data = name, data
			}
		}
	}
	if len(found.Have) == 0 {
		return found, fs.ErrNotExist
	}
	return found, nil
}

func tree(files ...string) memory {
	m := memory{fstest.MapFS{}}
	for _, f := range files {
		m.MapFS[f] = &fstest.MapFile{Data: []byte("kind: Kustomization\n")}
	}
	return m
}

func TestDiscover(t *testing.T) {
	for _, tc := range []struct {
		name, layout string
		tree         memory
		environments []string
	}{
		{"default", defaultLayout, tree("apps/a/overlays/prod/kustomization.yaml", "apps/a/overlays/dev/kustomization.yaml", "apps/b/overlays/qa/kustomization.yaml", "apps/b/overlays/odd/kustomization.yaml"),
			[]string{"dev", "qa", "prod"}},
		{"by environment", "environments/{environment}/{service}", tree("environments/staging/a/kustomization.yaml", "environments/production/a/kustomization.yaml"),
			[]string{"staging", "production"}},
		{"one environment only", "", tree("apps/a/overlays/prod/kustomization.yaml"), nil},
		{"none", "", tree("README.md"), nil},
	} {
		p, err := Discover(tc.tree)
		if tc.layout == "" {
			if err == nil {
				t.Errorf("%s: found %v", tc.name, p.Spec)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		var names []string
		for i, e := range p.Spec.Environments {
			names = append(names, e.Name)
			if i > 0 && !slices.Equal(e.From, names[i-1:i]) {
				t.Errorf("%s: %s comes from %v", tc.name, e.Name, e.From)
			}
		}
		if d := cmp.Diff(tc.environments, names); d != "" || p.Spec.Layout.Path != tc.layout {
			t.Errorf("%s: %s in %s", tc.name, d, p.Spec.Layout.Path)
		}
	}
}

// locked is a tree of which one directory cannot be read.
type locked struct {
	memory
	dir string
}

func (l locked) ReadDir(dir string) ([]fs.DirEntry, error) {
	if dir == l.dir {
		return nil, fs.ErrPermission
	}
	return l.memory.ReadDir(dir)
}

// A directory that cannot be read is an error, never an environment without
// overlays.
func TestLayoutCannotBeRead(t *testing.T) {
	files := tree("apps/a/overlays/dev/kustomization.yaml", "apps/a/overlays/prod/kustomization.yaml", "apps/b/overlays/dev/kustomization.yaml")
	for _, dir := range []string{"apps", "apps/a/overlays"} {
		if _, err := (Layout{Path: defaultLayout}).overlays(locked{files, dir}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", dir, err)
		}
		if _, err := Discover(locked{files, dir}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: discovered, %v", dir, err)
		}
	}
	if _, err := (Layout{Path: defaultLayout}).servicesIn(locked{files, "apps"}, "dev"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

func TestLayoutOverlays(t *testing.T) {
	files := tree("apps/a/overlays/dev/kustomization.yaml", "apps/a/overlays/prod/x", "apps/b/overlays/dev/kustomization.yaml",
		"apps/b/base/kustomization.yaml", "apps/README", "apps/.hidden/overlays/dev/x", "other/a/overlays/dev/x", "flat/dev/a.yaml", "flat/dev/b.yml", "flat/dev/c.yaml/x")
	for layout, want := range map[string]map[string]map[string]bool{
		defaultLayout:                       {"a": {"dev": true, "prod": true}, "b": {"dev": true}},
		"flat/{environment}/{service}.yaml": {"a": {"dev": true}},
		"none/{environment}/{service}":      {},
	} {
		got, err := Layout{Path: layout}.overlays(files)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s:\n%s", layout, d)
		}
	}
}

// What Git is asked about are the files of the overlays and no others.
func TestLayoutPathspecs(t *testing.T) {
	for _, tc := range []struct {
		layout   string
		services []string
		want     []string
	}{
		{"{environment}/{service}.yaml", []string{"a", "b"}, []string{":(glob)*/a.yaml", ":(glob)*/b.yaml"}},
		{"{environment}/{service}.yaml", nil, []string{":(glob)*/*.yaml"}},
		{defaultLayout, []string{"a"}, []string{":(glob)apps/a/overlays/*/kustomization.yaml", ":(glob)apps/a/overlays/*/kustomization.yml", ":(glob)apps/a/overlays/*/Kustomization"}},
	} {
		if d := cmp.Diff(tc.want, Layout{Path: tc.layout}.pathspecs(tc.services)); d != "" {
			t.Errorf("%s:\n%s", tc.layout, d)
		}
	}
}

// FuzzLayoutMatch: what fits a layout is what the layout makes of its parts.
func FuzzLayoutMatch(f *testing.F) {
	f.Add(defaultLayout, "apps/cart/overlays/dev/kustomization.yaml")
	f.Add("{environment}/{service}.yaml", "prod/cart.yaml")
	f.Add("clusters/{environment}-eu/app-{service}", "clusters/prod-eu/app-cart/Kustomization")
	f.Fuzz(func(t *testing.T, template, file string) {
		l := Layout{Path: template}
		if l.check() != nil {
			t.Skip("no layout")
		}
		service, environment, ok := l.match(file)
		if !ok {
			return
		}
		at := l.overlayPath(service, environment)
		if !l.isFile() {
			at = path.Join(at, path.Base(file))
		}
		if at != file {
			t.Fatalf("%q in %q: service %q in environment %q would be %q", file, template, service, environment, at)
		}
	})
}
