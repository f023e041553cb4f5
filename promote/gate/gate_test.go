package gate

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// friday is the moment that gates are asked about: the end of November, at 16:30 in Zurich.
var friday = time.Date(2026, 11, 27, 15, 30, 0, 0, time.UTC)

func sha(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// cart is what gates are asked about.
func cart() promote.GateRequest {
	return promote.GateRequest{
		Service: "cart", Labels: map[string]string{"tier": "gold"}, From: "staging", To: "production", Head: "c1", Now: friday,
		Services: []string{"cart", "web"},
		Images: []promote.ImagePlan{{Name: "cart", Repository: "shop/cart", File: "prod.yaml",
			Old: promote.Pin{Tag: "v1"}, New: promote.Pin{Tag: "v2", Digest: sha("2")}}},
	}
}

// memory is a tree of files.
type memory struct{ fstest.MapFS }

func (m memory) ReadAny(string, []string) (promote.Found, error) {
	return promote.Found{}, fs.ErrNotExist
}

func tree(files ...string) memory {
	m := memory{fstest.MapFS{}}
	for i := 0; i < len(files); i += 2 {
		m.MapFS[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return m
}

// gates are those that a pipeline file with this list has before production.
func gates(t testing.TB, list string, d Deps) []promote.Gate {
	t.Helper()
	text := "apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  environments:\n  - {name: dev}\n  - {name: staging, from: [dev]}\n  - name: production\n    from: [staging]\n    gates:\n"
	for line := range strings.Lines(strings.TrimSpace(list) + "\n") {
		text += "    " + line
	}
	p, err := pipeline.Parse("promotion.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	all, err := Of(d)(&p.Spec.Environments[2])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// outline is a verdict in short.
func outline(v promote.Verdict) string {
	text := fmt.Sprintf("%s: %s", v.Answer, v.Text())
	if v.Answer == promote.Wait && !v.Until.IsZero() {
		text += " [" + v.Until.UTC().Format("01-02 15:04") + "]"
	}
	if v.Override != "" {
		text += " (" + v.Override + ")"
	}
	if v.Hint != "" {
		text += "; hint: " + v.Hint
	}
	if v.Advice.Do != "" {
		text += "; " + string(v.Advice.Do)
	}
	return text
}

// ask asks the one gate of a list.
func ask(t testing.TB, list string, d Deps, q promote.GateRequest) string {
	t.Helper()
	return outline(gates(t, list, d)[0].Check(t.Context(), q))
}

func want(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n\t%s\nwant\n\t%s", got, want)
	}
}

func TestManual(t *testing.T) {
	d := Deps{}
	want(t, ask(t, "- manual: {}", d, cart()), "wait: somebody has to say yes on a terminal: is cart to go to production?; confirm")
	want(t, ask(t, "- manual: {question: 'did support say yes?'}", d, cart()), "wait: somebody has to say yes on a terminal: did support say yes?; confirm")
	d.Confirmed = func(q promote.GateRequest) bool { return q.Images[0].New.Digest == sha("2") }
	want(t, ask(t, "- manual: {}", d, cart()), "pass: is cart to go to production? yes, on a terminal")
	other := cart()
	other.Images[0].New.Digest = sha("3")
	want(t, ask(t, "- manual: {}", d, other), "wait: somebody has to say yes on a terminal: is cart to go to production?; confirm")
}

// How a gate is asked is the same for all kinds.
func TestHowGatesAreAsked(t *testing.T) {
	yes := Deps{Confirmed: func(promote.GateRequest) bool { return true }}
	for _, tc := range []struct {
		name, list string
		deps       Deps
		want       string
	}{
		{"when it applies", "- {manual: {}, when: labels.tier == 'gold' && service == 'cart' && environment == 'production' && from == 'staging'}", Deps{},
			"wait: somebody has to say yes on a terminal: is cart to go to production?; confirm"},
		{"when it does not", "- {manual: {}, when: labels.tier == 'lead'}", Deps{}, "pass: not asked, as labels.tier == 'lead' does not hold"},
		{"by images", "- {manual: {}, when: \"images.exists(i, i.repository == 'shop/cart' && i.tag == 'v2' && i.oldTag == 'v1' && i.digest.startsWith('sha256:2'))\"}", yes,
			"pass: is cart to go to production? yes, on a terminal"},
		{"when nobody can tell", "- {manual: {}, when: labels.team == 'money'}", yes,
			`unknown: when labels.team == 'money': no such key: team; hint: "tier" in labels && labels.tier == "gold"`},
		{"warnOnly", "- {manual: {}, warnOnly: true}", Deps{}, "pass: somebody has to say yes on a terminal: is cart to go to production? (warnOnly in the pipeline); confirm"},
		{"warnOnly that passes", "- {manual: {}, warnOnly: true}", yes, "pass: is cart to go to production? yes, on a terminal"},
		{"overridable", "- {exec: {command: [true]}, overridable: true, name: tests}", Deps{}, "unknown: there is no working tree to run a command in; override"},
		{"anyOf passes", "- anyOf: [{exec: {command: [true]}}, {manual: {}}]", yes, "pass: manual: is cart to go to production? yes, on a terminal"},
		{"anyOf waits", "- anyOf: [{exec: {command: [true]}, name: tests}, {manual: {}}, {freeze: {deny: [{schedule: '0 16 * * 5', duration: 1h, timeZone: Europe/Zurich}]}}]", Deps{},
			"wait: none passes: tests: unknown: there is no working tree to run a command in; manual: wait: somebody has to say yes on a terminal: is cart to go to production?; freeze: wait: frozen until 2026-11-27 17:00 CET [11-27 16:00]; confirm"},
		{"anyOf is unknown", "- anyOf: [{exec: {command: [true]}}, {exec: {command: [false]}, name: second, when: service == 'web'}]", Deps{}, "pass: second: not asked, as service == 'web' does not hold"},
	} {
		t.Run(tc.name, func(t *testing.T) { want(t, ask(t, tc.list, tc.deps, cart()), tc.want) })
	}
}

func TestLimits(t *testing.T) {
	all := gates(t, `
- soak: {for: 10m}
- {manual: {}, timeout: 2m, overridable: true}
- {name: either, anyOf: [{soak: {for: 1h}, timeout: 1s}, {exec: {command: [x]}}]}
- {name: other, timeout: 5s, anyOf: [{soak: {for: 1h}}, {exec: {command: [x]}}]}`, Deps{})
	for i, want := range []string{"soak 30s false", "manual 2m0s true", "either 31s false", "other 5s false"} {
		r := all[i].(*rule)
		if got := fmt.Sprint(r.Name(), " ", r.Limit(), " ", r.Overridable()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A pipeline that nobody has parsed has no gate that would pass by mistake.
func TestNewOfNothing(t *testing.T) {
	for _, cfg := range []pipeline.Gate{
		{}, {Promoted: &pipeline.PromotedGate{}}, {Manual: &pipeline.ManualGate{}, When: "1"}, {HTTP: &pipeline.HTTPGate{Expect: "("}},
		{Freeze: &pipeline.FreezeGate{Deny: []pipeline.Window{{Schedule: "x"}}}}, {Freeze: &pipeline.FreezeGate{TimeZone: "Nowhere"}},
		{Freeze: &pipeline.FreezeGate{Calendar: "freeze.yaml"}}, {AnyOf: []pipeline.Gate{{}}},
	} {
		if g, err := New(cfg, Deps{}); err == nil {
			t.Errorf("%+v: %v", cfg, g)
		}
	}
}

// changes are a history for tests, newest first.
func changes(all ...history.Change) Changes {
	return func(_ context.Context, services []string, environment string, visit func(history.Change) bool) error {
		for _, c := range all {
			for _, s := range services {
				if c.Service == s && c.Environment == environment && !visit(c) {
					return nil
				}
			}
		}
		return nil
	}
}

// change is one of cart's pin in staging, some minutes before friday.
func change(minutes int, old, now promote.Pin) history.Change {
	return history.Change{Service: "cart", Environment: "staging", Time: friday.Add(-time.Duration(minutes) * time.Minute),
		Images: []history.ImageChange{{Name: "cart", Repository: "shop/cart", Old: old, New: now}}}
}
