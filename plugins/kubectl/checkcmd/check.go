// Package checkcmd implements kubectl promote check: what a change that anybody has made
// does to the pins of environments, judged as the promotion that it is. It is made for
// pull requests, where it decides whether they may be merged.
package checkcmd

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/unbroken"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/check"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/spf13/cobra"
)

const long = `Judge what a change does to the pins of environments, whoever made it: a person, a bot,
or kubectl promote itself.

The change is what the head has and the base has not, as in a pull request: from where both
have parted. A digest has to stand in the source environment before the change, or to have
stood in the target once; then policies and gates are asked as for a promotion. For what goes
back to an earlier digest the policy alone is asked. A tag without a digest is refused where
the pipeline pins by digest. Pipeline, policies and gates are those of the base: what the
change does to them is told, and has no say.

A base that is the branch of some environments has their files alone: the rules are those of
--rules then, and each source is looked at where it is.

The exit status is that of a promotion: 3 where the change is refused, 4 where a gate waits, 5
where something could not be told, 0 where all passes or no pin changes. Other files that the
change touches are listed; --strict refuses changes of pins that touch anything else, and all
changes of the rules.

The whole history is needed: in a workflow, fetch-depth: 0.`

const example = `  # may this branch be merged into the one that is the remote's default?
  kubectl promote check

  # in a pull request's workflow, with a comment for it
  kubectl promote check --base origin/main --head HEAD -o markdown

  # as a required status of the branch
  kubectl promote check --base origin/main --commit-status

  # what has been pushed to the branch since a commit
  kubectl promote check --base 4f9d2c1 --env production`

// New makes kubectl promote check.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s, clock: cli.SystemClock()}
	cmd := &cobra.Command{
		Use:               "check [--base REVISION] [--head REVISION]",
		Short:             "Judge a change that anybody has made as a promotion",
		Long:              long,
		Example:           example,
		GroupID:           cli.GroupPromote,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              o.run,
	}
	f := cmd.Flags()
	cli.OnceVar(f, &o.base, "base", "branch or commit that the change is for (default: the remote's default branch)")
	cli.OnceVar(f, &o.head, "head", "branch or commit that has the change (default: HEAD)")
	cli.OnceVar(f, &o.rules, "rules", "branch or commit that has the pipeline (default: the base, or the remote's default branch where that has none)")
	f.StringSliceVar(&o.services, "service", nil, "only these services")
	f.StringSliceVar(&o.environments, "env", nil, "only these environments")
	f.StringVar(&o.status, "commit-status", "", "set a commit status of this name to what comes of it, on the forge; whether that can be done has no say")
	f.Lookup("commit-status").NoOptDefVal = statusName
	cli.OnceVar(f, &s.Branch, "branch", "branch of the forge that the change is for (default: what --base names, or the remote's default branch)")
	f.IntVar(&s.PullRequest, "pull-request", 0, "number of the open pull request that a merge queue is about to merge, for gates that ask for approvals")
	f.BoolVar(&o.strict, "strict", false, "refuse what touches the rules, or anything else beside pins")
	cli.AtVar(cmd, &o.at)
	s.AddCluster(cmd)
	cli.Must(cmd.RegisterFlagCompletionFunc("base", cobra.NoFileCompletions))
	cli.Must(cmd.RegisterFlagCompletionFunc("rules", cobra.NoFileCompletions))
	cli.Must(cmd.RegisterFlagCompletionFunc("head", cobra.NoFileCompletions))
	cli.Must(cmd.RegisterFlagCompletionFunc("branch", cobra.NoFileCompletions))
	cli.Must(cmd.RegisterFlagCompletionFunc("pull-request", cobra.NoFileCompletions))
	cli.Must(cmd.RegisterFlagCompletionFunc("commit-status", cobra.NoFileCompletions))
	cli.Must(cmd.RegisterFlagCompletionFunc("service", s.CompleteServices))
	cli.Must(cmd.RegisterFlagCompletionFunc("env", s.CompleteEnvironments))
	o.output = cli.AddOutput(cmd, markdown)
	return cmd
}

