package runbook

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/pipeline/recording"
)

// Marker is the first line of a runbook, by which it is known in a repository.
const Marker = "<!-- kubectl promote runbook -->"

// Is tells whether a file is a runbook that was written here, perhaps of another pipeline.
func Is(data []byte) bool {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return string(bytes.TrimRight(line, "\r")) == Marker
}

// Same tells whether a runbook says what another does, whatever its line endings are.
func Same(a, b []byte) bool {
	return bytes.Equal(bytes.ReplaceAll(a, []byte("\r\n"), []byte("\n")), bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")))
}

// writer collects Markdown.
type writer struct{ bytes.Buffer }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// row writes a row of a table, in which a bar ends a cell wherever it stands.
func (w *writer) row(cells ...string) {
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
	}
	w.line("| %s |", strings.Join(cells, " | "))
}

// commands writes what can be typed.
func (w *writer) commands(lines ...string) {
	w.line("")
	for _, l := range lines {
		w.line("    %s", fault.Printable(l))
	}
	w.line("")
}

// Write gives the runbook of a pipeline, as [pipeline.Parse] or [pipeline.Discover] gives it.
func Write(p *pipeline.Pipeline) []byte {
	w := &writer{}
	w.line("%s", Marker)
	name := "this repository"
	if p.Metadata.Name != "" {
		name = code(p.Metadata.Name)
	}
	w.line("# How %s is promoted\n", name)
	w.line("Written by `kubectl promote runbook` from the pipeline file: change that, and write this file anew.\n")
	w.way(p)
	for i := range p.Spec.Environments {
		w.environment(&p.Spec.Environments[i])
	}
	w.stop()
	w.services(p)
	w.told(p.Spec.Record.Events)
	return append(bytes.TrimRight(w.Bytes(), "\n"), '\n')
}

// way is the table of all environments.
func (w *writer) way(p *pipeline.Pipeline) {
	w.line("## The way\n\n| environment | comes from | is asked | delivered by |\n| --- | --- | --- | --- |")
	for i := range p.Spec.Environments {
		e := &p.Spec.Environments[i]
		var asked []string
		if e.Verify != nil {
			asked = append(asked, "verify")
		}
		for _, g := range e.Gates {
			asked = append(asked, g.Title())
		}
		name := code(e.Name)
		if e.Group != "" {
			name += " (of " + code(e.Group) + ")"
		}
		w.row(name, cmp.Or(codes(e.From, "or"), "outside"), cmp.Or(codes(asked, "and"), "nothing"), string(cmp.Or(e.Deliver.Mode, pipeline.DeliverWorktree)))
	}
	w.line("\nWhat stands where, and what to type next: `kubectl promote status`. Who brought it, and when: `kubectl promote history`.\n")
}

func (w *writer) environment(e *pipeline.Environment) {
	w.line("## To %s\n", code(e.Name))
	switch {
	case len(e.From) > 0:
		w.line("Images come from %s: the digest that stands there, and no other.\n", codes(e.From, "or"))
	case e.Admit != nil:
		w.line("Images come in from outside: the version that is named, or the newest by the rule %s.\n", code(e.Admit.Newest))
	default:
		w.line("Images come in from outside, by the version that is named.\n")
	}
	if place := e.Place(); place != (pipeline.Place{}) {
		w.line("Its files are elsewhere: %s.\n", code(place.String()))
	}
	w.line("**Who may.** %s\n", may(e))
	w.asked(e)
	w.line("**How it is delivered.** %s\n", delivered(e.Deliver))
	w.line("**What to type.**")
	w.commands(steps(e)...)
	w.back(e)
}

// asked lists what is asked before anything comes to an environment.
func (w *writer) asked(e *pipeline.Environment) {
	if e.Verify == nil && len(e.Gates) == 0 {
		w.line("**What is asked.** Nothing.\n")
		return
	}
	w.line("**What is asked**, each time, of just the digests that would be written; all of it must hold:\n")
	if e.Verify != nil {
		w.line("- `verify`: the image meets the policy %s", code(e.Verify.Policy))
	}
	over := false
	for _, g := range e.Gates {
		text := gate(g, e)
		if g.Overridable {
			over = true
			text += "; it may be overridden"
		}
		w.line("- %s: %s", code(g.Title()), text)
	}
	w.line("")
	if over {
		w.line("Whoever goes past one that may be overridden says why, which is recorded: `--override GATE --reason TEXT --until TIME`.\n")
	}
}

// may says who decides.
func may(e *pipeline.Environment) string {
	text := "Whoever may push to the branch."
	if e.Deliver.Mode == pipeline.DeliverPullRequest {
		text = "Everybody may propose it; whoever may merge the pull request decides."
		if e.Deliver.AutoMerge == pipeline.WhenGreen {
			text = "Everybody may propose it; the forge merges it once its rules are met."
		}
	}
	var all []string
	var find func([]pipeline.Gate)
	find = func(gates []pipeline.Gate) {
		for _, g := range gates {
			if g.Approvals != nil {
				all = append(all, approvals(g.Approvals))
			}
			if g.Manual != nil {
				all = append(all, "somebody has said yes on a terminal")
			}
			find(g.AnyOf)
		}
	}
	if find(e.Gates); len(all) > 0 {
		text += " Not before " + strings.Join(all, ", and ") + "."
	}
	return text
}

