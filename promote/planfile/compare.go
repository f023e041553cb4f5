package planfile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote"
)

// Difference is one thing that a plan says and that is not so now.
type Difference struct {
	// To and Service are what it is about; both are empty where it is a rule.
	To, Service string
	// Text is one line without them.
	Text string
	// Verdict tells that a gate says less than it did. That stops a promotion by itself,
	// with the answer that it has.
	Verdict bool
}

// String is the text behind what it is about.
func (d Difference) String() string {
	text := d.Text
	for _, about := range []string{d.Service, d.To} {
		if about != "" {
			text = about + ": " + text
		}
	}
	return text
}

// Options say what is compared.
type Options struct {
	// AnyMode leaves out how it is delivered.
	AnyMode bool
	// Done are the titles of plans of which all is there already.
	Done []string
}

// Compare tells in what a plan that was made now, from the same request, is not what a
// document says: pins, files, what is read and written, verdicts, warnings, evidence and
// rules. Reasons of verdicts and the commit that it was made on are not compared: what has
// come in between may have to do with something else.
func Compare(planned, now *Document, o Options) []Difference {
	c := &comparison{options: o}
	c.rules(planned.Rules, now.Rules)
	c.items(planned.Items, now.Items)
	c.writes(planned.Writes, now.Writes)
	return c.out
}

type comparison struct {
	options Options
	out     []Difference
	stops   int // how many of them are not verdicts
}

func (c *comparison) say(to, service, format string, args ...any) {
	c.stops++
	c.out = append(c.out, Difference{To: to, Service: service, Text: fmt.Sprintf(format, args...)})
}

func (c *comparison) done(titles ...string) bool {
	return slices.ContainsFunc(titles, func(t string) bool { return slices.Contains(c.options.Done, t) })
}

func (r Rule) compare(other Rule) int {
	return cmp.Or(strings.Compare(r.Name, other.Name), strings.Compare(r.Digest, other.Digest))
}

