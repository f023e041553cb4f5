package git

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/internal/unbroken"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// commitLimit is how long a commit may take, with its hooks and signing.
const commitLimit = 10 * time.Minute

// Write replaces files, all of which exist but those that are new. Nothing is changed before all
// contents are on disk; then each file is replaced atomically and keeps its
// mode. Files that have these bytes already are left alone.
//
// Cancelling ctx has an effect until the first file is replaced. Should a later
// replacement fail, the error says what was replaced, and the same call again
// completes it.
func (r *Repo) Write(ctx context.Context, list []promote.File) error {
	if err := cmp.Or(gitcmd.CheckPaths(pathsOf(list)), noneGone(list)); err != nil {
		return err
	}
	return gitcmd.FileError("write", r.top, files.Write(ctx, r.root, asFiles(list)))
}

// noneGone refuses to delete files of a working tree.
func noneGone(list []promote.File) error {
	for _, f := range list {
		if f.Gone {
			return &gitcmd.Error{Op: "write", Msg: gitcmd.Clean(f.Path) + " would be deleted, which is done on branches alone"}
		}
	}
	return nil
}

func asFiles(list []promote.File) []files.File {
	all := make([]files.File, len(list))
	for i, f := range list {
		all[i] = files.File{Path: f.Path, Data: f.Data, Old: f.Old, New: f.New}
	}
	return all
}

// Commit writes the files as [Repo.Write] does, and records them in one commit
// on top of d.Head. Whatever else is staged stays staged. The user's hooks run
// and the commit is signed as configured. The commit holds the files' bytes, but
// for line endings that git is set up to store otherwise; where a hook has made
// something else of them, that is an error beside the commit's name.
//
// Cancelling ctx has an effect until the first file is replaced; from then on
// the commit is made. An error is a [*promote.NotCommitted] if the files are
// written and there is no commit. That git does not know whom to name as author
// is found before anything is written. Another Commit or Write in this working
// tree waits until the files are written.
func (r *Repo) Commit(ctx context.Context, d promote.Delivery) (string, error) {
	d.Message = gitcmd.Tidy(d.Message)
	if err := cmp.Or(checkDelivery(ctx, d), gitcmd.CheckPaths(pathsOf(d.Files)), noneGone(d.Files)); err != nil {
		return "", err
	}
	defer unbroken.Begin()()
	sheltered, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
	defer cancel()
	// Git and whoever is asked by Ready answer while the files are looked at.
	who := gitcmd.Later(func() (gitcmd.Identity, error) { return gitcmd.WhoCommits(sheltered, r.top) })
	converted := gitcmd.Later(func() (map[string]string, error) { return r.converted(sheltered, pathsOf(d.Files)) })
	plain := gitcmd.Later(func() (plan, error) { return r.plan(sheltered, d, converted) })
	distinct := gitcmd.Later(func() (struct{}, error) { return struct{}{}, r.checkCase(sheltered, pathsOf(d.Files)) })
	ready := gitcmd.Later(func() (struct{}, error) {
		if d.Ready == nil {
			return struct{}{}, nil
		}
		return struct{}{}, d.Ready(ctx)
	})
	change, err := files.Begin(ctx, r.root, asFiles(d.Files))
	if err != nil {
		_, _ = ready()
		return "", gitcmd.FileError("write", r.top, err)
	}
	defer change.Close()
	// Asked before git has locks of ours.
	free := r.free(len(d.Files) >= manyPaths)
	objects := gitcmd.Later(func() (built, error) {
		// Where nothing can be written, no objects are left behind either.
		if _, err := ready(); err != nil || free != nil {
			return built{}, cmp.Or(err, free)
		}
		return r.build(sheltered, d, plain, who)
	})
	err = gitcmd.FileError("write", r.top, change.Prepare(ctx))
	_, rerr := ready()
	_, werr := who() // nobody to name is found before anything is written
	_, derr := distinct()
	through, cerr := converted()
	if err = cmp.Or(err, rerr, werr, derr, free, cerr); err == nil {
		err = r.filtered(sheltered, d.Files, through)
	}
	if err == nil && ctx.Err() != nil {
		err = gitcmd.Interrupted("write", ctx.Err())
	}
	if err == nil {
		err = gitcmd.FileError("write", r.top, change.Replace())
	}
	b, berr := objects()
	if err != nil {
		r.forget(sheltered, b)
		return "", err
	}
	hash, err := r.record(sheltered, d, b, berr, change.Unlock)
	if hash == "" {
		return "", &promote.NotCommitted{Err: cmp.Or(err, change.Sync())}
	}
	return hash, cmp.Or(err, gitcmd.FileError("write", r.top, change.Sync()), r.makeDurable(hash))
}

// record commits the files, which are in the working tree. Git commit has locks of
// its own, and its hooks may run this program: it goes without ours.
func (r *Repo) record(ctx context.Context, d promote.Delivery, b built, berr error, unlock func()) (string, error) {
	// Why there is no commit does not matter: git commit makes its own.
	if berr == nil {
		hash, err := r.moveHead(ctx, d, b)
		if !errors.Is(err, errNotMade) {
			return hash, err
		}
	}
	unlock()
	return r.gitCommit(ctx, d)
}

func checkDelivery(ctx context.Context, d promote.Delivery) error {
	switch {
	case len(d.Files) == 0:
		return &Error{Op: "git commit", Msg: "no files to commit"}
	case d.Message == "":
		return &Error{Op: "git commit", Msg: "the commit message is empty"}
	case d.Proposal != "":
		return &Error{Msg: "the working tree's branch cannot be proposed to: that takes a branch of a remote"}
	case strings.ContainsRune(d.Message, 0):
		return &Error{Op: "git commit", Msg: "the commit message has a zero byte"}
	case ctx.Err() != nil:
		return gitcmd.Interrupted("git commit", ctx.Err())
	}
	return nil
}

func pathsOf(files []promote.File) []string {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.Path
	}
	return paths
}

// makeDurable has a new commit survive a crash of the machine.
func (r *Repo) makeDurable(hash string) error {
	dirs := []string{r.gitDir}
	if r.common != r.gitDir {
		dirs = append(dirs, r.common)
	}
	for _, dir := range dirs {
		if err := files.SyncFileSystem(dir); err != nil {
			return &Error{Op: "commit " + hash + " was made, but may not survive a crash", Msg: files.Reason(err), Err: err}
		}
	}
	return nil
}
