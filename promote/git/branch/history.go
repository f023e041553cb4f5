package branch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/git/internal/stored"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/record"
)

// Log is the history that ends with the branch's newest commit. Of a repository that is
// known by its URL the newer part is fetched first, and more only as far as it is read:
// commits, then the directories in which they differ and that are asked for, all of one
// depth in one request. Beyond [MostCommits] the history counts as cut off.
func (b *Branch) Log() history.Log { return b.logOf(b.tip) }

func (b *Branch) logOf(commit string) history.Log {
	if b.objects.Fetch == nil {
		return git.LogIn(b.gitDir, commit)
	}
	return &farLog{branch: b, commit: commit}
}

// LogAt is the history that ends with a commit which a user has named, and that commit. In
// place of HEAD the branch's newest one is meant.
func (b *Branch) LogAt(ctx context.Context, revision string) (history.Log, string, error) {
	for _, head := range []string{"HEAD", "@"} {
		if rest, ok := strings.CutPrefix(revision, head); ok && (rest == "" || rest[0] == '~' || rest[0] == '^') {
			revision = b.tip + rest
		}
	}
	for {
		commit, err := b.revision(ctx, revision)
		if err != nil || commit != "" {
			return b.logOf(commit), commit, err
		}
		if b.objects.Fetch == nil || b.far.depths == len(fetchDepths) {
			return nil, "", &gitcmd.Error{Msg: "there is no commit " + gitcmd.Clean(revision) + " in " + gitcmd.Clean(b.Where()), Hint: "kubectl promote history"}
		}
		b.far.mu.Lock()
		err = b.deeper(ctx)
		b.far.mu.Unlock()
		if err != nil {
			return nil, "", err
		}
	}
}

// MostCommits is how far back the history of a repository is read that is known by its URL.
const MostCommits = 20_000

// fetchDepths are how many commits are fetched one after the other. One takes 176 bytes.
var fetchDepths = [...]int{200, 2000, MostCommits}

// deepen fetches commits without any content.
func (b *Branch) deepen(ctx context.Context, depth int) error {
	_, err := b.reach(ctx, "fetch the history of "+gitcmd.Clean(b.Where()), "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
		"--no-recurse-submodules", "--no-auto-maintenance", "--filter=tree:0", fmt.Sprintf("--depth=%d", depth), "--end-of-options", b.remote, b.tip)
	b.objects.Changed()
	return err
}

// farLog is the history of a branch whose objects are fetched as they are read.
type farLog struct {
	branch *Branch
	commit string
}

// far is how much of the history of a branch is here. One reads it at a time: what is here
// changes with each fetch.
type far struct {
	mu     sync.Mutex
	tip    string
	depths int // how many of fetchDepths have been fetched
}

var _ history.Follower = (*farLog)(nil)

// Commits implements [history.Log].
func (l *farLog) Commits(ctx context.Context, pathspecs []string, visit func(history.Commit) (bool, error)) error {
	return l.from(ctx, l.commit, pathspecs, visit)
}

// CommitsBefore implements [history.Follower].
func (l *farLog) CommitsBefore(ctx context.Context, commit string, pathspecs []string, visit func(history.Commit) (bool, error)) error {
	if !gitcmd.IsHash(commit) {
		return &gitcmd.Error{Msg: "not an object name: " + gitcmd.Clean(commit)}
	}
	parent, err := l.branch.revision(ctx, commit+"^1")
	if err != nil || parent == "" {
		return err
	}
	return l.from(ctx, parent, pathspecs, visit)
}

// from visits what is here, and goes on with what it fetches as long as more is wanted.
func (l *farLog) from(ctx context.Context, commit string, pathspecs []string, visit func(history.Commit) (bool, error)) error {
	b := l.branch
	b.far.mu.Lock()
	defer b.far.mu.Unlock()
	if b.far.tip != b.tip {
		b.far.tip, b.far.depths = b.tip, 0
	}
	for {
		if b.far.depths == 0 {
			if err := b.deeper(ctx); err != nil {
				return err
			}
		}
		chain, err := l.chain(ctx, "--first-parent", commit)
		if err != nil {
			return err
		}
		more, err := b.visit(ctx, chain, pathspecs, visit)
		if err != nil || !more || !chain[len(chain)-1].cut {
			return err
		}
		commit = chain[len(chain)-1].Hash
		if b.far.depths == len(fetchDepths) {
			return &history.Truncated{Commit: commit}
		}
		if err := b.deeper(ctx); err != nil {
			return err
		}
	}
}

