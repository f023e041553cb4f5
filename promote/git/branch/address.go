package branch

import (
	"context"
	"strings"

	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/git/internal/stored"
)

// Named is a branch of a remote of a clone that nobody has looked at: where it is can be
// asked, and other branches of the remote be read.
func Named(ctx context.Context, r *git.Repo, remote, name string) *Branch {
	return &Branch{ctx: ctx, dir: r.Root(), gitDir: r.GitDir(), remote: remote, name: name, objects: &stored.Objects{Dir: r.Root()}}
}

// URL is where the branch is pushed to, with the credentials that may be in it: it is
// not for showing.
func (b *Branch) URL(ctx context.Context) (string, error) {
	if b.address != "" {
		return b.address, nil
	}
	if b.remote == "" {
		return "", &gitcmd.Error{Msg: "branch " + gitcmd.Clean(b.name) + " is of no remote"}
	}
	return remoteAddress(ctx, b.dir, b.remote)
}

// remoteAddress is where a remote of a clone is pushed to.
func remoteAddress(ctx context.Context, dir, remote string) (string, error) {
	out, err := gitcmd.Run(ctx, dir, gitcmd.Call{Op: "git remote get-url", Args: []string{"remote", "get-url", "--push", "--end-of-options", remote}, Reads: true})
	return strings.TrimSpace(string(out)), err
}

// FillCredential asks git's credential helpers, as git credential fill does, in the words
// of https://git-scm.com/docs/git-credential. Nobody is asked at a terminal.
func (b *Branch) FillCredential(ctx context.Context, input string) (string, error) {
	out, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git credential fill", Args: []string{"credential", "fill"}, Stdin: strings.NewReader(input), Env: append([]string{gitcmd.InEnglish, "GIT_ASKPASS=true"}, b.env...)})
	return string(out), err
}
