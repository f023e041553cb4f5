package git

import (
	"context"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// Who gives the name and the address that a commit would name, as "Name <address>".
func (r *Repo) Who(ctx context.Context) (string, error) { return gitcmd.Committer(ctx, r.top) }
