package branch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/record"
)

// none stands for a branch that is not there.
const none = "-"

// ProposeIn gives the branch with the proposals of a fork: of a remote of the clone, or of a
// URL. Whatever else it is asked for stays where it is, and the branch itself, which others
// may use, is as it was.
func (b *Branch) ProposeIn(ctx context.Context, fork string) (*Branch, error) {
	if !IsURL(fork) {
		if b.address != "" {
			return nil, &gitcmd.Error{Msg: "the fork " + gitcmd.Clean(fork) + " is the name of a remote, and there is no clone that could know it", Hint: "fork: https://HOST/OWNER/NAME.git"}
		}
		if _, err := remoteAddress(ctx, b.dir, fork); err != nil {
			return nil, &gitcmd.Error{Msg: "the fork " + gitcmd.Clean(fork) + " is no remote of this clone", Hint: "git remote add " + shell.Quote(fork) + " URL", Err: err}
		}
	} else if err := CheckURL(fork); err != nil {
		return nil, err
	}
	other := *b
	other.fork = fork
	return &other, nil
}

// ForkURL is where the branches of proposals are pushed to, if that is a fork; else empty.
func (b *Branch) ForkURL(ctx context.Context) (string, error) {
	if b.fork == "" || IsURL(b.fork) {
		return b.fork, nil
	}
	return remoteAddress(ctx, b.dir, b.fork)
}

// proposals is the remote that has the branches of proposals.
func (b *Branch) proposals() string { return cmp.Or(b.fork, b.remote) }

// whereProposed names a branch of a proposal for people.
func (b *Branch) whereProposed(name string) string {
	if b.fork == "" {
		return gitcmd.Clean(b.Remote() + "/" + name)
	}
	return gitcmd.Clean(strings.TrimSuffix(b.fork, "/") + "/" + name)
}

// propose puts a commit on the branch of a proposal. One that is there already, by an
// earlier run, stays as long as it says the same about files that have not changed since:
// whoever has reviewed it need not do so again. A branch on which somebody else has
// committed is left alone.
func (b *Branch) propose(ctx context.Context, d promote.Delivery, hash, ref string) (string, error) {
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
	if hash, err = b.byOther(ctx, d, hash, ref); err != nil {
		return "", err
	}
	err = b.push(ctx, b.proposals(), hash, d.Proposal, lease)
	if err != nil {
		// What a broken connection has left: only the remote knows.
		if now, rerr := b.remoteHead(ctx, d.Proposal); rerr == nil && now == hash {
			return hash, nil
		} else if rerr == nil && now != there {
			return "", &promote.Moved{Branch: b.whereProposed(d.Proposal), Err: err}
		}
		return "", err
	}
	return hash, nil
}

// stands tells whether a proposal's commit is as good as a new one would be.
func (b *Branch) stands(ctx context.Context, d promote.Delivery, commit string) (bool, error) {
	if err := b.fetchBranch(ctx, d.Proposal); err != nil {
		return false, err
	}
	o, err := b.objects.Get(ctx, commit)
	if err != nil {
		return false, err
	}
	head, ours := promotionOf(o.Data)
	if !ours {
		return false, &gitcmd.Error{Msg: "branch " + b.whereProposed(d.Proposal) + " has commits that are no promotions, and is left alone",
			Hint: "merge or close its pull request, then git push " + shell.Quote(gitcmd.Clean(b.proposals())) + " --delete " + shell.Quote(d.Proposal)}
	}
	_, parent, _ := strings.Cut("\n"+head, "\nparent ")
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
		if f.Data == nil && errors.Is(perr, fs.ErrNotExist) {
			perr = nil
		}
		if perr != nil || !bytes.Equal(data, f.Data) || (berr == nil) != (nerr == nil) || !bytes.Equal(was, now) {
			return false, nil
		}
	}
	return true, nil
}

// promotionOf gives the head of a commit, and tells whether it is a promotion's.
func promotionOf(commit []byte) (head string, ours bool) {
	before, message, _ := bytes.Cut(commit, []byte("\n\n"))
	parents := strings.Count("\n"+string(before), "\nparent ") // two where it merges
	return string(before), parents > 0 && parents <= 2 && len(record.Parse(string(message))) > 0
}

