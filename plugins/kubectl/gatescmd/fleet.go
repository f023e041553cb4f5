package gatescmd

import (
	"context"
	"errors"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/across"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

// showFleet shows what the gates of all repositories say. One whose pipeline has no such
// environment has no part in it.
func (o *options) showFleet(cmd *cobra.Command, printer printers.ResourcePrinter) error {
	all, err := across.Read(cmd, o.session, o.fleet, o.selection.Services, func(ctx context.Context, m *across.Member) (*promote.Plans, error) {
		one := *o
		one.session = m.Session
		plans, err := one.ask(ctx, m.Services)
		switch {
		case err != nil || len(plans.All) == 0:
			return plans, err
		case printer != nil:
			return plans, m.Refusal(plans)
		}
		return plans, one.hints(plans)
	})
	if err != nil {
		return err
	}
	items := []cli.Object{}
	tables, heading := []across.Table{}, append([]string{"TO"}, rowsOf(&promote.Plan{}, nil)[0]...)
	for _, r := range all.Results {
		if r.Value == nil {
			tables = append(tables, across.Table{Repository: r.Name})
			continue
		}
		for _, o := range objects(r.Value) {
			items = append(items, across.Object(r.Name, o))
		}
		if len(r.Value.All) > 0 {
			tables = append(tables, across.Table{Repository: r.Name, Rows: rowsOfAll(r.Value)})
		}
	}
	if printer != nil {
		return errors.Join(all.Print(o.session, printer, "GateVerdict", items), all.Ends())
	}
	return errors.Join(cli.Table(o.session.Out, across.Rows(heading, tables)), all.Ends())
}
