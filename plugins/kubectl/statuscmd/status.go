// Package statuscmd implements kubectl promote status: a table of services and
// environments with what each is pinned to. The files of the working tree are read,
// with -o wide their history as well; no registry is asked.
package statuscmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"
)

const long = `Show what each service is pinned to in each environment.

The files of the working tree are read. An asterisk marks what differs from the
environment that it is promoted from. With -o wide, each environment is a row of
its own, with its digest and, from the history, since when and by whom.`

const example = `  # the board of all services
  kubectl promote status

  # one service, with digests and who promoted it
  kubectl promote status cart -o wide`

// New makes kubectl promote status.
func New(s *cli.Session) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "status [SERVICE...]",
		Short:             "Show which image is in which environment",
		Long:              long,
		Example:           example,
		GroupID:           cli.GroupKnow,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: s.CompleteServices,
	}
	o := &options{session: s, output: cli.AddOutput(cmd)}
	cmd.RunE = o.run
	return cmd
}

// options are the flags of status.
type options struct {
	session *cli.Session
	output  *cli.Output
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	s, out := o.session, o.output
	printer, err := out.Printer()
	if err != nil {
		return err
	}
	p, repo, err := s.OpenOffline(cmd.Context())
	if err != nil {
		return err
	}
	defer repo.Close()
	misfits, err := p.Misfits()
	if err != nil {
		return err
	}
	for _, m := range misfits {
		s.Warn("%s", m)
	}
	statuses, failed := p.Status(cmd.Context(), services)
	if statuses == nil && failed != nil {
		return failed
	}
	for _, st := range statuses {
		for _, e := range st.Environments {
			for _, w := range e.Warnings {
				s.Warn("%s", w)
			}
		}
	}
	if out.Wide() || printer != nil && !out.Names() {
		if err := s.WarnTruncated(p.AddHistory(cmd.Context(), repo, statuses)); err != nil {
			return err
		}
	}
	var items []cli.Object
	for _, st := range statuses {
		items = append(items, cli.Object{Name: st.Service, Content: st})
	}
	rows := board(p.Pipeline, statuses)
	if out.Wide() {
		rows = wideStatus(statuses, time.Now())
	}
	if err := s.Print(printer, "ServiceStatus", items, rows); err != nil {
		return err
	}
	return failed
}

// board is a row for each service and a column for each environment.
func board(p *pipeline.Pipeline, statuses []promote.ServiceStatus) [][]string {
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
		return "unknown"
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
				rows = append(rows, []string{st.Service, e.Environment, "unknown", "-", "-", "-", "-", "-"})
			}
			for _, i := range e.Images {
				since, by, from := "-", "-", "-"
				if l := i.Last; l != nil {
					since, by, from = duration.HumanDuration(now.Sub(l.Time)), l.Author, cli.Origin(l.From, l.Entry)
				}
				rows = append(rows, []string{st.Service, e.Environment, i.Name, cli.Dash(i.Tag), cli.ShortDigest(i.Digest), since, by, from})
			}
		}
	}
	return rows
}
