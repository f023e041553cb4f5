package cli

import (
	"context"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/typed"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/spf13/cobra"
)

// Delivery is what the flags of a command say about how far its edits go.
type Delivery struct {
	mode                      string
	commit, push, pullRequest bool
}

// Add gives a command the flags, and what is committed a name: edits, or a hold.
func (d *Delivery) Add(s *Session, cmd *cobra.Command, what string) {
	f := cmd.Flags()
	f.BoolVar(&d.commit, "commit", false, "commit "+what+"; --commit=false where the pipeline says otherwise")
	f.BoolVar(&d.push, "push", false, "push a commit to the branch that others have, made on what it is now; whatever is checked out is left alone")
	d.AddMode(s, cmd)
	cmd.MarkFlagsMutuallyExclusive("commit", "push", "deliver")
}

// AddPullRequest gives a command --pr beside the flags of Add.
func (d *Delivery) AddPullRequest(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&d.pullRequest, "pr", false, "open a pull request, or bring the one that is open up to date")
	cmd.MarkFlagsMutuallyExclusive("commit", "push", "pr", "deliver")
}

// AddMode gives a command the flags that say where a plan is made.
func (d *Delivery) AddMode(s *Session, cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.mode, "deliver", "", "worktree, commit, push or pullRequest, in place of the pipeline's mode")
	Must(cmd.RegisterFlagCompletionFunc("deliver", cobra.FixedCompletions(pipeline.DeliverModes(), cobra.ShellCompDirectiveNoFileComp)))
	s.TargetVar(cmd)
}

// TargetVar gives a command the branch that promotions are delivered to.
func (s *Session) TargetVar(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.Branch, "branch", "", "branch of the remote to push to (default: the one that the branch at hand follows, or the remote's own default)")
	Must(cmd.RegisterFlagCompletionFunc("branch", cobra.NoFileCompletions))
	Must(typed.Delivers(cmd))
}

// BranchVar gives a command that reads the branch of a repository which is known by its URL.
func (s *Session) BranchVar(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.Branch, "branch", "", "with -C URL, the branch that is read (default: the repository's own)")
	Must(cmd.RegisterFlagCompletionFunc("branch", cobra.NoFileCompletions))
	Must(typed.Reads(cmd))
}

// Mode is the mode that a flag gives, or empty. It wins over the file, whatever that says.
func (d *Delivery) Mode(cmd *cobra.Command) (pipeline.DeliverMode, error) {
	switch changed := cmd.Flags().Changed; {
	case d.mode != "":
		mode := pipeline.DeliverMode(d.mode)
		if !mode.Known() {
			return "", &UsageError{Msg: "--deliver " + d.mode + ": unknown delivery mode", Hint: spelling.Hint(d.mode, pipeline.DeliverModes()), Command: cmd.CommandPath()}
		}
		return mode, nil
	case d.commit:
		return pipeline.DeliverCommit, nil
	case d.push:
		return pipeline.DeliverPush, nil
	case d.pullRequest:
		return pipeline.DeliverPullRequest, nil
	case changed("commit"), changed("push"), changed("pr"):
		return pipeline.DeliverWorktree, nil
	}
	return "", nil
}

// Pushed is a commit that was pushed on top of Head to a branch of a remote.
type Pushed struct{ Remote, Branch, Head, Commit string }

// Follow brings the branch at hand of a clone to what was pushed, where it stood there before.
// It tells whether it has, or has nothing to do with it. What is what was pushed.
func (s *Session) Follow(ctx context.Context, repo *git.Repo, p Pushed, what string) (bool, error) {
	state, err := repo.State(ctx, nil)
	if err != nil || state.Branch == "" {
		return false, err
	}
	if remote, name, err := branch.Upstream(ctx, repo, "", state.Branch); err != nil || remote != p.Remote || name != p.Branch {
		return true, nil //nolint:nilerr // a branch that follows none has nothing to do with it
	}
	left, err := repo.Follow(ctx, p.Head, p.Commit)
	if err != nil {
		return false, err
	}
	if left != "" {
		here, pull := "here", "git pull"
		if repo.Root() != s.root {
			here, pull = "at "+repo.Root(), "git -C "+shell.Quote(repo.Root())+" pull"
		}
		s.Warn("%s is on %s/%s; %s %s stays where it is: %s; %s brings it", what, p.Remote, p.Branch, state.Branch, here, left, pull)
	}
	return left == "", nil
}
