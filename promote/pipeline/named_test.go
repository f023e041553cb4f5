package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// application is one of Argo CD with a chart of its own repository, and values of it.
func application(repository, revision string, files ...string) string {
	return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  sources:\n  - {repoURL: " + repository + ", targetRevision: " + revision + ", ref: values}\n" +
		"  - repoURL: https://git.example.com/infra.git\n    path: charts/web\n    helm: {valueFiles: ['" + strings.Join(files, "', '") + "']}\n"
}

func values(tag string) string {
	return "image: {repository: quay.io/acme/web, tag: " + tag + "}\n"
}

// What a kustomization or an Application names was looked at by nobody: an environment whose
// pins stood there had none on the board. It is never followed out of the repository, and
// what is not only this environment's is told and left alone.
func TestNamed(t *testing.T) {
	chart := func(files string) string { return "helmCharts:\n- {name: web, version: 1.0.0, " + files + "}\n" }
	infra := "ssh://git@git.example.com/infra"
	for _, tc := range []struct {
		name, staging, production string
		kind                      string // of the layout: yaml or a directory
		want                      []string
	}{
		{name: "a file each", staging: chart("valuesFile: ../a.yaml"), production: chart("valuesFile: ../b.yaml"),
			want: []string{"staging: apps/web/a.yaml v2", "production: apps/web/b.yaml v1"}},
		{name: "more files", staging: chart("additionalValuesFiles: [../a.yaml, none.yaml]"), production: chart("valuesFile: ../b.yaml"),
			want: []string{"staging: apps/web/a.yaml v2",
				"staging: apps/web/staging/kustomization.yaml:2:66: none.yaml is not there", "production: apps/web/b.yaml v1"}},
		{name: "one for both", staging: chart("valuesFile: ../a.yaml"), production: chart("valuesFile: ../a.yaml"),
			want: []string{
				"staging: apps/web/staging/kustomization.yaml:2:43: apps/web/a.yaml is also that of web in production: what it pins is changed for neither alone, and stays as it is",
				"production: apps/web/production/kustomization.yaml:2:43: apps/web/a.yaml is also that of web in staging: what it pins is changed for neither alone, and stays as it is",
			}},
		{name: "one for both, with another over it", staging: chart("valuesFile: ../a.yaml, additionalValuesFiles: [../b.yaml]"), production: chart("valuesFile: ../a.yaml, additionalValuesFiles: [../c.yaml]"),
			want: []string{"staging: apps/web/b.yaml v1", "production: apps/web/c.yaml v3"}},
		{name: "out of the repository", staging: chart("valuesFile: ../../../../../etc/a.yaml"), production: chart("valuesFile: /etc/b.yaml"),
			want: []string{
				"staging: apps/web/staging/kustomization.yaml:2:43: ../../../../../etc/a.yaml is not followed: it leads out of the repository",
				"production: apps/web/production/kustomization.yaml:2:43: /etc/b.yaml is not followed: it is no path inside the repository",
			}},
		{name: "of another machine", staging: chart("valuesFile: https://example.com/a.yaml"), production: chart("valuesFile: ../../*.yaml"),
			want: []string{
				"staging: apps/web/staging/kustomization.yaml:2:43: https://example.com/a.yaml is not followed: it is no file of this repository",
				"production: apps/web/production/kustomization.yaml:2:43: ../../*.yaml is not followed: it is no name of one file",
			}},
		{name: "of an application", kind: ".yaml", staging: application(infra, "HEAD", "$values/apps/web/a.yaml"), production: application(infra, "main", "c.yaml", "/apps/web/b.yaml"),
			want: []string{"staging: apps/web/a.yaml v2", "production: charts/web/c.yaml v4", "production: apps/web/b.yaml v1"}},
		{name: "of another repository", kind: ".yaml", staging: application("https://git.example.com/other", "HEAD", "$values/apps/web/a.yaml"), production: application(infra, "v1.2.0", "$values/apps/web/b.yaml"),
			want: []string{
				"staging: apps/web/staging.yaml:8:25: /apps/web/a.yaml is not followed: nothing says that it is this repository which https://git.example.com/other is",
				"production: apps/web/production.yaml:8:25: /apps/web/b.yaml is not followed: what is used is that of revision v1.2.0",
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := memory{fstest.MapFS{}}
			path := "apps/{service}/{environment}" + tc.kind
			add := func(name, text string) { files.MapFS[name] = &fstest.MapFile{Data: []byte(text)} }
			for environment, text := range map[string]string{"staging": tc.staging, "production": tc.production} {
				at := strings.NewReplacer("{service}", "web", "{environment}", environment).Replace(path)
				if tc.kind == "" {
					at += "/kustomization.yaml"
				}
				add(at, text)
			}
			add("apps/web/a.yaml", values("v2"))
			add("apps/web/b.yaml", values("v1"))
			add("apps/web/c.yaml", values("v3"))
			add("charts/web/c.yaml", "image: {tag: v4}\n")
			add("charts/web/values.yaml", "image: {repository: quay.io/acme/web, tag: v0}\n")
			p := &Pipeline{Spec: Spec{Layout: Layout{{Path: path}}, Environments: []Environment{{Name: "staging"}, {Name: "production"}}},
				Remotes: func() []string { return []string{"https://git.example.com/infra.git"} }}
			if d := cmp.Diff(tc.want, namedIn(t, p, files)); d != "" {
				t.Error(d)
			}
		})
	}
}

func namedIn(t *testing.T, p *Pipeline, files Tree) []string {
	t.Helper()
	var got []string
	sites := p.Sites(files)
	for i := range p.Spec.Environments {
		e := &p.Spec.Environments[i]
		here, err := sites.Of(e, "web")
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range here {
			f, err := sites.Read(one, true)
			if err != nil {
				t.Fatal(err)
			}
			more, notes := sites.Named(one, f)
			for _, m := range more {
				f, pins, err := sites.ReadPins(m, true)
				if err != nil || len(pins) != 1 || !pins[0].Known() {
					t.Fatalf("%s: %v, %v", m.Path, pins, err)
				}
				got = append(got, fmt.Sprintf("%s: %s %s", e.Name, f.Name(), pins[0].Tag))
			}
			for _, n := range notes {
				got = append(got, e.Name+": "+n)
			}
			if all := sites.WithNamed(here); !slices.ContainsFunc(all, Site.IsNamed) && len(more) > 0 {
				t.Error("they are not among the sites")
			}
		}
	}
	return got
}
