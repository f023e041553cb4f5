// Package statuscmd implements kubectl promote status: a table of services and
// environments with what each is pinned to. The files of the working tree are read,
// with -o wide their history as well; no registry is asked.
package statuscmd

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
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/shard"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

const long = `Show what each service is pinned to in each environment.

The files of the working tree are read, or, with -C URL, those of the branch. An asterisk marks what differs from the
environment that it is promoted from, "held" what kubectl promote hold keeps there; "-" stands where a service has no overlay, and
"none" where its overlay has no pin. What has no pin in any environment is no row of the
board, and is told below it. With -o wide, each environment is a row of its own, with
its digest and, from the history, since when and by whom.

With --live the clusters of the environments are asked as the gate health asks them: whether
Argo CD, Flux and the objects themselves say that a service is healthy, and whether what runs
is what its pins say. An environment whose pipeline has no health is not asked about. Exit
status 5 where the answer for one is unknown.

With --check the registries are asked whether each tag that stands beside a digest still
stands for it: exit status 1 where one has moved, 5 where that cannot be told. A tag alone has
nothing that it could be compared with.`

const example = `  # the board of all services
  kubectl promote status

  # one service, with digests and who promoted it
  kubectl promote status cart -o wide

  # which pull requests are open?
  kubectl promote status --pending

  # and is that what runs, and healthy?
  kubectl promote status --live

  # does each tag still stand for the digest beside it?
  kubectl promote status --check

  # where is this digest?
  kubectl promote status --digest sha256:4de5636384d5

  # again whenever the repository changes, until ctrl-C
  kubectl promote status -w

  # columns of one's own, by the tag in the second environment
  kubectl promote status --sort-by '.environments[1].images[0].tag' -o custom-columns=NAME:.metadata.name,TAG:.environments[1].images[0].tag

  # without a clone
  kubectl promote status -C https://git.example.com/infra.git

  # of all repositories that a file lists
  kubectl promote status --fleet fleet.yaml`

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
	o := &options{session: s, output: cli.AddListOutput(cmd)}
	cmd.Flags().StringVar(&o.digest, "digest", "", "only where this digest is, a row each; its first digits will do")
	cli.Must(cmd.RegisterFlagCompletionFunc("digest", cobra.NoFileCompletions))
	standing.WatchVar(cmd, &o.watch)
	cmd.Flags().BoolVar(&o.pending, "pending", false, "ask the forge for open pull requests of promotions and rollbacks")
	s.AddCluster(cmd)
	cmd.Flags().BoolVar(&s.Live, "live", false, "ask the clusters whether it runs there, and is healthy")
	cmd.Flags().BoolVar(&o.check, "check", false, "ask the registries whether tags have moved from the digests beside them")
	cli.ShardVar(cmd, &o.shard, "services")
	across.Var(cmd, &o.fleet)
	cmd.MarkFlagsMutuallyExclusive("fleet", "watch")
	cmd.MarkFlagsMutuallyExclusive("fleet", "shard")
	s.BranchVar(cmd)
	s.TakesURL(cmd)
	cmd.RunE = o.run
	return cmd
}

// options are the flags of status.
type options struct {
	session *cli.Session
	output  *cli.Output
	digest  string
	pending bool
	watch   bool
	check   bool
	shard   shard.Shard
	fleet   string
	// proposals are the pull requests that are open, where they were asked for.
	proposals *standing.Proposals
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	services = cli.BareNames(services)
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	if o.digest != "" {
		if o.digest, err = standing.DigestPrefix(cmd, o.digest); err != nil {
			return err
		}
	}
	if o.fleet != "" {
		return o.showFleet(cmd, printer, services)
	}
	if o.watch {
		return standing.Watch(cmd, o.session, func() error { return o.show(cmd, printer, services) })
	}
	return o.show(cmd, printer, services)
}

// reading is what was read of a repository.
type reading struct {
	pipeline *pipeline.Pipeline
	statuses []status.Service
	part     []string // the services of the shard
}

