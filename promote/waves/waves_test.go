package waves_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/waves"
)

func parse(t testing.TB, services string) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.Parse("promotion.yaml", []byte("apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  environments:\n  - name: staging\n"+
		"  - {name: prod-eu, from: [staging], group: production}\n  - {name: prod-us, from: [staging], group: production}\n  services:\n"+services))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const shop = "  - {name: web, dependsOn: [cart, search]}\n  - {name: cart, dependsOn: [inventory]}\n  - {name: search}\n  - {name: inventory, dependsOn: [database]}\n"

func TestOf(t *testing.T) {
	for _, c := range []struct{ asked, want string }{
		{"web cart search inventory database", "database,search | inventory | cart | web"},
		{"web inventory", "inventory | web"}, // through cart
		{"web search other", "search,other | web"},
		{"search other", "search,other"},
		{"web", "web"},
		{"", ""},
	} {
		var got []string
		for _, wave := range waves.Of(parse(t, shop), strings.Fields(c.asked)) {
			got = append(got, strings.Join(wave, ","))
		}
		if text := strings.Join(got, " | "); text != c.want {
			t.Errorf("%q: %s, want %s", c.asked, text, c.want)
		}
	}
}

// In no wave does a service come before one that it depends on, whatever the graph.
func TestOfAnyGraph(t *testing.T) {
	for seed := range 200 {
		var lines, names []string
		on := map[string][]string{}
		for n := range 12 {
			name := fmt.Sprintf("s%d", n)
			for m := range n {
				if (seed*7919+n*131+m*17)%5 == 0 {
					on[name] = append(on[name], fmt.Sprintf("s%d", m))
				}
			}
			names = append(names, name)
			lines = append(lines, fmt.Sprintf("  - {name: %s, dependsOn: [%s]}\n", name, strings.Join(on[name], ", ")))
		}
		at := map[string]int{}
		for n, wave := range waves.Of(parse(t, strings.Join(lines, "")), names) {
			if len(wave) == 0 {
				t.Fatalf("seed %d: wave %d is empty", seed, n)
			}
			for _, s := range wave {
				at[s] = n + 1
			}
		}
		for s, all := range on {
			for _, other := range all {
				if at[s] <= at[other] || at[other] == 0 {
					t.Errorf("seed %d: %s in %d depends on %s in %d", seed, s, at[s], other, at[other])
				}
			}
		}
	}
}

