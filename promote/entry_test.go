package promote

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/record"
)

// newest answers by repository; it has no rules of its own.
type newest struct {
	tags  map[string]NewestTag
	asked []NewestQuestion
	err   error
}

func (n *newest) Newest(_ context.Context, questions []NewestQuestion, done func()) ([]NewestTag, error) {
	var out []NewestTag
	for _, q := range questions {
		n.asked = append(n.asked, q)
		out = append(out, n.tags[q.Repository])
		done()
	}
	return out, n.err
}

const dev = `
-- apps/cart/overlays/dev/kustomization.yaml --
images:
- name: shop/cart
  newTag: v1 # fresh
-- apps/cart/overlays/bare/kustomization.yaml --
images:
- name: shop/cart
  newTag: v1
-- apps/web/overlays/dev/kustomization.yaml --
images:
- name: shop/web
  newTag: "7"
`

// admitting is a pipeline whose first environment has a rule.
func admitting(t *testing.T, spec string) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.Parse("promotion.yaml", []byte("apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  environments:\n"+
		"  - {name: dev, admit: {newest: \"semver:>=1\"}}\n  - {name: bare}\n  - {name: staging, from: [dev]}\n"+spec))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What comes in is resolved, and written and recorded as a promotion is, with what it came by
// in the place of a source.
func TestEnter(t *testing.T) {
	repo := newRepo(dev)
	p := &Promoter{Repo: repo, Pipeline: admitting(t, ""), Resolver: twoTags()}
	plan, err := p.Plan(t.Context(), Request{Services: []string{"cart"}, To: "dev", Version: "v2", Mode: pipeline.DeliverCommit})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cart: shop/cart :v1 → :v2@sha:2", "cart changes"}, outline(plan)); diff != "" {
		t.Error(diff)
	}
	if _, err := p.Apply(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if got, want := string(repo.head()["apps/cart/overlays/dev/kustomization.yaml"]), "images:\n- name: shop/cart\n  newTag: v2 # fresh\n  digest: "+sha("2")+"\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	want := []record.Trailers{{Service: "cart", Entry: "version v2", To: "dev", Images: []string{"shop/cart:v2@" + sha("2")}, SourceCommit: "c1"}}
	if diff := cmp.Diff(want, record.Parse(repo.commits[1].Message)); diff != "" {
		t.Error(diff)
	}
	var changes []history.Change
	if err := history.Read(t.Context(), p.Pipeline, repo, repo, history.Request{Services: []string{"cart"}}, func(c history.Change) bool {
		changes = append(changes, c)
		return len(changes) < 1
	}); err != nil || changes[0].Mismatch != "" || changes[0].Record.Entry != "version v2" {
		t.Errorf("%v: %+v", err, changes)
	}
}

