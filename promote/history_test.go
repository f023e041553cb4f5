package promote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/record"
)

// historyLines are a history in short: COMMIT SERVICE ENVIRONMENT: IMAGE OLD → NEW.
func historyLines(t *testing.T, p *Promoter, log history.Log, req history.Request) []string {
	t.Helper()
	var out []string
	err := history.Read(context.Background(), p.Pipeline, p.Repo, log, req, func(c history.Change) bool {
		for _, i := range c.Images {
			line := fmt.Sprintf("%s %s %s: %s %s → %s", c.Commit, c.Service, c.Environment, i.Name, i.Old.Short(), i.New.Short())
			if c.Record != nil {
				line += " from " + c.Record.From
			}
			if c.Mismatch != "" {
				line += " (" + c.Mismatch + ")"
			}
			out = append(out, line)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func cartAt(environment, images string) string {
	return "-- apps/cart/overlays/" + environment + "/kustomization.yaml --\n" + images + "\n"
}

func TestHistory(t *testing.T) {
	record := func(to, image string) string {
		return "promote(" + to + ")\n\nPromotion-Service: cart\nPromotion-From: staging\nPromotion-To: " + to + "\nPromotion-Image: " + image + "\n"
	}
	for _, tc := range []struct {
		name    string
		commits [][2]string // files, message
		req     history.Request
		want    []string
	}{
		{"a new overlay", [][2]string{{cartAt("staging", "images: [{name: a, newTag: v1}]"), "x"}}, history.Request{},
			[]string{"c2 cart staging: a none → v1"}},
		{"newest first", [][2]string{
			{cartAt("staging", "images: [{name: a, newTag: v1}]"), "x"},
			{cartAt("staging", "images: [{name: a, newTag: v2}]"), "y"},
		}, history.Request{}, []string{"c3 cart staging: a v1 → v2", "c2 cart staging: a none → v1"}},
		{"a change that is about no pin", [][2]string{
			{cartAt("staging", "images: [{name: a, newTag: v1}]"), "x"},
			{cartAt("staging", "# comment\nimages: [{name: a, newTag: v1}]"), "y"},
			{"-- README --\nhello\n", "z"},
		}, history.Request{}, []string{"c2 cart staging: a none → v1"}},
		{"images come and go", [][2]string{
			{cartAt("staging", "images: [{name: a, newTag: v1}, {name: b, newTag: v1}]"), "x"},
			{cartAt("staging", "images: [{name: b, newTag: v1}, {name: c, newTag: v1}]"), "y"},
		}, history.Request{}, []string{"c3 cart staging: c none → v1", "c3 cart staging: a v1 → none", "c2 cart staging: a none → v1", "c2 cart staging: b none → v1"}},
		{"another repository", [][2]string{
			{cartAt("staging", "images: [{name: a, newName: r/a, newTag: v1}]"), "x"},
			{cartAt("staging", "images: [{name: a, newName: s/a, newTag: v1}]"), "y"},
		}, history.Request{}, []string{"c3 cart staging: a v1 → v1", "c2 cart staging: a none → v1"}},
		{"a version that nobody can read", [][2]string{
			{cartAt("staging", "images: [{name: a, newTag: v1}]"), "x"},
			{cartAt("staging", "images: ["), "broken"},
			{cartAt("staging", "images: [{name: a, newTag: v2}]"), "mended"},
		}, history.Request{}, []string{"c4 cart staging: a v1 → v2", "c2 cart staging: a none → v1"}},
		{"no older version that can be read", [][2]string{
			{cartAt("staging", "images: ["), "broken"},
			{cartAt("staging", "images: [{name: a, newTag: v2}]"), "mended"},
		}, history.Request{}, []string{"c3 cart staging: a none → v2"}},
		{"with a record", [][2]string{
			{cartAt("production", "images: [{name: a, newTag: v1}]"), record("production", "a:v1")},
		}, history.Request{}, []string{"c2 cart production: a none → v1 from staging"}},
		{"a record of something else", [][2]string{
			{cartAt("production", "images: [{name: a, newTag: v1}]"), record("production", "a:v2")},
			{cartAt("staging", "images: [{name: a, newTag: v1}]"), record("production", "a:v1")},
		}, history.Request{}, []string{"c3 cart staging: a none → v1", "c2 cart production: a none → v1 from staging (the record does not name a:v1)"}},
		{"one service", [][2]string{
			{cartAt("staging", "images: [{name: a, newTag: v1}]") + "-- apps/web/overlays/staging/kustomization.yaml --\nimages: [{name: w, newTag: v1}]\n", "x"},
		}, history.Request{Services: []string{"web"}}, []string{"c2 web staging: w none → v1"}},
		{"one environment", [][2]string{
			{cartAt("staging", "images: [{name: a, newTag: v1}]") + cartAt("production", "images: [{name: a, newTag: v0}]"), "x"},
		}, history.Request{Environment: "production"}, []string{"c2 cart production: a none → v0"}},
		{"an environment that the pipeline has not", [][2]string{{cartAt("canary", "images: [{name: a, newTag: v1}]"), "x"}}, history.Request{}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, repo := newShop(t, "-- README --\n")
			for _, c := range tc.commits {
				repo.edit(c[0])
				repo.record(c[1], "ada")
			}
			if d := cmp.Diff(tc.want, historyLines(t, p, repo, tc.req)); d != "" {
				t.Error(d)
			}
		})
	}
}

// Kustomization files have three names: one that gets another stays the same overlay.
func TestHistoryOfARename(t *testing.T) {
	p, repo := newShop(t, "-- apps/cart/overlays/staging/kustomization.yml --\nimages: [{name: a, newTag: v1}]\n")
	delete(repo.MapFS, "apps/cart/overlays/staging/kustomization.yml")
	repo.edit(cartAt("staging", "images: [{name: a, newTag: v2}]"))
	repo.record("rename", "ada")
	want := []string{"c2 cart staging: a v1 → v2", "c1 cart staging: a none → v1"}
	if d := cmp.Diff(want, historyLines(t, p, repo, history.Request{})); d != "" {
		t.Error(d)
	}
}

// A long history is read in batches, and only as far as it is asked for.
func TestHistoryStops(t *testing.T) {
	p, repo := newShop(t, "-- README --\n")
	const commits = 40
	for i := range commits {
		repo.edit(cartAt("staging", fmt.Sprintf("images: [{name: a, newTag: v%d}]", i)))
		repo.record("x", "ada")
	}
	if got := historyLines(t, p, repo, history.Request{}); len(got) != commits {
		t.Errorf("%d changes, want %d", len(got), commits)
	}
	visited := 0
	err := history.Read(context.Background(), p.Pipeline, p.Repo, repo, history.Request{}, func(history.Change) bool { visited++; return visited < 3 })
	if err != nil || visited != 3 {
		t.Errorf("%d visited, %v", visited, err)
	}
}

// failingLog cannot be read.
type failingLog struct {
	*fakeRepo
	commits, blobs error
}

func (f failingLog) Commits(ctx context.Context, specs []string, visit func(history.Commit) (bool, error)) error {
	if f.commits != nil {
		return f.commits
	}
	return f.fakeRepo.Commits(ctx, specs, visit)
}

func (f failingLog) Blobs(context.Context, []string, func(string, []byte) error) error {
	return f.blobs
}

func TestHistoryErrors(t *testing.T) {
	p, repo := newShop(t, twoServices)
	none := func(history.Change) bool { t.Error("there is no change to visit"); return false }
	err := history.Read(context.Background(), p.Pipeline, p.Repo, repo, history.Request{Environment: "prod"}, none)
	if !errors.Is(err, ErrUsage) {
		t.Errorf("unknown environment: %v", err)
	}
	broken := errors.New("git: bad object")
	for _, log := range []history.Log{failingLog{repo, broken, nil}, failingLog{repo, nil, broken}} {
		if err := history.Read(context.Background(), p.Pipeline, p.Repo, log, history.Request{}, none); err != broken {
			t.Errorf("got %v", err)
		}
	}
}

// The record that a promotion leaves is what the history tells of it.
func TestRecordRoundTrip(t *testing.T) {
	p, repo := newShop(t, twoServices)
	p.Pipeline.Spec.Environments[2].Verify = &pipeline.VerifyRule{Policy: "images.yaml"}
	hostile := "signed\nPromotion-Service: evil\n\nPromotion-To: production\u2028x % 100"
	p.Verifier = &inspector{answers: map[string]Verification{
		"shop/cart@" + sha("2"): {Answer: Pass, Reason: hostile},
		"shop/web@" + sha("7"):  {Answer: Pass, Reason: "no signature", Override: "by hand"},
	}}
	req := promoteAll
	req.Mode = pipeline.DeliverCommit
	plan := planned(t, p, req)
	done, err := p.Apply(context.Background(), plan)
	if err != nil {
		t.Fatal(err)
	}
	records := make(map[string]*record.Trailers)
	err = history.Read(context.Background(), p.Pipeline, p.Repo, repo, history.Request{}, func(c history.Change) bool {
		if c.Commit == done.Commit {
			records[c.Service] = c.Record
			if c.Mismatch != "" || c.Subject != "promote(production): 2 services from staging" {
				t.Errorf("%+v", c)
			}
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]*record.Trailers{
		"cart": {Service: "cart", From: "staging", To: "production", Images: []string{"shop/cart:v2@" + sha("2")}, SourceCommit: "c1",
			Gates: []string{`verify=pass; image "shop/cart": ` + hostile}},
		"web": {Service: "web", From: "staging", To: "production", Images: []string{"shop/web:v7@" + sha("7")}, SourceCommit: "c1",
			Gates: []string{`verify=overridden; by hand: image "shop/web": no signature`}},
	}
	if d := cmp.Diff(want, records); d != "" {
		t.Error(d)
	}
	if message := repo.commits[1].Message; strings.Count(message, "\nPromotion-Service: ") != 2 || !strings.Contains(message, "cart  shop/cart  v1 → v2\n") {
		t.Errorf("message:\n%s", message)
	}
}
