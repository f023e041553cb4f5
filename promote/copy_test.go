package promote

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Files that are promoted as they are.
func TestCopies(t *testing.T) {
	const source, target = "apps/cart/overlays/staging/app.properties", "apps/cart/overlays/production/app.properties"
	for _, tc := range []struct {
		name           string
		source, target string // "" for none
		change         func(*fakeRepo)
		want           string // the target afterwards
		err            []string
	}{
		{name: "alike", source: "a=1\n", target: "a=1\n", want: "a=1\n"},
		{name: "other text", source: "a=2\n", target: "a=1\n", want: "a=2\n"},
		{name: "the source has none", target: "a=1\n", want: "a=1\n"},
		{name: "the target has none", source: "a=2\n", err: []string{target + ": is to be copied from staging and is not there yet",
			"hint: cp " + source + " " + target + ", refer to it, and commit both"}},
		{name: "the source is not committed", source: "a=2\n", target: "a=1\n", change: func(r *fakeRepo) { r.MapFS[source].Data = []byte("a=3\n") },
			err: []string{source + ": has uncommitted changes (modified)", "hint: git commit " + source + ", or git stash"}},
		{name: "the target is not committed", source: "a=2\n", target: "a=1\n", change: func(r *fakeRepo) { r.MapFS[target].Data = []byte("a=0\n") },
			err: []string{target + ": has uncommitted changes (modified)", "hint: git commit " + target + ", or git stash"}},
		{name: "an interrupted run has written it", source: "a=2\n", target: "a=1\n", change: func(r *fakeRepo) { r.MapFS[target].Data = []byte("a=2\n") }, want: "a=2\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			archive := overlays("images:\n- {name: shop/cart, newTag: v2}", "images:\n- {name: shop/cart, newTag: v1}")
			if tc.source != "" {
				archive += "-- " + source + " --\n" + tc.source
			}
			if tc.target != "" {
				archive += "-- " + target + " --\n" + tc.target
			}
			p, repo := newShop(t, archive)
			p.Pipeline = pipelineOf(t, "  copy: [app.properties]\n")
			if tc.change != nil {
				// The fake's files share their bytes with its commits.
				for name, f := range repo.MapFS {
					c := *f
					repo.MapFS[name] = &c
				}
				tc.change(repo)
			}
			plan, err := p.Plan(context.Background(), Request{Services: []string{"cart"}, To: "production", Mode: pipeline.DeliverCommit})
			wantError(t, err, tc.err...)
			if err != nil {
				return
			}
			if _, err := p.Apply(context.Background(), plan); err != nil {
				t.Fatal(err)
			}
			if got := string(repo.head()[target]); got != tc.want {
				t.Errorf("committed: %q, want %q", got, tc.want)
			}
		})
	}
}

// A service of which only a copied file differs is promoted for that.
func TestCopyAlone(t *testing.T) {
	there := "images:\n- {name: shop/cart, newTag: v2, digest: " + sha("2") + "}"
	p, repo := newShop(t, overlays(there, there)+
		"-- apps/cart/overlays/staging/c/app.yaml --\na: 2\n-- apps/cart/overlays/production/c/app.yaml --\na: 1\n")
	p.Pipeline = pipelineOf(t, "  copy: [c/app.yaml]\n")
	plan := planned(t, p, Request{Services: []string{"cart"}, To: "production", Mode: pipeline.DeliverCommit})
	if !plan.Changed() || len(plan.Services[0].Copies) != 1 || !strings.Contains(plan.Services[0].Copies[0].Diff, "-a: 1\n+a: 2\n") {
		t.Fatalf("%+v", plan.Services[0])
	}
	done, err := p.Apply(context.Background(), plan)
	if err != nil || !cmp.Equal(done.Files, []string{"apps/cart/overlays/production/c/app.yaml"}) || done.Commit == "" {
		t.Errorf("%+v, %v", done, err)
	}
	if got := string(repo.head()["apps/cart/overlays/production/c/app.yaml"]); got != "a: 2\n" {
		t.Errorf("committed: %q", got)
	}
}