// options are the flags of check.
type options struct {
	session                *cli.Session
	clock                  cli.Clock
	base, head, rules, at  string
	services, environments []string
	strict                 bool
	status                 string
	output                 *cli.Output
	pipeline               *pipeline.Pipeline
}

// change is what is judged, by commits.
type change struct {
	// base is the newest commit of the branch that the change is for, before where head has
	// parted from it. rules is the commit that has the pipeline, mostly the same.
	base, rules, before, head string
	// branch is the base as it was named.
	branch string
	// heads are head, and the head of the pull request of which that is the merge.
	heads []string
	files []history.FileVersion
}

func (o *options) run(cmd *cobra.Command, _ []string) error {
	if o.status != "" { // which is set also where a signal ends this
		defer unbroken.Begin()()
	}
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	repo, err := git.Open(ctx, o.session.Repo)
	if err != nil {
		return err
	}
	defer repo.Close()
	c, err := o.change(ctx, repo)
	if err != nil {
		return err
	}
	report, err := o.check(ctx, repo, c)
	if err != nil {
		o.setStatus(ctx, c, failed(o.status, err))
		return err
	}
	if o.strict {
		beStrict(report)
	}
	// Whether anybody reads what is printed has no say.
	o.setStatus(ctx, c, statusOf(o.status, report))
	switch {
	case printer != nil:
		err = cli.PrintList(o.session.Out, printer, "PinChange", objects(report))
	case o.output.Is(markdown):
		_, err = cli.ForTerminal(o.session.Out).Write([]byte(comment(c, report)))
	default:
		err = o.table(report)
	}
	if err != nil {
		return err
	}
	o.tell(c, report)
	return cli.Silent(cli.AnswerStatus(report.Answer()))
}

// change finds the commits.
func (o *options) change(ctx context.Context, repo *git.Repo) (c change, err error) {
	base := o.base
	if base == "" {
		shared, err := repo.Shared(ctx)
		if err != nil {
			return c, err
		}
		if len(shared) != 1 {
			return c, &cli.UsageError{Msg: "--base is missing: this clone does not say which branch of the remote is the default", Hint: "kubectl promote check --base BRANCH, or git remote set-head origin --auto"}
		}
		base = shared[0]
	}
	head := o.head
	if head == "" {
		head = "HEAD"
	}
	if c.base, err = repo.Revision(ctx, base); err != nil {
		return c, err
	}
	c.branch = base
	if c.rules, err = o.rulesOf(ctx, repo, c.base); err != nil {
		return c, err
	}
	if c.head, err = repo.Revision(ctx, head); err != nil {
		return c, err
	}
	c.before, err = repo.MergeBase(ctx, c.base, c.head)
	if t, ok := errors.AsType[*history.Truncated](err); ok {
		v := promote.Verdict{Gate: "check", Answer: promote.Unknown, Reason: t.Error() + ", so nobody can say where the change begins"}
		return c, &promote.Error{Err: &promote.Refused{Answer: v.Answer, Verdicts: []promote.Verdict{v}}, Hint: t.HintText()}
	}
	if err != nil {
		return c, err
	}
	if c.before == c.head {
		o.session.Warn("%s is part of %s already: there is no change to judge", head, strings.TrimPrefix(base, "refs/remotes/"))
	}
	if c.files, err = repo.Changed(ctx, c.before, c.head); err != nil {
		return c, err
	}
	c.heads, err = heads(ctx, repo, c)
	return c, err
}

// heads adds to the head of a change what a forge has merged for trying: the other parent
// of a merge that has changed nothing of the change.
func heads(ctx context.Context, repo *git.Repo, c change) ([]string, error) {
	all := []string{c.head}
	parents, err := repo.Parents(ctx, c.head)
	if err != nil || len(parents) != 2 || parents[0] != c.before {
		return all, err
	}
	merged, err := repo.Changed(ctx, parents[1], c.head)
	if err != nil {
		return nil, err
	}
	for _, f := range merged {
		if slices.ContainsFunc(c.files, func(other history.FileVersion) bool { return other.Path == f.Path }) {
			return all, nil
		}
	}
	return append(all, parents[1]), nil
}