func TestSteps(t *testing.T) {
	p := parse(t, shop)
	targets, err := p.Targets([]string{"production"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range waves.Steps(p, []string{"cart", "inventory"}, targets) {
		got = append(got, s.String()+": "+strings.Join(s.Services, ","))
	}
	if text := strings.Join(got, "\n"); text != "wave 1 of 2 in prod-eu: inventory\nwave 2 of 2 in prod-eu: cart\nwave 1 of 2 in prod-us: inventory\nwave 2 of 2 in prod-us: cart" {
		t.Error(text)
	}
	if one := waves.Steps(p, []string{"web"}, targets[:1]); len(one) != 1 || one[0].String() != "prod-eu" {
		t.Errorf("%v", one)
	}
}

// asked is a health that gives one answer after the other, and a clock.
type asked struct {
	answers []promote.Verdict
	log     []string
	now     time.Time
	limit   time.Time
}

func (a *asked) Health(_ context.Context, services []string, environment string) promote.Verdict {
	v := a.answers[0]
	if len(a.answers) > 1 {
		a.answers = a.answers[1:]
	}
	a.log = append(a.log, fmt.Sprintf("%s in %s? %s", strings.Join(services, ","), environment, v.Answer))
	return v
}

func (a *asked) sleep(_ context.Context, d time.Duration) error {
	a.log = append(a.log, "sleep "+d.String())
	if a.now = a.now.Add(d); !a.limit.IsZero() && a.now.After(a.limit) {
		return context.DeadlineExceeded
	}
	return nil
}

func TestRun(t *testing.T) {
	begin := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	says := func(answers ...promote.Answer) (all []promote.Verdict) {
		for _, a := range answers {
			all = append(all, promote.Verdict{Answer: a, Reason: "as it is"})
		}
		return all
	}
	for _, c := range []struct {
		name    string
		answers []promote.Verdict
		deliver func(s waves.Step) (bool, error)
		limit   time.Duration
		want    string
		err     string
		answer  promote.Answer
	}{
		{name: "healthy after a while", answers: append(says(promote.Wait, promote.Wait), says(promote.Pass)...),
			want: "deliver inventory, inventory in prod-eu? wait, sleep 5s, inventory in prod-eu? wait, sleep 5s, inventory in prod-eu? pass, deliver cart"},
		{name: "when it says when", answers: append([]promote.Verdict{{Answer: promote.Wait, Until: begin.Add(10 * time.Minute)}, {Answer: promote.Wait, Until: begin.Add(31 * time.Second)}}, says(promote.Pass)...),
			want: "deliver inventory, inventory in prod-eu? wait, sleep 30s, inventory in prod-eu? wait, sleep 1s, inventory in prod-eu? pass, deliver cart"},
		{name: "ill", answers: says(promote.Fail), want: "deliver inventory, inventory in prod-eu? fail",
			err: "wave 1 of 2 in prod-eu is delivered: as it is; not delivered: wave 2 of 2 in prod-eu (cart)", answer: promote.Fail},
		{name: "for a moment nobody knows", answers: says(promote.Unknown, promote.Unknown, promote.Pass),
			want: "deliver inventory, inventory in prod-eu? unknown, sleep 5s, inventory in prod-eu? unknown, sleep 5s, inventory in prod-eu? pass, deliver cart"},
		{name: "nobody knows", answers: says(promote.Unknown), want: "deliver inventory" + strings.Repeat(", inventory in prod-eu? unknown, sleep 5s", 4) + ", inventory in prod-eu? unknown",
			err: "wave 1 of 2 in prod-eu is delivered: as it is; not delivered: wave 2 of 2 in prod-eu (cart)", answer: promote.Unknown},
		{name: "no time left", answers: says(promote.Wait), limit: 7 * time.Second, want: "deliver inventory, inventory in prod-eu? wait, sleep 5s, inventory in prod-eu? wait, sleep 5s",
			err: "wave 1 of 2 in prod-eu is delivered: as it is; not delivered: wave 2 of 2 in prod-eu (cart)", answer: promote.Wait},
		{name: "the first is refused", answers: says(promote.Pass), deliver: func(waves.Step) (bool, error) { return false, nil }, want: "deliver inventory"},
		{name: "the first goes wrong", answers: says(promote.Pass), deliver: func(waves.Step) (bool, error) { return false, errors.New("git is gone") }, want: "deliver inventory", err: "git is gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &asked{answers: c.answers, now: begin}
			if c.limit > 0 {
				a.limit = begin.Add(c.limit)
			}
			r := waves.Runner{Health: a, Now: func() time.Time { return a.now }, Sleep: a.sleep}
			r.Deliver = func(_ context.Context, s waves.Step) (bool, error) {
				a.log = append(a.log, "deliver "+strings.Join(s.Services, ","))
				if c.deliver != nil {
					return c.deliver(s)
				}
				return true, nil
			}
			p := parse(t, shop)
			targets, _ := p.Targets([]string{"prod-eu"})
			err := r.Run(t.Context(), waves.Steps(p, []string{"cart", "inventory"}, targets))
			if text := strings.Join(a.log, ", "); text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
			if got := fmt.Sprint(err); err != nil && got != c.err || err == nil && c.err != "" {
				t.Errorf("%s, want %s", got, c.err)
			}
			var s *waves.Stopped
			if errors.As(err, &s) != (c.answer != "") || s != nil && s.Verdict.Answer != c.answer {
				t.Errorf("%+v", s)
			}
		})
	}
}

// sees is a gate that knows how services are.
type sees map[string]promote.Verdict

func (sees) Name() string { return "health" }

func (s sees) Check(_ context.Context, q promote.GateRequest) promote.Verdict {
	v := s[q.Service]
	v.Reason += fmt.Sprintf(" (%s of %s at %s)", q.From, q.Images[0].New.Tag, q.Head)
	return v
}

func TestGate(t *testing.T) {
	plan := &promote.Plan{To: "prod-eu"}
	for _, s := range []string{"cart", "web"} {
		plan.Services = append(plan.Services, &promote.ServicePlan{Service: s, Images: []promote.ImagePlan{{Name: s, New: promote.Pin{Tag: "v2"}}}})
	}
	for _, c := range []struct {
		name string
		sees sees
		want string
	}{
		{"all", sees{"cart": {Answer: promote.Pass, Reason: "well"}, "web": {Answer: promote.Pass, Reason: "well"}}, "pass: cart: well (prod-eu of v2 at abc); web: well (prod-eu of v2 at abc)"},
		{"one rolls out", sees{"cart": {Answer: promote.Pass}, "web": {Answer: promote.Wait, Reason: "1 of 3"}}, "wait: web: 1 of 3 (prod-eu of v2 at abc)"},
		{"one is ill", sees{"cart": {Answer: promote.Fail, Reason: "it crashes"}, "web": {Answer: promote.Unknown}}, "fail: cart: it crashes (prod-eu of v2 at abc)"},
		{"nobody knows where", nil, `unknown: environment "prod-eu" does not say where its health is seen`},
	} {
		g := &waves.Gate{Now: time.Now, Of: func(string) (promote.Gate, error) {
			if c.sees == nil {
				return nil, nil
			}
			return c.sees, nil
		}}
		g.Delivered(plan, "abc")
		v := g.Health(t.Context(), []string{"cart", "web"}, "prod-eu")
		if got := string(v.Answer) + ": " + v.Reason; got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// What was not delivered, as it is in no plan or was refused, is not looked at, and so
// nothing says that it is healthy. A wave of it alone passed.
func TestGateOfWhatWasNotDelivered(t *testing.T) {
	plan := &promote.Plan{To: "prod-eu", Services: []*promote.ServicePlan{
		{Service: "cart", Images: []promote.ImagePlan{{Name: "cart"}}},
		{Service: "held", Images: []promote.ImagePlan{{Name: "held"}}, Verdicts: []promote.Verdict{{Gate: "hold", Answer: promote.Fail}}},
	}}
	g := &waves.Gate{Now: time.Now, Of: func(string) (promote.Gate, error) {
		return sees{"cart": {Answer: promote.Pass}, "held": {Answer: promote.Pass}}, nil
	}}
	g.Delivered(plan, "abc")
	for _, service := range []string{"held", "in-no-plan"} {
		for _, asked := range [][]string{{service}, {"cart", service}} {
			if v := g.Health(t.Context(), asked, "prod-eu"); v.Answer != promote.Unknown || v.Reason != service+": it was not delivered" {
				t.Errorf("%v: %s: %s", asked, v.Answer, v.Reason)
			}
		}
	}
}

// told answers what it is told to, and is over in the end.
type told struct {
	say []promote.Verdict
	end func()
}

func (a *told) Health(context.Context, []string, string) promote.Verdict {
	v := a.say[0]
	if a.say = a.say[1:]; len(a.say) == 0 {
		a.end()
	}
	return v
}

// Whoever is asked just when the time is over cannot say: what it waited for is what counts.
// The exit status was that of something unknown.
func TestTimeIsOverWhileAsking(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	over := &expired{Context: ctx}
	h := &told{[]promote.Verdict{{Answer: promote.Wait, Reason: "not merged"}, {Answer: promote.Unknown, Reason: "no answer in time"}}, func() { over.now = true }}
	r := waves.Runner{Health: h, Now: time.Now, Sleep: func(context.Context, time.Duration) error { return nil },
		Deliver: func(context.Context, waves.Step) (bool, error) { return true, nil }}
	err := r.Run(over, []waves.Step{{Environment: "eu", Services: []string{"cart"}}, {Environment: "us", Services: []string{"cart"}}})
	var stopped *waves.Stopped
	if !errors.As(err, &stopped) || stopped.Verdict.Answer != promote.Wait {
		t.Errorf("%v", err)
	}
}

type expired struct {
	context.Context
	now bool
}

func (e *expired) Err() error {
	if e.now {
		return context.DeadlineExceeded
	}
	return nil
}

func TestContradictions(t *testing.T) {
	p := parse(t, shop)
	e, err := p.Environment("prod-eu")
	if err != nil {
		t.Fatal(err)
	}
	sites := pipeline.ByService{}
	for _, s := range []string{"cart", "inventory", "web", "search"} {
		sites[s] = map[string][]pipeline.Site{"prod-eu": {{Service: s, Environment: "prod-eu", Path: "apps/" + s + "/overlays/prod-eu"}}}
	}
	sites["search"]["prod-eu"][0].Path = "argocd/search.yaml"
	app := func(name, wave, path string) string {
		return fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: %s\n  annotations: {argocd.argoproj.io/sync-wave: %q}\nspec: {source: {path: %s}}\n", name, wave, path)
	}
	flux := func(name, path, on string) string {
		return fmt.Sprintf("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: %s, namespace: flux-system}\nspec: {path: %s, dependsOn: [%s]}\n", name, path, on)
	}
	for _, c := range []struct {
		name  string
		files []waves.File
		want  []string
	}{
		{"the same order", []waves.File{{"a.yaml", []byte(app("c", "2", "apps/cart/overlays/prod-eu") + "---\n" + app("i", "1", "apps/inventory/overlays/prod-eu"))}}, nil},
		{"the same wave", []waves.File{{"a.yaml", []byte(app("c", "1", "apps/cart/overlays/prod-eu") + "---\n" + app("i", "1", "apps/inventory/overlays/prod-eu"))}}, nil},
		{"the other way round", []waves.File{{"a.yaml", []byte("# apps\n" + app("c", "-1", "apps/cart/overlays/prod-eu") + "---\n" + app("i", "3", "apps/inventory/overlays/prod-eu"))}},
			[]string{"a.yaml:2: cart is in sync wave -1, and inventory, which it depends on, in 3 (a.yaml:9)"}},
		{"through others", []waves.File{{"argocd/search.yaml", []byte(app("s", "1", "charts/search"))}, {"b.yaml", []byte(app("w", "0", "apps/web/overlays/prod-eu"))}},
			[]string{"b.yaml:1: web is in sync wave 0, and search, which it depends on, in 1 (argocd/search.yaml:1)"}},
		{"flux waits", []waves.File{{"f.yaml", []byte(flux("inventory", "./apps/inventory/overlays/prod-eu", "{name: cart}") + "---\n" + flux("cart", "./apps/cart/overlays/prod-eu", ""))}},
			[]string{`f.yaml:1: Kustomization "inventory" waits for that of cart, and cart depends on inventory (f.yaml:6)`}},
		{"flux waits for another namespace's", []waves.File{{"f.yaml", []byte(flux("inventory", "./apps/inventory/overlays/prod-eu", "{name: cart, namespace: other}") + "---\n" + flux("cart", "./apps/cart/overlays/prod-eu", ""))}}, nil},
		{"what cannot be read", []waves.File{{"a.yaml", []byte("kind: Application\n\tx: [")}, {"b.yaml", []byte("Application: 1\nmetadata: [1]\n")}}, nil},
	} {
		if got := waves.Contradictions(p, e, sites, c.files); strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// Two services, of which one depends on the other, go in two waves.
func ExampleOf() {
	p, err := pipeline.Parse("promotion.yaml", []byte(`apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments: [{name: staging}, {name: production, from: [staging]}]
  services:
  - {name: payments, dependsOn: [inventory]}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for n, wave := range waves.Of(p, []string{"payments", "web", "inventory"}) {
		fmt.Println(n+1, wave)
	}
	// Output:
	// 1 [inventory web]
	// 2 [payments]
}
