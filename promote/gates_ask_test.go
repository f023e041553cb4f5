package promote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/record"
)

// gate is one of a test.
type gate struct {
	name        string
	limit       time.Duration
	overridable bool
	check       func(context.Context, GateRequest) Verdict
}

func (g *gate) Name() string                                     { return g.name }
func (g *gate) Limit() time.Duration                             { return g.limit }
func (g *gate) Overridable() bool                                { return g.overridable }
func (g *gate) Check(ctx context.Context, q GateRequest) Verdict { return g.check(ctx, q) }
func saying(name string, a Answer) *gate {
	return &gate{name: name, check: func(context.Context, GateRequest) Verdict { return Verdict{Answer: a, Reason: "so it is"} }}
}

// gated is the shop of two services with gates before production.
func gated(t testing.TB, gates ...Gate) (*Promoter, *fakeRepo) {
	t.Helper()
	p, repo := newShop(t, twoServices)
	p.Now = func() time.Time { return time.Date(2026, 11, 27, 16, 30, 0, 0, time.UTC) }
	p.Gates = func(to *pipeline.Environment) ([]Gate, error) {
		if to.Name != "production" {
			return nil, nil
		}
		return gates, nil
	}
	return p, repo
}

func verdictsOf(t testing.TB, p *Promoter, req Request) []string {
	t.Helper()
	plan, err := p.Plan(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range plan.Services {
		for _, v := range s.Verdicts {
			text := fmt.Sprintf("%s %s=%s %s", s.Service, v.Gate, v.Answer, v.Reason)
			if v.Override != "" {
				text += " (" + v.Override + ")"
			}
			out = append(out, text)
		}
		for _, w := range s.Warnings {
			out = append(out, "warning: "+w)
		}
	}
	return append(out, string(plan.Answer))
}

// Each gate is asked about exactly what would be written, and not about a service that
// stays as it is.
func TestGatesAreAsked(t *testing.T) {
	var asked []GateRequest
	p, repo := gated(t, &gate{name: "look", check: func(_ context.Context, q GateRequest) Verdict {
		asked = append(asked, q)
		return Verdict{Answer: Pass}
	}})
	repo.edit("-- apps/web/overlays/production/kustomization.yaml --\nimages:\n- name: shop/web\n  newTag: v7\n  digest: " + sha("7") + "\n")
	repo.record("web", "ada")
	p.Pipeline.Spec.Services = []pipeline.Service{{Name: "cart", Labels: map[string]string{"tier": "gold"}}}
	if got := verdictsOf(t, p, Request{All: true, To: "production"}); !slices.Equal(got, []string{"cart look=pass ", "pass"}) {
		t.Errorf("got %q", got)
	}
	want := []GateRequest{{
		Service: "cart", Labels: map[string]string{"tier": "gold"}, From: "staging", To: "production", Head: "c2",
		Now: time.Date(2026, 11, 27, 16, 30, 0, 0, time.UTC), Services: []string{"cart", "web"},
		Images: []ImagePlan{{Name: "shop/cart", Repository: "shop/cart", File: "apps/cart/overlays/production/kustomization.yaml",
			Old: Pin{Tag: "v1"}, New: Pin{Tag: "v2", Digest: sha("2")}}},
		Files: []string{"apps/cart/overlays/production/kustomization.yaml"},
	}}
	for n := range asked {
		edits, err := asked[n].Edits()
		if err != nil || len(edits) != 1 || edits[0].Path != asked[n].Files[0] || !strings.Contains(string(edits[0].Data), sha("2")) {
			t.Errorf("what would be written is %v, %v", edits, err)
		}
		asked[n].Edits = nil // which is no value
	}
	if d := cmp.Diff(want, asked); d != "" {
		t.Error(d)
	}
}

// The order is that of the file, whoever answers first; what is no answer is unknown.
func TestGateVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := saying("slow", Pass)
		slow.check = func(ctx context.Context, _ GateRequest) Verdict {
			time.Sleep(5 * time.Second)
			return Verdict{Answer: Wait, Reason: "not yet", Until: time.Unix(1, 0), Gate: "another name"}
		}
		hangs := &gate{name: "hangs", limit: time.Minute, check: func(context.Context, GateRequest) Verdict { time.Sleep(time.Hour); return Verdict{} }}
		heeds := &gate{name: "heeds", check: func(ctx context.Context, _ GateRequest) Verdict {
			<-ctx.Done()
			return Verdict{Answer: Unknown, Reason: "it took too long for me"}
		}}
		fails := &gate{name: "fails", check: func(context.Context, GateRequest) Verdict { panic("out of luck") }}
		p, _ := gated(t, slow, hangs, heeds, fails, saying("silent", ""), saying("no", Fail))
		begin := time.Now()
		want := []string{
			"cart slow=wait not yet", "cart hangs=unknown the gate gave no answer within 1m0s", "cart heeds=unknown it took too long for me",
			"cart fails=unknown the gate has failed: out of luck", "cart silent=unknown the gate has given no answer", "cart no=fail so it is", "fail"}
		if d := cmp.Diff(want, verdictsOf(t, p, Request{Services: []string{"cart"}, To: "production"})); d != "" {
			t.Error(d)
		}
		if took := time.Since(begin); took > time.Minute+time.Second {
			t.Errorf("it took %s: one gate waits for another", took)
		}
		time.Sleep(2 * time.Hour) // until the one that hangs has ended
	})
}

