package planfile_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/planfile"
)

// sample is a plan of two services that are promoted to one environment.
func sample() *planfile.Document {
	item := func(service, tag string, verdicts ...promote.Verdict) planfile.Item {
		file := "apps/" + service + "/production.yaml"
		return planfile.Item{Metadata: planfile.Metadata{Name: service}, Promotion: planfile.Promotion{
			From: "staging", To: "production", Mode: pipeline.DeliverCommit, DryRun: true, Answer: promote.Pass, Changed: true, Head: strings.Repeat("a", 40),
			ServicePlan: &promote.ServicePlan{Service: service, Verdicts: verdicts, Warnings: []string{"old"},
				Files: []promote.FilePlan{{Source: "apps/" + service + "/staging.yaml", Target: file, Diff: "-v0\n+" + tag + "\n"}},
				Images: []promote.ImagePlan{{Name: service, File: file, Repository: "r.example.com/" + service, Old: promote.Pin{Tag: "v0"}, New: promote.Pin{Tag: tag, Digest: "sha256:" + tag},
					Evidence: []promote.Evidence{{Authority: "ci", Kind: "key", KeyID: "k"}}}}},
		}}
	}
	return &planfile.Document{APIVersion: pipeline.APIVersion, Kind: planfile.Kind,
		Head: planfile.Head{
			Request: &planfile.Request{Services: []string{"cart", "web"}, To: []string{"production"}},
			Rules:   []planfile.Rule{{Name: "promotion.yaml", Digest: "sha256:1"}},
			Writes:  []planfile.Write{{To: "production", Path: "apps/cart/production.yaml", Before: "sha256:b", After: "sha256:a"}, {To: "production", Path: "apps/web/production.yaml", Before: "sha256:d", After: "sha256:c"}},
		},
		Items: []planfile.Item{item("cart", "v1", promote.Verdict{Gate: "soak", Answer: promote.Pass}), item("web", "v2")}}
}