func delivered(d pipeline.Deliver) string {
	var text string
	switch d.Mode {
	case pipeline.DeliverPush:
		text = "A commit is pushed to the branch that others have"
		if d.Remote != "" {
			text += ", at the remote " + code(d.Remote)
		}
	case pipeline.DeliverPullRequest:
		text = "A pull request proposes the commit"
		if d.Draft {
			text = "A pull request proposes the commit, as a draft"
		}
		if len(d.Labels) > 0 {
			text += "; labels " + codes(d.Labels, "and")
		}
		if len(d.Reviewers) > 0 {
			text += "; reviewed by " + codes(d.Reviewers, "and")
		}
	case pipeline.DeliverCommit:
		text = "It is committed on the branch at hand; `git push` brings it to others"
	default:
		text = "The files are edited and left to whoever promotes: commit them, and have them reviewed"
	}
	return text + "."
}

// steps are the commands of one promotion, in their order.
func steps(e *pipeline.Environment) []string {
	to := shell.Quote(e.Name)
	var lines []string
	in := ""
	if len(e.From) == 0 {
		in = " --version TAG"
		if e.Admit != nil {
			in = " --newest"
		}
	}
	lines = append(lines, "kubectl promote plan SERVICE --to "+to+in)
	signed, reviewed, waits := false, false, false
	for _, g := range e.Gates {
		for _, one := range append(slices.Clone(g.AnyOf), g) {
			if a := one.Approvals; a != nil {
				signed, reviewed = signed || a.Signed(), reviewed || !a.Signed()
			}
			waits = waits || one.Soak != nil || one.Freeze != nil || one.Approvals != nil
		}
	}
	if len(e.Gates) > 0 {
		lines = append(lines, "kubectl promote gates SERVICE --to "+to+in)
	}
	if signed {
		lines = append(lines, "kubectl promote approve SERVICE --to "+to+in)
	}
	if signed || reviewed {
		lines = append(lines, "kubectl promote approvals SERVICE --to "+to+in)
	}
	lines = append(lines, "kubectl promote SERVICE --to "+to+in)
	if waits {
		lines = append(lines, "kubectl promote SERVICE --to "+to+in+" --wait --timeout 2h")
	}
	return lines
}

// back says how a promotion is taken back, and what that has to pass.
func (w *writer) back(e *pipeline.Environment) {
	b := e.ForRollback()
	var asked []string
	if b.Verify != nil {
		asked = append(asked, "verify")
	}
	for _, g := range b.Gates {
		asked = append(asked, g.Title())
	}
	text := "No gate is asked."
	if len(asked) > 0 {
		text = "It has to pass " + codes(asked, "and") + ", and no other gate."
	}
	if e.Rollback != nil && e.Rollback.OnUnhealthy != "" {
		text += " A promotion with `--wait` takes itself back where the service loses its health within " + code(string(e.Rollback.OnUnhealthy)) + "."
	}
	name := shell.Quote(e.Name)
	w.line("**How to take it back.** %s The service is held with it, until somebody lets it go.", text)
	w.commands("kubectl promote rollback SERVICE --env "+name+" --dry-run", "kubectl promote rollback SERVICE --env "+name+" --reason TEXT", "kubectl promote unhold SERVICE --env "+name)
}

// stop says how everything is stopped.
func (w *writer) stop() {
	w.line("## Stop the line\n\nA hold keeps services at the pins that they have, until it ends or somebody lets them go.")
	w.commands("kubectl promote hold SERVICE --env ENVIRONMENT --reason TEXT", "kubectl promote hold --env ENVIRONMENT --reason TEXT --until TIME --except SERVICE", "kubectl promote unhold --env ENVIRONMENT")
}

// services lists those of which the pipeline says something, each behind those that it
// depends on.
func (w *writer) services(p *pipeline.Pipeline) {
	known := make(map[string]pipeline.Service)
	var names []string
	for _, s := range p.Spec.Services {
		known[s.Name] = s
		names = append(names, s.Name)
		names = append(names, s.DependsOn...)
	}
	if len(names) == 0 {
		return
	}
	w.line("## Services\n\nWhat is promoted together goes in this order. With `--wait`, each wave waits for the health of the one before.\n")
	w.line("| service | labels | after |\n| --- | --- | --- |")
	for _, name := range p.InOrder(names) {
		s := known[name]
		w.row(code(name), labels(s.Labels), codes(s.DependsOn, "and"))
	}
	w.line("")
}

// told says who hears of it.
func (w *writer) told(e *recording.Events) {
	if e == nil {
		return
	}
	kinds := e.On
	if len(kinds) == 0 {
		kinds = slices.DeleteFunc(recording.EventKinds(), func(kind string) bool { return !e.Tells(kind) })
	}
	w.line("## Who is told\n\nOf what was %s:\n", codes(kinds, "and"))
	if s := e.CloudEvents; s != nil {
		w.line("- the server at %s%s", code(s.URL), from(s.HeadersFrom))
	}
	for _, one := range []struct {
		what string
		from *pipeline.Variable
	}{{"Slack", e.Slack}, {"Teams", e.Teams}, {"Matrix", e.Matrix}, {"a file of events", e.File}, {"a file of metrics", e.Metrics}} {
		if one.from != nil {
			w.line("- %s%s", one.what, variables([]string{one.from.Env}))
		}
	}
	if e.Deployments != nil {
		w.line("- the deployments of the forge, of what is pushed")
	}
	w.line("")
}

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