// visit visits those of the commits that touch what is asked for, in their order.
func (b *Branch) visit(ctx context.Context, all []commitTree, pathspecs []string, visit func(history.Commit) (bool, error)) (more bool, err error) {
	files, err := b.filesOf(ctx, all, segments(pathspecs))
	if err != nil {
		return false, err
	}
	for n, c := range all {
		if c.Files = files[n]; c.cut || c.boundary || len(c.Files) == 0 && len(pathspecs) > 0 {
			continue
		}
		if more, err := visit(c.Commit); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// deeper fetches the next part of the history.
func (b *Branch) deeper(ctx context.Context) error {
	err := b.deepen(ctx, fetchDepths[b.far.depths])
	b.far.depths++
	return err
}

// Merged implements [history.Log].
func (l *farLog) Merged(ctx context.Context, merge string, pathspecs []string, visit func(history.Commit) (bool, error)) error {
	if !gitcmd.IsHash(merge) {
		return &gitcmd.Error{Msg: "not an object name: " + gitcmd.Clean(merge)}
	}
	brought, err := l.chain(ctx, "--boundary", merge, "^"+merge+"^1")
	const most = 200 // of so much it is not the record of one promotion
	if err != nil || len(brought) > most {
		return err
	}
	for n := range brought {
		isMerge := n == 0 || len(brought[n].Parents) > 1 && len(record.Parse(brought[n].Message)) == 0
		brought[n].boundary = brought[n].boundary || isMerge // one with a record is a promotion
	}
	_, err = l.branch.visit(ctx, brought, pathspecs, visit)
	return err
}

// Renames implements [history.Follower]. What git compares are all files that a commit
// has added or removed.
func (l *farLog) Renames(ctx context.Context, commit string) ([]history.Rename, error) {
	if !gitcmd.IsHash(commit) {
		return nil, &gitcmd.Error{Msg: "not an object name: " + gitcmd.Clean(commit)}
	}
	one, err := l.chain(ctx, "--no-walk", commit, commit+"^1")
	if err != nil {
		return nil, err
	}
	one[1].boundary = true
	files, err := l.branch.filesOf(ctx, one, segments(nil))
	if err != nil {
		return nil, err
	}
	var alone []string
	for _, f := range files[0] {
		if f.Old == "" || f.New == "" {
			alone = append(alone, f.Old+f.New)
		}
	}
	const most = 2000 // git looks no further than at a thousand of either kind
	if len(alone) > most {
		return nil, nil
	}
	if err := l.branch.objects.FetchLacking(ctx, alone); err != nil {
		return nil, err
	}
	return git.LogIn(l.branch.gitDir, commit).Renames(ctx, commit)
}

// Blobs implements [history.Log]: those that are not here come in one request.
func (l *farLog) Blobs(ctx context.Context, ids []string, visit func(id string, data []byte) error) error {
	for _, id := range ids {
		if !gitcmd.IsHash(id) {
			return &gitcmd.Error{Msg: "not an object name: " + gitcmd.Clean(id)}
		}
	}
	if err := l.branch.objects.FetchLacking(ctx, ids); err != nil {
		return err
	}
	return git.LogIn(l.branch.gitDir, l.commit).Blobs(ctx, ids, visit)
}

// commitTree is a commit with its root.
type commitTree struct {
	history.Commit
	root string
	// cut tells that its parents are not here, boundary that it is there as a parent alone.
	cut, boundary bool
}

// commitFormat has a zero byte behind each field, which none can hold.
const commitFormat = "--format=%H%x00%m%x00%T%x00%P%x00%ct%x00%an%x00%ae%x00%B%x00"

// maxHistory bounds what commits may say in one answer.
const maxHistory = 256 << 20

// chain lists commits, newest first, and their parents: git reads no tree for that.
func (l *farLog) chain(ctx context.Context, option string, revisions ...string) ([]commitTree, error) {
	b := l.branch
	shallow, err := os.ReadFile(filepath.Join(b.gitDir, "shallow"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, gitcmd.FileError("read", "the list of a shallow clone's ends", err)
	}
	cut := make(map[string]bool)
	for hash := range strings.FieldsSeq(string(shallow)) {
		cut[hash] = true
	}
	args := append([]string{"rev-list", option, "--encoding=UTF-8", commitFormat}, revisions...)
	p, err := gitcmd.Start(ctx, b.dir, gitcmd.Call{Op: "git rev-list", Args: append(args, "--"), Reads: true, Env: []string{gitcmd.AsStored, stored.NoFetch}})
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(p.Out, maxHistory))
	if err != nil || len(out) == maxHistory {
		p.Stop()
		return nil, errors.Join(err, &gitcmd.Error{Op: p.Op, Msg: "the messages of the commits are too long"})
	}
	if err := p.Wait(); err != nil {
		return nil, err
	}
	var all []commitTree
	fields := strings.Split(string(out), "\x00")
	for ; len(fields) > 8; fields = fields[8:] {
		_, hash, _ := strings.Cut(strings.TrimLeft(fields[0], "\n"), "\n") // behind "commit HASH"
		seconds, err := strconv.ParseInt(fields[4], 10, 64)
		if err != nil || !gitcmd.IsHash(hash) || !gitcmd.IsHash(fields[2]) {
			return nil, &gitcmd.Error{Op: p.Op, Msg: "unexpected answer: " + gitcmd.Clean(fields[0])}
		}
		c := commitTree{root: fields[2], cut: cut[hash], boundary: fields[1] == "-"}
		c.Commit = history.Commit{Hash: hash, Parents: strings.Fields(fields[3]), Time: time.Unix(seconds, 0).UTC(), Author: fields[5], Email: fields[6], Message: fields[7]}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, &gitcmd.Error{Op: p.Op, Msg: "there are no commits"}
	}
	return all, nil
}