// Proposes tells whether another branch of the remote still ends with a commit, or one that
// begins so, and whether that is a promotion's.
func (b *Branch) Proposes(ctx context.Context, name, commit string) (bool, error) {
	if err := checkName(ctx, b.dir, name); err != nil {
		return false, err
	}
	there, err := b.remoteHead(ctx, name)
	if err != nil || commit == "" || !strings.HasPrefix(there, commit) {
		return false, err
	}
	if err := b.fetchBranch(ctx, name); err != nil {
		return false, err
	}
	o, err := b.objects.Get(ctx, there)
	if err != nil {
		return false, err
	}
	_, ours := promotionOf(o.Data)
	return ours, nil
}

// fetchBranch fetches another branch of the remote.
func (b *Branch) fetchBranch(ctx context.Context, name string) error {
	return b.fetchOne(ctx, b.proposals(), b.whereProposed(name), "refs/heads/"+name)
}

// fetchOne fetches what a reference or a whole commit id names; name is for people.
func (b *Branch) fetchOne(ctx context.Context, from, name, what string) error {
	args := append([]string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"}, b.twoDeep()...)
	_, err := b.reach(ctx, "fetch "+name, append(args, "--end-of-options", from, what)...)
	b.objects.Changed()
	return err
}

// Proposed gives the files of another branch of the remote at a commit, which it must still
// have. They are good for as long as the branch that it is asked of.
func (b *Branch) Proposed(ctx context.Context, name, commit string) (*Branch, error) {
	if err := checkName(ctx, b.dir, name); err != nil {
		return nil, err
	}
	if err := b.fetchBranch(ctx, name); err != nil {
		return nil, err
	}
	full, err := b.revision(ctx, commit)
	if err == nil && (full == "" || !strings.HasPrefix(full, strings.ToLower(commit))) { // a reference may be called so
		err = &gitcmd.Error{Msg: "branch " + b.whereProposed(name) + " has not got commit " + gitcmd.Clean(commit) + " any more", Hint: "run the same command again"}
	}
	if err != nil {
		return nil, err
	}
	return b.at(ctx, full)
}

// someCommit is a commit as forges give it: Bitbucket Cloud gives 12 digits.
var someCommit = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^[0-9a-f]{12,64}$") })

// wholeCommit is a commit as a remote may be asked for it.
var wholeCommit = regexp.MustCompile("^([0-9a-f]{40}|[0-9a-f]{64})$")

// Merged gives the files of a commit that a pull request ended with before it was merged. Its
// branch may be gone: forges keep the commit, and give it to whom asks for it.
func (b *Branch) Merged(ctx context.Context, commit string) (*Branch, error) {
	if !someCommit().MatchString(commit) {
		return nil, &gitcmd.Error{Msg: "the forge gives no whole commit: " + strconv.Quote(gitcmd.Clean(commit))}
	}
	full, err := b.revision(ctx, commit)
	switch {
	case err != nil:
		return nil, err
	case full == "" && !wholeCommit.MatchString(commit): // no remote is asked for less
		return nil, &gitcmd.Error{Msg: "the forge gives no whole commit, and none here begins with " + commit, Hint: "git fetch " + shell.Quote(b.Remote())}
	case full != "" && !strings.HasPrefix(full, commit): // a reference is called so
		return nil, &gitcmd.Error{Msg: "there is a reference that is called " + commit + ", as the forge calls a commit", Hint: "git show-ref " + commit}
	case full == "":
		if err = b.fetchOne(ctx, b.remote, gitcmd.Clean(b.Remote()+"/"+commit[:9]), commit); err == nil {
			full, err = b.revision(ctx, commit)
		}
	}
	if err != nil {
		return nil, err
	}
	return b.at(ctx, full)
}

// twoDeep are the options that fetch a commit and its parent, where no more is wanted.
func (b *Branch) twoDeep() []string {
	switch {
	case b.objects.Fetch == nil:
		return nil
	case b.fork != "": // whose trees the repository itself has not got
		return []string{"--depth=2"}
	}
	return []string{"--filter=tree:0", "--depth=2"}
}

// at is the branch as it was at another commit.
func (b *Branch) at(ctx context.Context, commit string) (*Branch, error) {
	root, err := b.objects.RootOf(ctx, commit)
	if err != nil {
		return nil, err
	}
	other := *b
	other.tip, other.root = commit, root
	return &other, nil
}
