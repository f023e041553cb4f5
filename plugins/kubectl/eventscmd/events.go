// Package eventscmd implements kubectl promote events: what was merged is told to those whom
// the pipeline names. A promotion by pull request ends on the forge, where nothing of this
// program runs; a job that runs on the push tells of it.
package eventscmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/announce"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/events"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/places"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/spf13/cobra"
)

const long = `Tell of promotions that were merged since a commit.

Who is told stands below record.events of the pipeline. A promotion by pull
request ends on the forge, where nothing of this program runs: a job that runs
on each push tells of it, as promoted or rolledBack, and records deployments.

The first-parent history behind the commit is read. What a command has pushed
itself it has told itself, and is left out without --all; so are changes of pins
without a promotion's record, which --all tells too. What is merged into another
branch or repository, where an environment is, is told by a job there, and not
here. The id of an event is the same each time: whoever gets one twice can leave
it out.

The exit status is 1 where somebody named could not be told, and 5 where the
clone does not reach back to the commit.`

const example = `  # in a job that runs on the push to the branch: GitHub's github.event.before
  kubectl promote events --since "$BEFORE"

  # in GitLab
  kubectl promote events --since "$CI_COMMIT_BEFORE_SHA"

  # what would be told of the last merge
  kubectl promote events --since HEAD^ --dry-run`

type options struct {
	session     *cli.Session
	output      *cli.Output
	since       string
	all, dryRun bool
}

// New makes kubectl promote events.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:               "events --since REVISION",
		Short:             "Tell of promotions that were merged",
		Long:              long,
		Example:           example,
		GroupID:           cli.GroupPromote,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              o.run,
	}
	cli.OnceVar(cmd.Flags(), &o.since, "since", "commit that the branch was at before: what has come on top of it is told")
	cmd.Flags().BoolVar(&o.all, "all", false, "tell also what the promoting command has told itself, and changes without a record")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print the events and tell nobody")
	cli.Must(cmd.RegisterFlagCompletionFunc("since", cobra.NoFileCompletions))
	o.output = cli.AddListOutput(cmd)
	return cmd
}

