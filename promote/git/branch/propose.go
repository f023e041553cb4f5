package branch

import (
	"bytes"
	"context"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/record"
)

// none stands for a branch that is not there.
const none = "-"

// propose puts a commit on the branch of a proposal. One that is there already, by an
// earlier run, stays as long as it says the same about files that have not changed since:
// whoever has reviewed it need not do so again. A branch on which somebody else has
// committed is left alone.
func (b *Branch) propose(ctx context.Context, d promote.Delivery, hash string) (string, error) {
	if b.remote == "" {
		return "", &gitcmd.Error{Msg: "a branch of this clone alone cannot be proposed to", Hint: "--deliver commit"}
	}
	if err := checkName(ctx, b.dir, d.Proposal); err != nil {
		return "", err
	}
	there, err := b.remoteHead(ctx, d.Proposal)
	if err != nil {
		return "", err
	}
	lease := none
	if there != "" {
		if lease = there; there == hash {
			return hash, nil
		}
		stands, err := b.stands(ctx, d, there)
		if err != nil || stands {
			return there, err
		}
	}
	err = b.push(ctx, hash, d.Proposal, lease)
	if err != nil {
		// What a broken connection has left: only the remote knows.
		if now, rerr := b.remoteHead(ctx, d.Proposal); rerr == nil && now == hash {
			return hash, nil
		} else if rerr == nil && now != there {
			return "", &promote.Moved{Branch: b.Remote() + "/" + d.Proposal, Err: err}
		}
		return "", err
	}
	return hash, nil
}

// stands tells whether a proposal's commit is as good as a new one would be.
func (b *Branch) stands(ctx context.Context, d promote.Delivery, commit string) (bool, error) {
	args := append([]string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"}, b.twoDeep()...)
	if _, err := b.reach(ctx, "fetch "+gitcmd.Clean(b.Remote()+"/"+d.Proposal), append(args, "--end-of-options", b.remote, "refs/heads/"+d.Proposal)...); err != nil {
		return false, err
	}
	b.objects.changed()
	o, err := b.objects.get(ctx, commit)
	if err != nil {
		return false, err
	}
	head, message, _ := bytes.Cut(o.Data, []byte("\n\n"))
	parents := strings.Count("\n"+string(head), "\nparent ")
	if parents != 1 || len(record.Parse(string(message))) == 0 {
		return false, &gitcmd.Error{Msg: "branch " + gitcmd.Clean(b.Remote()+"/"+d.Proposal) + " has commits that are no promotions, and is left alone",
			Hint: "merge or close its pull request, then git push " + shell.Quote(b.Remote()) + " --delete " + shell.Quote(d.Proposal)}
	}
	_, parent, _ := strings.Cut("\n"+string(head), "\nparent ")
	parent, _, _ = strings.Cut(parent, "\n")
	proposed, err := b.at(ctx, commit)
	if err != nil {
		return false, err
	}
	base, err := b.at(ctx, parent)
	if err != nil {
		return false, err
	}
	for _, f := range d.Files {
		data, perr := proposed.ReadFile(f.Path)
		was, berr := base.ReadFile(f.Path)
		now, nerr := b.ReadFile(f.Path)
		if perr != nil || !bytes.Equal(data, f.Data) || (berr == nil) != (nerr == nil) || !bytes.Equal(was, now) {
			return false, nil
		}
	}
	return true, nil
}

// twoDeep are the options that fetch a commit and its parent, where no more is wanted.
func (b *Branch) twoDeep() []string {
	if b.objects.fetch == nil {
		return nil
	}
	return []string{"--filter=tree:0", "--depth=2"}
}

// at is the branch as it was at another commit.
func (b *Branch) at(ctx context.Context, commit string) (*Branch, error) {
	root, err := b.objects.rootOf(ctx, commit)
	if err != nil {
		return nil, err
	}
	other := *b
	other.tip, other.root = commit, root
	return &other, nil
}
