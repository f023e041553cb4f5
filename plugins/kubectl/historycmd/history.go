// Package historycmd implements kubectl promote history: who has changed which pin,
// when, and from where it was promoted. The history of the repository is read,
// newest first, and no registry is asked.
package historycmd

import (
	"context"
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"
)

const long = `Show how the pins of services came to be what they are.

The first-parent history is read: each change of a pin, newest first, whoever
made it. Where the commit has a promotion's record, its source is shown: the environment,
the flag that it came in by, or "rolled back".`

const example = `  # who put what into production, and when
  kubectl promote history cart --env production

  # the last five changes of any service
  kubectl promote history --limit 5

  # without a clone
  kubectl promote history cart -C https://git.example.com/infra.git`

// New makes kubectl promote history.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:               "history [SERVICE...]",
		Short:             "Show who promoted what, when and from where",
		Long:              long,
		Example:           example,
		GroupID:           cli.GroupKnow,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: s.CompleteServices,
	}
	s.EnvironmentVar(cmd, &o.request.Environment, "env", "only this environment")
	cmd.Flags().IntVar(&o.limit, "limit", 0, "show at most so many changes (default: all)")
	o.output = cli.AddOutput(cmd)
	s.BranchVar(cmd)
	s.TakesURL(cmd)
	cmd.RunE = o.run
	return cmd
}

// options are the flags of history.
type options struct {
	session *cli.Session
	request history.Request
	limit   int
	output  *cli.Output
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	s := o.session
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	if o.limit < 0 {
		return &cli.UsageError{Msg: "--limit is negative", Command: cmd.CommandPath()}
	}
	o.request.Services = services
	w, err := s.OpenToRead(cmd.Context())
	if err != nil {
		return err
	}
	defer w.Close()
	// By a URL the services are listed only where the history has none of them: that
	// fetches all directories.
	if err := o.checkServices(cmd.Context(), w, w.Repo != nil); err != nil {
		return err
	}
	var changes []history.Change
	bar := s.NewProgress()
	err = history.Read(cmd.Context(), w.Pipeline, w.Promoter.Repo, w.Log(), o.request, func(c history.Change) bool {
		changes = append(changes, c)
		bar.Show("reading the history", len(changes), max(o.limit, len(changes)))
		return o.limit == 0 || len(changes) < o.limit
	})
	bar.Clear()
	if err := s.WarnTruncated(err); err != nil {
		return err
	}
	if err := o.checkServices(cmd.Context(), w, w.Repo == nil && len(changes) == 0); err != nil {
		return err
	}
	return o.report(printer, changes)
}

// checkServices gives an error for the first name that is no service's.
func (o *options) checkServices(ctx context.Context, w *cli.Workspace, asked bool) error {
	if !asked || len(o.request.Services) == 0 {
		return nil
	}
	if err := w.Whole(ctx); err != nil {
		return err
	}
	return status.CheckServices(w.Pipeline, w.Promoter.Repo, o.request.Services)
}

// report prints the changes. One whose commit has a record that does not fit it is
// warned of where people read.
func (o *options) report(printer printers.ResourcePrinter, changes []history.Change) error {
	s := o.session
	if printer != nil {
		items := []cli.Object{}
		for _, c := range changes {
			items = append(items, cli.Object{Name: fmt.Sprintf("%.9s-%s-%s", c.Commit, c.Service, c.Environment), Content: c})
		}
		return cli.PrintList(s.Out, printer, "Change", items)
	}
	for _, c := range changes {
		if c.Mismatch != "" {
			s.Warn("commit %.9s: %s in %s: %s", c.Commit, c.Service, c.Environment, c.Mismatch)
		}
	}
	return cli.Table(s.Out, historyRows(changes, o.output.Wide(), time.Now()))
}

func historyRows(changes []history.Change, wide bool, now time.Time) [][]string {
	rows := [][]string{{"AGE", "SERVICE", "ENVIRONMENT", "IMAGE", "WAS", "BECAME", "FROM", "BY", "COMMIT"}}
	if wide {
		rows[0] = append(rows[0], "DIGEST", "GATES")
	}
	for _, c := range changes {
		from, gates := "-", 0
		if c.Record != nil && c.Mismatch == "" {
			from, gates = cli.Origin(c.Record.From, c.Record.Entry), len(c.Record.Gates)
			if c.Record.RollbackOf != "" {
				from = "rolled back"
			}
		}
		for _, i := range c.Images {
			row := []string{duration.HumanDuration(now.Sub(c.Time)), c.Service, c.Environment, i.Name,
				i.Old.Short(), i.New.Short(), from, c.Author, fmt.Sprintf("%.9s", c.Commit)}
			if wide {
				row = append(row, cli.ShortDigest(i.New.Digest), fmt.Sprint(gates))
			}
			rows = append(rows, row)
		}
	}
	return rows
}
