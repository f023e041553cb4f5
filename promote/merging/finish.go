package merging

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/mergeplan"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// most is how many things of a kind a message names.
const most = 10

// Finish holds the merge against the plan.
func (c *carrier) Finish(ctx context.Context, plan *promote.Plan) error {
	if err := c.overRollbacks(ctx, plan); err != nil {
		return err
	}
	if err := c.describe(ctx, plan); err != nil {
		return err
	}
	refuse := c.refusals(ctx, plan)
	order := slices.Clone(plan.Services)
	if c.asked.Request.SkipRefused { // what is of no service is not left out with one
		passes := func(s *promote.ServicePlan) bool { return s.Answer() == promote.Pass }
		order = append(slices.DeleteFunc(slices.Clone(order), func(s *promote.ServicePlan) bool { return !passes(s) }), slices.DeleteFunc(order, passes)...)
	}
	given := make(map[string]bool)
	for _, s := range order {
		var differs []promote.Verdict
		if len(plan.Merge.Conflicts) == 0 {
			differs = c.differing(ctx, s)
		}
		s.Verdicts = append(s.Verdicts, slices.Concat(refuse, differs)...)
		if len(refuse)+len(differs) > 0 {
			continue
		}
		if err := c.take(plan, s, given); err != nil {
			return err
		}
	}
	return c.settle(ctx, plan)
}

// gate is the name of the verdicts.
func (c *carrier) gate() string {
	if c.tag != nil {
		return GateTag
	}
	return GateMerge
}

// after is when, or where, the pins are looked at.
func (c *carrier) after() string {
	if c.tag != nil {
		return "in " + c.tag.from.Name + " "
	}
	return "after the merge "
}

// says words a merge for the record.
func (c *carrier) says(m *mergeplan.Plan) string {
	switch c.how {
	case HowTag:
		return fmt.Sprintf("%s of %s, commit %.12s", c.tag.name, c.tag.from.Name, m.Commit)
	case HowRevert:
		return fmt.Sprintf("takes commit %.12s back whole", m.Commit)
	case HowPaths:
		return fmt.Sprintf("a part of %s %.12s, merged", m.From, m.Commit)
	}
	return fmt.Sprintf("%s of %s %.12s", c.how, m.From, m.Commit)
}

// along notes charts and revisions that come with a service, for its record.
func (c *carrier) along(s *promote.ServicePlan) {
	s.Along = nil
	for _, p := range c.changes.now[s.Service] {
		if p.Type == overlay.TypeImage || p.Tag == "" {
			continue
		}
		old := ""
		for _, o := range c.changes.old[s.Service] {
			if o.Type == p.Type && o.Name == p.Name && o.overlay == p.overlay {
				old = o.Tag
			}
		}
		if old != p.Tag {
			s.Along = append(s.Along, promote.AlongPlan{Kind: string(p.Type), Name: p.Name, File: p.file, Old: old, New: p.Tag})
		}
	}
}

// describe says in the plan what is merged, and what the branches do not have in common.
func (c *carrier) describe(ctx context.Context, plan *promote.Plan) (err error) {
	from, into := c.names(ctx)
	plan.Merge = &mergeplan.Plan{How: c.how, From: from, Commit: c.merge.From, Base: c.merge.Base, Conflicts: c.conflicts(plan)}
	if c.tag != nil {
		c.describeTag(plan)
	}
	if c.how == HowRevert {
		plan.Merge = &mergeplan.Plan{How: c.how, Commit: c.merge.Base, Conflicts: plan.Merge.Conflicts}
	}
	for _, one := range c.within(c.changes.beside, services(plan)) {
		if len(plan.Merge.Beside) < 100 {
			plan.Merge.Beside = append(plan.Merge.Beside, one.Path)
		}
	}
	if c.how == HowRevert || c.how == HowTag {
		return nil
	}
	d, err := c.target.Drift(ctx, c.merge)
	if plan.Merge.Drift = d; err != nil || d == nil {
		return err
	}
	c.head, c.drifted = plan.Head, d.Files
	if n := len(d.Files) + d.More; n > 0 {
		plan.Warnings = append(plan.Warnings, fmt.Sprintf("%s has what %s lacks, by %s: %s", into, from, counted(d.Commits, "commit"), list(d.Files, n)))
	}
	return nil
}

// services are the names of a plan's services.
func services(plan *promote.Plan) []string {
	var out []string
	for _, s := range plan.Services {
		out = append(out, s.Service)
	}
	return out
}

// counted is a number of things.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// list names some of n things.
func list(names []string, n int) string {
	out := strings.Join(names[:min(len(names), most)], ", ")
	if n > most || n > len(names) {
		out += fmt.Sprintf(" and %d more", n-min(len(names), most))
	}
	return out
}