func TestCompare(t *testing.T) {
	cart := func(d *planfile.Document) *planfile.Item { return &d.Items[0] }
	for name, tt := range map[string]struct {
		planned, now func(*planfile.Document)
		options      planfile.Options
		want         []string
	}{
		"same": {},
		"reasons, places of evidence and other commits": {now: func(d *planfile.Document) {
			cart(d).Head, cart(d).Verdicts[0].Reason, cart(d).Images[0].Evidence[0].Location = "b", "three hours", "sha256:x"
		}},
		"source": {now: func(d *planfile.Document) {
			cart(d).Images[0].New = promote.Pin{Tag: "v1", Digest: "sha256:9"}
			cart(d).Files[0].Diff, d.Writes[0].After = "other", "sha256:other" // which follow from it
		}, want: []string{`production: cart: image "cart" would become v1@sha256:9 now, and v1@sha256:v1 in the plan`}},
		"target": {now: func(d *planfile.Document) { cart(d).Images[0].Old = promote.Pin{}; d.Writes[0].Before = "sha256:x" },
			want: []string{`production: cart: image "cart" is without a pin now, and was v0 in the plan`, "production: apps/cart/production.yaml: has changed since"}},
		// What an overridden gate says may have the time in it, and the warning has all of that.
		"why a gate that is overridden is not met": {
			planned: func(d *planfile.Document) {
				cart(d).Verdicts = []promote.Verdict{{Gate: "soak", Answer: promote.Pass, Override: "INC-12"}}
				cart(d).Warnings = []string{"NOT met: soak: since 3h; overridden: INC-12"}
			},
			now: func(d *planfile.Document) {
				cart(d).Verdicts = []promote.Verdict{{Gate: "soak", Answer: promote.Pass, Override: "INC-12"}}
				cart(d).Warnings = []string{"NOT met: soak: since 4h; overridden: INC-12"}
			}},
		"who overrides": {
			planned: func(d *planfile.Document) {
				cart(d).Verdicts = []promote.Verdict{{Gate: "soak", Answer: promote.Pass, Override: "INC-12", OverrideBy: "Ada"}}
			},
			now: func(d *planfile.Document) {
				cart(d).Verdicts = []promote.Verdict{{Gate: "soak", Answer: promote.Pass, Override: "INC-12", OverrideBy: "Bob"}}
			}, want: []string{"production: cart: gate soak: overridden: INC-12, by Bob, and in the plan overridden: INC-12, by Ada"}},
		"registry": {now: func(d *planfile.Document) { cart(d).Images[0].Repository = "evil.example.com/cart" },
			want: []string{`production: cart: image "cart" is pulled from evil.example.com/cart now, and from r.example.com/cart in the plan`}},
		"another signer": {now: func(d *planfile.Document) { cart(d).Images[0].Evidence[0].KeyID = "thief" },
			want: []string{`production: cart: image "cart": the evidence is not that of the plan`}},
		"one more image": {now: func(d *planfile.Document) { cart(d).Images = append(cart(d).Images, cart(d).Images[0]) },
			want: []string{"production: cart: has 2 images now, and 1 in the plan"}},
		"another image": {now: func(d *planfile.Document) { cart(d).Images[0].Name = "db" },
			want: []string{`production: cart: image "db" of apps/cart/production.yaml is image "cart" of apps/cart/production.yaml in the plan`}},
		"bytes alone": {now: func(d *planfile.Document) { d.Writes[1].After = "sha256:x" },
			want: []string{"production: apps/web/production.yaml: would be written otherwise than in the plan"}},
		// A link has no bytes of its own, a file that goes is not an empty one, and a mode is
		// more than bytes: before, none of it was compared.
		"another object": {planned: func(d *planfile.Document) { d.Writes[1].Is = "120000 a" }, now: func(d *planfile.Document) { d.Writes[1].Is = "120000 b" },
			want: []string{"production: apps/web/production.yaml: would be written otherwise than in the plan"}},
		"another mode before": {planned: func(d *planfile.Document) { d.Writes[1].Was = "100644 a" }, now: func(d *planfile.Document) { d.Writes[1].Was = "100755 a" },
			want: []string{"production: apps/web/production.yaml: has changed since"}},
		"goes": {now: func(d *planfile.Document) { d.Writes[1].After = "" },
			want: []string{"production: apps/web/production.yaml: would be written otherwise than in the plan"}},
		"one more file": {planned: func(d *planfile.Document) { d.Writes = d.Writes[:1] },
			want: []string{"production: apps/web/production.yaml: would be written, and is not in the plan"}},
		"one file less": {now: func(d *planfile.Document) { d.Writes = d.Writes[:1] },
			want: []string{"production: apps/web/production.yaml: would not be written, and is in the plan"}},
		"written by a run that was interrupted": {now: func(d *planfile.Document) { d.Writes[0].Before = d.Writes[0].After }},
		"values": {now: func(d *planfile.Document) { cart(d).Along = []promote.AlongPlan{{Kind: "value", Name: "x", New: "1"}} },
			want: []string{"production: cart: the values that move along are not those of the plan"}},
		"copies": {now: func(d *planfile.Document) { cart(d).Copies = []promote.CopyPlan{{Source: "a", Target: "b"}} },
			want: []string{"production: cart: the files that are copied are not those of the plan"}},
		"nothing to do in the plan": {planned: func(d *planfile.Document) { cart(d).Changed = false },
			want: []string{"production: cart: would change, and in the plan it would not"}},
		"new": {planned: func(d *planfile.Document) { d.Items = d.Items[:1] },
			want: []string{"production: web: is new: it is asked for, and is not in the plan"}},
		"new, and has nothing to do": {planned: func(d *planfile.Document) { d.Items, d.Writes = d.Items[:1], d.Writes[:1] },
			now: func(d *planfile.Document) { d.Items[1].Changed, d.Writes = false, d.Writes[:1] }},
		"gone": {now: func(d *planfile.Document) { d.Items = d.Items[:1] }, want: []string{"production: web: is in the plan, and is not there now"}},
		"rules": {now: func(d *planfile.Document) {
			d.Rules = []planfile.Rule{{Name: "promotion.yaml", Digest: "sha256:2"}, {Name: "p.yaml"}}
		},
			want: []string{"promotion.yaml: the rules have changed", "p.yaml: is a rule now, and was not there when it was planned"}},
		"no rules": {now: func(d *planfile.Document) { d.Rules = nil }, want: []string{"promotion.yaml: was a rule when it was planned, and nothing is judged by it now"}},
		"rules from elsewhere": {now: func(d *planfile.Document) { d.Rules[0].Elsewhere = true },
			want: []string{"promotion.yaml: the repository's own in the one case, and a file named in its place in the other"}},
		"from elsewhere": {now: func(d *planfile.Document) { cart(d).From = "dev" }, want: []string{"production: cart: comes from dev now, and from staging in the plan"}},
		"mode":           {now: func(d *planfile.Document) { cart(d).Mode = pipeline.DeliverPush }, want: []string{"production: cart: is delivered by push now, and by commit in the plan"}},
		"mode of a flag": {now: func(d *planfile.Document) { cart(d).Mode = pipeline.DeliverPush }, options: planfile.Options{AnyMode: true}},
		"a gate that waits now": {now: func(d *planfile.Document) {
			cart(d).Verdicts[0].Answer, cart(d).Verdicts[0].Reason = promote.Wait, "too young"
		},
			want: []string{"(verdict) production: cart: gate soak: wait now, and pass in the plan: too young"}},
		"a gate that waits now hides nothing": {now: func(d *planfile.Document) {
			cart(d).Verdicts[0].Answer, cart(d).Files[0].Diff, d.Writes[0].After = promote.Wait, "x", "sha256:x"
		}, want: []string{"(verdict) production: cart: gate soak: wait now, and pass in the plan: ", "production: cart: the files that are read and the changes in them are not those of the plan"}},
		"a wait that is over": {planned: func(d *planfile.Document) { cart(d).Verdicts[0].Answer = promote.Wait }},
		"a no that is over": {planned: func(d *planfile.Document) { cart(d).Verdicts[0].Answer = promote.Fail },
			want: []string{"production: cart: gate soak: pass now, and fail in the plan"}},
		"a no that nobody says any more": {planned: func(d *planfile.Document) { cart(d).Verdicts[0].Answer = promote.Unknown },
			now: func(d *planfile.Document) { cart(d).Verdicts = nil }, want: []string{"production: cart: gate soak: does not say unknown any more"}},
		"an override that nobody has seen": {now: func(d *planfile.Document) { cart(d).Verdicts[0].Override = "because" },
			want: []string{"production: cart: gate soak: overridden: because, and in the plan not overridden"}},
		"a warning more": {now: func(d *planfile.Document) { cart(d).Warnings = []string{"new"} },
			want: []string{"production: cart: there is a warning that the plan has not: new"}},
		"a warning less": {now: func(d *planfile.Document) { cart(d).Warnings = nil }},
		"done already": {now: func(d *planfile.Document) {
			d.Writes = nil
			for n := range d.Items {
				d.Items[n].Changed, d.Items[n].Files[0].Diff = false, ""
			}
		}, options: planfile.Options{Done: []string{"production"}}},
	} {
		t.Run(name, func(t *testing.T) {
			planned, now := sample(), sample()
			if tt.planned != nil {
				tt.planned(planned)
			}
			if tt.now != nil {
				tt.now(now)
			}
			var got []string
			for _, d := range planfile.Compare(planned, now, tt.options) {
				mark := ""
				if d.Verdict {
					mark = "(verdict) "
				}
				got = append(got, mark+d.String())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("\n got %q\nwant %q", got, tt.want)
			}
		})
	}
}

