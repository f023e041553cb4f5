package render

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// counting is a tree that counts its reads, and is told apart from others.
type counting struct {
	tree
	mu    sync.Mutex
	reads map[string]int
}

func (c *counting) ReadFile(name string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reads == nil {
		c.reads = make(map[string]int)
	}
	c.reads[name]++
	return c.tree.ReadFile(name)
}

func (c *counting) ReadAny(dir string, names []string) (found promote.Found, err error) {
	err = fs.ErrNotExist
	for _, name := range names {
		if data, rerr := c.tree.ReadFile(dir + "/" + name); rerr == nil {
			return promote.Found{Have: []string{name}, Name: name, Data: data}, nil
		}
	}
	return found, err
}

func parse(t testing.TB, layout string) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.Parse("promotion.yaml", []byte("apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  layout: [\""+layout+"\"]\n  environments:\n  - {name: staging}\n  - {name: prod, from: [staging]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func shop() *counting {
	return &counting{tree: of(map[string]string{
		"base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": web,
		"apps/web/staging/kustomization.yaml": "resources: [../../../base]\n", "apps/web/prod/kustomization.yaml": "resources: [../../../base]\nnamePrefix: p-\n",
		"apps/api/staging/kustomization.yaml": "resources: [../../../base]\n", "apps/api/prod/kustomization.yaml": "resources: [../../../base]\n",
	})}
}

// Before is the commit, after has the edits over it; each file is read once for all services,
// and nothing is rendered twice.
func TestServices(t *testing.T) {
	files := shop()
	opened := 0
	s := &Services{Pipeline: parse(t, "apps/{service}/{environment}"), At: func(_ context.Context, commit string) (pipeline.Tree, error) {
		opened++
		if commit != "c1" {
			return nil, errors.New("no such commit")
		}
		return files, nil
	}}
	edits := func() ([]promote.File, error) {
		return []promote.File{{Path: "apps/web/prod/kustomization.yaml", Data: []byte("resources: [../../../base]\nnamePrefix: p-\nimages: [{name: shop/web, newTag: v2}]\n")}}, nil
	}
	q := promote.GateRequest{Service: "web", To: "prod", From: "staging", Head: "c1", Edits: edits}
	for range 3 {
		before, after, err := s.Rendered(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all := objects.Compare(before, after, objects.ByName)
		if len(all) != 1 || all[0].Changes[0].New != "shop/web:v2" || all[0].Place(all[0].Changes[0]).String() != "apps/web/prod/kustomization.yaml:3" {
			t.Errorf("%+v", all)
		}
	}
	if got, err := s.In(t.Context(), q, "staging"); err != nil || got[0].Name != "web" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, _, err := s.Rendered(t.Context(), promote.GateRequest{Service: "api", To: "prod", Head: "c1"}); err != nil {
		t.Error(err)
	}
	if n := files.reads["base/web.yaml"]; n != 1 || opened != 1 {
		t.Errorf("read %d times, opened %d times", n, opened)
	}
	// Trees that are named count, whatever the head is.
	other := &counting{tree: of(map[string]string{"apps/web/prod/x.yaml": web})}
	before, after, err := s.Rendered(t.Context(), promote.GateRequest{Service: "web", To: "prod", Head: "c2", Before: files, After: other})
	if err != nil || before[0].Name != "p-web" || after[0].Name != "web" {
		t.Errorf("%+v %+v %v", before, after, err)
	}
	for _, bad := range []promote.GateRequest{{Service: "web", To: "prod", Head: "c2"}, {Service: "none", To: "prod", Head: "c1"}, {Service: "web", To: "nowhere", Head: "c1"},
		{Service: "web", To: "prod", Head: "c1", Edits: func() ([]promote.File, error) { return nil, errors.New("no edit") }}} {
		if _, _, err := s.Rendered(t.Context(), bad); err == nil {
			t.Errorf("%+v was rendered", bad)
		}
	}
}

// What a merge takes away is not there after it, and what it makes a link of cannot be told:
// both were rendered as files without a byte, which says nothing is wrong.
func TestMergedFiles(t *testing.T) {
	s := &Services{Pipeline: parse(t, "apps/{service}/{environment}"), At: func(context.Context, string) (pipeline.Tree, error) { return shop(), nil }}
	for name, tc := range map[string]struct {
		file promote.File
		want string
	}{
		"deleted":   {promote.File{Path: "base/web.yaml", Was: "100644 a"}, "base/web.yaml"},
		"gone":      {promote.File{Path: "base/web.yaml", Gone: true}, "base/web.yaml"},
		"a link":    {promote.File{Path: "base/web.yaml", Was: "100644 a", Is: "120000 b"}, "base/web.yaml: comes with it as a link"},
		"submodule": {promote.File{Path: "base/other", Is: "160000 b"}, "base/other: comes with it as a link or a submodule"},
		"empty":     {promote.File{Path: "base/web.yaml", Was: "100644 a", Is: "100644 b"}, ""},
	} {
		q := promote.GateRequest{Service: "web", To: "prod", Head: "c1", Edits: func() ([]promote.File, error) { return []promote.File{tc.file}, nil }}
		_, after, err := s.Rendered(t.Context(), q)
		if tc.want == "" && (err != nil || len(after) != 0) || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %+v, %v", name, after, err)
		}
	}
}

// What belongs to a service is its directory, or its file where others lie beside it.
func TestUnits(t *testing.T) {
	config := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n"
	for name, tc := range map[string]struct {
		layout string
		files  map[string]string
		want   string
	}{
		"its own directory":  {"apps/{service}/{environment}/web.yaml", map[string]string{"apps/web/prod/web.yaml": web, "apps/web/prod/more.yaml": config}, "ConfigMap more, Deployment web"},
		"a shared directory": {"apps/{environment}/{service}.yaml", map[string]string{"apps/prod/web.yaml": web, "apps/prod/more.yaml": config}, "Deployment web"},
		"a file of overlays": {"apps/{service}/{environment}/tags.yaml", map[string]string{"apps/web/prod/tags.yaml": "images: [{name: shop/web, newTag: v2}]\n", "apps/web/prod/kustomization.yaml": "resources: [web.yaml]\n", "apps/web/prod/web.yaml": web}, "Deployment web"},
		"values":             {"apps/{service}/values-{environment}.yaml", map[string]string{"apps/web/values-prod.yaml": "image: {repository: shop/web, tag: v1}\n"}, "apps/web/values-prod.yaml has no object of Kubernetes, and there is no chart around it that it could be values of"},
		"nothing":            {"apps/{service}/{environment}", map[string]string{"apps/web/staging/kustomization.yaml": ""}, "web has nothing in prod to render"},
		"a link":             {"apps/{service}/{environment}", map[string]string{"apps/web/prod": "-> x"}, "apps/web/prod: leads over a symbolic link"},
	} {
		files := &counting{tree: of(tc.files)}
		got, err := (&Services{Pipeline: parse(t, tc.layout)}).Of(t.Context(), files, "web", "prod")
		var names []string
		for _, o := range got {
			names = append(names, o.String())
		}
		slices.Sort(names)
		text := strings.Join(names, ", ")
		if err != nil {
			text = err.Error()
		}
		if !strings.HasPrefix(text, tc.want) || text == "" {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// An error is of the one who has asked. Others who waited for the same do not get it, and
// one whose time is over does not wait.
func TestServicesErrors(t *testing.T) {
	started, end := make(chan struct{}), make(chan struct{})
	opened := 0
	s := &Services{Pipeline: parse(t, "apps/{service}/{environment}"), At: func(context.Context, string) (pipeline.Tree, error) {
		if opened++; opened == 1 {
			close(started)
			<-end
			return nil, errors.New("cancelled")
		}
		return shop(), nil
	}}
	q := promote.GateRequest{Service: "web", To: "prod", Head: "c1"}
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := s.In(t.Context(), q, "prod"); first <- err }()
	<-started
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.In(over, q, "prod"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	go func() { _, err := s.In(t.Context(), q, "prod"); second <- err }()
	close(end)
	if err := <-first; err == nil {
		t.Error("the first has no error")
	}
	if err := <-second; err != nil {
		t.Error(err)
	}
	if _, err := s.In(t.Context(), q, "prod"); err != nil || opened != 2 {
		t.Errorf("%v, opened %d times", err, opened)
	}
}

// A tree that could not be read once may be read later.
func TestReadAgain(t *testing.T) {
	files := &flaky{tree: shop().tree}
	for _, over := range []map[string][]byte{nil, {"x": nil}} {
		r := New(files, Options{}).With(over)
		files.broken = errors.New("cancelled")
		if _, err := r.Dir(t.Context(), "apps/web/prod"); !errors.Is(err, files.broken) {
			t.Error(err)
		}
		files.broken = nil
		if _, err := r.Dir(t.Context(), "apps/web/prod"); err != nil {
			t.Error(err)
		}
	}
}

type flaky struct {
	tree
	broken error
}

func (f *flaky) ReadFile(name string) ([]byte, error) {
	if f.broken != nil {
		return nil, f.broken
	}
	return f.tree.ReadFile(name)
}