// conflicts are those that stop the plan: of a part of a merge those in it.
func (c *carrier) conflicts(plan *promote.Plan) []mergeplan.Conflict {
	if c.how != HowPaths {
		return c.merge.Conflicts
	}
	var out []mergeplan.Conflict
	for _, one := range c.merge.Conflicts {
		if len(c.within([]branch.Change{{Path: one.File}}, services(plan))) > 0 {
			out = append(out, one)
		}
	}
	return out
}

// refusals are why the merge cannot be made whatever becomes of a single service.
func (c *carrier) refusals(ctx context.Context, plan *promote.Plan) []promote.Verdict {
	var out []promote.Verdict
	no := func(hint, format string, args ...any) {
		out = append(out, promote.Verdict{Gate: c.gate(), Answer: promote.Fail, Reason: fmt.Sprintf(format, args...), Hint: hint})
	}
	from, into := c.names(ctx)
	if all := plan.Merge.Conflicts; len(all) > 0 {
		var places []string
		for _, one := range all {
			places = append(places, placeOf(one))
		}
		if c.how == HowRevert {
			no("--mode pin", "commit %.9s cannot be taken back whole, as later ones have changed the same: %s", c.merge.Base, list(places, len(places)))
		} else {
			no(c.byHand(ctx), "%s and %s are in conflict: %s", from, into, list(places, len(places)))
		}
		return out
	}
	if c.tag != nil {
		out = append(out, c.tagRefusals(ctx, plan)...)
	}
	if c.rules != nil && c.rules.FastForward == pipeline.FastForwardOnly && !c.merge.FastForward && !c.merge.Contained {
		no("fastForward: allowed in the pipeline", "%s has commits that %s lacks, and only a fast-forward is allowed", into, from)
	}
	if moved := c.others(plan); len(moved) > 0 {
		no("", "%s would move with it, and %s asked for: %s", counted(len(moved), "other service"), map[bool]string{true: "was not", false: "were not"}[len(moved) == 1], list(moved, len(moved)))
		names := slices.Concat(services(plan), moved[:min(len(moved), most)])
		for n, name := range names {
			names[n], _, _ = strings.Cut(name, " (")
		}
		out[len(out)-1].Advice = promote.Advice{Do: promote.DoPromote, With: map[string]string{"service": strings.Join(names, " "), "to": plan.To}}
		if c.asked.Request.Back != nil {
			out[len(out)-1].Advice, out[len(out)-1].Hint = promote.Advice{}, "kubectl promote rollback "+strings.Join(names, " ")+" --env "+plan.To+" --mode "+c.how
		}
	}
	if rules := c.ownRules(); len(rules) > 0 {
		no("bring them by a change of their own", "it would change the rules that it is judged by: %s", list(rules, len(rules)))
	}
	if refused := c.refusedOf(plan); c.asked.Request.SkipRefused && len(refused) > 0 && c.how != HowPaths {
		no(`paths: ["{service}"] in the pipeline, so that services are merged one by one`, "a merge cannot leave out %s", list(refused, len(refused)))
	}
	return out
}

// refusedOf are the services that something else refuses.
func (c *carrier) refusedOf(plan *promote.Plan) []string {
	var out []string
	for _, s := range plan.Services {
		if s.Answer() != promote.Pass {
			out = append(out, s.Service)
		}
	}
	return out
}

// placeOf is where a conflict is: the file, with the lines where these are known.
func placeOf(one mergeplan.Conflict) string {
	var lines []string
	for _, h := range one.Hunks {
		lines = append(lines, fmt.Sprint(h.Line))
	}
	if len(lines) == 0 {
		return one.File + " (" + one.Why + ")"
	}
	return one.File + ":" + strings.Join(lines, ",")
}

// others are services that move with the merge and are not in the plan. Whoever asks for
// all means those as well that have no pin which changes.
func (c *carrier) others(plan *promote.Plan) []string {
	var out []string
	for _, service := range slices.Sorted(maps.Keys(c.changes.own)) {
		if slices.Contains(services(plan), service) || len(c.within(c.changes.own[service], services(plan))) == 0 {
			continue
		}
		old, now := c.changes.old[service], c.changes.now[service]
		r := c.asked.Request
		if r.All && len(r.Except) == 0 && r.Select == nil && old.equal(now) && c.changes.failed[service] == nil {
			continue
		}
		text := service
		for _, p := range now {
			if !slices.ContainsFunc(old, func(o pin) bool { return o.is() == p.is() }) && text == service {
				text += " (" + p.short() + ")"
			}
		}
		out = append(out, text)
	}
	return out
}

// ownRules are files with rules that the merge would change where they may count: on a branch
// that has the pipeline file. On a detached head nobody can tell that it is the home's.
func (c *carrier) ownRules() []string {
	if at := c.asked.To.Place(); at.Repository != "" || at.Tag != "" {
		return nil
	}
	if _, err := c.target.ReadFile(pipeline.FileName); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	at := []string{pipeline.FileName, hold.FileName}
	for _, e := range c.asked.Pipeline.Spec.Environments {
		if e.Verify != nil {
			at = append(at, e.Verify.Policy, path.Dir(e.Verify.Policy))
		}
		for _, g := range e.Gates {
			for _, p := range g.Policies() {
				at = append(at, p, path.Dir(p))
			}
			at = append(at, g.Files()...)
		}
	}
	var out []string
	for _, one := range c.changes.all {
		if slices.ContainsFunc(at, func(rule string) bool {
			return one.Path == rule || rule != "." && strings.HasPrefix(one.Path, rule+"/")
		}) {
			out = append(out, one.Path)
		}
	}
	return out
}

