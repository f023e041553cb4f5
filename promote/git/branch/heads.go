package branch

import (
	"cmp"
	"context"
	"strings"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// Heads lists the branches of the branch's remote, or of the fork for proposals, that begin with one of the prefixes, in
// the order of their names.
func (b *Branch) Heads(ctx context.Context, prefixes ...string) ([]string, error) {
	if b.remote == "" {
		return nil, &gitcmd.Error{Msg: "branch " + gitcmd.Clean(b.name) + " is of no remote"}
	}
	args := []string{"ls-remote", "--end-of-options", b.proposals()}
	for _, p := range prefixes {
		args = append(args, "refs/heads/"+p+"*")
	}
	out, err := b.reach(ctx, "ask "+gitcmd.Clean(cmp.Or(b.fork, b.Remote()))+" for its branches", args...)
	var names []string
	for line := range strings.Lines(string(out)) {
		if _, name, ok := strings.Cut(strings.TrimRight(line, "\n"), "\trefs/heads/"); ok {
			names = append(names, name)
		}
	}
	return names, err
}
