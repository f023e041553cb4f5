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
func (o *options) showFleet(cmd *cobra.Command, printer printers.ResourcePrinter, services []string) error {
	if len(o.selection.Targets) == 0 {
		return &cli.UsageError{Msg: "--to is missing", Command: cmd.CommandPath()}
	}
	all, err := across.Read(cmd, o.session, o.fleet, services, func(ctx context.Context, m *across.Member) (*promote.Plans, error) {
		one := *o
		one.session = m.Session
		plans, err := one.askMember(ctx, cmd, m, services)
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
		if r.Value == nil || len(r.Value.All) == 0 && r.Err != "" {
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

// askMember asks the gates of one repository, about those of the services that it has. A name
// of --except need not be one of them.
func (o *options) askMember(ctx context.Context, cmd *cobra.Command, m *across.Member, services []string) (*promote.Plans, error) {
	except := o.selection.Except
	o.selection.Except = nil
	w, err := o.selection.Open(cmd, m.Session, services)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	o.selection.Except = except
	found, all, err := m.Services(ctx, w)
	if err != nil || !all && len(found) == 0 {
		return &promote.Plans{}, err
	}
	o.selection.Services = found
	return o.ask(ctx, w)
}