func encode(t testing.TB, d *planfile.Document) string {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDecode(t *testing.T) {
	good := encode(t, sample())
	d, err := planfile.Decode("plan.json", []byte(good))
	if err != nil || encode(t, d) != good {
		t.Fatalf("it does not come back: %v", err)
	}
	change := func(change func(*planfile.Document)) string {
		d := sample()
		change(d)
		return encode(t, d)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"no JSON":         {"apiVersion: x", "is no plan: invalid character 'a' looking for beginning of value"},
		"more behind it":  {good + "{}", "is no plan: invalid character '{' after top-level value"},
		"another kind":    {strings.Replace(good, planfile.Kind, "List", 1), "is no plan: its kind is not PromotionList of kubepromote.dev/v1alpha1"},
		"null":            {"null", "is no plan: its kind is not PromotionList of kubepromote.dev/v1alpha1"},
		"unknown field":   {strings.Replace(good, `"dryRun"`, `"DryRun"`, 1), `is no plan: unknown field "items[0].DryRun"`},
		"twice":           {strings.Replace(good, `"to":`, `"to":["dev"],"to":`, 1), `is no plan: duplicate field "request.to"`},
		"another type":    {strings.Replace(good, `"dryRun":true`, `"dryRun":"yes"`, 1), "is no plan: json: cannot unmarshal string"},
		"no request":      {change(func(d *planfile.Document) { d.Request = nil }), "does not say what was asked for: it is what became of a promotion, or another version has written it"},
		"no items":        {change(func(d *planfile.Document) { d.Items = nil }), "has no items"},
		"an empty item":   {change(func(d *planfile.Document) { d.Items[1] = planfile.Item{} }), "items[1] is of no service and environment, or of one that was there before"},
		"one twice":       {change(func(d *planfile.Document) { d.Items[1] = d.Items[0] }), "items[1] is of no service and environment, or of one that was there before"},
		"another name":    {change(func(d *planfile.Document) { d.Items[1].Metadata.Name = "db" }), "items[1] is of no service and environment, or of one that was there before"},
		"made":            {change(func(d *planfile.Document) { d.Items[0].Commit = "x" }), "items[0] is not the plan of a promotion: it has been made, or is a rollback"},
		"written":         {change(func(d *planfile.Document) { d.Items[0].DryRun = false }), "items[0] is not the plan of a promotion: it has been made, or is a rollback"},
		"a rollback":      {change(func(d *planfile.Document) { d.Items[0].RollbackOf = "x" }), "items[0] is not the plan of a promotion: it has been made, or is a rollback"},
		"too many":        {change(func(d *planfile.Document) { d.Rules = make([]planfile.Rule, 20_001) }), "has more than 20000 items"},
		"too large":       {strings.Repeat(" ", planfile.MaxSize+1), "is larger than 64 MiB"},
		"deep":            {strings.Repeat("[", 20_000), "is no plan: "},
		"control letters": {"\x1b[31m", `is no plan: invalid character`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := planfile.Decode("plan.json", []byte(tt.text))
			if err == nil || !strings.HasPrefix(err.Error(), "plan.json: "+tt.want) || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// What is decoded says the same once more.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(encode(f, sample())))
	f.Add([]byte(`{"apiVersion":"kubepromote.dev/v1alpha1","kind":"PromotionList","request":{"to":[]},"items":[{"to":"a","service":"b","dryRun":true,"metadata":{"name":"b"}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := planfile.Decode("plan.json", data)
		if err != nil {
			return
		}
		again, err := planfile.Decode("plan.json", []byte(encode(t, d)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := planfile.Compare(d, again, planfile.Options{}); len(diff) > 0 {
			t.Fatalf("it is not what it was: %v", diff)
		}
	})
}

func TestChosen(t *testing.T) {
	d := sample()
	ask := func(repository, now string) string {
		return d.Chosen()(promote.NewestQuestion{Repository: repository, Now: now})
	}
	if got := ask("r.example.com/cart", "v0"); got != "v1" {
		t.Errorf("chose %q", got)
	}
	if got := ask("r.example.com/cart", "v7") + ask("r.example.com/db", "v0"); got != "" {
		t.Errorf("chose %q where the plan says nothing", got)
	}
	d.Items[1].Images[0].Repository = "r.example.com/cart"
	if got := ask("r.example.com/cart", "v0"); got != "" {
		t.Errorf("chose %q of two", got)
	}
}

func ExampleCompare() {
	planned := &planfile.Document{Head: planfile.Head{Rules: []planfile.Rule{{Name: "promotion.yaml", Digest: "sha256:1"}}}}
	now := &planfile.Document{Head: planfile.Head{Rules: []planfile.Rule{{Name: "promotion.yaml", Digest: "sha256:2"}}}}
	for _, d := range planfile.Compare(planned, now, planfile.Options{}) {
		fmt.Println(d)
	}
	// Output: promotion.yaml: the rules have changed
}

// The commit that the rules are read from is none of them: any other commit on its branch made
// every plan for an environment elsewhere one of other rules.
func TestRules(t *testing.T) {
	plans := &promote.Plans{All: []*promote.Plan{{To: "production", Rules: []promote.RuleFile{{Kind: "commit", Name: "main", Digest: strings.Repeat("a", 40)}, {Kind: "policy", Name: "p.yaml", Digest: "sha256:1"}}}}}
	d := planfile.Of(planfile.Request{}, plans, []planfile.Rule{{Name: "promotion.yaml", Digest: "sha256:2"}})
	if len(d.Rules) != 2 || d.Rules[0].Name != "p.yaml" || d.Rules[1].Name != "promotion.yaml" {
		t.Errorf("%+v", d.Rules)
	}
}