// show reads the repository and shows what services are pinned to.
func (o *options) show(cmd *cobra.Command, printer printers.ResourcePrinter, services []string) error {
	r, ends := o.read(cmd.Context(), printer, func(context.Context, *cli.Workspace) ([]string, bool, error) {
		return services, len(services) == 0, nil
	})
	switch {
	case r == nil:
		return ends
	case o.shard.Count > 1 && len(r.part) == 0:
		return o.session.EmptyShard(printer, "ServiceStatus", o.shard)
	case o.digest != "" && printer == nil && len(r.statuses) == 0 && ends == nil:
		_, err := fmt.Fprintln(o.session.ErrOut, "no environment has "+o.digest)
		return err
	}
	o.session.Part = cli.PartOf(o.shard, ends)
	return cmp.Or(o.print(printer, r.pipeline, r.statuses, len(services) == 0), ends)
}

// read reads a repository. What could be read is there beside the error, which is the one
// that a command about it ends with.
func (o *options) read(ctx context.Context, printer printers.ResourcePrinter, choose across.Choose) (*reading, error) {
	w, err := o.session.OpenToRead(ctx)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := w.Whole(ctx); err != nil {
		return nil, err
	}
	services, every, err := choose(ctx, w)
	if err != nil {
		return nil, err
	}
	r := &reading{pipeline: w.Pipeline}
	if !every && len(services) == 0 {
		return r, nil
	}
	listing, err := status.List(w.Pipeline, w.Promoter.Repo)
	if err != nil {
		return nil, err
	}
	for _, m := range listing.Misfits() {
		o.session.Warn("%s", m)
	}
	r.part = services
	if o.shard.Count > 1 {
		if len(r.part) == 0 {
			r.part = listing.Services()
		}
		if err := status.CheckServices(w.Pipeline, w.Promoter.Repo, services); err != nil {
			return nil, err
		}
		if r.part = o.shard.Services(w.Pipeline, r.part); len(r.part) == 0 {
			return r, nil
		}
	}
	statuses, failed := listing.Status(ctx, r.part)
	if statuses == nil && failed != nil {
		return nil, failed
	}
	if o.digest != "" {
		statuses, failed = with(o.digest, statuses), unknown(failed)
	}
	if err := o.complete(ctx, w, statuses, o.wide(printer)); err != nil {
		return nil, err
	}
	r.statuses = statuses
	if failed == nil {
		failed = answer(statuses)
	}
	return r, failed
}

// wide tells whether the history is asked for.
func (o *options) wide(printer printers.ResourcePrinter) bool {
	return o.output.Wide() || o.digest != "" || printer != nil && !o.output.Names()
}

// unreadError is the error of an overlay that could not be read where that leaves a
// question without an answer.
type unreadError struct{ error }

// Unwrap gives the cause.
func (e unreadError) Unwrap() error { return e.error }

// ExitStatus is that of what is unknown.
func (unreadError) ExitStatus() int { return cli.ExitUnknown }

// unknown has errors of overlays be that.
func unknown(err error) error {
	if err == nil {
		return nil
	}
	all := cli.Split(err)
	for n := range all {
		all[n] = unreadError{all[n]}
	}
	return errors.Join(all...)
}

// complete adds to what the files say what the holds say and, where it is asked for, the
// forges and the history; it warns of what the files are to be warned of.
func (o *options) complete(ctx context.Context, w *cli.Workspace, statuses []status.Service, withHistory bool) error {
	for _, st := range statuses {
		for _, e := range st.Environments {
			for _, text := range e.Warnings {
				o.session.Warn("%s", text)
			}
		}
	}
	if err := standing.AddHolds(ctx, o.session, w.Promoter, statuses); err != nil {
		return err
	}
	if o.pending {
		var err error
		if o.proposals, err = standing.AskProposals(ctx, o.session, w, statuses); err != nil {
			return err
		}
	}
	if o.session.Live {
		if err := o.addLive(ctx, w, statuses); err != nil {
			return err
		}
	}
	if o.check {
		if err := o.addCheck(ctx, statuses); err != nil {
			return err
		}
	}
	if !withHistory {
		return nil
	}
	all := cli.Split(o.session.WarnTruncated(status.AddHistory(ctx, w.Pipeline, w.Promoter.Repo, w.Log(), statuses)))
	return errors.Join(slices.DeleteFunc(all, func(err error) bool {
		unreached := (*pipeline.Unreached)(nil)
		return errors.As(err, &unreached) // which the board says
	})...)
}

