package promotecmd

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/planfile"
	"github.com/kubepromote/kubepromote/promote/proposal"
)

func (o *options) objects(plan *promote.Plan, applied *promote.Applied, request *proposal.Result) []cli.Object {
	var out []cli.Object
	for _, s := range plan.Services {
		out = append(out, cli.Object{Name: s.Service, Content: planfile.Promotion{
			From: plan.From, To: plan.To, Entry: plan.Entry, RollbackOf: plan.RollbackOf, Mode: plan.Mode, DryRun: o.dryRun, Answer: plan.Answer,
			Changed: s.Changed(), Head: plan.Head, Commit: applied.Commit, Attempts: applied.Attempts, Branch: where(plan), PullRequest: request, Merge: plan.Merge, ServicePlan: s,
		}})
	}
	return out
}

// printPlans prints the plans one after the other.
func (o *options) printPlans(w io.Writer, plans *promote.Plans, applied []*promote.Applied, requests []*proposal.Result) error {
	held := plans.Refusal() != nil
	for n, a := range applied {
		if n > 0 {
			fmt.Fprintln(w)
		}
		if err := o.printPlan(w, plans.All[n], a, held); err != nil {
			return err
		}
		if r := requests[n]; r != nil {
			fmt.Fprintf(w, "pull request %d, %s: %s\n", r.Number, state(r), cli.Clean(r.URL))
			for _, gone := range r.Superseded {
				fmt.Fprintf(w, "pull request %d, closed, as %d has all of it: %s\n", gone.Number, r.Number, cli.Clean(gone.URL))
			}
		}
	}
	return nil
}

// printPlan prints a table of the images and, for a dry run, the diff. held tells that
// nothing is done, as something else is refused.
func (o *options) printPlan(w io.Writer, plan *promote.Plan, applied *promote.Applied, held bool) error {
	rows := [][]string{{"SERVICE", "IMAGE", strings.ToUpper(plan.To), "BECOMES", "DIGEST", "RESULT"}}
	if o.output.Wide() {
		rows[0] = append(rows[0], "REPOSITORY", "FILE", "EVIDENCE")
	}
	for _, s := range plan.Services {
		for _, i := range s.Images {
			row := []string{s.Service, i.Name, i.Old.Short(), i.New.Short(), cli.ShortDigest(i.New.Digest), o.result(plan, s, held)}
			if o.output.Wide() {
				row = append(row, i.Repository, i.File, cli.Evidence(i.Evidence))
			}
			rows = append(rows, row)
		}
		for _, a := range s.Along {
			row := []string{s.Service, a.Kind + " " + a.Name, cmp.Or(a.Old, "none"), a.New, "-", o.result(plan, s, held), "-", a.File, "-"}
			rows = append(rows, row[:len(rows[0])])
		}
		if len(s.Images)+len(s.Along) == 0 { // it could not be planned, or files alone are copied
			row := []string{s.Service, "-", "-", "-", "-", o.result(plan, s, held), "-", "-", "-"}
			rows = append(rows, row[:len(rows[0])])
		}
	}
	if err := cli.Table(w, rows); err != nil {
		return err
	}
	if plan.Merge != nil && (plan.Changed() || plan.Refused() != nil) {
		o.printMerge(w, plan.Merge)
	}
	for _, s := range plan.Services {
		for _, v := range s.Verdicts {
			o.session.Note("%s: %s: %s: %s", s.Service, v.Gate, v.Answer, v.Text())
		}
		for _, i := range s.Images {
			if i.Why != "" {
				o.session.Note("%s: image %q: %s", s.Service, i.Name, i.Why)
			}
			if i.Source != nil && o.output.Wide() {
				fmt.Fprintf(w, "\n%s: source: %s\n", cli.Clean(s.Service), cli.Clean(i.Source.String()))
				if i.Source.Compare != "" {
					fmt.Fprintln(w, cli.Clean(i.Source.Compare))
				}
			}
		}
		for _, f := range s.Files {
			if o.dryRun && f.Diff != "" {
				cli.PrintDiff(w, "\n"+f.Diff)
			}
		}
		for _, c := range s.Copies {
			if o.dryRun && c.Changed {
				cli.PrintDiff(w, "\n"+c.Diff)
			}
		}
	}
	for _, k := range plan.Kept {
		if o.dryRun {
			fmt.Fprint(cli.ForTerminal(w), "\n"+k.Diff)
		}
	}
	if applied.Commit != "" {
		fmt.Fprintf(w, "\n[%s %.9s] %s\n", where(plan), applied.Commit, plan.Subject())
		if applied.Attempts > 1 {
			o.session.Note("others were faster %d times: the promotion was made anew on what they had pushed", applied.Attempts-1)
		}
	}
	return nil
}

// result says in a word what became of a service.
func (o *options) result(plan *promote.Plan, s *promote.ServicePlan, held bool) string {
	switch s.Answer() {
	case promote.Fail:
		return "refused"
	case promote.Unknown:
		return "unknown"
	case promote.Wait:
		if plan.Mode != pipeline.DeliverPullRequest || o.dryRun || held {
			return "waiting"
		}
	}
	switch {
	case !s.Changed():
		return "unchanged"
	case held:
		return "held back"
	case o.dryRun:
		return "would change"
	}
	return map[pipeline.DeliverMode]string{pipeline.DeliverWorktree: "written", pipeline.DeliverCommit: "committed",
		pipeline.DeliverPush: "pushed", pipeline.DeliverPullRequest: "proposed"}[plan.Mode]
}

// where is the branch that a plan's commit is on, behind its remote.
func where(plan *promote.Plan) string {
	at := cmp.Or(plan.Proposal(), plan.Branch)
	if plan.Remote != "" {
		return plan.Remote + "/" + at
	}
	return at
}

// state is what has become of a pull request, in words.
func state(r *proposal.Result) string {
	switch {
	case r.Merged:
		return r.State + " and merged"
	case r.AutoMerge:
		return r.State + ", merged once it may be"
	}
	return r.State
}