func (o *options) run(cmd *cobra.Command, _ []string) error {
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	if o.since == "" {
		return &cli.UsageError{Msg: "--since is missing: the commit that the branch was at before", Hint: cmd.CommandPath() + " --since HEAD^"}
	}
	ctx := cmd.Context()
	p, repo, err := o.session.Open(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	w := &cli.Workspace{Promoter: p, Repo: repo, Home: p.Repo.(*places.Home)}
	if p.Pipeline.Spec.Record.Events == nil {
		return &promote.Error{Msg: "the pipeline tells nobody: it has no record.events", Hint: "kubectl promote explain pipeline.spec.record.events"}
	}
	for _, e := range p.Pipeline.Spec.Environments {
		if e.Elsewhere() {
			o.session.Warn("%s is on %s: what is merged there is not told of here", e.Name, e.Place())
		}
	}
	found, err := o.find(ctx, w)
	if err != nil {
		return err
	}
	announce.Complete(ctx, w, found)
	told := o.dryRun || announce.Tell(ctx, o.session, w, found)
	if printer != nil {
		items := []cli.Object{}
		for _, e := range found {
			items = append(items, cli.Object{Name: e.ID(), Content: object{e.Kind, e}})
		}
		err = cli.PrintList(o.session.Out, printer, "Event", items)
	} else {
		err = o.table(found)
	}
	if err == nil && !told {
		return cli.Silent(cli.ExitFailed) // which was said
	}
	return err
}

// object is an event as an item of a list.
type object struct {
	Kind string `json:"event"`
	events.Event
}

func (o *options) table(all []events.Event) error {
	rows := [][]string{{"EVENT", "SERVICE", "ENVIRONMENT", "IMAGES", "FROM", "BY", "COMMIT"}}
	for _, e := range all {
		var images []string
		for _, i := range e.Images {
			images = append(images, history.Pin{Tag: i.Tag, Digest: i.Digest}.Short())
		}
		rows = append(rows, []string{e.Kind, e.Service, e.Environment, strings.Join(images, " "), e.From, e.By, fmt.Sprintf("%.9s", e.Commit)})
	}
	return cli.Table(o.session.Out, rows)
}

// find makes events of what has come to the branch since the commit, oldest first.
func (o *options) find(ctx context.Context, w *cli.Workspace) ([]events.Event, error) {
	if len(o.since) >= 40 && strings.Trim(o.since, "0") == "" {
		// What forges give for a branch that has just begun.
		o.session.Warn("the branch is new: nothing is told of what it began with")
		return nil, nil
	}
	since, err := w.Repo.Revision(ctx, o.since)
	if err != nil {
		return nil, err
	}
	r := &ranged{repo: w.Repo, since: since, known: make(map[string]standing)}
	var found []events.Event
	var failed error
	err = history.Read(ctx, w.Pipeline, w.Promoter.Repo, w.Log(), history.Request{}, func(c history.Change) bool {
		at, err := r.of(ctx, c.Commit)
		switch {
		case err != nil:
			failed = err
		case at == inside:
			if e, ok := o.event(w.Pipeline, c); ok {
				found = append(found, e)
			}
		}
		return err == nil && at != before
	})
	if _, cut := errors.AsType[*history.Truncated](err); cut {
		if here, aerr := w.Repo.IsAncestor(ctx, since, "HEAD"); aerr == nil && here {
			err = nil // what is missing lies before the commit
		}
	}
	slices.Reverse(found)
	return found, errors.Join(failed, err)
}

// event makes one of a change; ok is false where it is left out.
func (o *options) event(p *pipeline.Pipeline, c history.Change) (events.Event, bool) {
	e := events.Event{Kind: events.Promoted, Service: c.Service, Environment: c.Environment, Commit: c.Commit, Pushed: true, By: c.Author, Time: c.Time}
	for _, i := range c.Images {
		e.Images = append(e.Images, events.Image{Name: i.Name, Repository: i.Repository, OldTag: i.Old.Tag, OldDigest: i.Old.Digest, Tag: i.New.Tag, Digest: i.New.Digest})
	}
	if len(e.Images) == 0 {
		return e, false
	}
	if c.Record == nil || c.Mismatch != "" {
		if !o.all {
			o.session.Note("commit %.9s: %s in %s has no record of a promotion and is not told without --all", c.Commit, c.Service, c.Environment)
		}
		return e, o.all
	}
	e.From, e.Reason = c.Record.From, c.Record.Reason
	if c.Record.RollbackOf != "" {
		e.Kind = events.RolledBack
	}
	merged := c.RecordCommit != "" && c.RecordCommit != c.Commit
	if env, err := p.Of(c.Service).Environment(c.Environment); err == nil && env.Deliver.Mode == pipeline.DeliverPullRequest {
		merged = true
	}
	return e, o.all || merged
}

// standing is where a commit stands.
type standing int

const (
	elsewhere standing = iota // on a branch of its own
	inside                    // it has come on top of the commit
	before                    // the commit has it already
)

// ranged tells commits that have come on top of one from others.
type ranged struct {
	repo  *git.Repo
	since string
	known map[string]standing
}

func (r *ranged) of(ctx context.Context, commit string) (standing, error) {
	if at, ok := r.known[commit]; ok {
		return at, nil
	}
	at := elsewhere
	if old, err := r.repo.IsAncestor(ctx, commit, r.since); err != nil {
		return at, err
	} else if old {
		at = before
	} else if on, err := r.repo.IsAncestor(ctx, commit, "HEAD"); err != nil {
		return at, err
	} else if on {
		at = inside
	}
	r.known[commit] = at
	return at, nil
}
