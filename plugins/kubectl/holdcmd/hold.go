// Package holdcmd implements kubectl promote hold and unhold: services stay at their pins
// until somebody lets them go. That stands in a file of the repository, which is edited,
// committed or pushed as a promotion is.
package holdcmd

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/announce"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/onforge"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/attempts"
	"github.com/kubepromote/kubepromote/promote/events"
	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/spf13/cobra"
)

const long = `Keep services at the pins that they have: a promotion of what is held is refused.

Services are held in one environment, or in a group of them; without --env everywhere, and
without a service all of the environment. The hold stands in ` + hold.FileName + ` at the
repository's root, with who, since when and why. What is committed counts: it is read from
the commit that a promotion is planned on. With --until it ends by itself, and a promotion
waits for that.

The file is written, committed or pushed as the environment's promotions are. A rollback goes
past a hold, as it is a person's decision of the moment.`

const example = `  # cart stays where it is in production
  kubectl promote hold cart --env production --reason 'v1.3.0 loses orders' --commit

  # nothing moves in production until Monday, but for payments
  kubectl promote hold --env production --reason 'stock taking' --until 'monday 08:00' --except payments --push`

// New makes kubectl promote hold.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s, clock: cli.SystemClock()}
	cmd := &cobra.Command{
		Use:     "hold [SERVICE...] [--env ENVIRONMENT] --reason TEXT",
		Short:   "Keep services at the pins that they have",
		Long:    long,
		Example: example,
		RunE:    o.hold,
	}
	f := cmd.Flags()
	f.StringVar(&o.reason, "reason", "", "why")
	f.StringVar(&o.until, "until", "", "when it ends by itself: 2026-12-24T16:00:00Z, 17:30, or 'friday 17:00'")
	f.StringArrayVar(&o.except, "except", nil, "where all services are held, not this one; a name or a glob, can be repeated")
	cli.Must(cmd.RegisterFlagCompletionFunc("reason", cobra.NoFileCompletions))
	cli.Must(cmd.RegisterFlagCompletionFunc("until", cobra.NoFileCompletions))
	cli.Must(cmd.RegisterFlagCompletionFunc("except", s.CompleteServices))
	o.addFlags(cmd, "the hold")
	return cmd
}

// NewUnhold makes kubectl promote unhold.
func NewUnhold(s *cli.Session) *cobra.Command {
	o := &options{session: s, clock: cli.SystemClock()}
	cmd := &cobra.Command{
		Use:     "unhold [SERVICE...] [--env ENVIRONMENT]",
		Short:   "Let services go that are held",
		Long:    "Let services go that are held. The hold that is named is taken out of " + hold.FileName + ":\nby the services and the environment that it was made for.",
		Example: "  # cart may move again\n  kubectl promote unhold cart --env production --commit",
		RunE:    o.unhold,
	}
	o.addFlags(cmd, "it")
	return cmd
}

// options are the flags of both.
type options struct {
	session            *cli.Session
	clock              cli.Clock
	how                cli.Delivery
	env, reason, until string
	except             []string
}

func (o *options) addFlags(cmd *cobra.Command, what string) {
	s := o.session
	cmd.GroupID, cmd.Args, cmd.ValidArgsFunction = cli.GroupPromote, cobra.ArbitraryArgs, s.CompleteServices
	cli.OnceVar(cmd.Flags(), &o.env, "env", "environment, or a group of them (default: everywhere)")
	cli.Must(cmd.RegisterFlagCompletionFunc("env", s.CompleteTargets))
	s.TakesURL(cmd)
	o.how.Add(s, cmd, what)
}

// holdsNothing is the fault of a command line that names nothing.
func holdsNothing(cmd *cobra.Command) error {
	return &cli.UsageError{Msg: "no service and no environment named", Hint: cmd.CommandPath() + " SERVICE --env ENVIRONMENT", Command: cmd.CommandPath()}
}

func (o *options) hold(cmd *cobra.Command, services []string) error {
	services = cli.BareNames(services)
	var until time.Time
	switch command := cmd.CommandPath(); {
	case len(services) == 0 && o.env == "":
		return holdsNothing(cmd)
	case o.reason == "":
		return &cli.UsageError{Msg: "--reason is missing", Hint: "--reason TEXT", Command: command}
	case len(o.except) > 0 && len(services) > 0:
		return &cli.UsageError{Msg: "--except stands beside services that are named", Hint: "one of the two", Command: command}
	case o.until != "":
		var err error
		if until, err = cli.ParseMoment(o.until, o.clock.Now()); err != nil {
			return &cli.UsageError{Msg: "--until " + o.until + " is no time", Hint: "--until '2026-12-24 16:00', --until 17:30, or --until 'friday 17:00'", Command: command}
		}
		if !until.After(o.clock.Now()) {
			return &cli.UsageError{Msg: "--until " + o.until + " has been", Hint: "--until 'friday 17:00'", Command: command}
		}
	}
	return o.change(cmd, services, "hold", func(ctx context.Context, w *cli.Workspace, before []byte) ([]byte, error) {
		by, err := w.Who(ctx)
		if err != nil {
			return nil, err
		}
		data := before
		for _, service := range orAll(services) {
			h := hold.Hold{Service: service, Environment: o.env, Reason: o.reason, By: by, Since: o.clock.Now(), Until: until, Except: o.except}
			// Who holds what is held says the reason and the end anew.
			if data, _, err = hold.Remove(data, h.IsFor); err == nil {
				data, err = hold.Add(data, h)
			}
			if err != nil {
				return nil, err
			}
		}
		_, err = hold.Parse(hold.FileName, data, w.Pipeline)
		return data, err
	})
}

