// Package boardcmd implements kubectl promote board: where every service stands in every
// environment, since when and by whom, what is held, what is proposed, and what to type
// next; as a table, or as a page.
package boardcmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/across"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/standing"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/typed"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/report"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

const long = `Show services and environments, and what to type next.

Each cell has the tag, with the digest where the tag does not tell, since when it is there
and by whom. An asterisk marks what differs from the environment that it is promoted from;
"held" what kubectl promote hold keeps there; "#12" the pull request that is open for it.
On a terminal, kubectl promote alone shows the same.

-o html writes a page that needs nothing else: no server, no network. A click on a cell
shows its history, its gates and its files. --serve shows that page on this machine
alone, and follows the repository.

-i is the board to work at, on a terminal. Arrows move, / filters; keys show the plan of the
cell at the cursor, its gates, history and difference, promote it and take it back. What would
be done is shown first and done after a yes, and each command is shown as it is typed.`

const example = `  # the board
  kubectl promote board

  # again whenever the repository changes, until ctrl-C
  kubectl promote board -w

  # to work at: move, filter, promote, roll back
  kubectl promote board -i

  # a page for the team
  kubectl promote board -o html > board.html

  # that page in a browser, which follows the repository
  kubectl promote board --serve 127.0.0.1:8080

  # one page of all repositories that a file lists
  kubectl promote board --fleet fleet.yaml -o html > fleet.html`

// New makes kubectl promote board; runLine is what runs the command lines that are chosen on it.
func New(s *cli.Session, runLine func(context.Context, []string, genericiooptions.IOStreams) int) *cobra.Command {
	o := &options{session: s, runLine: runLine}
	cmd := &cobra.Command{
		Use:     "board",
		Short:   "Show the board of services and environments",
		Long:    long,
		Example: example,
		GroupID: cli.GroupKnow,
		RunE:    o.run,
	}
	standing.WatchVar(cmd, &o.watch)
	f := cmd.Flags()
	f.BoolVarP(&o.interactive, "interactive", "i", false, "work at the board, on a terminal")
	f.StringVarP(&o.format, "output", "o", "", "output format. One of: (html)")
	f.StringVar(&o.serve, "serve", "", "serve the page on this address of the loopback interface, for example 127.0.0.1:8080")
	f.BoolVar(&o.noPending, "no-pending", false, "ask no forge for open pull requests")
	cli.Must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{formatHTML}, cobra.ShellCompDirectiveNoFileComp)))
	cli.Must(cmd.RegisterFlagCompletionFunc("serve", cobra.NoFileCompletions))
	across.Var(cmd, &o.fleet)
	cmd.MarkFlagsMutuallyExclusive("watch", "output", "serve", "interactive")
	cmd.MarkFlagsMutuallyExclusive("fleet", "watch")
	cmd.MarkFlagsMutuallyExclusive("fleet", "serve")
	cmd.MarkFlagsMutuallyExclusive("fleet", "interactive")
	s.BranchVar(cmd)
	s.TakesURL(cmd)
	return cmd
}

const formatHTML = "html"

// options are the flags of board.
type options struct {
	session   *cli.Session
	watch     bool
	format    string
	serve     string
	noPending bool
	fleet     string
	commands  []string // names that a service cannot be promoted by

	interactive bool
	runLine     func(context.Context, []string, genericiooptions.IOStreams) int
}

func (o *options) run(cmd *cobra.Command, _ []string) error {
	o.commands = names(cmd.Root())
	switch {
	case o.fleet != "" && o.format == formatHTML:
		return o.writeFleet(cmd)
	case o.format == formatHTML:
		return o.writePage(cmd)
	case o.format != "":
		return &cli.UsageError{Msg: "unknown output format " + cli.Clean(o.format), Hint: "-o html; kubectl promote status -o json has the data", Command: cmd.CommandPath()}
	case o.fleet != "":
		return o.showFleet(cmd)
	case o.serve != "":
		return o.servePage(cmd)
	case o.interactive:
		return o.work(cmd)
	case o.watch:
		return standing.Watch(cmd, o.session, func() error { return o.show(cmd.Context()) })
	}
	return o.show(cmd.Context())
}