// A gate that hangs costs its own limit, however many services there are.
func TestGatesOfManyServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		for i := range 200 {
			for env, tag := range map[string]string{"staging": "v2", "production": "v1"} {
				fmt.Fprintf(&b, "-- apps/s%03d/overlays/%s/kustomization.yaml --\nimages:\n- name: shop/cart\n  newTag: %s\n", i, env, tag)
			}
		}
		var asked atomic.Int64
		var gates []Gate
		for i := range 7 {
			gates = append(gates, &gate{name: fmt.Sprint("g", i), check: func(context.Context, GateRequest) Verdict {
				asked.Add(1)
				time.Sleep(time.Second)
				return Verdict{Answer: Pass}
			}})
		}
		gates = append(gates, &gate{name: "hangs", limit: 3 * time.Second, check: func(ctx context.Context, _ GateRequest) Verdict {
			<-ctx.Done()
			return Verdict{Answer: Unknown, Reason: "too long"}
		}})
		p, _ := gated(t, gates...)
		p.Repo = newRepo(b.String())
		var lock sync.Mutex
		steps := 0
		p.Progress = func(step string, done, total int) {
			if !lock.TryLock() {
				t.Error("calls overlap")
				return
			}
			defer lock.Unlock()
			if step == "asking gates" {
				if steps++; done != steps || total != 1600 {
					t.Errorf("%d of %d", done, total)
				}
			}
		}
		begin := time.Now()
		if got := verdictsOf(t, p, Request{All: true, To: "production"}); len(got) != 1601 || got[1600] != "unknown" {
			t.Errorf("%d verdicts, %s", len(got), got[len(got)-1])
		}
		if took := time.Since(begin); asked.Load() != 1400 || took > 10*time.Second {
			t.Errorf("asked %d times in %s", asked.Load(), took)
		}
	})
}

// Promoted stands between the others where the file has it.
func TestGatesInTheOrderOfTheFile(t *testing.T) {
	p, _ := gated(t, saying("soak", Pass), saying("manual", Pass), saying("more", Pass))
	p.Verifier = &attested{environment: "staging"}
	p.Pipeline.Spec.Environments[2].Gates = []pipeline.Gate{{Soak: &pipeline.SoakGate{}}, {Promoted: &pipeline.PromotedGate{Environment: "staging", Policy: "p.yaml"}}, {Manual: &pipeline.ManualGate{}}}
	want := []string{"cart soak=pass so it is", `cart promoted=pass image "shop/cart": signed`, "cart manual=pass so it is", "cart more=pass so it is", "pass"}
	if d := cmp.Diff(want, verdictsOf(t, p, Request{Services: []string{"cart"}, To: "production"})); d != "" {
		t.Error(d)
	}
}

