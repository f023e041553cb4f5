package check_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/check"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

const head = "apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n"

// plain has one source; gated asks a policy and two gates as well.
const (
	plain = head + "  environments: [{name: staging}, {name: production, from: [staging]}]\n"
	gated = head + "  environments:\n  - name: staging\n  - name: production\n    from: [staging]\n    verify: {policy: policies/images.yaml}\n" +
		"    gates:\n    - freeze: {calendar: freeze.yaml}\n    - promoted: {environment: staging, policy: policies/promoted.yaml}\n    - exec: {command: [bash, hack/gate.sh]}\n"
	byTag = head + "  pin: tag\n  allowMutable: true\n  environments: [{name: staging}, {name: production, from: [staging]}]\n"
)

// images writes an overlay: NAME:TAG[@DIGIT] each.
func images(all ...string) string {
	var b strings.Builder
	b.WriteString("images:\n")
	for _, one := range all {
		name, pin, _ := strings.Cut(one, ":")
		tag, digit, pinned := strings.Cut(pin, "@")
		fmt.Fprintf(&b, "- name: %s\n  newName: registry.example.com/%s\n", name, name)
		if tag != "" {
			fmt.Fprintf(&b, "  newTag: %s\n", tag)
		}
		if pinned {
			fmt.Fprintf(&b, "  digest: %s\n", digest(digit))
		}
	}
	return b.String()
}

