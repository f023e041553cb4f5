package kubectl

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"
)

const statusLong = `Show what each service is pinned to in each environment.

The files of the working tree are read. An asterisk marks what differs from the
environment that it is promoted from. With -o wide, each environment is a row of
its own, with its digest and, from the history, since when and by whom.`

const statusExample = `  # the board of all services
  kubectl promote status

  # one service, with digests and who promoted it
  kubectl promote status cart -o wide`

func newStatusCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "status [SERVICE...]",
		Short:             "Show which image is in which environment",
		Long:              statusLong,
		Example:           statusExample,
		GroupID:           groupKnow,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: s.completeServices,
	}
	o := &statusOptions{session: s, output: addOutput(cmd)}
	cmd.RunE = o.run
	return cmd
}

// statusOptions are the flags of status.
type statusOptions struct {
	session *session
	output  *output
}

func (o *statusOptions) run(cmd *cobra.Command, services []string) error {
	s, out := o.session, o.output
	printer, err := out.printer()
	if err != nil {
		return err
	}
	p, repo, err := s.openOffline(cmd.Context())
	if err != nil {
		return err
	}
	defer repo.Close()
	statuses, failed := p.Status(cmd.Context(), services)
	if statuses == nil && failed != nil {
		return failed
	}
	if out.wide() || printer != nil && !out.names() {
		if err := p.AddHistory(cmd.Context(), repo, statuses); err != nil {
			return err
		}
	}
	switch {
	case printer != nil:
		items := []object{}
		for _, st := range statuses {
			items = append(items, object{name: st.Service, content: st})
		}
		err = printList(s.Out, printer, "ServiceStatus", items)
	case out.wide():
		err = table(s.Out, wideStatus(statuses, time.Now()))
	default:
		err = table(s.Out, board(p.Pipeline, statuses))
	}
	if err != nil {
		return err
	}
	return failed
}

// board is a row for each service and a column for each environment.
func board(p *promote.Pipeline, statuses []promote.ServiceStatus) [][]string {
	heading := []string{"SERVICE"}
	for _, e := range p.Spec.Environments {
		heading = append(heading, strings.ToUpper(e.Name))
	}
	rows := [][]string{heading}
	for _, st := range statuses {
		row := []string{st.Service}
		for _, e := range st.Environments {
			row = append(row, cell(e))
		}
		rows = append(rows, row)
	}
	return rows
}

// cell names an environment's pins: one, or how many where they differ.
func cell(e promote.EnvironmentStatus) string {
	mark := ""
	if e.Differs {
		mark = "*"
	}
	switch {
	case !e.Exists:
		return "-"
	case e.Error != "":
		return "error"
	case len(e.Images) == 0:
		return "none"
	}
	pins := make(map[string]bool)
	for _, i := range e.Images {
		pins[i.Short()] = true
	}
	if len(pins) == 1 {
		return e.Images[0].Short() + mark
	}
	return fmt.Sprintf("%d images%s", len(e.Images), mark)
}

func wideStatus(statuses []promote.ServiceStatus, now time.Time) [][]string {
	rows := [][]string{{"SERVICE", "ENVIRONMENT", "IMAGE", "TAG", "DIGEST", "SINCE", "BY", "FROM"}}
	for _, st := range statuses {
		for _, e := range st.Environments {
			if e.Error != "" {
				rows = append(rows, []string{st.Service, e.Environment, "error", "-", "-", "-", "-", "-"})
			}
			for _, i := range e.Images {
				since, by, from := "-", "-", "-"
				if l := i.Last; l != nil {
					since, by, from = duration.HumanDuration(now.Sub(l.Time)), l.Author, dash(l.From)
				}
				rows = append(rows, []string{st.Service, e.Environment, i.Name, dash(i.Tag), shortDigest(i.Digest), since, by, from})
			}
		}
	}
	return rows
}
