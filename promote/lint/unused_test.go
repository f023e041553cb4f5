package lint_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/lint"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// An overlay that something in the repository builds upon or names was called unused where
// that was no overlay beside it, and was to be removed: a base of a base, one that is named by
// a longer path, one that Argo CD or Flux leads to, one of an environment that is elsewhere.
func TestUnusedOverlay(t *testing.T) {
	const app, flux = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    ", "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec:\n  "
	for name, tc := range map[string]struct {
		more   string
		unused bool
	}{
		"nobody":                           {"", true},
		"prose alone":                      {"-- README.md --\napps/cart/old\n", true},
		"its own files":                    {"-- apps/cart/old/patch.yaml --\nname: old\n", true},
		"a longer name":                    {"-- x.yaml --\na: old-one, threshold, too_old\n", true},
		"a base of a base":                 {"-- apps/cart/base/kustomization.yaml --\nresources: [../mid]\n-- apps/cart/mid/kustomization.yaml --\nresources: [../old]\n", false},
		"a longer path":                    {"-- other/web/kustomization.yaml --\nresources:\n- ../../apps/cart/old\n", false},
		"below":                            {"-- apps/cart/kustomization.yaml --\nresources: [old]\n", false},
		"a component":                      {"-- other/kustomization.yaml --\ncomponents: [../apps/cart/old/]\n", false},
		"a remote base of itself":          {"-- other/kustomization.yaml --\nresources: ['https://github.com/shop/infra//apps/cart/old?ref=main']\n", false},
		"an Application":                   {"-- argo.yaml --\n" + app + "path: apps/cart/old\n", false},
		"one that leads over it":           {"-- argo.yaml --\n" + app + "path: apps/cart\n    directory: {recurse: true}\n", false},
		"one that leads elsewhere":         {"-- argo.yaml --\n" + app + "path: apps/web\n", true},
		"a set with a pattern":             {"-- argo.yaml --\napiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec: {generators: [{git: {directories: [{path: apps/cart/*}]}}], template: {spec: {source: {path: '{{path}}'}}}}\n", false},
		"a set with a hole":                {"-- argo.yaml --\napiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec: {template: {spec: {source: {path: 'apps/cart/{{env}}'}}}}\n", false},
		"a pattern elsewhere":              {"-- argo.yaml --\napiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec: {generators: [{git: {directories: [{path: web/*}]}}], template: {spec: {source: {path: '{{path}}'}}}}\n", true},
		"Flux":                             {"-- flux.yaml --\n" + flux + "path: ./apps/cart/old\n", false},
		"Flux of a folder around it":       {"-- flux.yaml --\n" + flux + "path: ./apps\n", false},
		"Flux of all":                      {"-- flux.yaml --\n" + flux + "path: ./\n", false},
		"Flux of a list":                   {"-- flux.yaml --\n" + flux + "path: ./apps\n-- apps/kustomization.yaml --\nresources: [cart/staging]\n", true},
		"a path of something else":         {"-- ingress.yaml --\nkind: Ingress\nspec: {rules: [{http: {paths: [{path: /}]}}]}\n", true},
		"a workflow":                       {"-- .github/workflows/ci.yaml --\nmatrix: {env: [staging, old]}\n", false},
		"a script":                         {"-- Makefile --\nold:\n\tkustomize build apps/cart/$@\n", false},
		"an environment that is elsewhere": {"-- promotion.yaml --\n" + strings.Replace(overlays, "  - {name: staging}\n", "  - {name: staging}\n  - {name: qa, branch: qa, path: old}\n", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			archive := "-- promotion.yaml --\n" + overlays + "-- apps/cart/staging/kustomization.yaml --\n" + cartPin + "-- apps/cart/production/kustomization.yaml --\n" + cartPin + "-- apps/cart/old/kustomization.yaml --\n" + cartPin + tc.more
			got := unusedIn(t, treeOf(archive))
			if len(got) > 0 != tc.unused {
				t.Errorf("%+v", got)
			}
			for _, f := range got {
				if f.File != "apps/cart/old/kustomization.yaml" || !strings.HasSuffix(f.Hint, "git log --oneline -- apps/cart/old") || strings.Contains(f.Hint, "rm") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
	// What cannot be read may use it.
	archive := "-- promotion.yaml --\n" + overlays + "-- apps/cart/staging/kustomization.yaml --\n" + cartPin + "-- apps/cart/production/kustomization.yaml --\n" + cartPin + "-- apps/cart/old/kustomization.yaml --\n" + cartPin + "-- x.yaml --\n"
	if got := unusedIn(t, unread{treeOf(archive)}); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

const (
	overlays = "apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  layout: [\"apps/{service}/{environment}\"]\n  environments:\n  - {name: staging}\n  - {name: production, from: [staging], deliver: {mode: pullRequest}}\n"
	cartPin  = "images: [{name: shop/cart, newTag: v1}]\n"
)

// unread is a tree with a file that cannot be read.
type unread struct{ tree }

func (u unread) ReadFile(name string) ([]byte, error) {
	if name == "x.yaml" {
		return nil, errors.New("broken")
	}
	return fs.ReadFile(u.MapFS, name)
}

func unusedIn(t *testing.T, in pipeline.Tree) []lint.Finding {
	t.Helper()
	data, err := in.ReadFile(pipeline.FileName)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.Parse(pipeline.FileName, data)
	if err != nil {
		t.Fatal(err)
	}
	all, err := lint.Run(t.Context(), lint.Input{Tree: in, Name: pipeline.FileName, Source: data, Pipeline: p})
	var unreached *pipeline.Unreached
	if err != nil && !errors.As(err, &unreached) {
		t.Fatal(err)
	}
	var out []lint.Finding
	for _, f := range all {
		if f.Rule == "unused-overlay" {
			out = append(out, f)
		}
	}
	return out
}
