package boardcmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/boardcmd/page"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/across"
	"github.com/spf13/cobra"
)

// readFleet reads all repositories.
func (o *options) readFleet(cmd *cobra.Command) (*across.All[view], error) {
	return across.Read(cmd, o.session, o.fleet, nil, func(ctx context.Context, m *across.Member) (*view, error) {
		one := *o
		one.session = m.Session
		v, err := one.read(ctx)
		if v == nil {
			return nil, err
		}
		if len(v.statuses) == 0 && err == nil {
			m.Warn("no service has a pin: what fits %s holds no image that is known", v.pipeline.Spec.Layout)
		}
		if v.proposals != nil && o.format == "" {
			v.proposals.Explain(v.statuses)
		}
		return v, err
	})
}

// showFleet shows the board of all repositories, and below it what to type next in each.
func (o *options) showFleet(cmd *cobra.Command) error {
	all, err := o.readFleet(cmd)
	if err != nil {
		return err
	}
	rows := fleetRows(all, most)
	for d := most - 1; d >= 0 && o.session.Style().Width > 0 && widthOf(rows) > o.session.Style().Width; d-- {
		rows = fleetRows(all, d)
	}
	if err := cli.Table(o.session.Out, rows); err != nil {
		return err
	}
	var next, unknown []string
	marked, unsure := false, false
	for _, r := range all.Results {
		if r.Value == nil {
			unknown = append(unknown, "what is to be promoted is unknown for "+r.Name)
			continue
		}
		lines, differs := r.Value.nextCommands(o.commands)
		next, marked = append(next, lines...), marked || differs
		if text := unknownText(r.Value.drifts); text != "" {
			unknown, unsure = append(unknown, r.Name+": "+text), true
		}
	}
	return errors.Join(o.printNext(next, marked, unsure, strings.Join(unknown, "; ")), all.Ends())
}

// fleetRows has a row for each service, and one for each repository that could not be read.
func fleetRows(all *across.All[view], details int) [][]string {
	var tables []across.Table
	behind := make(map[string]int)
	for _, r := range all.Results {
		if r.Value == nil {
			tables = append(tables, across.Table{Repository: r.Name})
			continue
		}
		rows := r.Value.rows(details)
		for n, d := range r.Value.drifts {
			name := strings.ToUpper(d.Environment) // what is behind is counted in all of them
			rows[0][n+1] = name
			behind[name] += len(d.Behind)
		}
		tables = append(tables, across.Table{Repository: r.Name, Rows: rows})
	}
	rows := across.Rows([]string{"SERVICE"}, tables)
	const fixed = 2 // repository and service, which an environment may be called like
	for n, name := range rows[0] {
		if n >= fixed && behind[name] > 0 {
			rows[0][n] += fmt.Sprintf(" (%d behind)", behind[name])
		}
	}
	return rows
}

// writeFleet writes the page of all repositories.
func (o *options) writeFleet(cmd *cobra.Command) error {
	all, err := o.readFleet(cmd)
	if err != nil {
		return err
	}
	var views []*view
	for _, r := range all.Results {
		v := r.Value
		if v == nil {
			v = &view{now: all.Read, unread: cmp.Or(r.Err, "it could not be read")}
		}
		v.repository = r.Name
		v.head = "" // each has another
		views = append(views, v)
	}
	return errors.Join(page.Write(o.session.Out, pageOf(cmp.Or(all.Name, "fleet"), views, o.commands), false), all.Ends())
}
