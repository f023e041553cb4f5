package promote_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/attempts"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// rivals moves the branch before a number of commits: the plan was made on what is not
// the newest any more.
type rivals struct {
	*promote.FakeRepo
	left  int
	moves func(n int)
}

func (r *rivals) Commit(ctx context.Context, d promote.Delivery) (string, error) {
	if r.left > 0 {
		r.left--
		r.moves(r.left)
		return "", &promote.Moved{Branch: "origin/main"}
	}
	return r.FakeRepo.Commit(ctx, d)
}

// deliverTo delivers to production, as a push does, among rivals.
func deliverTo(t *testing.T, r *rivals, p *promote.Promoter, retry attempts.Retry, targets ...string) (*promote.Plans, []*promote.Applied, error) {
	t.Helper()
	p.Repo = r
	req := promote.Request{All: true, To: "production"}
	req.Mode = pipeline.DeliverPush
	return attempts.Deliver(context.Background(), func(context.Context) (*promote.Promoter, error) { return p, nil },
		func(ctx context.Context, p *promote.Promoter) (*promote.Plans, error) {
			return p.PlanAll(ctx, req, targets...)
		}, retry)
}

// Where others were faster the edit is made anew on what they have done: nobody's change
// is lost, and the waits grow.
func TestDeliverAmongRivals(t *testing.T) {
	p, repo := promote.NewShop(t)
	r := &rivals{FakeRepo: repo, left: 3, moves: func(n int) {
		repo.Edit("-- apps/cart/overlays/production/kustomization.yaml --\n# the cart, changed by somebody\nimages:\n- name: shop/cart\n  newTag: v1 # since May\n")
		repo.Record("somebody", "eve")
	}}
	var waits []time.Duration
	var said []string
	plans, done, err := deliverTo(t, r, p, attempts.Retry{
		Wait: func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil },
		Says: func(n int, err error) { said = append(said, err.Error()) },
	}, "production")
	if err != nil || len(done) != 1 || done[0].Attempts != 4 || done[0].Commit == "" || plans.All[0].Answer != promote.Pass {
		t.Fatalf("%+v, %v", done, err)
	}
	if got := string(repo.Head()["apps/cart/overlays/production/kustomization.yaml"]); !strings.Contains(got, "changed by somebody") || !strings.Contains(got, "newTag: v2") {
		t.Errorf("production has\n%s", got)
	}
	if len(waits) != 3 || waits[2] < waits[0] || waits[2] > 5*time.Second || len(said) != 3 || said[0] != "somebody else has moved origin/main in the meantime" {
		t.Errorf("waits %v, said %q", waits, said)
	}
}

// Somebody else has promoted the same: there is nothing left to do.
func TestDeliverFindsItDone(t *testing.T) {
	p, repo := promote.NewShop(t)
	r := &rivals{FakeRepo: repo, left: 1, moves: func(int) {
		repo.Edit("-- apps/cart/overlays/production/kustomization.yaml --\n# the cart\nimages:\n- name: shop/cart\n  newTag: v2 # since May\n  digest: " + promote.SHA("2") + "\n" +
			"-- apps/web/overlays/production/kustomization.yaml --\nimages:\n- name: shop/web\n  newTag: v7\n  digest: " + promote.SHA("7") + "\n")
		repo.Record("somebody", "eve")
	}}
	plans, done, err := deliverTo(t, r, p, attempts.Retry{Wait: func(context.Context, time.Duration) error { return nil }}, "production")
	if err != nil || done[0].Commit != "" || plans.All[0].Changed() {
		t.Errorf("%+v, %v", done[0], err)
	}
}

// It gives up in the end, and at once where it is interrupted; other errors are not
// tried again, nor is what may not be done.
func TestDeliverEnds(t *testing.T) {
	p, repo := promote.NewShop(t)
	now := func(context.Context, time.Duration) error { return nil }
	r := &rivals{FakeRepo: repo, left: 1000, moves: func(int) {}}
	if _, _, err := deliverTo(t, r, p, attempts.Retry{Wait: now}, "production"); err == nil || !strings.Contains(err.Error(), "origin/main was moved by others 50 times in a row; nothing was changed") {
		t.Errorf("got %v", err)
	}
	stop := errors.New("stop")
	if _, _, err := deliverTo(t, r, p, attempts.Retry{Wait: func(context.Context, time.Duration) error { return stop }}, "production"); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	r.left = 0
	if _, done, err := deliverTo(t, r, p, attempts.Retry{Wait: now, Ready: func(*promote.Plan) error { return stop }}, "production"); !errors.Is(err, stop) || len(done) > 0 {
		t.Errorf("got %v, %v", done, err)
	}
	p.Resolver = promote.Down("shop/")
	head := repo.Count()
	plans, done, err := deliverTo(t, r, p, attempts.Retry{Wait: now}, "production")
	if err != nil || plans.Refusal() == nil || done[0].Commit != "" || repo.Count() != head {
		t.Errorf("%+v, %v", done, err)
	}
}

// What has landed is told whatever becomes of a later attempt: before, an error of the second one
// had the first one's commit forgotten, and nothing was said to have been changed.
func TestDeliverRemembersWhatLanded(t *testing.T) {
	down := errors.New("the network is down")
	for name, fails := range map[string]func(p *promote.Promoter, r *afterFirst) func(context.Context) (*promote.Promoter, error){
		"no plans": func(p *promote.Promoter, r *afterFirst) func(context.Context) (*promote.Promoter, error) {
			return func(context.Context) (*promote.Promoter, error) {
				if r.refused {
					return nil, down
				}
				return p, nil
			}
		},
		"moved again and again": func(p *promote.Promoter, r *afterFirst) func(context.Context) (*promote.Promoter, error) {
			return func(context.Context) (*promote.Promoter, error) { return p, nil }
		},
	} {
		p, repo := promote.NewTargets(t)
		p.Rules.Commit = ""
		r := &afterFirst{FakeRepo: repo}
		p.Repo = r
		plans, done, err := attempts.Deliver(t.Context(), fails(p, r), func(ctx context.Context, p *promote.Promoter) (*promote.Plans, error) {
			req := promote.Request{All: true}
			req.Mode = pipeline.DeliverPush
			return p.PlanAll(ctx, req, "production")
		}, attempts.Retry{Wait: func(context.Context, time.Duration) error { return nil }})
		if err == nil || !strings.Contains(err.Error(), "eu: done; us: not") || strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("%s: %v", name, err)
		}
		if len(done) != 1 || done[0].Commit == "" || len(plans.All) < 1 || plans.All[0].To != "eu" {
			t.Errorf("%s: %+v", name, done)
		}
	}
}

// afterFirst has the branch moved before each commit but the first.
type afterFirst struct {
	*promote.FakeRepo
	landed, refused bool
}

func (r *afterFirst) Commit(ctx context.Context, d promote.Delivery) (string, error) {
	if !r.landed {
		r.landed = true
		return r.FakeRepo.Commit(ctx, d)
	}
	r.refused = true
	return "", &promote.Moved{Branch: "origin/main"}
}