func (o *options) unhold(cmd *cobra.Command, services []string) error {
	services = cli.BareNames(services)
	if len(services) == 0 && o.env == "" {
		return holdsNothing(cmd)
	}
	return o.change(cmd, services, "unhold", func(_ context.Context, _ *cli.Workspace, before []byte) ([]byte, error) {
		data := before
		for _, service := range orAll(services) {
			var gone []hold.Hold
			var err error
			if data, gone, err = hold.Remove(data, hold.Hold{Service: service, Environment: o.env}.IsFor); err != nil {
				return nil, err
			}
			if len(gone) > 0 {
				continue
			}
			if err := o.notHeld(before, service); err != nil {
				return nil, err
			}
		}
		return data, nil
	})
}

// orAll gives the services, or the empty name that stands for all.
func orAll(services []string) []string {
	if len(services) == 0 {
		return []string{""}
	}
	return services
}

// notHeld says that nothing is held of what was asked for, and so is nothing to do. Where
// another hold keeps it, that is an error: it would be taken for free.
func (o *options) notHeld(data []byte, service string) error {
	list, err := hold.Parse(hold.FileName, data, nil)
	if err != nil {
		return err
	}
	var others []string
	for _, h := range list.Holds {
		if (service == "" || h.Service == "" || h.Service == service) && (o.env == "" || h.Environment == "" || h.Environment == o.env) {
			others = append(others, o.session.WithAdvice("", string(promote.DoUnhold), map[string]string{"service": h.Service, "env": h.Environment}))
		}
	}
	what := cmp.Or(service, "all of it") + " is not held"
	if o.env != "" {
		what += " in " + o.env
	}
	if len(others) > 0 {
		return &promote.Error{Msg: what + " by that name, but by another hold", Hint: strings.Join(others, ", or ")}
	}
	if !o.session.Quiet {
		fmt.Fprintln(o.session.ErrOut, cli.Clean(what))
	}
	return nil
}

// edit makes a new file of holds of the one before.
type edit func(ctx context.Context, w *cli.Workspace, before []byte) ([]byte, error)

// change edits the file of holds, and delivers it: again where others were faster.
func (o *options) change(cmd *cobra.Command, services []string, verb string, make edit) error {
	s := o.session
	mode, err := o.how.Mode(cmd)
	if err != nil {
		return err
	}
	s.Offline = true
	var targets []string
	if o.env != "" {
		targets = []string{o.env}
	}
	w, err := s.OpenFor(cmd.Context(), targets, mode)
	if err != nil {
		return err
	}
	defer w.Close()
	if mode, err = o.modeFor(w, mode, targets); err != nil {
		return err
	}
	if err := status.CheckServices(w.Pipeline, w.Promoter.Repo, services); err != nil {
		return err
	}
	except := cli.Selection{Request: promote.Request{Except: o.except}}
	if err := except.CheckExcept(cmd.Context(), s, w); err != nil {
		return err
	}
	var done delivered
	err = attempts.Retry{Says: func(n int, err error) { s.Note("attempt %d: %v", n, err) }}.Until(cmd.Context(), func(attempt int) (err error) {
		if attempt > 1 {
			if err := s.Again(cmd.Context(), w); err != nil {
				return err
			}
		}
		done, err = o.deliver(cmd.Context(), w, mode, o.message(services, verb), make)
		return err
	})
	if err != nil {
		return err
	}
	o.report(done, strings.SplitN(o.message(services, verb), "\n", 2)[0])
	o.tell(cmd.Context(), w, services, done.commit, verb == "hold")
	if mode != pipeline.DeliverPush || w.Repo == nil || done.commit == "" {
		return nil
	}
	_, err = s.Follow(cmd.Context(), w.Repo, cli.Pushed{Remote: done.state.Remote, Branch: done.state.Branch, Head: done.state.Head, Commit: done.commit}, "it")
	return err
}

