package branch

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/unbroken"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/fastimport"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// commitLimit is how long a commit and its push may take, with hooks and signing.
const commitLimit = 10 * time.Minute

// newRef begins the name of what leads to a commit until it is published. The number of
// the process comes next, and something that nobody else has.
const newRef = "refs/promote/new-"

// sweep removes what runs have left that were killed: the references that led to commits
// of theirs, and git's locks on them.
func (b *Branch) sweep(ctx context.Context) {
	dir, prefix := filepath.Split(filepath.FromSlash(newRef))
	left, err := os.ReadDir(filepath.Join(b.gitDir, dir))
	if err != nil {
		return // there is none
	}
	for _, e := range left {
		rest, ours := strings.CutPrefix(e.Name(), prefix)
		number, _, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(number)
		if !ours || err != nil || gitcmd.Running(pid) {
			continue
		}
		if strings.HasSuffix(e.Name(), ".lock") {
			_ = os.Remove(filepath.Join(b.gitDir, dir, e.Name()))
			continue
		}
		fastimport.DeleteRef(ctx, b.gitDir, newRef+rest)
	}
}

// Commit makes a commit with the files on top of d.Head, and makes it the branch's
// newest one: a push where the branch is a remote's; or puts it on the branch of a
// proposal, which is its own. It is a *promote.Moved where
// another commit is the newest one now. Cancelling ctx has an effect until the commit is
// made known; from then on it is found out what has become of it.
func (b *Branch) Commit(ctx context.Context, d promote.Delivery) (string, error) {
	return b.deliver(ctx, d, func(ctx context.Context, ref string) (string, error) { return b.make(ctx, d, ref) })
}

// deliver is Commit with a way to make the commit; nothing but ref need lead to it.
func (b *Branch) deliver(ctx context.Context, d promote.Delivery, make func(ctx context.Context, ref string) (string, error)) (string, error) {
	if len(d.Files) == 0 || d.Message == "" || strings.ContainsRune(d.Message, 0) {
		return "", &gitcmd.Error{Op: "git commit", Msg: "there are no files, or no message"}
	}
	for _, f := range d.Files {
		if err := gitcmd.CheckPath(f.Path); err != nil {
			return "", err
		}
	}
	if d.Head != b.tip {
		return "", &promote.Moved{Branch: b.Where()}
	}
	if d.Ready != nil {
		if err := d.Ready(ctx); err != nil {
			return "", err
		}
	}
	if d.Proposal != "" && d.Fork != "" {
		fork, err := b.ProposeIn(ctx, d.Fork)
		if err != nil {
			return "", err
		}
		b = fork
	}
	defer unbroken.Begin()()
	b.sweep(ctx)
	ref := fmt.Sprintf("%s%d-%s", newRef, os.Getpid(), strings.ToLower(rand.Text()))
	defer func() {
		fastimport.DeleteRef(context.WithoutCancel(ctx), b.gitDir, ref)
		_ = os.Remove(filepath.Join(b.gitDir, filepath.FromSlash(ref)+".lock")) // of a git that was killed
	}()
	hash, err := make(ctx, ref)
	if err != nil {
		return "", err
	}
	if ctx.Err() != nil {
		return "", gitcmd.Interrupted("git commit", ctx.Err())
	}
	sheltered, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
	defer cancel()
	if d.Proposal != "" {
		return b.propose(sheltered, d, hash, ref)
	}
	if hash, err = b.byOther(sheltered, d, hash, ref); err != nil {
		return "", err
	}
	if err := b.publish(sheltered, d.Head, hash); err != nil {
		return "", err
	}
	return hash, nil
}

