package historycmd

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/across"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

// entry is a change in a repository.
type entry struct {
	repository string
	history.Change
}

// showFleet shows the changes in all repositories, the newest first.
func (o *options) showFleet(cmd *cobra.Command, printer printers.ResourcePrinter) error {
	all, err := across.Read(cmd, o.session, o.fleet, o.request.Services, func(ctx context.Context, m *across.Member) (*reading, error) {
		one := *o
		one.session = m.Session
		r, err := one.read(ctx, m.Services)
		if r != nil && printer == nil {
			one.warnMismatches(r.changes)
		}
		return r, err
	})
	if err != nil {
		return err
	}
	var entries []entry
	for _, r := range all.Results {
		if r.Value == nil {
			continue
		}
		for _, c := range r.Value.changes {
			entries = append(entries, entry{r.Name, c})
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return b.Time.Compare(a.Time) })
	if o.limit > 0 {
		entries = entries[:min(o.limit, len(entries))]
	}
	item := func(e entry) cli.Object { return across.Object(e.repository, object(e.Change)) }
	if err := cli.SortBy(o.output, entries, item); err != nil {
		return err
	}
	if printer != nil {
		items := []cli.Object{}
		for _, e := range entries {
			items = append(items, item(e))
		}
		return errors.Join(all.Print(o.session, printer, "Change", items), all.Ends())
	}
	var tables []across.Table
	now := time.Now()
	for _, e := range entries {
		tables = append(tables, across.Table{Repository: e.repository, Rows: historyRows([]history.Change{e.Change}, o.output.Wide(), now)})
	}
	for _, r := range all.Results {
		if r.Value == nil || r.Err != "" { // what was read of it is not all
			tables = append(tables, across.Table{Repository: r.Name})
		}
	}
	return errors.Join(cli.Table(o.session.Out, across.Rows(historyRows(nil, o.output.Wide(), now)[0], tables)), all.Ends())
}
