package discover

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// memory is a tree of files for tests that need no Git.
type memory struct{ fstest.MapFS }

func (m memory) ReadAny(dir string, names []string) (found pipeline.Found, err error) {
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

func TestPipeline(t *testing.T) {
	for _, tc := range []struct {
		name, layout string
		tree         memory
		environments []string
	}{
		{"default", "apps/{service}/overlays/{environment}", tree("apps/a/overlays/prod/kustomization.yaml", "apps/a/overlays/dev/kustomization.yaml", "apps/b/overlays/qa/kustomization.yaml", "apps/b/overlays/prod/kustomization.yaml", "apps/b/overlays/odd/kustomization.yaml"),
			[]string{"dev", "qa", "prod"}},
		{"by environment", "environments/{environment}/{service}", tree("environments/staging/a/kustomization.yaml", "environments/production/a/kustomization.yaml"),
			[]string{"staging", "production"}},
		{"one environment only", "", tree("apps/a/overlays/prod/kustomization.yaml"), nil},
		{"none", "", tree("README.md"), nil},
	} {
		p, _, err := Pipeline(t.Context(), tc.tree)
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
		if d := cmp.Diff(tc.environments, names); d != "" || p.Spec.Layout.String() != tc.layout {
			t.Errorf("%s: %s in %s", tc.name, d, p.Spec.Layout)
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

// A directory that cannot be read is an error, never an environment without overlays.
func TestPipelineCannotBeRead(t *testing.T) {
	files := tree("apps/a/overlays/dev/kustomization.yaml", "apps/a/overlays/prod/kustomization.yaml", "apps/b/overlays/dev/kustomization.yaml")
	for _, dir := range []string{"apps", "apps/a/overlays"} {
		if _, _, err := Pipeline(t.Context(), locked{files, dir}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: discovered, %v", dir, err)
		}
	}
}

// What is written is read back as the same.
func TestWrite(t *testing.T) {
	p, left, err := Pipeline(t.Context(), tree("apps/a/overlays/prod/kustomization.yaml", "apps/a/overlays/dev/kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := pipeline.Parse("promotion.yaml", Write(p, append(left, Leftover{"a\nb: {", "c\u2028d"})))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(p, again); d != "" {
		t.Error(d)
	}
}