// print shows the board, or what the printer makes of it; every tells that no service was
// named.
func (o *options) print(printer printers.ResourcePrinter, p *pipeline.Pipeline, statuses []status.Service, every bool) error {
	s := o.session
	object := func(st status.Service) cli.Object { return cli.Object{Name: st.Service, Content: st} }
	if err := cli.SortBy(o.output, statuses, object); err != nil {
		return err
	}
	var items []cli.Object
	for i := 0; printer != nil && i < len(statuses); i++ {
		items = append(items, object(statuses[i]))
	}
	shown, bare := statuses, []status.Service(nil)
	if every && o.digest == "" {
		shown, bare = o.pinned(p, statuses)
	}
	rows := board(p, shown)
	if o.output.Wide() || o.digest != "" {
		rows = wideStatus(shown, time.Now(), o.pending, s.Live)
	}
	if err := s.Print(printer, "ServiceStatus", items, rows); err != nil {
		return err
	}
	if printer == nil {
		if o.proposals != nil {
			o.proposals.Explain(shown)
		}
		o.explainLive(shown)
		o.explainCheck(shown)
	}
	if printer == nil && o.digest == "" {
		o.explain(p, shown, bare)
	}
	return nil
}

// with gives what has a digest: the services, in them the environments, and their images;
// and the environments of which nobody can tell.
func with(digest string, all []status.Service) []status.Service {
	out := []status.Service{}
	for _, st := range all {
		var has []status.Environment
		for _, e := range st.Environments {
			e.Along = nil
			e.Images = slices.DeleteFunc(slices.Clone(e.Images), func(i status.Image) bool { return !strings.HasPrefix(i.Digest, digest) })
			if len(e.Images) > 0 || e.Error != "" {
				has = append(has, e)
			}
		}
		if st.Environments = has; len(has) > 0 {
			out = append(out, st)
		}
	}
	return out
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
			for _, i := range e.Images {
				if i.Last == nil || o.session.Quiet {
					continue
				}
				for _, v := range i.Last.Overrides {
					fmt.Fprintln(o.session.ErrOut, cli.Clean(fmt.Sprintf("%s in %s: image %q: overridden: %s", st.Service, e.Environment, i.Name, v)))
				}
			}
		}
	}
	switch s := o.session; {
	case len(bare) > 0 && !s.Quiet:
		fmt.Fprintf(s.ErrOut, "without a pin in any environment, and not shown: %s\n", cli.Clean(strings.Join(names, ", ")))
	case len(shown) > 0 && len(p.Spec.Copy)+len(p.Spec.Values) == 0 && !slices.ContainsFunc(shown, status.Service.Pinned):
		s.Warn("no pin in any overlay: what fits %s holds no image that is known, and a pipeline's images names what no convention finds", p.Spec.Layout)
	}
	if slices.ContainsFunc(shown, func(st status.Service) bool {
		return slices.ContainsFunc(st.Environments, func(e status.Environment) bool { return standing.Mark(e) == "?" })
	}) {
		o.session.Note("?: what it is promoted from cannot be read")
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
	mark := standing.Mark(e)
	if e.Held != nil {
		mark += " held"
	}
	if n := standing.Numbers(e.Pending); n != "" {
		mark += " " + n
	}
	if s := state(e); s != "" {
		mark += " " + s
	}
	mark += tagsMark(e)
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
