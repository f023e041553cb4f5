// Package statuscmd implements kubectl promote status: a table of services and
// environments with what each is pinned to. The files of the working tree are read,
// with -o wide their history as well; no registry is asked.
package statuscmd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"
)

const long = `Show what each service is pinned to in each environment.

The files of the working tree are read, or, with -C URL, those of the branch. An asterisk marks what differs from the
environment that it is promoted from, "held" what kubectl promote hold keeps there; "-" stands where a service has no overlay, and
"none" where its overlay has no pin. What has no pin in any environment is no row of the
board, and is told below it. With -o wide, each environment is a row of its own, with
its digest and, from the history, since when and by whom.`

const example = `  # the board of all services
  kubectl promote status

  # one service, with digests and who promoted it
  kubectl promote status cart -o wide

  # without a clone
  kubectl promote status -C https://git.example.com/infra.git`

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
	s.BranchVar(cmd)
	s.TakesURL(cmd)
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
	w, err := s.OpenToRead(cmd.Context())
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Whole(cmd.Context()); err != nil {
		return err
	}
	p := w.Promoter
	listing, err := status.List(p.Pipeline, p.Repo)
	if err != nil {
		return err
	}
	for _, m := range listing.Misfits() {
		s.Warn("%s", m)
	}
	statuses, failed := listing.Status(cmd.Context(), services)
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
	if err := addHolds(cmd.Context(), s, p, statuses); err != nil {
		return err
	}
	if out.Wide() || printer != nil && !out.Names() {
		if err := s.WarnTruncated(status.AddHistory(cmd.Context(), p.Pipeline, p.Repo, w.Log(), statuses)); err != nil {
			return err
		}
	}
	var items []cli.Object
	for i := 0; printer != nil && i < len(statuses); i++ {
		items = append(items, cli.Object{Name: statuses[i].Service, Content: statuses[i]})
	}
	shown, bare := statuses, []status.Service(nil)
	if len(services) == 0 {
		shown, bare = o.pinned(p.Pipeline, statuses)
	}
	rows := board(p.Pipeline, shown)
	if out.Wide() {
		rows = wideStatus(shown, time.Now())
	}
	if err := s.Print(printer, "ServiceStatus", items, rows); err != nil {
		return err
	}
	if printer == nil {
		o.explain(p.Pipeline, shown, bare)
	}
	return failed
}

// addHolds adds what is held by what is committed: that counts.
func addHolds(ctx context.Context, s *cli.Session, p *promote.Promoter, statuses []status.Service) error {
	holds, err := cli.ReadHolds(ctx, p.Repo)
	if err != nil {
		return err
	}
	if holds.How != "" {
		s.Warn("%s has uncommitted changes (%s): what is committed counts", hold.FileName, holds.How)
	}
	list, err := hold.Parse(hold.FileName, holds.Committed, p.Pipeline)
	if err != nil {
		return err
	}
	status.AddHolds(p.Pipeline, list, time.Now(), statuses)
	return nil
}

// pinned parts the services that have a pin somewhere from what holds none: folders and
// files that fit the layout and are no services. Files that move as they are, and
// values, are none of a board's, so that where they move everything is shown; and so it
// is where nothing has a pin.
func (o *options) pinned(p *pipeline.Pipeline, statuses []status.Service) (shown, bare []status.Service) {
	for _, st := range statuses {
		if st.Pinned() || len(p.Spec.Copy)+len(p.Spec.Values) > 0 {
			shown = append(shown, st)
		} else {
			bare = append(bare, st)
		}
	}
	if len(shown) == 0 {
		return bare, nil
	}
	return shown, bare
}

// mostNamed is how many services without a pin are named.
const mostNamed = 3

// explain says what is not on the board, and with -v what its words mean.
func (o *options) explain(p *pipeline.Pipeline, shown, bare []status.Service) {
	var names []string
	for _, st := range bare[:min(len(bare), mostNamed)] {
		names = append(names, st.Service)
	}
	if more := len(bare) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	for _, st := range shown {
		for _, e := range st.Environments {
			if e.Held != nil && !o.session.Quiet {
				fmt.Fprintln(o.session.ErrOut, cli.Clean(fmt.Sprintf("%s in %s: %s", st.Service, e.Environment, e.Held)))
			}
		}
	}
	switch s := o.session; {
	case len(bare) > 0 && !s.Quiet:
		fmt.Fprintf(s.ErrOut, "without a pin in any environment, and not shown: %s\n", cli.Clean(strings.Join(names, ", ")))
	case len(shown) > 0 && len(p.Spec.Copy)+len(p.Spec.Values) == 0 && !slices.ContainsFunc(shown, status.Service.Pinned):
		s.Warn("no pin in any overlay: what fits %s holds no image that is known, and a pipeline's images names what no convention finds", p.Spec.Layout)
	}
	for _, st := range shown {
		if slices.ContainsFunc(st.Environments, func(e status.Environment) bool {
			return slices.ContainsFunc([]string{"none", "-"}, func(mark string) bool { return strings.TrimSuffix(cell(e), " held") == mark })
		}) {
			o.session.Note("none: an overlay without a pin; -: no overlay")
			return
		}
	}
}

// board is a row for each service and a column for each environment.
func board(p *pipeline.Pipeline, statuses []status.Service) [][]string {
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
func cell(e status.Environment) string {
	mark := ""
	if e.Differs {
		mark = "*"
	}
	if e.Held != nil {
		mark += " held"
	}
	switch {
	case !e.Exists:
		return "-"
	case e.Error != "":
		return "unknown"
	case len(e.Images)+len(e.Along) == 0:
		return "none" + mark
	case len(e.Images) == 0:
		return along(e.Along) + mark
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

// along names the versions of what moves without any image.
func along(all []status.Along) string {
	for _, a := range all {
		if a.Version != all[0].Version {
			return fmt.Sprintf("%d %ss", len(all), all[0].Kind)
		}
	}
	return all[0].Version
}

func wideStatus(statuses []status.Service, now time.Time) [][]string {
	rows := [][]string{{"SERVICE", "ENVIRONMENT", "IMAGE", "TAG", "DIGEST", "SINCE", "BY", "FROM"}}
	for _, st := range statuses {
		for _, e := range st.Environments {
			if e.Error != "" {
				rows = append(rows, []string{st.Service, e.Environment, "unknown", "-", "-", "-", "-", "-"})
			}
			if e.Exists && e.Error == "" && len(e.Images)+len(e.Along) == 0 {
				rows = append(rows, []string{st.Service, e.Environment, "none", "-", "-", "-", "-", "-"})
			}
			for _, a := range e.Along {
				rows = append(rows, []string{st.Service, e.Environment, a.Kind + " " + a.Name, a.Version, "-", "-", "-", "-"})
			}
			for _, i := range e.Images {
				since, by, from := "-", "-", "-"
				if l := i.Last; l != nil {
					since, by, from = duration.HumanDuration(now.Sub(l.Time)), l.Author, cli.Origin(l.From, l.Entry)
				}
				tag := cli.Dash(i.Tag)
				if e.Held != nil {
					tag += " held"
				}
				rows = append(rows, []string{st.Service, e.Environment, i.Name, tag, cli.ShortDigest(i.Digest), since, by, from})
			}
		}
	}
	return rows
}
