package promote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// What registries say of the source's references, and what is made of it. A
// recorded digest is what was tested: it is promoted whatever its tag has become.
func TestResolving(t *testing.T) {
	const file = cartStaging + ":2:3"
	for _, tc := range []struct {
		name, image, spec string
		tags              map[string]string
		down              []string
		offline           bool
		want              Answer
		lines             []string
	}{
		{name: "a tag", image: "newTag: v2", tags: map[string]string{"cart:v2": sha("2")}, want: Pass,
			lines: []string{"cart: cart :v1 → :v2@sha:2", "cart changes"}},
		{name: "a tag that is gone", image: "newTag: v2", want: Fail,
			lines: []string{"cart: cart :v1 → :v2", `cart: resolve=fail image "cart": cart:v2 is not there`}},
		{name: "nobody answers", image: "newTag: v2", down: []string{"cart"}, want: Unknown,
			lines: []string{"cart: cart :v1 → :v2", `cart: resolve=unknown image "cart": no route to cart`}},
		{name: "a digest", image: "digest: " + sha("2"), tags: map[string]string{"cart:any": sha("2")}, want: Pass,
			lines: []string{"cart: cart :v1 → @sha:2", "cart changes"}},
		{name: "a digest that is gone", image: "digest: " + sha("2"), want: Fail,
			lines: []string{"cart: cart :v1 → @sha:2", `cart: resolve=fail image "cart": cart@sha:2 is not there`, "cart changes"}},
		{name: "a digest, and nobody answers", image: "digest: " + sha("2"), down: []string{"cart"}, want: Pass,
			lines: []string{"cart: cart :v1 → @sha:2",
				`cart: warning: image "cart": the registry could not be asked whether it has the recorded digest: no route to cart`, "cart changes"}},
		{name: "a tag that has moved on", image: "newTag: v2, digest: " + sha("2"), tags: map[string]string{"cart:v2": sha("3"), "cart:old": sha("2")}, want: Pass,
			lines: []string{"cart: cart :v1 → :v2@sha:2", `cart: warning: image "cart": the tag v2 now stands for sha:3; the recorded digest sha:2 is promoted`, "cart changes"}},
		{name: "a tag that has moved on, pinned by tag", image: "newTag: v2, digest: " + sha("2"), spec: "  pin: tag\n  allowMutable: true\n",
			tags: map[string]string{"cart:v2": sha("3"), "cart:old": sha("2")}, want: Fail,
			lines: []string{"cart: cart :v1 → :v2",
				`cart: resolve=fail image "cart": the tag v2 now stands for sha:3 and not for the recorded digest sha:2, and the pipeline pins by tag`, "cart changes"}},
		{name: "pinned by tag, and nobody answers", image: "newTag: v2", spec: "  pin: tag\n  allowMutable: true\n", down: []string{"cart"}, want: Pass,
			lines: []string{"cart: cart :v1 → :v2", `cart: warning: image "cart": the registry could not be asked whether it has the tag: no route to cart`, "cart changes"}},
		{name: "latest", image: "newTag: latest", tags: map[string]string{"cart:latest": sha("2")}, want: Fail,
			lines: []string{"cart: cart :v1 → :latest", `cart: pin=fail ` + file + `: image "cart" is pinned to the tag latest, which names no version`}},
		{name: "latest, with a digest", image: "newTag: latest, digest: " + sha("2"), tags: map[string]string{"cart:latest": sha("2")}, want: Pass,
			lines: []string{"cart: cart :v1 → :latest@sha:2", "cart changes"}},
		{name: "offline", image: "newTag: v2", offline: true, want: Unknown,
			lines: []string{"cart: cart :v1 → :v2", `cart: resolve=unknown ` + file + `: image "cart" is pinned to the tag v2 alone, and no registry may be asked for its digest`}},
		{name: "offline, with a digest", image: "newTag: v2, digest: " + sha("2"), offline: true, want: Pass,
			lines: []string{"cart: cart :v1 → :v2@sha:2", "cart changes"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, _ := newShop(t, overlays("images:\n- {name: cart, "+tc.image+"}", "images:\n- {name: cart, newTag: v1}"))
			p.Pipeline = pipelineOf(t, tc.spec)
			if p.Resolver = (&registry{tags: tc.tags, down: tc.down}); tc.offline {
				p.Resolver = nil
			}
			plan := planned(t, p, Request{Services: []string{"cart"}, To: "production"})
			if d := cmp.Diff(tc.lines, outline(plan)); d != "" || plan.Answer != tc.want {
				t.Errorf("%s\n%s", plan.Answer, d)
			}
			if plan.Answer != Pass {
				_, err := p.Apply(context.Background(), plan)
				var refused *Refused
				if !errors.As(err, &refused) || refused.Answer != tc.want || len(refused.Verdicts) != 1 {
					t.Errorf("applied: %v", err)
				}
			}
		})
	}
}