// tell tells of holds that are committed: no other counts.
func (o *options) tell(ctx context.Context, w *cli.Workspace, services []string, commit string, held bool) {
	if commit == "" {
		return
	}
	e := events.Event{Kind: events.Unheld, Environment: o.env, Commit: commit, Reason: o.reason}
	if held {
		e.Kind = events.Held
		e.Until, _ = cli.ParseMoment(o.until, o.clock.Now()) // which was checked
	}
	var all []events.Event
	for _, e.Service = range orAll(services) {
		all = append(all, e)
	}
	o.session.Offline = false // which is about registries here
	announce.Tell(ctx, o.session, w, all)
}

// modeFor is the mode of the flags, or of the environments.
func (o *options) modeFor(w *cli.Workspace, mode pipeline.DeliverMode, targets []string) (pipeline.DeliverMode, error) {
	environments, err := w.Pipeline.Targets(targets)
	if err != nil {
		return "", err
	}
	if mode == "" && len(environments) > 0 {
		mode = environments[0].Deliver.Mode
	}
	switch mode = cmp.Or(mode, pipeline.DeliverWorktree); {
	case mode == pipeline.DeliverPullRequest:
		return "", &promote.Error{Msg: "a hold is not proposed by a pull request", Hint: "--push, or --deliver worktree and a pull request of your own"}
	case w.Branch != nil && !mode.Shared() && w.Repo == nil:
		return pipeline.DeliverPush, nil
	case w.Branch == nil && mode.Shared():
		return "", &cli.UsageError{Msg: "--push needs the environment that it is pushed for", Hint: "--env ENVIRONMENT"}
	}
	return mode, nil
}

// delivered is what has become of an edit.
type delivered struct {
	changed bool
	commit  string
	state   promote.State
}

// deliver makes one attempt.
func (o *options) deliver(ctx context.Context, w *cli.Workspace, mode pipeline.DeliverMode, message string, make edit) (delivered, error) {
	repo := w.Promoter.Repo
	state, err := repo.State(ctx, nil)
	if err != nil {
		return delivered{}, err
	}
	holds, err := cli.ReadHolds(ctx, repo)
	if err != nil {
		return delivered{}, err
	}
	before := holds.There
	if mode.Commits() {
		before = holds.Committed
	}
	data, err := make(ctx, w, before)
	if err != nil || bytes.Equal(data, before) {
		return delivered{}, err
	}
	file, err := holds.File(data, mode.Commits())
	if err != nil {
		return delivered{}, err
	}
	if !mode.Commits() {
		return delivered{changed: true, state: state}, repo.Write(ctx, []promote.File{*file})
	}
	switch {
	case state.Busy != "":
		return delivered{}, &promote.Error{Msg: "a " + state.Busy + " is in progress", Hint: "finish it, or git " + state.Busy + " --abort"}
	case state.Branch == "":
		return delivered{}, &promote.Error{Msg: "HEAD is detached: a commit would be on no branch", Hint: "git switch BRANCH, or --push"}
	}
	d := promote.Delivery{Head: state.Head, Files: []promote.File{*file}, Message: message}
	if e, err := w.Pipeline.Environment(o.env); err == nil {
		if d.ByForge, err = onforge.CommitsAtHome(ctx, w.Branch, e, mode, cli.UserAgent()); err != nil {
			return delivered{}, err
		}
	}
	commit, err := repo.Commit(ctx, d)
	return delivered{true, commit, state}, err
}

// message is that of the commit. No line of it can be taken for a promotion's record.
func (o *options) message(services []string, verb string) string {
	where, what := cmp.Or(o.env, "everywhere"), "all services"
	if names := slices.Clone(services); len(names) > 3 {
		what = fmt.Sprintf("%d services", len(names))
	} else if len(names) > 0 {
		what = strings.Join(names, ", ")
	}
	subject := fmt.Sprintf("%s(%s): %s", verb, where, what)
	if o.reason == "" {
		return subject + "\n"
	}
	return subject + "\n\nreason: " + cli.Clean(o.reason) + "\n"
}

// report says what was done.
func (o *options) report(done delivered, subject string) {
	s := o.session
	switch {
	case !done.changed:
		fmt.Fprintln(s.Out, "unchanged")
	case done.commit == "":
		fmt.Fprintln(s.Out, hold.FileName+" written: "+cli.Clean(subject))
		if !s.Quiet {
			fmt.Fprintf(s.ErrOut, "it counts once it is committed\nhint: git add %s && git commit %s\n", hold.FileName, hold.FileName)
		}
	default:
		where := done.state.Branch
		if done.state.Remote != "" {
			where = done.state.Remote + "/" + where
		}
		fmt.Fprintf(s.Out, "[%s %.9s] %s\n", where, done.commit, cli.Clean(subject))
	}
}
