package kubectl

import (
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"
)

const historyLong = `Show how the pins of services came to be what they are.

The first-parent history is read: each change of a pin, newest first, whoever
made it. Where the commit has a promotion's record, its source is shown.`

const historyExample = `  # who put what into production, and when
  kubectl promote history cart --env production

  # the last five changes of any service
  kubectl promote history --limit 5`

func newHistoryCommand(s *session) *cobra.Command {
	o := &historyOptions{session: s}
	cmd := &cobra.Command{
		Use:               "history [SERVICE...]",
		Short:             "Show who promoted what, when and from where",
		Long:              historyLong,
		Example:           historyExample,
		GroupID:           groupKnow,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: s.completeServices,
	}
	cmd.Flags().StringVar(&o.request.Environment, "env", "", "only this environment")
	cmd.Flags().IntVar(&o.limit, "limit", 0, "show at most so many changes (default: all)")
	must(cmd.RegisterFlagCompletionFunc("env", s.completeEnvironments))
	o.output = addOutput(cmd)
	cmd.RunE = o.run
	return cmd
}

// historyOptions are the flags of history.
type historyOptions struct {
	session *session
	request promote.HistoryRequest
	limit   int
	output  *output
}

func (o *historyOptions) run(cmd *cobra.Command, services []string) error {
	s := o.session
	printer, err := o.output.printer()
	if err != nil {
		return err
	}
	if o.limit < 0 {
		return &usageError{msg: "--limit is negative", command: cmd.CommandPath()}
	}
	o.request.Services = services
	p, repo, err := s.openOffline(cmd.Context())
	if err != nil {
		return err
	}
	defer repo.Close()
	if err := p.CheckServices(services); err != nil {
		return err
	}
	var changes []promote.Change
	bar := s.newProgress()
	err = p.History(cmd.Context(), repo, o.request, func(c promote.Change) bool {
		changes = append(changes, c)
		bar.show("reading the history", len(changes), max(o.limit, len(changes)))
		return o.limit == 0 || len(changes) < o.limit
	})
	bar.clear()
	if err != nil {
		return err
	}
	if printer != nil {
		items := []object{}
		for _, c := range changes {
			items = append(items, object{name: fmt.Sprintf("%.9s-%s-%s", c.Commit, c.Service, c.Environment), content: c})
		}
		return printList(s.Out, printer, "Change", items)
	}
	for _, c := range changes {
		if c.Mismatch != "" {
			s.warn("commit %.9s: %s in %s: %s", c.Commit, c.Service, c.Environment, c.Mismatch)
		}
	}
	return table(s.Out, historyRows(changes, o.output.wide(), time.Now()))
}

func historyRows(changes []promote.Change, wide bool, now time.Time) [][]string {
	rows := [][]string{{"AGE", "SERVICE", "ENVIRONMENT", "IMAGE", "WAS", "BECAME", "FROM", "BY", "COMMIT"}}
	if wide {
		rows[0] = append(rows[0], "DIGEST", "GATES")
	}
	for _, c := range changes {
		from, gates := "-", 0
		if c.Record != nil && c.Mismatch == "" {
			from, gates = dash(c.Record.From), len(c.Record.Gates)
		}
		for _, i := range c.Images {
			row := []string{duration.HumanDuration(now.Sub(c.Time)), c.Service, c.Environment, i.Name,
				i.Old.Short(), i.New.Short(), from, c.Author, fmt.Sprintf("%.9s", c.Commit)}
			if wide {
				row = append(row, shortDigest(i.New.Digest), fmt.Sprint(gates))
			}
			rows = append(rows, row)
		}
	}
	return rows
}
