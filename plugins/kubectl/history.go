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
	req, limit := promote.HistoryRequest{}, 0
	cmd := &cobra.Command{
		Use:               "history [SERVICE...]",
		Short:             "Show who promoted what, when and from where",
		Long:              historyLong,
		Example:           historyExample,
		GroupID:           groupKnow,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: s.completeServices,
	}
	cmd.Flags().StringVar(&req.Environment, "env", "", "only this environment")
	cmd.Flags().IntVar(&limit, "limit", 0, "show at most so many changes (default: all)")
	must(cmd.RegisterFlagCompletionFunc("env", s.completeEnvironments))
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		req.Services = args
		return s.history(cmd, out, req, limit)
	}
	return cmd
}

func (s *session) history(cmd *cobra.Command, out *output, req promote.HistoryRequest, limit int) error {
	printer, err := out.printer()
	if err != nil {
		return err
	}
	if limit < 0 {
		return &usageError{msg: "--limit is negative", command: cmd.CommandPath()}
	}
	s.offline = true
	p, repo, err := s.open(cmd.Context())
	if err != nil {
		return err
	}
	defer repo.Close()
	if err := p.CheckServices(req.Services); err != nil {
		return err
	}
	var changes []promote.Change
	bar := s.newProgress()
	err = p.History(cmd.Context(), repo, req, func(c promote.Change) bool {
		changes = append(changes, c)
		bar.show("reading the history", len(changes), max(limit, len(changes)))
		return limit == 0 || len(changes) < limit
	})
	bar.clear()
	if err != nil {
		return err
	}
	if printer != nil {
		items := []object{}
		for _, c := range changes {
			items = append(items, object{fmt.Sprintf("%.9s-%s-%s", c.Commit, c.Service, c.Environment), c})
		}
		return printList(s.Out, printer, "Change", items)
	}
	for _, c := range changes {
		if c.Mismatch != "" {
			s.warn("commit %.9s: %s in %s: %s", c.Commit, c.Service, c.Environment, c.Mismatch)
		}
	}
	return table(s.Out, historyRows(changes, out.wide(), time.Now()))
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
