package pipeline

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

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
		m.MapFS[f] = &fstest.MapFile{Data: []byte("images:\n- {name: web, newTag: v1}\n")}
	}
	return m
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
func TestSitesCannotBeRead(t *testing.T) {
	files := tree("apps/a/overlays/dev/kustomization.yaml", "apps/a/overlays/prod/kustomization.yaml", "apps/b/overlays/dev/kustomization.yaml")
	for _, dir := range []string{"apps", "apps/a/overlays"} {
		if _, err := laidOut(t, defaultLayout).Sites(locked{files, dir}).All(); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// laidOut is a pipeline from dev to prod with a layout as a file has it.
func laidOut(t testing.TB, layout string) *Pipeline {
	t.Helper()
	p, err := Parse("promotion.yaml", []byte("apiVersion: "+APIVersion+"\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  layout: "+layout+
		"\n  environments: [{name: dev}, {name: prod, from: [dev]}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Which services there are in which environments, and where.
func TestSites(t *testing.T) {
	files := tree("apps/a/overlays/dev/kustomization.yaml", "apps/a/overlays/prod/x", "apps/b/overlays/dev/kustomization.yaml",
		"apps/b/base/kustomization.yaml", "apps/README", "apps/.hidden/overlays/dev/x", "other/a/overlays/dev/x", "flat/dev/a.yaml", "flat/dev/b.yml", "flat/dev/c.yaml/x",
		"red/web/dev.yaml", "blue/web/dev.yaml", "red/api/dev.yaml", "envs/dev/kustomization.yaml", "values-dev.yaml", "r/eu/web/dev.yaml", "r/us/web/dev.yaml")
	for _, tc := range []struct {
		layout string
		want   map[string][]string
	}{
		{defaultLayout, map[string][]string{"a dev": {"apps/a/overlays/dev"}, "a prod": {"apps/a/overlays/prod"}, "b dev": {"apps/b/overlays/dev"}}},
		{"{path: \"flat/{environment}/{service}.yaml\"}", map[string][]string{"a dev": {"flat/dev/a.yaml"}}},
		{"none/{environment}/{service}", map[string][]string{}},
		{"\"{team}/{service}/{environment}.yaml\"", map[string][]string{"red/web dev": {"red/web/dev.yaml"}, "blue/web dev": {"blue/web/dev.yaml"}, "api dev": {"red/api/dev.yaml"}}},
		{"[\"envs/{environment}\", \"values-{environment}.yaml\"]", map[string][]string{"shop dev": {"envs/dev", "values-dev.yaml"}}},
		{"{path: \"envs/{environment}\", service: web}", map[string][]string{"web dev": {"envs/dev"}}},
		{"\"r/*/{service}/{environment}.yaml\"", map[string][]string{"web dev": {"r/eu/web/dev.yaml", "r/us/web/dev.yaml"}}},
	} {
		all, err := laidOut(t, tc.layout).Sites(files).All()
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string][]string)
		for service, in := range all {
			for e, here := range in {
				for _, one := range here {
					got[service+" "+e] = append(got[service+" "+e], one.Path)
				}
			}
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s:\n%s", tc.layout, d)
		}
	}
}

// What Git is asked about are the files of the overlays and no others, and which are
// of whom is told as it is found in the tree.
func TestPathspecs(t *testing.T) {
	for _, tc := range []struct {
		layout   string
		services []string
		want     []string
	}{
		{"\"{environment}/{service}.yaml\"", []string{"a", "b"}, []string{":(glob)dev/a.yaml", ":(glob)dev/b.yaml", ":(glob)prod/a.yaml", ":(glob)prod/b.yaml"}},
		{"\"{environment}/{service}.yaml\"", nil, []string{":(glob)dev/*.yaml", ":(glob)prod/*.yaml"}},
		{"\"[a]/{environment}/{service}.yaml\"", nil, []string{`:(glob)\[a]/dev/*.yaml`, `:(glob)\[a]/prod/*.yaml`}},
		{"\"{team}/{environment}/{service}\"", []string{"red/a"}, []string{
			":(glob)*/dev/a", ":(glob)*/dev/a/Kustomization", ":(glob)*/dev/a/kustomization.yaml", ":(glob)*/dev/a/kustomization.yml",
			":(glob)*/prod/a", ":(glob)*/prod/a/Kustomization", ":(glob)*/prod/a/kustomization.yaml", ":(glob)*/prod/a/kustomization.yml"}},
	} {
		if d := cmp.Diff(tc.want, laidOut(t, tc.layout).Pathspecs(tc.services)); d != "" {
			t.Errorf("%s:\n%s", tc.layout, d)
		}
	}
}

func TestOwners(t *testing.T) {
	for _, tc := range []struct{ layout, file, want string }{
		{defaultLayout, "apps/cart/overlays/dev/kustomization.yaml", "cart dev"},
		{defaultLayout, "apps/cart/overlays/dev/Kustomization", "cart dev"},
		{defaultLayout, "apps/cart/overlays/dev/patch.yaml", ""},
		{defaultLayout, "apps/cart/overlays/qa/kustomization.yaml", ""},
		{"\"{environment}/{service}.yaml\"", "prod/cart.yaml", "cart prod"},
		{"\"{environment}/{service}.yaml\"", "prod/cart.yml", ""},
		{"\"{environment}/values.yaml\"", "prod/values.yaml", "shop prod"},
	} {
		got := ""
		for _, one := range laidOut(t, tc.layout).Match(tc.file) {
			got += one.Service + " " + one.Environment
		}
		if got != tc.want {
			t.Errorf("%s in %s: %q, want %q", tc.file, tc.layout, got, tc.want)
		}
	}
}

func split(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, split(e)...)
		}
		return all
	}
	return []error{err}
}

func wantError(t *testing.T, err error, want ...string) {
	t.Helper()
	var got []string
	for _, e := range split(err) {
		got = append(got, e.Error())
		var hint interface{ HintText() string }
		if errors.As(e, &hint) && hint.HintText() != "" {
			got = append(got, "hint: "+hint.HintText())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}
