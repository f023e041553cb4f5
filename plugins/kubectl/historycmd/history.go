// Package historycmd implements kubectl promote history: who has changed which pin,
// when, and from where it was promoted. The history of the repository is read,
// newest first, and no registry is asked.
package historycmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/across"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/standing"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
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

  # what has changed in production that evening, and where a digest has been
  kubectl promote history --env production --since '2026-11-28 18:00' --until '2026-11-28 23:00'
  kubectl promote history --digest sha256:4de5636384d5

  # without a clone
  kubectl promote history cart -C https://git.example.com/infra.git

  # the last twenty changes of production in all repositories that a file lists
  kubectl promote history --env production --limit 20 --fleet fleet.yaml`

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
	cmd.Flags().StringVar(&o.digest, "digest", "", "only changes that have brought this digest or taken it away; its first digits will do")
	cmd.Flags().StringVar(&o.from, "since", "", "only changes since then: 24h, 7d, 2026-11-28, '2026-11-28 18:00' or 2026-11-28T18:00:00Z")
	cmd.Flags().StringVar(&o.to, "until", "", "only changes until then")
	for _, name := range []string{"digest", "since", "until"} {
		cli.Must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	o.output = cli.AddListOutput(cmd)
	across.Var(cmd, &o.fleet)
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

	digest, from, to string
	since, until     time.Time // of from and to, or zero

	fleet string
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	services = cli.BareNames(services)
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	if o.limit < 0 {
		return &cli.UsageError{Msg: "--limit is negative", Command: cmd.CommandPath()}
	}
	if err := o.parse(cmd); err != nil {
		return err
	}
	o.request.Services = services
	if o.fleet != "" {
		return o.showFleet(cmd, printer)
	}
	r, err := o.read(cmd.Context(), nil)
	if r == nil {
		return err
	}
	return errors.Join(o.report(printer, r), err)
}

// reading is what was read of a repository's history.
type reading struct {
	changes []history.Change
	cut     bool // there may be more, which nobody can tell
}

// read reads the history of a repository. What could be read is there beside the error, which
// is the one that a command about it ends with. Choose says which of the services it has, if
// that is not asked of the history itself.
func (o *options) read(ctx context.Context, choose across.Choose) (*reading, error) {
	w, err := o.session.OpenToRead(ctx)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if choose != nil {
		services, all, err := choose(ctx, w)
		if err != nil || !all && len(services) == 0 {
			return &reading{}, err
		}
		o.request.Services = services
	}
	// By a URL the services are listed only where the history has none of them: that
	// fetches all directories.
	if err := o.checkServices(ctx, w, w.Repo != nil); err != nil {
		return nil, err
	}
	r := &reading{}
	bar := o.session.NewProgress()
	err = history.Read(ctx, w.Pipeline, w.Promoter.Repo, w.Log(), o.request, func(c history.Change) bool {
		if !o.since.IsZero() && c.Time.Before(o.since.Add(-clockSlack)) {
			return false
		}
		if !o.wants(&c) {
			return true
		}
		r.changes = append(r.changes, c)
		bar.Show("reading the history", len(r.changes), max(o.limit, len(r.changes)))
		return o.limit == 0 || len(r.changes) < o.limit
	})
	bar.Clear()
	_, r.cut = errors.AsType[*history.Truncated](err)
	failed := o.session.WarnTruncated(err)
	var unreached *pipeline.Unreached
	if failed != nil && (!errors.As(failed, &unreached) || len(r.changes) == 0) {
		return nil, failed
	}
	if err := o.checkServices(ctx, w, w.Repo == nil && len(r.changes) == 0); err != nil {
		return nil, err
	}
	if failed == nil && r.cut {
		failed = cli.Silent(cli.ExitUnknown)
	}
	return r, failed
}

// clockSlack is how much older than what came after it a commit may seem: the clocks of
// machines differ, and what was rebased keeps none of its own.
const clockSlack = 7 * 24 * time.Hour

// parse reads the flags that say which changes are wanted.
func (o *options) parse(cmd *cobra.Command) (err error) {
	if o.digest != "" {
		if o.digest, err = standing.DigestPrefix(cmd, o.digest); err != nil {
			return err
		}
	}
	for _, one := range []struct {
		text string
		at   *time.Time
	}{{o.from, &o.since}, {o.to, &o.until}} {
		if one.text != "" {
			if *one.at, err = cli.ParsePast(one.text, time.Now()); err != nil {
				return err
			}
		}
	}
	if !o.until.IsZero() && o.until.Before(o.since) {
		return &cli.UsageError{Msg: "--until is before --since", Command: cmd.CommandPath()}
	}
	return nil
}

// wants tells whether a change is asked for, and leaves out images of another digest.
func (o *options) wants(c *history.Change) bool {
	if c.Time.Before(o.since) || !o.until.IsZero() && c.Time.After(o.until) {
		return false
	}
	if o.digest != "" {
		c.Along = nil // which has none
		c.Images = slices.DeleteFunc(slices.Clone(c.Images), func(i history.ImageChange) bool {
			return !strings.HasPrefix(i.New.Digest, o.digest) && !strings.HasPrefix(i.Old.Digest, o.digest) || i.New.Digest == i.Old.Digest
		})
	}
	return len(c.Images)+len(c.Along) > 0
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
func (o *options) report(printer printers.ResourcePrinter, r *reading) error {
	s, changes := o.session, r.changes
	if err := cli.SortBy(o.output, changes, object); err != nil {
		return err
	}
	if printer != nil {
		items := []cli.Object{}
		for _, c := range changes {
			items = append(items, object(c))
		}
		return cli.PrintList(s.Out, printer, "Change", items)
	}
	o.warnMismatches(changes)
	return cli.Table(s.Out, historyRows(changes, o.output.Wide(), time.Now()))
}

func (o *options) warnMismatches(changes []history.Change) {
	for _, c := range changes {
		if c.Mismatch != "" {
			o.session.Warn("commit %.9s: %s in %s: %s", c.Commit, c.Service, c.Environment, c.Mismatch)
		}
	}
}

// object is a change as an item of a list.
func object(c history.Change) cli.Object {
	return cli.Object{Name: fmt.Sprintf("%.9s-%s-%s", c.Commit, c.Service, c.Environment), Content: c}
}

func historyRows(changes []history.Change, wide bool, now time.Time) [][]string {
	rows := [][]string{{"AGE", "SERVICE", "ENVIRONMENT", "IMAGE", "WAS", "BECAME", "FROM", "BY", "COMMIT"}}
	if wide {
		rows[0] = append(rows[0], "DIGEST", "GATES")
	}
	for _, c := range changes {
		from, gates := "-", "0"
		if c.Record != nil && c.Mismatch == "" {
			from, gates = cli.Origin(c.Record.From, c.Record.Entry), fmt.Sprint(len(c.Record.Gates))
			for _, v := range c.Record.Overrides {
				gates += ", overridden: " + v.String()
			}
			if c.Record.RollbackOf != "" {
				from = "rolled back"
			}
		}
		add := func(name, was, became, digest string) {
			row := []string{duration.HumanDuration(now.Sub(c.Time)), c.Service, c.Environment, name, was, became, from, c.Author, fmt.Sprintf("%.9s", c.Commit)}
			if wide {
				row = append(row, digest, gates)
			}
			rows = append(rows, row)
		}
		for _, i := range c.Images {
			add(i.Name, i.Old.Short(), i.New.Short(), cli.ShortDigest(i.New.Digest))
		}
		for _, a := range c.Along {
			add(a.Kind+" "+a.Name, cmp.Or(a.Old, "none"), cmp.Or(a.New, "none"), "-")
		}
	}
	return rows
}
