package git

import (
	"context"
	"strings"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// Who gives the name and the address that a commit would name, as "Name <address>".
func (r *Repo) Who(ctx context.Context) (string, error) { return gitcmd.Committer(ctx, r.top) }

// Known gives the commit that a reference names, by its full name; empty where there is
// none.
func (r *Repo) Known(ctx context.Context, ref string) (string, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git rev-parse", Args: []string{"rev-parse", "--verify", "--quiet", "--end-of-options", ref + "^{commit}"}, Reads: true, Env: []string{gitcmd.AsStored}})
	if gitcmd.ExitCode(err) == 1 {
		return "", nil
	}
	return strings.TrimSpace(string(out)), err
}