// differing are the pins that the merged tree has otherwise than the plan.
func (c *carrier) differing(ctx context.Context, s *promote.ServicePlan) []promote.Verdict {
	if err := c.changes.failed[s.Service]; err != nil {
		return []promote.Verdict{{Gate: c.gate(), Answer: promote.Fail, Reason: "what comes of it cannot be read: " + err.Error()}}
	}
	all, ok := c.changes.now[s.Service]
	if !ok { // nothing of it changes
		all = nil
		for _, i := range s.Images {
			all = append(all, pin{file: i.File, Pin: overlay.Pin{Type: overlay.TypeImage, Name: i.Name, Tag: i.Old.Tag, Digest: i.Old.Digest}})
		}
	}
	var out []string
	has := func(file string, p pin, i promote.ImagePlan) bool {
		return i.File == file && (i.Name == p.Name || i.Repository != "" && i.Repository == p.Repository())
	}
	for _, p := range all {
		if p.Type != overlay.TypeImage || p.Tag == "" && p.Digest == "" {
			continue
		}
		is := promote.Pin{Tag: p.Tag, Digest: p.Digest}
		var want []string
		right := false
		for _, i := range s.Images {
			if has(p.file, p, i) {
				right = right || i.New == is
				want = append(want, ref(i.New))
			}
		}
		switch kept := slices.ContainsFunc(c.changes.old[s.Service], func(o pin) bool { return o.is() == p.is() }); {
		case right, len(want) == 0 && kept: // which the promotion is not about
		case len(want) == 0:
			out = append(out, fmt.Sprintf("%s: %s is %s, and not in the plan", p.file, p.Name, ref(is)))
		default:
			out = append(out, fmt.Sprintf("%s: %s is %s, and the plan has %s", p.file, p.Name, ref(is), want[0]))
		}
	}
	for _, i := range s.Images {
		if ok && !slices.ContainsFunc(all, func(p pin) bool { return has(i.File, p, i) }) {
			out = append(out, fmt.Sprintf("%s: %s is not there, and the plan has %s", i.File, i.Name, ref(i.New)))
		}
	}
	if len(out) == 0 {
		return nil
	}
	return []promote.Verdict{{Gate: c.gate(), Answer: promote.Fail, Reason: c.after() + list(out, len(out)), Hint: c.mend(ctx, s)}}
}

// mend says what may help where pins differ: to see who has changed the target's, or to
// have the source's as the pipeline writes them.
func (c *carrier) mend(ctx context.Context, s *promote.ServicePlan) string {
	switch c.how {
	case HowRevert:
		return "--mode pin"
	case HowTag:
		return ""
	}
	for _, f := range s.Files {
		if slices.Contains(c.drifted, f.Target) {
			return c.inClone(ctx, "git log "+short(c.merge.Base)+".."+short(c.head)+" -- "+shell.Pathspecs(f.Target))
		}
	}
	return "pin: source in the pipeline, or in the source what the plan has"
}

// ref is a pin in full.
func ref(p promote.Pin) string { return strings.TrimPrefix(p.Ref(""), ":") }

// settle takes the content that is committed.
func (c *carrier) settle(ctx context.Context, plan *promote.Plan) error {
	if plan.Merge.Conflicts != nil || len(c.changes.all) == 0 && c.tag == nil {
		return nil
	}
	c.content = branch.Content{Tree: c.merge.Tree, Merged: c.merge.From}
	switch {
	case c.tag != nil:
	case c.how == HowRevert, c.merge.Contained:
		c.content.Merged = ""
	case c.how == HowPaths:
		var passing []string
		for _, s := range plan.Services {
			if s.Answer() == promote.Pass {
				passing = append(passing, s.Service)
			}
		}
		c.content.Merged = ""
		var err error
		c.content.Tree, err = c.target.Taking(ctx, c.target.Root(), c.within(c.changes.all, passing))
		return err
	case c.forwards(plan):
		c.content.FastForward = true
		c.how, plan.Merge.How = HowFastForward, HowFastForward
		plan.Warnings = append(plan.Warnings, "the branch is moved without a commit of its own, and no record is left; fastForward: never makes one")
	}
	return nil
}

// forwards tells whether the branch is only moved.
func (c *carrier) forwards(plan *promote.Plan) bool {
	return c.merge.FastForward && c.rules.FastForward != "" && c.rules.FastForward != pipeline.FastForwardNever && plan.Mode != pipeline.DeliverPullRequest
}
