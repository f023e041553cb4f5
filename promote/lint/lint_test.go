package lint_test

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/discover"
	"github.com/kubepromote/kubepromote/promote/lint"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/rogpeppe/go-internal/txtar"
)

// tree is a tree of files that needs no Git.
type tree struct{ fstest.MapFS }

func (t tree) ReadAny(dir string, names []string) (found pipeline.Found, err error) {
	for _, name := range names {
		if data, err := t.ReadFile(path.Join(dir, name)); err == nil {
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

func treeOf(archive string) tree {
	t := tree{fstest.MapFS{}}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		t.MapFS[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return t
}

// look runs the rules over an archive, in which promotion.yaml may be missing.
func look(t testing.TB, archive string, skip ...string) []string {
	t.Helper()
	in := lint.Input{Tree: treeOf(archive), Name: pipeline.FileName, Skip: skip}
	data, err := in.Tree.ReadFile(pipeline.FileName)
	if err == nil {
		in.Source = data
		in.Pipeline, err = pipeline.Parse(in.Name, data)
	} else {
		in.Pipeline, _, err = discover.Pipeline(t.Context(), in.Tree)
	}
	if err != nil {
		t.Fatal(err)
	}
	findings, err := lint.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range findings {
		text := f.Rule + " " + f.Place() + ": " + f.Message
		if f.Hint != "" {
			text += " => " + f.Hint
		}
		out = append(out, text)
	}
	return out
}

const head = `-- promotion.yaml --
apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  layout: ["{environment}/{service}.yaml"]
  environments:
  - {name: staging}
  - name: production
    from: [staging]
`

const guarded = head + "    deliver: {mode: pullRequest}\n"

var pinned = "image: {repository: shop/cart, tag: v1, digest: sha256:" + strings.Repeat("1", 64) + "}\n"

func TestRules(t *testing.T) {
	for name, tc := range map[string]struct {
		archive string
		want    []string
	}{
		"nothing": {guarded + "-- staging/cart.yaml --\nimage: {repository: shop/cart, tag: v1}\n-- production/cart.yaml --\n" + pinned, nil},
		"nothing guards production": {head + "-- staging/cart.yaml --\n" + pinned + "-- production/cart.yaml --\n" + pinned, []string{
			`unguarded promotion.yaml:7:11: "production" is where the way ends, and nothing guards it: no policy, no gate, no pull request => verify: {policy: policies/images.yaml}, gates, or deliver: {mode: pullRequest}`}},
		"a policy that is missing": {guarded + "    verify: {policy: p.yaml}\n-- staging/cart.yaml --\n" + pinned + "-- production/cart.yaml --\n" + pinned, []string{
			`policy promotion.yaml:10:22: the policy p.yaml is not there`}},
		"a tag alone where digests go": {guarded + "-- staging/cart.yaml --\n" + pinned + "-- production/cart.yaml --\nimage:\n  repository: shop/cart\n  tag: v1\n", []string{
			`mutable-tag production/cart.yaml:2:3: image "shop/cart" has the tag v1 alone, and the pipeline promotes digests to production: what it stands for may change => kubectl promote resolve -f production/cart.yaml --pin`}},
		"tags that name no version": {guarded + "-- staging/cart.yaml --\nimage: {repository: shop/cart, tag: latest}\n-- production/cart.yaml --\nimage: {repository: shop/cart, tag: Staging}\n", []string{
			`no-version production/cart.yaml:1:8: image "shop/cart" has the tag Staging, the name of an environment and of no version => kubectl promote resolve -f production/cart.yaml --pin`,
			`no-version staging/cart.yaml:1:8: image "shop/cart" has the tag latest, which names no version => kubectl promote resolve -f staging/cart.yaml --pin`}},
		"a number for a tag": {guarded + "-- staging/cart.yaml --\nimage: {repository: shop/cart, tag: 1.10}\n-- production/cart.yaml --\n" + pinned, []string{
			`misread-tag staging/cart.yaml:1:37: `}},
		"no service": {strings.ReplaceAll(guarded, "{environment}/{service}.yaml", "apps/{environment}/{service}.yaml") + "-- other.yaml --\na: 1\n", []string{
			`pipeline promotion.yaml:4:11: no overlay anywhere: nothing fits the layout apps/{environment}/{service}.yaml => kubectl promote init --dry-run`}},
		"another folder that nobody promotes": {guarded + "-- staging/cart.yaml --\n" + pinned + "-- production/cart.yaml --\n" + pinned +
			"-- apps/web/overlays/staging/kustomization.yaml --\nimages: [{name: web, newTag: v1}]\n-- apps/web/overlays/production/kustomization.yaml --\nimages: [{name: web, newTag: v1}]\n" +
			"-- apps/api/overlays/staging/kustomization.yaml --\nimages: [{name: api, newTag: v1}]\n-- apps/api/overlays/production/kustomization.yaml --\nimages: [{name: api, newTag: v1}]\n", []string{
			`unlisted-image apps/api/overlays/production/kustomization.yaml:1:10: image "api" stands where`, `unlisted-image apps/api/overlays/staging/kustomization.yaml:1:10: image "api" stands where`,
			`unlisted-image apps/web/overlays/production/kustomization.yaml:1:10: image "web" stands where`, `unlisted-image apps/web/overlays/staging/kustomization.yaml:1:10: image "web" stands where`}},
		"two names of one repository, without a file": {"-- apps/web/overlays/staging/kustomization.yaml --\nimages:\n- {name: web, newName: quay.io/acme/web, newTag: v1}\n- {name: quay.io/acme/web, newTag: v2}\n" +
			"-- apps/web/overlays/production/kustomization.yaml --\nimages: [{name: web, newName: quay.io/acme/web, digest: sha256:" + strings.Repeat("2", 64) + "}]\n", []string{
			`two-names apps/web/overlays/staging/kustomization.yaml:3:`}},
		"an image that nobody understands": {guarded + "-- staging/cart.yaml --\napiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: 'web:{TAG}'}, {name: b, image: 'shop/cart:v1'}]}\n-- production/cart.yaml --\napiVersion: v1\nkind: Pod\nspec: {containers: [{name: b, image: 'shop/cart@sha256:" + strings.Repeat("1", 64) + "'}]}\n", []string{
			`unread-image staging/cart.yaml:3:38: image "web:{TAG}" cannot be read, so nobody can say what runs there`}},
	} {
		t.Run(name, func(t *testing.T) {
			got := look(t, tc.archive)
			ok := len(got) == len(tc.want)
			for i := range tc.want {
				ok = ok && strings.HasPrefix(got[i], tc.want[i])
			}
			if !ok {
				t.Error(cmp.Diff(tc.want, got))
			}
		})
	}
}

// Each rule can be left out, and each has a name and says what it is about.
func TestSkip(t *testing.T) {
	archive := head + "-- staging/cart.yaml --\nimage: {repository: shop/cart, tag: latest}\n-- production/cart.yaml --\nimage: {repository: shop/cart, tag: v1}\n"
	all := look(t, archive)
	if len(all) != 3 {
		t.Fatalf("%q", all)
	}
	for _, r := range lint.Rules() {
		if r.Name == "" || r.About == "" {
			t.Errorf("%+v", r)
		}
		for _, text := range look(t, archive, r.Name) {
			if strings.HasPrefix(text, r.Name+" ") {
				t.Errorf("without %s: %s", r.Name, text)
			}
		}
	}
}

// What cannot be read is an error, and what was found beside it is there.
func TestUnreadable(t *testing.T) {
	archive := treeOf(guarded + "-- staging/cart.yaml --\nimage: {repository: shop/cart, tag: latest}\n-- production/cart.yaml --\nimage: [\n")
	data, _ := archive.ReadFile(pipeline.FileName)
	p, err := pipeline.Parse(pipeline.FileName, data)
	if err != nil {
		t.Fatal(err)
	}
	findings, err := lint.Run(t.Context(), lint.Input{Tree: archive, Name: pipeline.FileName, Source: data, Pipeline: p})
	if err == nil || !strings.HasPrefix(err.Error(), "production/cart.yaml:") || len(findings) != 1 {
		t.Errorf("%v, %v", findings, err)
	}
}

// A repository is looked at with what its files show, or with its pipeline file.
func Example() {
	repository := treeOf("-- staging/cart.yaml --\nimage: {repository: shop/cart, tag: v1}\n-- production/cart.yaml --\nimage: {repository: shop/cart, tag: latest}\n")
	p, _ := pipeline.Parse("promotion.yaml", []byte(`apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  layout: ["{environment}/{service}.yaml"]
  environments: [{name: staging}, {name: production, from: [staging]}]
`))
	findings, err := lint.Run(context.Background(), lint.Input{Tree: repository, Pipeline: p})
	for _, f := range findings {
		fmt.Println(f.Place(), f.Message)
	}
	fmt.Println(err)
	// Output:
	// production/cart.yaml:1:8 image "shop/cart" has the tag latest, which names no version
	// <nil>
}