// branchOf is the branch that a base stands for, as the forge knows it; empty for the
// default one.
func branchOf(ctx context.Context, repo *git.Repo, base string) string {
	if base == "" || base == "HEAD" || base == "FETCH_HEAD" {
		return ""
	}
	if full, err := repo.FullName(ctx, base); err == nil && full != "" {
		if name, ok := strings.CutPrefix(full, "refs/heads/"); ok {
			return name
		}
		if name, ok := strings.CutPrefix(full, "refs/remotes/"); ok {
			_, name, _ = strings.Cut(name, "/")
			return name
		}
	}
	return ""
}

// check judges the change by the rules of the base.
func (o *options) check(ctx context.Context, repo *git.Repo, c change) (*check.Report, error) {
	typed := o.session.Branch
	if typed == "" {
		o.session.Branch = branchOf(ctx, repo, o.base)
	}
	w, err := o.session.OpenAt(ctx, repo, c.rules)
	if err != nil {
		return nil, err
	}
	defer w.Branch.Close()
	if err := needBranch(ctx, repo, w.Pipeline, typed, o.session.Branch != "" || o.base == ""); err != nil {
		return nil, err
	}
	if o.at != "" {
		at, err := cli.ParseMoment(o.at, o.clock.Now())
		if err != nil {
			return nil, err
		}
		w.Now = func() time.Time { return at }
	}
	at := make(map[string]*branch.Branch)
	for _, commit := range []string{c.base, c.before, c.head} {
		if at[commit] != nil {
			continue
		}
		if at[commit], err = branch.OfCommit(ctx, repo, commit); err != nil {
			return nil, err
		}
		defer at[commit].Close()
	}
	place, names := placeOf(w.Pipeline, cmp.Or(o.session.Branch, c.branch))
	if len(o.environments) > 0 {
		names = o.environments
	}
	as := func(commit string) version { return version{at[commit], place, w.Home} }
	checker := &check.Checker{Promoter: w.Promoter}
	checker.History = func(ctx context.Context, services []string, environment string, visit func(history.Change) bool) error {
		return history.Read(ctx, w.Pipeline, as(c.base), history.Everywhere{Log: repo.LogOf(c.base)}, history.Request{Services: services, Environment: environment}, visit)
	}
	o.pipeline = w.Pipeline
	bar := o.session.NewProgress()
	defer bar.Clear()
	return checker.Check(ctx, check.Request{Services: o.services, Environments: names, Before: as(c.before), After: as(c.head), Rules: ruleTree{w.Branch, as(c.base)}, Files: c.files, Base: c.before, Heads: c.heads, Policy: o.session.VerifyPolicy})
}

// ruleTree is the tree of the rules: that of their own commit, with the places of the base.
type ruleTree struct {
	promote.Tree
	places pipeline.Places
}

// At implements [pipeline.Places].
func (r ruleTree) At(at pipeline.Place) (pipeline.Tree, error) { return r.places.At(at) }

// beStrict refuses what touches more than pins.
func beStrict(r *check.Report) {
	var files []string
	for _, p := range r.Along {
		files = append(files, p.File)
	}
	refuse := func(gate, what string, files []string) {
		v := promote.Verdict{Gate: gate, Answer: promote.Fail, Reason: what + ": " + strings.Join(files[:min(len(files), 5)], ", ")}
		if len(files) > 5 {
			v.Reason += ", and others"
		}
		r.Changes = append(r.Changes, check.Change{Kind: check.Foreign, Answer: v.Answer, Verdicts: []promote.Verdict{v}})
	}
	pins := slices.ContainsFunc(r.Changes, func(c check.Change) bool { return c.Kind != check.Unread })
	if pins && len(files) > 0 {
		refuse("pins-only", "the change touches more than pins", files)
	}
	if len(r.Rules) > 0 {
		refuse("rules", "the change touches the rules", r.Rules)
	}
}