func TestEnterPlans(t *testing.T) {
	newestV2 := &newest{tags: map[string]NewestTag{"shop/cart": {Answer: Pass, Tag: "v2", Why: "v2: highest of 2 tags"}}}
	older := &newest{tags: map[string]NewestTag{"shop/cart": {Answer: Pass, Tag: "v1", Why: "v1: highest of 1 tag", Older: true}}}
	moved := &registry{tags: map[string]string{"shop/cart:v1": sha("1"), "shop/cart:v2": sha("2"), "shop/cart:v3": sha("3")}}
	for name, tc := range map[string]struct {
		files    string
		spec     string
		req      Request
		tags     Tags
		resolver *registry
		want     []string
	}{
		"several services": {
			req:      Request{All: true, Version: "v2"},
			resolver: &registry{tags: map[string]string{"shop/cart:v2": sha("2"), "shop/web:v2": sha("3")}},
			want:     []string{"cart: shop/cart :v1 → :v2@sha:2", "cart changes", "web: shop/web :7 → :v2@sha:3", "web changes"},
		},
		"a digest that is not there": {
			req:  Request{Services: []string{"cart"}, Version: "v2@" + sha("9")},
			want: []string{"cart: shop/cart :v1 → :v2@sha:9", "cart: resolve=fail image \"shop/cart\": shop/cart:v2@sha:9 is not there", "cart changes"},
		},
		"a digest beside another's tag": {
			req: Request{Services: []string{"cart"}, Version: "v2@" + sha("1")},
			want: []string{"cart: shop/cart :v1 → :v2@sha:1",
				"cart: resolve=fail image \"shop/cart\": the tag v2 stands for sha:2 and not for the digest given, sha:1", "cart changes"},
		},
		"a digest that nobody can be asked about": {
			req:      Request{Services: []string{"cart"}, Version: "v2@" + sha("2")},
			resolver: &registry{down: []string{"shop/"}},
			want:     []string{"cart: shop/cart :v1 → :v2@sha:2", "cart: resolve=unknown image \"shop/cart\": no route to shop/", "cart changes"},
		},
		"by tag": {
			spec:     "  pin: tag\n  allowMutable: true\n",
			req:      Request{Services: []string{"cart"}, Version: "v2"},
			resolver: &registry{down: []string{"shop/"}},
			want: []string{"cart: shop/cart :v1 → :v2",
				"cart: warning: image \"shop/cart\": the registry could not be asked whether it has the tag: no route to shop/", "cart changes"},
		},
		"a tag that has moved": {
			files:    "\n-- apps/cart/overlays/dev/kustomization.yaml --\nimages:\n- {name: shop/cart, newTag: v2, digest: \"" + sha("1") + "\"}\n",
			req:      Request{Services: []string{"cart"}, Version: "v2"},
			resolver: moved,
			want: []string{"cart: shop/cart :v2@sha:1 → :v2@sha:2",
				"cart: warning: image \"shop/cart\": the tag v2 stood for sha:1 and now stands for sha:2", "cart changes"},
		},
		"newest": {
			req: Request{Services: []string{"cart"}, Newest: true}, tags: newestV2,
			want: []string{"cart: shop/cart :v1 → :v2@sha:2", "cart changes"},
		},
		"newest is older": {
			req: Request{Services: []string{"cart"}, Newest: true}, tags: older,
			want: []string{"cart: shop/cart :v1 → :v1", "cart: newest=fail image \"shop/cart\": the newest is older than v1, which dev has: v1: highest of 1 tag"},
		},
		"newest is older, and asked for": {
			req: Request{Services: []string{"cart"}, Newest: true, AllowDowngrade: true}, tags: older,
			want: []string{"cart: shop/cart :v1 → :v1@sha:1", "cart changes"},
		},
		"newest without a registry": {
			req:  Request{Services: []string{"cart"}, Newest: true},
			want: []string{"cart: shop/cart :v1 → :v1", "cart: newest=unknown image \"shop/cart\": no registry may be asked for its tags"},
		},
		"an entry without a pin gets one": {
			files: "\n-- apps/cart/overlays/dev/kustomization.yaml --\nimages:\n- name: cart\n  newName: shop/cart\n",
			req:   Request{Services: []string{"cart"}, Version: "v2"},
			want:  []string{"cart: cart  → :v2@sha:2", "cart changes"},
		},
		"one of two images": {
			files: "\n-- apps/cart/overlays/dev/kustomization.yaml --\nimages:\n- name: shop/cart\n  newTag: v1\n- name: proxy\n  newTag: v1\n",
			req:   Request{Services: []string{"cart"}, Version: "v2", Images: []string{"shop/cart"}},
			want:  []string{"cart: shop/cart :v1 → :v2@sha:2", "cart changes"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			repo := newRepo(dev)
			if tc.files != "" {
				repo = newRepo(tc.files)
			}
			p := &Promoter{Repo: repo, Pipeline: admitting(t, tc.spec), Resolver: twoTags(), Tags: tc.tags}
			if tc.resolver != nil {
				p.Resolver = tc.resolver
			}
			tc.req.To, tc.req.Preview = "dev", true
			plan, err := p.Plan(t.Context(), tc.req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, outline(plan)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEnterErrors(t *testing.T) {
	two := "\n-- apps/cart/overlays/dev/kustomization.yaml --\nimages:\n- {name: shop/cart, newTag: v1}\n- {name: proxy, newTag: v1}\n"
	for name, tc := range map[string]struct {
		files string
		spec  string
		req   Request
		tags  Tags
		want  []string
	}{
		"into another environment": {
			req:  Request{To: "staging", Version: "v2"},
			want: []string{`nothing comes into "staging" from outside: it is promoted from dev`},
		},
		"both":      {req: Request{To: "dev", Version: "v2", Newest: true}, want: []string{"a version is named although the newest is asked for", "hint: one of the two"}},
		"a source":  {req: Request{To: "dev", From: "bare", Version: "v2"}, want: []string{"a source is named although a version comes in from outside", "hint: one of the two"}},
		"no rule":   {req: Request{To: "bare", Newest: true}, want: []string{`the pipeline does not say which tags "bare" admits`, `hint: write admit: {newest: "semver:>=1.0"} into the pipeline`}},
		"a ref":     {req: Request{To: "dev", Version: "shop/cart:v2"}, want: []string{`version "shop/cart:v2" is malformed`, "hint: give a tag as the registry has it, TAG@DIGEST or @DIGEST"}},
		"a star":    {req: Request{To: "dev", Version: "*"}, want: []string{`version "*" is malformed`, "hint: give a tag as the registry has it, TAG@DIGEST or @DIGEST"}},
		"no digest": {req: Request{To: "dev", Version: "v2@sha256:1"}, want: []string{`version "v2@sha256:1" is malformed`, "hint: give a tag as the registry has it, TAG@DIGEST or @DIGEST"}},
		"by tag": {
			spec: "  pin: tag\n  allowMutable: true\n", req: Request{To: "dev", Version: "@" + sha("2")},
			want: []string{`version "@` + sha("2") + `" has no tag, and the pipeline pins by tag`, "hint: give TAG or TAG@DIGEST"},
		},
		"several images": {files: two, req: Request{To: "dev", Version: "v2"}, want: []string{`service "cart" has several images in dev, and one version comes in: shop/cart, proxy`}},
		"pins apart": {
			files: `
-- apps/cart/overlays/dev/pod.yaml --
apiVersion: v1
kind: Pod
spec: {containers: [{name: a, image: "shop/cart:api-1"}, {name: b, image: "shop/cart:web-1"}]}
`,
			spec: "  layout: [\"apps/{service}/overlays/{environment}/pod.yaml\"]\n",
			req:  Request{To: "dev", Version: "v2"},
			want: []string{`service "cart" has pins of one image in dev with different tags, and one version comes in`,
				"hint: name one by its path: spec.containers[0].image, spec.containers[1].image"},
		},
		"a rule that is none": {req: Request{To: "dev", Newest: true}, tags: &newest{err: errors.New("no rule")}, want: []string{"no rule"}},
		"nowhere":             {files: two, req: Request{To: "bare", All: true, Version: "v2"}, want: []string{`no service has an overlay in "bare" (apps/{service}/overlays/{environment})`}},
	} {
		t.Run(name, func(t *testing.T) {
			repo := newRepo(dev)
			if tc.files != "" {
				repo = newRepo(tc.files)
			}
			p := &Promoter{Repo: repo, Pipeline: admitting(t, tc.spec), Resolver: twoTags(), Tags: tc.tags}
			tc.req.Preview = true
			if !tc.req.All {
				tc.req.Services = []string{"cart"}
			}
			_, err := p.Plan(t.Context(), tc.req)
			wantError(t, err, tc.want...)
		})
	}
}

// A marker's policy is the rule where the environment has none; that it cannot be read
// stops no promotion which only asks whether Flux writes over it.
func TestMarkers(t *testing.T) {
	const files = `
-- apps/cart/overlays/bare/kustomization.yaml --
images:
- name: shop/cart
  newTag: v1 # {"$imagepolicy": "flux-system:cart:tag"}
-- flux/cart.yaml --
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata: {name: cart}
spec: {policy: {semver: {range: 2.x}}}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageUpdateAutomation
metadata: {name: all, namespace: flux-system}
spec: {}
`
	finder := &newest{tags: map[string]NewestTag{"shop/cart": {Answer: Pass, Tag: "v2"}}}
	p := &Promoter{Repo: newRepo(files), Pipeline: admitting(t, ""), Resolver: twoTags(), Tags: finder}
	plan := planned(t, p, Request{Services: []string{"cart"}, To: "bare", Newest: true})
	if d := cmp.Diff([]string{"cart: shop/cart :v1 → :v2@sha:2",
		`cart: warning: apps/cart/overlays/bare/kustomization.yaml:2:3: image "shop/cart" has a marker, and Flux sets it back: ` +
			`ImageUpdateAutomation all (flux/cart.yaml) writes there what ImagePolicy flux-system:cart finds newest by semver:2.x`, "cart changes"}, outline(plan)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]NewestQuestion{{Repository: "shop/cart", Rule: "semver:2.x", RuleAt: "flux/cart.yaml: ImagePolicy flux-system:cart", Now: "v1"}}, finder.asked); d != "" {
		t.Error(d)
	}
	p.Repo = fallen{p.Repo.(*fakeRepo)}
	plan = planned(t, p, Request{Services: []string{"cart"}, To: "bare", Version: "v2"})
	if d := cmp.Diff([]string{"warning: whether Flux writes over what is promoted could not be told: no such list", "cart: shop/cart :v1 → :v2@sha:2", "cart changes"}, outline(plan)); d != "" {
		t.Error(d)
	}
}

// fallen is a repository whose root cannot be listed.
type fallen struct{ *fakeRepo }

func (u fallen) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "." {
		return nil, errors.New("no such list")
	}
	return u.fakeRepo.ReadDir(name)
}