// Without anybody who could ask them, and by rules that are in no commit, the gates of
// the file are unknown, and nothing that they say is done.
func TestGatesThatCannotBeAsked(t *testing.T) {
	p, _ := gated(t, &gate{name: "soak", check: func(context.Context, GateRequest) Verdict { t.Error("asked"); return Verdict{} }})
	p.Pipeline.Spec.Environments[2].Gates = []pipeline.Gate{{Soak: &pipeline.SoakGate{}}, {Exec: &pipeline.ExecGate{}, Name: "tests"}}
	p.Rules.Uncommitted = "promotion.yaml"
	req := Request{Services: []string{"cart"}, To: "production"}
	const why = "unknown promotion.yaml is not committed, and what it asks for does not count until it is"
	if d := cmp.Diff([]string{"cart soak=" + why, "cart tests=" + why, "unknown"}, verdictsOf(t, p, req)); d != "" {
		t.Error(d)
	}
	p.Rules.Uncommitted, p.Gates = "", nil
	const nobody = "unknown there is nobody here to ask it"
	if d := cmp.Diff([]string{"cart soak=" + nobody, "cart tests=" + nobody, "unknown"}, verdictsOf(t, p, req)); d != "" {
		t.Error(d)
	}
	p.Gates = func(*pipeline.Environment) ([]Gate, error) { return nil, nil }
	_, err := p.Plan(t.Context(), req)
	wantError(t, err, `of 2 gates of "production" there are 0`)
	p.Gates = func(*pipeline.Environment) ([]Gate, error) { return nil, errors.New("freeze.yaml:1:1: is empty") }
	_, err = p.Plan(t.Context(), req)
	wantError(t, err, "freeze.yaml:1:1: is empty")
}