// make makes the commit; nothing but ref leads to it.
func (b *Branch) make(ctx context.Context, d promote.Delivery, ref string) (string, error) {
	message, err := b.checked(ctx, d)
	if err != nil {
		return "", err
	}
	who, err := b.identity(ctx)
	if err != nil {
		return "", err
	}
	if err := b.Prefetch(ctx, pathsOf(d.Files)); err != nil {
		return "", err
	}
	hash, _, err := fastimport.Make(ctx, b.gitDir, fastimport.Commit{Parent: d.Head, Files: d.Files, Message: message, Author: who.Author, Committer: who.Committer,
		Ref: ref, Store: filepath.Join(b.gitDir, "objects"), Add: true})
	if errors.Is(err, fastimport.ErrNotInParent) {
		return "", &gitcmd.Error{Op: "git commit", Msg: "a path is no file in " + gitcmd.Clean(b.Where()), Err: err}
	}
	if err != nil || d.ByForge != "" || !b.signs(ctx, "commit.gpgSign") {
		return hash, err
	}
	return b.sign(ctx, hash, d.Head, message)
}

// checked is the message of a commit, once hooks have had their say.
func (b *Branch) checked(ctx context.Context, d promote.Delivery) (string, error) {
	message, err := b.message(ctx, gitcmd.Tidy(d.Message))
	if err == nil && d.Check != nil {
		if err := d.Check(message); err != nil {
			return "", &gitcmd.Error{Msg: fmt.Sprintf("the hook commit-msg changes the promotion's record: %v; nothing was changed", err), Hint: "git config core.hooksPath", Err: err}
		}
	}
	return message, err
}

// identity is whom a commit names.
func (b *Branch) identity(ctx context.Context) (gitcmd.Identity, error) {
	who, err := gitcmd.WhoCommits(ctx, cmp.Or(b.user, b.dir))
	if err != nil && b.address != "" { // there is no clone whose configuration could say it
		err = gitcmd.Hinted(err, `git config --global user.name "Your Name" && git config --global user.email you@example.com`)
	}
	return who, err
}

// signs tells whether the user has commits, or tags, signed: what commit.gpgSign, or
// tag.gpgSign, says.
func (b *Branch) signs(ctx context.Context, key string) bool {
	out, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git config", Args: []string{"config", "--type=bool", "--get", key}, Reads: true})
	return err == nil && strings.TrimSpace(string(out)) == "true"
}

// sign makes the commit once more, with a signature.
func (b *Branch) sign(ctx context.Context, hash, parent, message string) (string, error) {
	out, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git commit-tree", Stdin: strings.NewReader(message), Env: []string{gitcmd.InEnglish, gitcmd.AsStored},
		Args: gitcmd.Durably("-c", "i18n.commitEncoding=UTF-8", "commit-tree", "-S", "-p", parent, "-F", "-", hash+"^{tree}")})
	if err != nil {
		return "", gitcmd.Hinted(err, "git config commit.gpgSign false, or mend the key")
	}
	return strings.TrimSpace(string(out)), nil
}

// message lets the user's hook commit-msg have its say.
func (b *Branch) message(ctx context.Context, message string) (string, error) {
	if !b.hooks {
		return message, nil
	}
	file, err := os.CreateTemp(b.gitDir, gitcmd.Temporary(b.gitDir, "message"))
	if err != nil {
		return "", gitcmd.FileError("write", "the commit message", err)
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(message)
	if err = errors.Join(err, file.Close()); err != nil {
		return "", gitcmd.FileError("write", "the commit message", err)
	}
	_, err = gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "the hook commit-msg refused the commit", Args: []string{"hook", "run", "--ignore-missing", "commit-msg", "--", file.Name()}})
	if err != nil {
		return "", gitcmd.Hinted(err, "git hook run commit-msg -- FILE")
	}
	data, err := os.ReadFile(file.Name())
	if err != nil {
		return "", gitcmd.FileError("read", "the commit message", err)
	}
	return gitcmd.Tidy(string(data)), nil
}

func pathsOf(files []promote.File) []string {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.Path
	}
	return paths
}

// Who gives the name and the address that a commit would name, as "Name <address>".
func (b *Branch) Who(ctx context.Context) (string, error) {
	return gitcmd.Committer(ctx, cmp.Or(b.user, b.dir))
}
