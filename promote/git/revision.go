package git

import (
	"context"
	"strings"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// Revision gives the commit that a user has named: by its hash or the beginning of it, a
// branch, a tag, or any other form that git knows.
func (r *Repo) Revision(ctx context.Context, name string) (string, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git rev-parse", Args: []string{"rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"}, Reads: true, Env: []string{gitcmd.AsStored}})
	if gitcmd.ExitCode(err) == 1 {
		return "", &Error{Msg: "there is no commit " + gitcmd.Clean(name), Hint: "git fetch, or git log"}
	}
	return strings.TrimSpace(string(out)), err
}

// Who gives the name and the address that a commit would name, as "Name <address>".
func (r *Repo) Who(ctx context.Context) (string, error) { return gitcmd.Committer(ctx, r.top) }
