package statuscmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/across"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

// row is a service of a repository.
type row struct {
	repository string
	pipeline   *pipeline.Pipeline
	status     status.Service
}

// showFleet shows what the services of all repositories are pinned to.
func (o *options) showFleet(cmd *cobra.Command, printer printers.ResourcePrinter, services []string) error {
	all, err := across.Read(cmd, o.session, o.fleet, services, func(ctx context.Context, m *across.Member) (*reading, error) {
		one := *o
		one.session = m.Session
		r, err := one.read(ctx, printer, m.Services)
		if r == nil || printer != nil {
			return r, err
		}
		every := len(services) == 0
		var bare []status.Service
		if every && o.digest == "" {
			r.statuses, bare = one.pinned(r.pipeline, r.statuses)
		}
		if one.proposals != nil {
			one.proposals.Explain(r.statuses)
		}
		one.explainLive(r.statuses)
		one.explainCheck(r.statuses)
		if o.digest == "" {
			one.explain(r.pipeline, r.statuses, bare)
		}
		return r, err
	})
	if err != nil {
		return err
	}
	var rows []row
	for _, r := range all.Results {
		if r.Value == nil {
			continue
		}
		for _, st := range r.Value.statuses {
			rows = append(rows, row{r.Name, r.Value.pipeline, st})
		}
	}
	object := func(r row) cli.Object {
		return across.Object(r.repository, cli.Object{Name: r.status.Service, Content: r.status})
	}
	if err := cli.SortBy(o.output, rows, object); err != nil {
		return err
	}
	if printer != nil {
		items := []cli.Object{}
		for _, r := range rows {
			items = append(items, object(r))
		}
		return errors.Join(all.Print(o.session, printer, "ServiceStatus", items), all.Ends())
	}
	if o.digest != "" && len(rows) == 0 && all.Ends() == nil {
		_, err := fmt.Fprintln(o.session.ErrOut, "no environment has "+o.digest)
		return err
	}
	return errors.Join(cli.Table(o.session.Out, o.fleetRows(all, rows)), all.Ends())
}

// fleetRows are the rows of all services, and one of each repository that could not be read.
func (o *options) fleetRows(all *across.All[reading], rows []row) [][]string {
	var tables []across.Table
	now := time.Now()
	for _, r := range rows {
		one := []status.Service{r.status}
		table := board(r.pipeline, one)
		if o.output.Wide() || o.digest != "" {
			table = wideStatus(one, now, o.pending, o.session.Live)
		}
		tables = append(tables, across.Table{Repository: r.repository, Rows: table})
	}
	for _, r := range all.Results {
		if r.Value == nil {
			tables = append(tables, across.Table{Repository: r.Name})
		}
	}
	return across.Rows([]string{"SERVICE"}, tables)
}