// rules compares what plans are judged by.
func (c *comparison) rules(planned, now []Rule) {
	before := make(map[string]Rule)
	for _, r := range planned {
		before[r.Name] = r
	}
	for _, r := range now {
		switch b, ok := before[r.Name]; {
		case !ok:
			c.say("", "", "%s: is a rule now, and was not there when it was planned", r.Name)
		case b.Elsewhere != r.Elsewhere:
			c.say("", "", "%s: the repository's own in the one case, and a file named in its place in the other", r.Name)
		case b.Digest != r.Digest:
			c.say("", "", "%s: the rules have changed", r.Name)
		}
		delete(before, r.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		c.say("", "", "%s: was a rule when it was planned, and nothing is judged by it now", name)
	}
}

func (c *comparison) items(planned, now []Item) {
	before := make(map[[2]string]*Item)
	for n := range planned {
		before[planned[n].key()] = &planned[n]
	}
	for n := range now {
		i := &now[n]
		b := before[i.key()]
		delete(before, i.key())
		switch {
		case c.done(i.To, i.Service+" in "+i.To), b == nil && !i.Changed && i.ServicePlan.Answer() == promote.Pass:
		case b == nil:
			c.say(i.To, i.Service, "is new: it is asked for, and is not in the plan")
		default:
			c.item(b, i)
		}
	}
	for _, b := range planned {
		if before[b.key()] != nil && !c.done(b.To, b.Service+" in "+b.To) && b.Changed {
			c.say(b.To, b.Service, "is in the plan, and is not there now")
		}
	}
}

// item compares a service's plans. What follows from another difference is not said.
func (c *comparison) item(b, i *Item) {
	say := func(format string, args ...any) { c.say(i.To, i.Service, format, args...) }
	if b.From != i.From || b.Entry != i.Entry {
		say("comes from %s now, and from %s in the plan", cmp.Or(i.From, i.Entry, "-"), cmp.Or(b.From, b.Entry, "-"))
		return
	}
	if !c.options.AnyMode && b.Mode != i.Mode {
		say("is delivered by %s now, and by %s in the plan", i.Mode, b.Mode)
	}
	before := c.stops
	c.images(b, i)
	c.verdicts(b, i)
	if c.stops > before {
		return
	}
	for _, part := range []struct {
		what         string
		planned, now any
	}{
		{"the values that move along", b.Along, i.Along}, {"the files that are read and the changes in them", b.Files, i.Files}, {"the files that are copied", b.Copies, i.Copies},
	} {
		if asText(part.planned) != asText(part.now) {
			say("%s are not those of the plan", part.what)
		}
	}
	if c.stops == before && b.Changed != i.Changed {
		say("%s", map[bool]string{true: "would change, and in the plan it would not", false: "would not change, and in the plan it would"}[i.Changed])
	}
	for _, w := range i.Warnings {
		if !slices.Contains(b.Warnings, w) && !i.tellsVerdict(w) {
			say("there is a warning that the plan has not: %s", w)
		}
	}
}

// tellsVerdict tells whether a warning has no more than the reason of a verdict that is
// overridden: verdicts are compared without their reasons.
func (i *Item) tellsVerdict(warning string) bool {
	return slices.ContainsFunc(i.Verdicts, func(v promote.Verdict) bool {
		return v.Override != "" && strings.HasPrefix(warning, "NOT met: "+v.Gate+": ")
	})
}

// asText is what two values are compared by: what a document has of them.
func asText(v any) string {
	text, err := json.Marshal(v)
	if err != nil || string(text) == "null" {
		return "[]"
	}
	return string(text)
}

// images compares pins, old and new, and who has signed for them.
func (c *comparison) images(b, i *Item) {
	say := func(format string, args ...any) { c.say(i.To, i.Service, format, args...) }
	if len(b.Images) != len(i.Images) {
		say("has %d images now, and %d in the plan", len(i.Images), len(b.Images))
		return
	}
	for n, now := range i.Images {
		planned := b.Images[n]
		switch {
		case planned.Name != now.Name || planned.File != now.File:
			say("image %q of %s is image %q of %s in the plan", now.Name, now.File, planned.Name, planned.File)
		case planned.Repository != now.Repository || planned.Unknown != now.Unknown:
			say("image %q is pulled from %s now, and from %s in the plan", now.Name, cmp.Or(now.Repository, "-"), cmp.Or(planned.Repository, "-"))
		case planned.New != now.New:
			say("image %q would become %s now, and %s in the plan", now.Name, whole(now.New), whole(planned.New))
		case planned.Old != now.Old:
			say("image %q is %s now, and was %s in the plan", now.Name, whole(now.Old), whole(planned.Old))
		case !slices.Equal(signers(planned.Evidence), signers(now.Evidence)):
			say("image %q: the evidence is not that of the plan", now.Name)
		}
	}
}

// whole is a pin with its digest in full.
func whole(p promote.Pin) string { return cmp.Or(strings.TrimPrefix(p.Ref(""), ":"), "without a pin") }

// signers are who has signed what, without where and when that was found.
func signers(all []promote.Evidence) []string {
	var out []string
	for _, e := range all {
		out = append(out, strings.Join([]string{e.Authority, e.Kind, e.KeyID, e.Subject, e.Issuer, e.PredicateType}, "\n"))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// verdicts compares what gates say. A wait that is over is what it has waited for.
func (c *comparison) verdicts(b, i *Item) {
	type said struct {
		answer   promote.Answer
		override string
		reason   string // of what is no pass
	}
	worst := func(all []promote.Verdict) map[string]said {
		out := make(map[string]said)
		for _, v := range all {
			before, ok := out[v.Gate]
			if !ok {
				before.answer = promote.Pass
			}
			now := said{promote.Worst(before.answer, v.Answer), cmp.Or(overrideOf(v), before.override), before.reason}
			if v.Answer != promote.Pass && now.reason == "" {
				now.reason = ": " + v.Text()
			}
			out[v.Gate] = now
		}
		return out
	}
	planned, now := worst(b.Verdicts), worst(i.Verdicts)
	for _, gate := range slices.Sorted(maps.Keys(now)) {
		n := now[gate]
		p, ok := planned[gate]
		switch {
		case n.answer != promote.Pass && n.answer != p.answer:
			text := fmt.Sprintf("gate %s: %s now, and %s in the plan%s", gate, n.answer, cmp.Or(p.answer, "nothing"), n.reason)
			c.out = append(c.out, Difference{To: i.To, Service: i.Service, Text: text, Verdict: true})
		case n.answer == promote.Pass && (p.answer == promote.Fail || p.answer == promote.Unknown):
			c.say(i.To, i.Service, "gate %s: pass now, and %s in the plan", gate, p.answer)
		case !ok && n.override == "", p.override == n.override:
		default:
			c.say(i.To, i.Service, "gate %s: %s, and in the plan %s", gate, overridden(n.override), overridden(p.override))
		}
	}
	for _, gate := range slices.Sorted(maps.Keys(planned)) {
		if _, ok := now[gate]; !ok && planned[gate].answer != promote.Pass && planned[gate].answer != promote.Wait {
			c.say(i.To, i.Service, "gate %s: does not say %s any more", gate, planned[gate].answer)
		}
	}
}

// overrideOf is why a verdict is overridden and, where somebody has asked for that, who it
// was and until when.
func overrideOf(v promote.Verdict) string {
	text := v.Override
	if v.OverrideBy != "" {
		text += ", by " + v.OverrideBy
	}
	if !v.OverrideUntil.IsZero() {
		text += ", until " + v.OverrideUntil.UTC().Format(time.RFC3339)
	}
	return text
}

func overridden(why string) string {
	if why == "" {
		return "not overridden"
	}
	return "overridden: " + why
}

// writes compares the files that would be written.
func (c *comparison) writes(planned, now []Write) {
	before := make(map[[2]string]Write)
	for _, w := range planned {
		before[[2]string{w.title(), w.Path}] = w
	}
	already := c.stops > 0
	for _, w := range now {
		b, ok := before[[2]string{w.title(), w.Path}]
		delete(before, [2]string{w.title(), w.Path})
		switch {
		case c.done(w.title()):
		case ok && b.before() != w.before() && w.before() != w.after(): // that an earlier run has written
			c.say(w.To, "", "%s: has changed since", w.Path)
		case ok && b.after() == w.after(), already: // what it follows from is said
		case !ok:
			c.say(w.To, "", "%s: would be written, and is not in the plan", w.Path)
		default:
			c.say(w.To, "", "%s: would be written otherwise than in the plan", w.Path)
		}
	}
	for _, w := range planned {
		if _, left := before[[2]string{w.title(), w.Path}]; left && !already && !c.done(w.title()) {
			c.say(w.To, "", "%s: would not be written, and is in the plan", w.Path)
		}
	}
}
