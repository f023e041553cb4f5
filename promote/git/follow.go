package git

import (
	"context"
	"errors"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// Follow moves the branch at hand, and what is checked out, from one commit to a later
// one, as git merge --ff-only does, if it stood at the first and nothing is in the way. It
// says why it did not; whatever was there is left alone then.
func (r *Repo) Follow(ctx context.Context, from, to string) (left string, err error) {
	state, err := r.State(ctx, nil)
	switch {
	case err != nil:
		return "", err
	case state.Branch == "":
		return "HEAD is detached", nil
	case state.Busy != "":
		return "a " + state.Busy + " is in progress", nil
	case state.Head == to:
		return "", nil
	case state.Head != from:
		return "branch " + state.Branch + " has other commits", nil
	}
	_, err = r.run(ctx, gitcmd.Call{Op: "git merge --ff-only", Env: []string{gitcmd.InEnglish},
		Args: gitcmd.Durably("-c", "merge.verifySignatures=false", "merge", "--ff-only", "--quiet", "--no-stat", "--no-autostash", to)})
	var e *gitcmd.Error
	if errors.As(err, &e) && ctx.Err() == nil {
		return e.Msg, nil
	}
	return "", err
}