// Whoever goes past a gate says why, and it is told and recorded.
func TestOverride(t *testing.T) {
	freeze := saying("freeze", Wait)
	freeze.overridable = true
	p, repo := gated(t, freeze, saying("soak", Pass))
	req := Request{Services: []string{"cart"}, To: "production", Mode: pipeline.DeliverCommit, Override: map[string]string{"freeze": "INC-12\nPromotion-To: x"}}
	plan, err := p.Plan(t.Context(), req)
	if err != nil || plan.Answer != Pass {
		t.Fatalf("%v, %v", plan, err)
	}
	if w := plan.Services[0].Warnings; len(w) != 1 || w[0] != "NOT met: freeze: so it is; overridden: INC-12\nPromotion-To: x" {
		t.Errorf("warnings %q", w)
	}
	if _, err := p.Apply(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	records := record.Parse(repo.commits[1].Message)
	if len(records) != 1 || records[0].To != "production" || !slices.Equal(records[0].Gates, []string{"freeze=overridden; INC-12\nPromotion-To: x: so it is", "soak=pass; so it is"}) {
		t.Errorf("%+v\n%s", records, repo.commits[1].Message)
	}
	for _, tc := range []struct {
		override map[string]string
		want     []string
	}{
		{map[string]string{"soak": "x"}, []string{`gate "soak" cannot be overridden`, "hint: overridable: true beside it in the pipeline"}},
		{map[string]string{"freese": "x"}, []string{`"production" has no gate "freese" that could be overridden`, "hint: did you mean freeze?"}},
		{map[string]string{"freeze": ""}, []string{`there is no reason to override gate "freeze"`}},
	} {
		repo.edit("-- apps/cart/overlays/production/kustomization.yaml --\nimages:\n- name: shop/cart\n  newTag: v1\n")
		repo.record("back", "ada")
		req.Override = tc.override
		_, err := p.Plan(t.Context(), req)
		wantError(t, err, tc.want...)
		if !errors.Is(err, ErrUsage) {
			t.Errorf("%v is no usage error", err)
		}
	}
	// One that has ended lets nothing through; one that has not says when it will.
	req.Override, req.OverrideBy, req.OverrideUntil = map[string]string{"freeze": "INC-12"}, "Ada", p.now().Add(-time.Minute)
	if got := verdictsOf(t, p, req); !slices.Equal(got, []string{"cart freeze=wait so it is", "cart soak=pass so it is", "wait"}) {
		t.Errorf("ended: %q", got)
	}
	clock := p.Now
	req.OverrideUntil = p.now().Add(time.Hour).Truncate(time.Second)
	plan, err = p.Plan(t.Context(), req)
	if err != nil || plan.Answer != Pass || record.Parse("x\n\n" + plan.Record())[0].Overrides[0] != (record.Override{Gate: "freeze", By: "Ada", Until: req.OverrideUntil.UTC(), Reason: "INC-12"}) {
		t.Errorf("%v\n%s", err, plan.Record())
	}
	p.Now = func() time.Time { return req.OverrideUntil }
	if _, err := p.Apply(t.Context(), plan); err == nil || !strings.Contains(err.Error(), `the override of gate "freeze" has ended`) {
		t.Errorf("applied after its end: %v", err)
	}
	p.Now, req.OverrideUntil = clock, time.Time{}
	// What passes needs no override.
	freeze.check = saying("", Pass).check
	req.Override = map[string]string{"freeze": "in case"}
	if got := verdictsOf(t, p, req); !slices.Equal(got, []string{"cart freeze=pass so it is", "cart soak=pass so it is", "pass"}) {
		t.Errorf("got %q", got)
	}
}

// A verdict is good for the digest and the commit that it was given for: once the source
// has moved on, the plan is not carried out, and the next one asks again.
func TestVerdictsAreNotReused(t *testing.T) {
	var asked []string
	p, repo := gated(t, &gate{name: "look", check: func(_ context.Context, q GateRequest) Verdict {
		asked = append(asked, q.Head+" "+q.Images[0].New.Ref(""))
		if q.Images[0].New.Digest == sha("3") {
			return Verdict{Answer: Fail, Reason: "not this one"}
		}
		return Verdict{Answer: Pass}
	}})
	p.Resolver.(*registry).tags["shop/cart:v3"] = sha("3")
	req := Request{Services: []string{"cart"}, To: "production", Mode: pipeline.DeliverCommit}
	plan, err := p.Plan(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	repo.edit("-- apps/cart/overlays/staging/kustomization.yaml --\nimages:\n- name: shop/cart\n  newTag: v3\n")
	repo.record("v3", "bob")
	_, err = p.Apply(t.Context(), plan)
	wantError(t, err, "the head is c2, not c1")
	if plan, err = p.Plan(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	_, err = p.Apply(t.Context(), plan)
	wantError(t, err, "look: not this one")
	if want := []string{"c1 :v2@" + sha("2"), "c2 :v3@" + sha("3")}; !slices.Equal(asked, want) || len(repo.commits) != 2 {
		t.Errorf("asked %q, %d commits", asked, len(repo.commits))
	}
}

// Nor is it good for ever.
func TestVerdictsGrowOld(t *testing.T) {
	p, _ := gated(t, saying("soak", Pass))
	plan, err := p.Plan(t.Context(), Request{Services: []string{"cart"}, To: "production"})
	if err != nil {
		t.Fatal(err)
	}
	then := p.Now()
	p.Now = func() time.Time { return then.Add(11 * time.Minute) }
	_, err = p.Apply(t.Context(), plan)
	wantError(t, err, "the gates were asked 11m0s ago, and may say something else now", "hint: promote again")
	p.Now = func() time.Time { return then.Add(9 * time.Minute) }
	if done, err := p.Apply(t.Context(), plan); err != nil || len(done.Files) != 1 {
		t.Errorf("%v, %v", done, err)
	}
}