func digest(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// says is a gate, a verifier and a resolver in one, with one answer for each.
type says struct {
	gate, verify promote.Answer
	asked        []string
}

func (s *says) Name() string { return "freeze" }

func (s *says) Check(_ context.Context, q promote.GateRequest) promote.Verdict {
	s.asked = append(s.asked, fmt.Sprintf("%s %s→%s %d", q.Service, q.From, q.To, len(q.Images)))
	return promote.Verdict{Answer: s.gate, Reason: "because"}
}

func (s *says) Verify(_ context.Context, req promote.VerifyRequest, _ func()) ([]promote.Verification, error) {
	return []promote.Verification{{Image: req.Images[0], Answer: s.verify, Rule: req.Policy}}, nil
}

func (s *says) Resolve(_ context.Context, refs []string, _ func()) []promote.Resolution {
	var out []promote.Resolution
	for _, ref := range refs {
		out = append(out, promote.Resolution{Answer: promote.Pass, Digest: digest(ref[len(ref)-1:])})
	}
	return out
}

// once is a history in which production had a digest.
func once(digit string, err error) func(context.Context, []string, string, func(history.Change) bool) error {
	return func(_ context.Context, services []string, environment string, visit func(history.Change) bool) error {
		if digit != "" && environment == "production" {
			visit(history.Change{Service: services[0], Commit: "0123456789abcdef", Images: []history.ImageChange{{Name: "cart", Old: history.Pin{Digest: digest(digit)}}}})
		}
		return err
	}
}

// words are the changes of a report, a line each, and its answer.
func words(r *check.Report) string {
	var out []string
	for _, c := range r.Changes {
		line := fmt.Sprintf("%s %s→%s %s", c.Name, c.Old.Short(), c.New.Short(), c.Kind)
		for _, v := range c.Verdicts {
			line += " " + v.Gate + "=" + string(v.Answer)
		}
		out = append(out, line)
	}
	return strings.Join(append(out, string(r.Answer())), "\n")
}

func TestCheck(t *testing.T) {
	cut := &history.Truncated{Commit: "0123456789abcdef"}
	v1, v2, v9 := images("cart:v1@1"), images("cart:v2@2"), images("cart:v9@9")
	for _, tc := range []struct {
		name, pipeline string
		before, after  tree
		history        func(context.Context, []string, string, func(history.Change) bool) error
		says           *says
		want           string
	}{
		{"nothing", plain, commit(v2, v1), commit(v2, v1), nil, nil, "pass"},
		{"promotion", plain, commit(v2, v1), commit(v2, v2), nil, nil, "cart v1→v2 promotion source=pass\npass"},
		{"from nowhere", plain, commit(v2, v1), commit(v2, v9), once("", nil), nil, "cart v1→v9 foreign source=fail\nfail"},
		{"both at once", plain, commit(v1, v1), commit(v2, v2), once("", nil), nil, "cart v1→v2 entry\ncart v1→v2 foreign source=fail\nfail"},
		{"rollback", plain, commit(v2, v1), commit(v2, images("cart:v0@0")), once("0", nil), nil, "cart v1→v0 rollback source=pass\npass"},
		{"cut off", plain, commit(v2, v1), commit(v2, v9), once("", cut), nil, "cart v1→v9 foreign source=unknown\nunknown"},
		{"cut off behind it", plain, commit(v2, v1), commit(v2, v9), once("9", cut), nil, "cart v1→v9 rollback source=pass\npass"},
		{"no history", plain, commit(v2, v1), commit(v2, v9), nil, nil, "cart v1→v9 foreign source=unknown\nunknown"},
		{"entry", plain, commit(v1, v1), commit(v2, v1), once("", nil), nil, "cart v1→v2 entry\npass"},
		{"tag", plain, commit(v2, v1), commit(v2, images("cart:v2")), nil, nil, "cart v1→v2 mutable pin=fail\nfail"},
		{"tag where tags are pinned", byTag, commit(images("cart:v2"), images("cart:v1")), commit(images("cart:v2"), images("cart:v2")), nil, &says{}, "cart v1→v2 promotion source=pass\npass"},
		{"other tag there", byTag, commit(images("cart:v2"), images("cart:v1")), commit(images("cart:v2"), images("cart:v9")), once("", nil), &says{}, "cart v1→v9 foreign source=fail\nfail"},
		{"moving tag there", byTag, commit(images("cart:staging"), images("cart:v1")), commit(images("cart:staging"), images("cart:staging")), nil, &says{}, "cart v1→staging mutable pin=fail\nfail"},
		{"tag without a registry", byTag, commit(images("cart:v2"), images("cart:v1")), commit(images("cart:v2"), images("cart:v2")), nil, nil, "cart v1→v2 mutable resolve=unknown\nunknown"},
		{"latest", plain, commit(v2, v1), commit(v2, images("cart:latest@2")), nil, nil, "cart v1→latest promotion source=pass\npass"},
		{"another tag of the digest", plain, commit(v2, v1), commit(v2, images("cart:other@1")), nil, nil, "cart v1→other retag pin=pass\npass"},
		{"another repository", plain, commit(v2, v1), commit(v2, strings.Replace(v1, "registry.example.com", "evil.example.com", 1)), once("", nil), nil, "cart v1→v1 foreign source=fail\nfail"},
		{"one more", plain, commit(images("cart:v2@2", "proxy:v3@3"), v2), commit(images("cart:v2@2", "proxy:v3@3"), images("cart:v2@2", "proxy:v3@3")), nil, nil, "proxy none→v3 promotion source=pass\npass"},
		{"one less", plain, commit(images("cart:v2@2", "proxy:v3@3"), images("cart:v2@2", "proxy:v3@3")), commit(images("cart:v2@2", "proxy:v3@3"), v2), nil, nil, "proxy v3→none removal pin=fail\nfail"},
		{"one less as in the source", plain, commit(v2, images("cart:v2@2", "proxy:v3@3")), commit(v2, v2), nil, nil, "proxy v3→none removal pin=pass\npass"},
		{"all gone", plain, commit(v2, v1), commit(v2, ""), nil, nil, "cart v1→none removal pin=pass\npass"},
		{"new overlay", plain, commit(v2, ""), commit(v2, v2), nil, nil, "cart none→v2 promotion source=pass\npass"},
		{"broken", plain, commit(v2, v1), commit(v2, "images: ["), nil, nil, " none→none unread read=unknown\nunknown"},
		{"no longer broken", plain, commit(v2, "images: ["), commit(v2, v2), nil, nil, "cart none→v2 promotion source=pass\npass"},
		{"source broken", plain, commit("images: [", v1), commit("images: [", v2), once("", nil), nil, "cart v1→v2 foreign source=unknown\nunknown"},
		{"gates wait", gated, commit(v2, v1), commit(v2, v2), nil, &says{gate: promote.Wait, verify: promote.Pass}, "cart v1→v2 promotion source=pass verify=pass promoted=pass freeze=wait\nwait"},
		{"policy says no", gated, commit(v2, v1), commit(v2, v2), nil, &says{gate: promote.Wait, verify: promote.Fail}, "cart v1→v2 promotion source=pass verify=fail promoted=fail freeze=wait\nfail"},
		{"rollback asks the policy alone", gated, commit(v2, v1), commit(v2, v9), once("9", nil), &says{gate: promote.Wait, verify: promote.Pass}, "cart v1→v9 rollback source=pass verify=pass\npass"},
		{"nobody to ask", gated, commit(v2, v1), commit(v2, v2), nil, nil, "cart v1→v2 promotion source=pass verify=unknown promoted=unknown freeze=unknown exec=unknown\nunknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := pipeline.Parse("promotion.yaml", []byte(tc.pipeline))
			if err != nil {
				t.Fatal(err)
			}
			c := &check.Checker{Promoter: &promote.Promoter{Pipeline: p}, History: tc.history}
			if s := tc.says; s != nil {
				c.Resolver, c.Verifier = s, s
				c.Gates = func(*pipeline.Environment) ([]promote.Gate, error) { return []promote.Gate{s}, nil }
				if tc.pipeline != gated {
					c.Gates = nil
				}
			}
			r, err := c.Check(context.Background(), check.Request{Before: tc.before, After: tc.after, Rules: tc.before, Files: differ(tc.before, tc.after)})
			if err != nil {
				t.Fatal(err)
			}
			if got := words(r); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// Whatever gates read is a rule, and --strict refuses a change of it. A file that a command
// is given behind --file=, keys beside a policy in the root, and holds were no rules, nor was
// a policy of which the change leaves nothing.
func TestRules(t *testing.T) {
	p, err := pipeline.Parse("promotion.yaml", []byte(head+"  environments:\n  - name: staging\n  - name: production\n    from: [staging]\n    verify: {policy: images.yaml}\n"+
		"    gates:\n    - policy: {rego: rules/gate.rego}\n    - exec: {command: [bash, --file=hack/gate.sh]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	before := commit(images("cart:v2@2"), images("cart:v1@1"))
	for name, text := range map[string]string{"images.yaml": "authorities: [{key: cosign.pub}]", "cosign.pub": "a key", "rules/gate.rego": "deny", "hack/gate.sh": "exit 1", "promotion.holds.yaml": "apiVersion: kubepromote.dev/v1alpha1\nkind: Holds\nholds: []\n", "README.md": "more"} {
		before.MapFS[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for name, rule := range map[string]bool{"images.yaml": true, "cosign.pub": true, "rules/gate.rego": true, "hack/gate.sh": true, "promotion.holds.yaml": true, "CODEOWNERS": true, "README.md": false} {
		after := before
		after.MapFS = maps.Clone(before.MapFS)
		after.MapFS[name] = &fstest.MapFile{}
		c := &check.Checker{Promoter: &promote.Promoter{Pipeline: p}}
		r, err := c.Check(context.Background(), check.Request{Before: before, After: after, Rules: before, Files: differ(before, after)})
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(r.Rules, name); got != rule || len(r.Rules) > 1 {
			t.Errorf("%s: rules are %q", name, r.Rules)
		}
	}
}

// A policy that is named takes the place of the pipeline's, and is asked where that has none.
func TestPolicy(t *testing.T) {
	p, err := pipeline.Parse("promotion.yaml", []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	before, after := commit(images("cart:v2@2"), images("cart:v1@1")), commit(images("cart:v2@2"), images("cart:v2@2"))
	c := &check.Checker{Promoter: &promote.Promoter{Pipeline: p, Verifier: &says{verify: promote.Fail}}}
	r, err := c.Check(context.Background(), check.Request{Before: before, After: after, Rules: before, Policy: "named.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := words(r), "cart v1→v2 promotion source=pass verify=fail\nfail"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// differ gives the files that differ, as git would.
func differ(before, after tree) []history.FileVersion {
	var out []history.FileVersion
	for _, t := range []tree{before, after} {
		for name := range t.MapFS {
			old, err := before.ReadFile(name)
			now, nerr := after.ReadFile(name)
			if (string(old) != string(now) || (err == nil) != (nerr == nil)) && !slices.ContainsFunc(out, func(v history.FileVersion) bool { return v.Path == name }) {
				out = append(out, history.FileVersion{Path: name})
			}
		}
	}
	return out
}

// The images of a service are one question to a gate, and what is refused for its source is
// none.
func TestGatesAreAskedOnce(t *testing.T) {
	p, err := pipeline.Parse("promotion.yaml", []byte(gated))
	if err != nil {
		t.Fatal(err)
	}
	s := &says{gate: promote.Pass, verify: promote.Pass}
	c := &check.Checker{Promoter: &promote.Promoter{Pipeline: p, Verifier: s}, History: once("", nil)}
	c.Gates = func(*pipeline.Environment) ([]promote.Gate, error) { return []promote.Gate{s}, nil }
	before := commit(images("cart:v2@2", "proxy:v2@2", "cron:v2@2"), images("cart:v1@1", "proxy:v1@1", "cron:v1@1"))
	after := commit(images("cart:v2@2", "proxy:v2@2", "cron:v2@2"), images("cart:v2@2", "proxy:v2@2", "cron:v9@9"))
	if _, err := c.Check(context.Background(), check.Request{Before: before, After: after, Rules: before, Files: differ(before, after)}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"cart staging→production 2"}; !slices.Equal(s.asked, want) {
		t.Errorf("asked %q, want %q", s.asked, want)
	}
}

// What is beside pins is told to the line, and rules apart from it.
func TestBesidePins(t *testing.T) {
	p, err := pipeline.Parse("promotion.yaml", []byte(gated))
	if err != nil {
		t.Fatal(err)
	}
	before, after := commit(images("cart:v2@2"), images("cart:v1@1")), commit(images("cart:v2@2"), images("cart:v2@2")+"namePrefix: x-\n")
	add := func(t tree, name, text string) {
		data := tree{t.MapFS}
		data.MapFS[name] = commit(text, "").MapFS["apps/cart/overlays/staging/kustomization.yaml"]
	}
	for _, name := range []string{"freeze.yaml", "policies/keys/a.pub", "hack/gate.sh", ".github/CODEOWNERS", "docs/a.md", "bin/a"} {
		add(before, name, "one\ntwo\n")
		add(after, name, "one\ndeux\n")
	}
	add(after, "bin/a", "one\x00")
	add(before, "gone.md", "gone\n")
	c := &check.Checker{Promoter: &promote.Promoter{Pipeline: p}}
	r, err := c.Check(context.Background(), check.Request{Before: before, After: after, Rules: before, Files: differ(before, after)})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{".github/CODEOWNERS", "freeze.yaml", "hack/gate.sh", "policies/keys/a.pub"}; !slices.Equal(r.Rules, want) {
		t.Errorf("rules %q, want %q", r.Rules, want)
	}
	want := []check.Place{{File: "apps/cart/overlays/production/kustomization.yaml", Line: 6}, {File: "bin/a"}, {File: "docs/a.md", Line: 2}, {File: "gone.md"}}
	if !slices.Equal(r.Along, want) {
		t.Errorf("along %+v, want %+v", r.Along, want)
	}
}

func TestUnknownNames(t *testing.T) {
	p, err := pipeline.Parse("promotion.yaml", []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	c := &check.Checker{Promoter: &promote.Promoter{Pipeline: p}}
	same := commit(images("cart:v2@2"), images("cart:v1@1"))
	for _, req := range []check.Request{{Services: []string{"crat"}}, {Environments: []string{"prod"}}} {
		req.Before, req.After, req.Rules = same, same, same
		if _, err := c.Check(context.Background(), req); !errors.Is(err, promote.ErrUsage) {
			t.Errorf("%+v: got %v, want an error of usage", req, err)
		}
	}
}

// What is held stays where it is, by the file of the base; a rollback goes past that, aloud.
func TestHolds(t *testing.T) {
	const file = "apiVersion: kubepromote.dev/v1alpha1\nkind: Holds\nholds:\n"
	p, err := pipeline.Parse("promotion.yaml", []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	v1, v2 := images("cart:v1@1"), images("cart:v2@2")
	for _, tc := range []struct {
		name, holds   string
		before, after tree
		want, warning string
	}{
		{"held", "- {service: cart, environment: production, reason: it loses orders, by: Ada, since: 2026-01-01}\n", commit(v2, v1), commit(v2, v2), "cart v1→v2 promotion source=pass hold=fail\nfail", ""},
		{"for a while", "- {environment: production, reason: wait, by: Ada, since: 2026-01-01, until: 2126-01-01}\n", commit(v2, v1), commit(v2, v2), "cart v1→v2 promotion source=pass hold=wait\nwait", ""},
		{"elsewhere", "- {service: cart, environment: staging, reason: wait, by: Ada, since: 2026-01-01}\n", commit(v2, v1), commit(v2, v2), "cart v1→v2 promotion source=pass\npass", ""},
		{"a rollback", "- {service: cart, reason: broken, by: Ada, since: 2026-01-01}\n", commit(v2, v1), commit(v2, images("cart:v0@0")), "cart v1→v0 rollback source=pass\npass",
			"cart in production: held since 2026-01-01 00:00Z by Ada: broken; a rollback goes past that"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rules := tree{fstest.MapFS{"promotion.holds.yaml": &fstest.MapFile{Data: []byte(file + tc.holds)}}}
			for name, f := range tc.before.MapFS {
				rules.MapFS[name] = f
			}
			c := &check.Checker{Promoter: &promote.Promoter{Pipeline: p}, History: once("0", nil)}
			r, err := c.Check(t.Context(), check.Request{Before: tc.before, After: tc.after, Rules: rules, Files: []history.FileVersion{{Path: "apps/cart/overlays/production/kustomization.yaml"}}})
			if err != nil {
				t.Fatal(err)
			}
			if got := words(r); got != tc.want || strings.Join(r.Warnings, "; ") != tc.warning {
				t.Errorf("%s\n%q, want\n%s\n%q", got, r.Warnings, tc.want, tc.warning)
			}
		})
	}
}
