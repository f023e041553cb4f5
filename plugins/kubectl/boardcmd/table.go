package boardcmd

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/standing"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/tables"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/typed"
	"github.com/kubepromote/kubepromote/promote/status"
	"k8s.io/apimachinery/pkg/util/duration"
)

// print shows the board as a table, and below it what to type next.
func (o *options) print(v *view) error {
	if v == nil {
		return nil
	}
	s := o.session
	if len(v.statuses) == 0 {
		s.Warn("%s", v.empty())
		return nil
	}
	style := s.Style()
	rows := v.rows(most)
	for d := most - 1; d >= 0 && style.Width > 0 && widthOf(rows) > style.Width; d-- {
		rows = v.rows(d)
	}
	if err := cli.Table(s.Out, rows); err != nil {
		return err
	}
	if v.proposals != nil {
		v.proposals.Explain(v.statuses)
	}
	next, marked := v.nextCommands(o.commands)
	unknown := unknownText(v.drifts)
	return o.printNext(next, marked, unknown != "", unknown)
}

// empty says why there is no service.
func (v *view) empty() string {
	return fmt.Sprintf("no service has a pin: what fits %s holds no image that is known; %s tells more", v.pipeline.Spec.Layout, v.typed(&typed.Line{Command: "kubectl promote lint"}))
}

// printNext says below a table what its marks mean, and what to type next.
func (o *options) printNext(next []string, marked, unsure bool, unknown string) error {
	s, style := o.session, o.session.Style()
	if marked && !s.Quiet {
		fmt.Fprintln(s.ErrOut, "*: differs from the environment that it is promoted from")
	}
	if unsure && !s.Quiet {
		fmt.Fprintln(s.ErrOut, "?: what it is promoted from cannot be read")
	}
	if len(next) == 0 {
		what := cmp.Or(unknown, "nothing to promote")
		if marked && unknown == "" {
			what += ": what differs is held or proposed"
		}
		_, err := fmt.Fprintln(s.Out, "\n"+cli.Clean(what))
		return err
	}
	for n, line := range next {
		head := "\nnext: "
		if n > 0 {
			head = "      "
		}
		if line = cli.Clean(line); style.Color {
			line = tables.Bold + line + tables.Normal
		}
		if _, err := fmt.Fprintln(s.Out, head+line); err != nil {
			return err
		}
	}
	if unknown != "" {
		_, err := fmt.Fprintln(s.Out, "\n"+cli.Clean(unknown))
		return err
	}
	return nil
}

// unknownText names the services of which nobody can tell whether there is something to
// promote; "" where there are none.
func unknownText(drifts []status.Drift) string {
	var names []string
	for _, d := range drifts {
		names = append(names, d.Unknown...)
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "what is to be promoted is unknown for " + fault.SomeOf(slices.Compact(names))
}

// most is how much a cell can have beside its pin: since when, and by whom.
const most = 2

func widthOf(rows [][]string) int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], tables.Width(cell)+2)
		}
	}
	sum := -2
	for _, n := range widths {
		sum += n
	}
	return sum
}

// rows has a row for each service and a column for each environment.
func (v *view) rows(details int) [][]string {
	heading := []string{"SERVICE"}
	for _, d := range v.drifts {
		name := strings.ToUpper(d.Environment)
		if n := len(d.Behind); n > 0 {
			name += fmt.Sprintf(" (%d behind)", n)
		}
		heading = append(heading, name)
	}
	rows := [][]string{heading}
	for _, st := range v.statuses {
		row := []string{st.Service}
		for _, e := range st.Environments {
			row = append(row, v.cell(st, e, details))
		}
		rows = append(rows, row)
	}
	return rows
}

// cell is what stands in an environment, marks first, and then who did it when.
func (v *view) cell(st status.Service, e status.Environment, details int) string {
	text := pinOf(st, e)
	if !e.Exists || e.Error != "" {
		return text
	}
	text += standing.Mark(e)
	if e.Held != nil {
		text += " held"
	}
	if n := standing.Numbers(e.Pending); n != "" {
		text += " " + n
	}
	last := newest(e)
	if last == nil || details == 0 {
		return text
	}
	text += " " + duration.HumanDuration(v.now.Sub(last.Time))
	if details > 1 {
		text += " " + last.Author
	}
	return text
}

// pinOf names what stands in an environment: one pin, or how many where they differ.
func pinOf(st status.Service, e status.Environment) string {
	var names []string
	for _, i := range e.Images {
		names = append(names, st.Telling(i))
	}
	for _, a := range e.Along {
		if len(e.Images) == 0 {
			names = append(names, a.Version)
		}
	}
	several := len(names)
	slices.Sort(names)
	names = slices.Compact(names)
	switch {
	case !e.Exists:
		return "-"
	case e.Error != "":
		return "unknown"
	case len(names) == 0:
		return "none"
	case len(names) == 1:
		return names[0]
	}
	return fmt.Sprintf("%d pins", several)
}

// newest is the newest change of what stands in an environment; nil where none is known.
func newest(e status.Environment) *status.LastChange {
	var last *status.LastChange
	take := func(l *status.LastChange) {
		if l != nil && (last == nil || l.Time.After(last.Time)) {
			last = l
		}
	}
	for _, i := range e.Images {
		take(i.Last)
	}
	for _, a := range e.Along {
		take(a.Last)
	}
	return last
}

// mostNamed is how many services a command names one by one.
const mostNamed = 3

// nextCommands are what to type next, the environment nearest to the first before the
// others. Marked tells that anything differs. A service that has the name of one of the
// commands is promoted by run.
func (v *view) nextCommands(commands []string) (all []string, marked bool) {
	for _, d := range v.drifts {
		next := d.Next()
		marked = marked || len(d.Behind) > 0
		line := &typed.Line{Command: "kubectl promote"}
		switch {
		case len(next) == 0:
			continue
		case len(next) > mostNamed:
			line.Command += " plan"
			line.Set("all", "")
		default:
			if slices.Contains(commands, next[0]) {
				line.Command += " run"
			}
			line.Args = next
		}
		all = append(all, v.typed(line.Set("to", d.Environment)))
	}
	return all, marked
}
