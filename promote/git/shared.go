package git

import (
	"context"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// Shared names the branches that others have, as far as this clone knows: the one
// that the remote has as its default, or else the upstream of the branch at hand, or
// else all that are there of any remote. It is empty where nothing is shared.
func (r *Repo) Shared(ctx context.Context) ([]string, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git for-each-ref", Args: []string{"for-each-ref", "--format=%(refname) %(symref)", "refs/remotes"}, Reads: true})
	if err != nil {
		return nil, err
	}
	var all []string
	target := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, to, _ := strings.Cut(strings.TrimSpace(line), " ")
		if target[name] = to; to == "" {
			all = append(all, name)
		}
	}
	// Without a branch or an upstream git fails, and there is none.
	out, _ = r.run(ctx, gitcmd.Call{Op: "git rev-parse", Args: []string{"rev-parse", "--symbolic-full-name", "@{upstream}"}, Reads: true})
	upstream := strings.TrimSpace(string(out))
	remote := "refs/remotes/origin"
	if rest, ok := strings.CutPrefix(upstream, "refs/remotes/"); ok {
		name, _, _ := strings.Cut(rest, "/")
		remote = "refs/remotes/" + name
	}
	switch {
	case slices.Contains(all, target[remote+"/HEAD"]):
		return []string{target[remote+"/HEAD"]}, nil
	case slices.Contains(all, upstream):
		return []string{upstream}, nil
	}
	return all, nil
}

// Unshared gives the short name of a shared branch where none of them has a commit;
// it is empty where one has it, or where nothing is shared.
func (r *Repo) Unshared(ctx context.Context, commit string) (string, error) {
	shared, err := r.Shared(ctx)
	if err != nil || len(shared) == 0 {
		return "", err
	}
	for _, branch := range shared {
		has, err := r.IsAncestor(ctx, commit, branch)
		if err != nil || has {
			return "", err
		}
	}
	return strings.TrimPrefix(shared[0], "refs/remotes/"), nil
}

// IsAncestor tells whether one commit is in the history of another. One that is not
// in this clone is not.
func (r *Repo) IsAncestor(ctx context.Context, commit, of string) (bool, error) {
	_, err := r.run(ctx, gitcmd.Call{Op: "git merge-base", Args: []string{"merge-base", "--is-ancestor", "--end-of-options", commit, of}, Reads: true, Env: []string{gitcmd.AsStored}})
	if code := gitcmd.ExitCode(err); code == 1 || code == 128 {
		return false, ctx.Err()
	}
	return err == nil, err
}