// Alone shows the board in place of the help where kubectl promote is typed alone: on a
// terminal, and inside a repository that has services. It tells whether it has.
func Alone(s *cli.Session, cmd *cobra.Command) (bool, error) {
	if !s.Watched() || branch.IsURL(s.Repo) {
		return false, nil
	}
	inside, piped := repository(s.Repo)
	if !inside {
		return false, nil
	}
	o := &options{session: s, commands: names(cmd.Root())}
	v, err := o.read(cmd.Context())
	if none := v == nil && !piped && s.Pipeline == "" || v != nil && len(v.statuses) == 0; none && cmd.Context().Err() == nil {
		return false, nil // it is another repository's directory: what people want to know there is what this is
	}
	return true, errors.Join(o.print(v), err)
}

func names(root *cobra.Command) []string {
	var all []string
	for _, c := range root.Commands() {
		all = append(all, append(c.Aliases, c.Name())...)
	}
	return all
}

// repository tells whether a directory is in a clone, and whether that has a pipeline's file.
func repository(dir string) (inside, piped bool) {
	has := func(name string) bool { _, err := os.Lstat(filepath.Join(dir, name)); return err == nil }
	dir, err := filepath.Abs(dir)
	for ; err == nil; dir = filepath.Dir(dir) {
		if has(".git") {
			return true, has(pipeline.FileName)
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return false, false
}

// view is what is shown.
type view struct {
	pipeline  *pipeline.Pipeline
	statuses  []status.Service
	drifts    []status.Drift
	proposals *standing.Proposals
	now       time.Time
	title     string
	head      string
	typed     func(*typed.Line) string // a command line that is about this repository, branch and pipeline
	changes   map[[2]string][]change   // by service and environment, where the page wants them
	cut       bool                     // there are more of them
	report    *report.Report           // likewise

	repository string // its name, where there are several
	unread     string // why nothing of it could be read
}

// forgesFor is how long forges may take: the board is there without them.
const forgesFor = 5 * time.Second

// read reads the repository. What could be read is in the view beside an error.
func (o *options) read(ctx context.Context) (*view, error) {
	w, err := o.session.OpenToRead(ctx)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := w.Whole(ctx); err != nil {
		return nil, err
	}
	state, err := w.Promoter.Repo.State(ctx, nil)
	if err != nil {
		return nil, err
	}
	v := &view{pipeline: w.Pipeline, now: time.Now(), head: state.Head, typed: o.session.Here}
	if v.title = state.Remote; w.Repo != nil {
		v.title = filepath.Base(w.Repo.Root())
	}
	all, failed := status.Read(ctx, w.Pipeline, w.Promoter.Repo, nil)
	if all == nil && failed != nil {
		return nil, failed
	}
	moves := len(w.Pipeline.Spec.Copy)+len(w.Pipeline.Spec.Values) > 0
	for _, st := range all {
		if st.Pinned() || moves {
			v.statuses = append(v.statuses, st)
		}
	}
	if err := standing.AddHolds(ctx, o.session, w.Promoter, v.statuses); err != nil {
		return nil, err
	}
	o.askForges(ctx, w, v)
	err = o.session.WarnTruncated(status.AddHistory(ctx, w.Pipeline, w.Promoter.Repo, w.Log(), v.statuses))
	if err != nil && !errors.As(err, new(*pipeline.Unreached)) { // which the cells say
		return nil, err
	}
	if o.format == formatHTML || o.serve != "" {
		if err := o.readChanges(ctx, w, v); err != nil {
			return nil, err
		}
	}
	v.drifts = status.Drifts(w.Pipeline, v.statuses)
	return v, failed
}

// askForges notes open pull requests. A forge that does not answer is told, and no more.
func (o *options) askForges(ctx context.Context, w *cli.Workspace, v *view) {
	if o.noPending || !standing.ByProposals(w.Pipeline) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, forgesFor)
	defer cancel()
	var err error
	if v.proposals, err = standing.AskProposals(ctx, o.session, w, v.statuses); err != nil && ctx.Err() != context.Canceled {
		o.session.Warn("open pull requests are unknown: %v", err)
	}
}

func (o *options) show(ctx context.Context) error {
	v, err := o.read(ctx)
	if v == nil {
		return err
	}
	return errors.Join(o.print(v), err)
}