// Where the target pulls from another repository, the digest must be there.
func TestPresence(t *testing.T) {
	for _, tc := range []struct {
		name, spec string
		tags       map[string]string
		down       []string
		want       []string
	}{
		{name: "it is", tags: map[string]string{"prod/cart:x": sha("2")}},
		{name: "it is not", want: []string{`resolve=fail image "cart": prod/cart@sha:2 is not there; copy dev/cart:v2@sha:2 prod/cart:v2`}},
		{name: "nobody answers", down: []string{"prod/cart"}, want: []string{`resolve=unknown image "cart": no route to prod/cart; `}},
		{name: "by tag", spec: "  pin: tag\n  allowMutable: true\n", tags: map[string]string{"prod/cart:v2": sha("2")}},
		{name: "by tag, which is another", spec: "  pin: tag\n  allowMutable: true\n", tags: map[string]string{"prod/cart:v2": sha("3"), "prod/cart:x": sha("2")},
			want: []string{`resolve=fail image "cart": prod/cart:v2@sha:2 has another digest in the target's registry, sha:3; copy dev/cart:v2@sha:2 prod/cart:v2`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, _ := newShop(t, overlays("images:\n- {name: cart, newName: dev/cart, newTag: v2}", "images:\n- {name: cart, newName: prod/cart, newTag: v1}"))
			p.Pipeline = pipelineOf(t, tc.spec)
			r := &registry{tags: map[string]string{"dev/cart:v2": sha("2")}, down: tc.down}
			for tag, digest := range tc.tags {
				r.tags[tag] = digest
			}
			p.Resolver = r
			plan := planned(t, p, Request{Services: []string{"cart"}, To: "production"})
			var got []string
			for _, v := range plan.Services[0].Verdicts {
				line := fmt.Sprintf("%s=%s %s; %s", v.Gate, v.Answer, v.Reason, v.Hint)
				if v.Advice.Do != "" {
					line += string(v.Advice.Do) + " " + v.Advice.With["source"] + " " + v.Advice.With["target"]
				}
				got = append(got, strings.NewReplacer(sha("2"), "sha:2", sha("3"), "sha:3").Replace(line))
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// inspector answers by the image.
type inspector struct {
	answers map[string]Verification
	err     error
	asked   []VerifyRequest
}

func (i *inspector) Verify(_ context.Context, req VerifyRequest, done func()) ([]Verification, error) {
	i.asked = append(i.asked, req)
	var out []Verification
	for _, image := range req.Images {
		out = append(out, i.answers[image])
		done()
	}
	return out, i.err
}

// What a verifier says is in the plan, whole: evidence, warnings and what was let
// through all the same.
func TestVerifying(t *testing.T) {
	cart, web := "shop/cart@"+sha("2"), "shop/web@"+sha("7")
	signed := Verification{Answer: Pass, Reason: "signed by release", Evidence: []Evidence{{Authority: "release", Kind: "key"}}}
	for _, tc := range []struct {
		name  string
		cart  Verification
		want  Answer
		lines []string
	}{
		{"signed", signed, Pass, []string{"cart: verify=pass image \"shop/cart\": signed by release"}},
		{"by nobody", Verification{Answer: Fail, Reason: "no signature", Rule: "images.yaml:7:5"}, Fail, []string{"cart: verify=fail images.yaml:7:5: image \"shop/cart\": no signature"}},
		{"unknown", Verification{Answer: Unknown, Reason: "no answer"}, Unknown, []string{"cart: verify=unknown image \"shop/cart\": no answer"}},
		{"to wait for", Verification{Answer: Wait, Reason: "not old enough"}, Wait, []string{"cart: verify=wait image \"shop/cart\": not old enough"}},
		{"let through", Verification{Answer: Pass, Reason: "no signature", Override: "the policy only warns", Warnings: []string{"x"}}, Pass, []string{
			"cart: verify=pass image \"shop/cart\": no signature", "cart: warning: NOT verified: image \"shop/cart\": no signature; the policy only warns"}},
		{"with a warning", Verification{Answer: Pass, Reason: "signed", Warnings: []string{"the key ends soon"}}, Pass, []string{
			"cart: verify=pass image \"shop/cart\": signed", "cart: warning: image \"shop/cart\": the key ends soon"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, _ := newShop(t, twoServices)
			p.Pipeline.Spec.Environments[2].Verify = &pipeline.VerifyRule{Policy: "images.yaml"}
			i := &inspector{answers: map[string]Verification{cart: tc.cart, web: signed}}
			p.Verifier = i
			plan := planned(t, p, promoteAll)
			var got []string
			for _, line := range outline(plan) {
				if strings.HasPrefix(line, "cart: verify") || strings.HasPrefix(line, "cart: warning") {
					got = append(got, line)
				}
			}
			if d := cmp.Diff(tc.lines, got); d != "" || plan.Answer != tc.want {
				t.Errorf("%s\n%s", plan.Answer, d)
			}
			want := []VerifyRequest{{Policy: "images.yaml", Images: []string{cart, web}, Services: []string{"cart", "web"}, Environment: "production"}}
			if d := cmp.Diff(want, i.asked); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tc.cart.Evidence, plan.Services[0].Images[0].Evidence); d != "" {
				t.Error(d)
			}
			if v := plan.Services[0].Verdicts[0]; v.Override != tc.cart.Override {
				t.Errorf("override: %q", v.Override)
			}
		})
	}
}

// A policy of the request stands in the place of the pipeline's; one that cannot be
// used is an error, not a verdict.
func TestVerifyingByAnotherPolicy(t *testing.T) {
	p, _ := newShop(t, twoServices)
	p.Pipeline.Spec.Environments[2].Verify = &pipeline.VerifyRule{Policy: "images.yaml"}
	i := &inspector{err: errors.New("other.yaml:1:1: no policy")}
	p.Verifier = i
	req := promoteAll
	req.Policy = "other.yaml"
	if _, err := p.Plan(context.Background(), req); err != i.err || i.asked[0].Policy != "other.yaml" {
		t.Errorf("%v, asked %+v", err, i.asked)
	}
}

// What needs a registry and may not ask one is unknown, with advice.
func TestVerifyingOffline(t *testing.T) {
	for spec, want := range map[string]string{
		"":                                   `image "shop/cart": images.yaml asks for signatures, and no registry may be asked for them`,
		"  pin: tag\n  allowMutable: true\n": `image "shop/cart": its digest is not known, so nothing can be verified`,
	} {
		image := "newTag: v2"
		if spec == "" {
			image = "newTag: v2, digest: " + sha("2")
		}
		p, _ := newShop(t, overlays("images:\n- {name: shop/cart, "+image+"}", "images:\n- {name: shop/cart, newTag: v1}"))
		p.Pipeline = pipelineOf(t, spec)
		p.Pipeline.Spec.Environments[2].Verify = &pipeline.VerifyRule{Policy: "images.yaml"}
		p.Resolver = nil
		plan := planned(t, p, Request{Services: []string{"cart"}, To: "production"})
		v := plan.Services[0].Verdicts
		if plan.Answer != Unknown || len(v) != 1 || v[0].Reason != want || (v[0].Advice.Do == DoAskRegistry) != (spec == "") {
			t.Errorf("%s: %+v", plan.Answer, v)
		}
	}
}

// What the target has already is asked of nobody: it cannot be kept away any more.
func TestNothingIsAskedOfWhatIsThere(t *testing.T) {
	there := "images:\n- {name: shop/cart, newTag: v2, digest: " + sha("2") + "}"
	p, _ := newShop(t, overlays(there, there))
	p.Pipeline.Spec.Environments[2].Verify = &pipeline.VerifyRule{Policy: "images.yaml"}
	r, i := &registry{}, &inspector{}
	p.Resolver, p.Verifier = r, i
	plan := planned(t, p, Request{Services: []string{"cart"}, To: "production"})
	if plan.Answer != Pass || plan.Changed() || len(r.asked)+len(i.asked) > 0 {
		t.Errorf("%q; asked %q, %v", outline(plan), r.asked, i.asked)
	}
}

// What is recorded and promoted anyway is asked of the resolver that waits for little;
// what decides is not: a tag alone, a tag that was given with a digest, and one that the
// target is pinned to.
func TestRecordedIsAskedInHaste(t *testing.T) {
	for _, tc := range []struct{ name, source, spec, version, slow, hasty string }{
		{"recorded", "newTag: v2, digest: " + sha("2"), "", "", "", "shop/cart:v2@" + sha("2")},
		{"a tag", "newTag: v2", "", "", "shop/cart:v2", ""},
		{"pinned by tag", "newTag: v2, digest: " + sha("2"), "  pin: tag\n  allowMutable: true\n", "", "shop/cart:v2@" + sha("2"), ""},
		{"the way in", "newTag: v1", "", "v2@" + sha("2"), "shop/cart:v2@" + sha("2"), ""},
	} {
		req, files := Request{Services: []string{"cart"}, To: "production"}, overlays("images:\n- {name: shop/cart, "+tc.source+"}", "images:\n- {name: shop/cart, newTag: v1}")
		if tc.version != "" {
			req.To, req.Version, files = "dev", tc.version, dev
		}
		p, _ := newShop(t, files)
		p.Pipeline = pipelineOf(t, tc.spec)
		tags := map[string]string{"shop/cart:v2": sha("2")}
		slow, hasty := &registry{tags: tags}, &registry{tags: tags}
		p.Resolver, p.Recorded = slow, hasty
		planned(t, p, req)
		if got := strings.Join(slow.asked, " "); got != tc.slow {
			t.Errorf("%s: asked at leisure %q", tc.name, got)
		}
		if got := strings.Join(hasty.asked, " "); got != tc.hasty {
			t.Errorf("%s: asked in haste %q", tc.name, got)
		}
	}
}

// late ends the context while it is asked, as a time limit does.
type late struct {
	cancel context.CancelCauseFunc
	cause  error
}

func (l late) Resolve(_ context.Context, refs []string, _ func()) []Resolution {
	l.cancel(l.cause)
	return slices.Repeat([]Resolution{{Answer: Unknown, Reason: "took too long"}}, len(refs))
}

// A time limit that runs out while registries are asked is a verdict: unknown. An
// interruption is an error, and so is a limit that runs out before anything is known.
func TestPlanEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	p, _ := newShop(t, twoServices)
	p.Resolver = late{cancel, errors.New("SIGINT")}
	_, err := p.Plan(ctx, promoteAll)
	wantError(t, err, "planning was interrupted; nothing was changed: SIGINT")

	past, end := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer end()
	_, err = p.Plan(past, promoteAll)
	var e *Error
	if !errors.As(err, &e) || e.Advice.Do != DoAllowTime || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	w := &planner{drafts: []*draft{nil, {plan: &ServicePlan{Verdicts: []Verdict{{Answer: Unknown}}}}}}
	if err := w.interrupted(past); err != nil {
		t.Errorf("with a verdict: %v", err)
	}
}
