package places

import (
	"context"
	"fmt"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// inClone finds a branch of a clone: its working tree where it is checked out there, or
// where no branch is named.
func (h *Home) inClone(clone *git.Repo, at pipeline.Place) (*found, error) {
	name := at.Branch
	state, err := clone.State(h.ctx, nil)
	if err != nil {
		return nil, err
	}
	if h.branch == nil && (name == "" || name == state.Branch) {
		return ofTree(clone), nil
	}
	if name == "" { // that of a commit, which has no working tree
		if state.Branch == "" {
			return h.keep(branch.OfCommit(h.ctx, clone, state.Head))(clone)
		}
		name = state.Branch
	}
	shared, remote := "", ""
	if r, there, err := branch.Upstream(h.ctx, clone, at.Remote, name); err == nil {
		remote = r + "/" + there
		if shared, err = clone.Known(h.ctx, "refs/remotes/"+remote); err != nil {
			return nil, err
		}
	}
	here, err := clone.Known(h.ctx, "refs/heads/"+name)
	if err != nil {
		return nil, err
	}
	o := &other{name: name}
	switch behind, err := isBehind(h.ctx, clone, here, shared); {
	case err != nil:
		return nil, err
	case here == "" && shared == "":
		b, err := branch.OfClone(h.ctx, clone, name) // it says what there is
		return h.keep(b, err)(clone)
	case here == "":
		o.refuse = &promote.Error{Msg: fmt.Sprintf("there is no branch %s here, but %s", name, remote), Hint: fmt.Sprintf("--push, or git branch %s %s", shell.Quote(name), shell.Quote(remote))}
	case behind:
		o.refuse = &promote.Error{Msg: fmt.Sprintf("branch %s is behind %s", name, remote), Hint: fmt.Sprintf("--push, or git fetch . %s", shell.Quote(remote+":"+name))}
	}
	var b *branch.Branch
	if o.refuse == nil {
		b, err = branch.OfClone(h.ctx, clone, name)
	} else {
		b, err = branch.OfCommit(h.ctx, clone, shared)
	}
	f, err := h.keep(b, err)(clone)
	if err != nil {
		return nil, err
	}
	o.Branch = b
	f.repo = o
	return f, nil
}

// isBehind tells whether a branch lacks what another has, and has nothing of its own.
func isBehind(ctx context.Context, clone *git.Repo, here, shared string) (bool, error) {
	if here == "" || shared == "" || here == shared {
		return false, nil
	}
	return clone.IsAncestor(ctx, here, shared)
}

// other is a branch of a clone that is not checked out at the home.
type other struct {
	*branch.Branch
	name   string
	refuse error // why nothing can be committed on it
}

// State tells where the branch stands.
func (o *other) State(ctx context.Context, paths []string) (promote.State, error) {
	state, err := o.Branch.State(ctx, paths)
	state.Branch = o.name
	return state, err
}

// Write is an error: nothing of the branch is checked out.
func (o *other) Write(context.Context, []promote.File) error {
	return &promote.Error{Msg: "branch " + o.name + " is not checked out, so there is no file to edit", Hint: "--commit, or --push"}
}

// Commit commits on the branch, unless it is not what it should be.
func (o *other) Commit(ctx context.Context, d promote.Delivery) (string, error) {
	if o.refuse != nil {
		return "", o.refuse
	}
	return o.Branch.Commit(ctx, d)
}

// CommitTree is the same with a whole tree.
func (o *other) CommitTree(ctx context.Context, d promote.Delivery, c branch.Content) (string, error) {
	if o.refuse != nil {
		return "", o.refuse
	}
	return o.Branch.CommitTree(ctx, d, c)
}
