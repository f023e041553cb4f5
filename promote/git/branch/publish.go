package branch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// publish makes a commit the branch's newest one, in place of old.
func (b *Branch) publish(ctx context.Context, old, hash string) error {
	if b.remote == "" {
		return b.move(ctx, old, hash)
	}
	err := b.push(ctx, b.remote, hash, b.name, "")
	if err == nil {
		b.follow(ctx, hash)
		return nil
	}
	// What a broken connection, or a rejection, has left: only the remote knows.
	if ferr := b.Fetch(ctx); ferr != nil {
		return &gitcmd.Error{Msg: err.Error() + "; and nobody can say now whether it has arrived: " + ferr.Error(), Hint: "run the same command again", Err: err}
	}
	switch landed, aerr := b.contains(ctx, hash); {
	case aerr != nil:
		return aerr
	case landed:
		return nil
	case b.tip != old:
		return &promote.Moved{Branch: b.Where(), Err: err}
	}
	return err
}

// move is publish for a branch of the clone itself.
func (b *Branch) move(ctx context.Context, old, hash string) error {
	ref := "refs/heads/" + b.name
	at, err := b.checkedOut(ctx, ref)
	if err != nil {
		return err
	}
	if at != "" {
		return &gitcmd.Error{Msg: "branch " + gitcmd.Clean(b.name) + " is checked out at " + gitcmd.Clean(at) + ", whose files a commit from elsewhere would leave behind",
			Hint: "git -C " + shell.Quote(at) + " switch --detach"}
	}
	subject := "promotion"
	_, err = gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git update-ref", Args: gitcmd.Durably("update-ref", "-m", "commit: "+subject, ref, hash, old), Env: []string{gitcmd.InEnglish}})
	if err != nil {
		if now, rerr := b.revision(ctx, ref); rerr == nil && now != old {
			return &promote.Moved{Branch: b.Where(), Err: err}
		}
		return err
	}
	b.follow(ctx, hash)
	return nil
}

// checkedOut gives the work tree that has a branch checked out, if one has.
func (b *Branch) checkedOut(ctx context.Context, ref string) (string, error) {
	out, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git worktree list", Args: []string{"worktree", "list", "--porcelain", "-z"}, Reads: true})
	at := ""
	for line := range strings.SplitSeq(string(out), "\x00") {
		if dir, ok := strings.CutPrefix(line, "worktree "); ok {
			at = dir
		}
		if line == "branch "+ref {
			return at, nil
		}
	}
	return "", err
}

// push pushes a commit to a branch of a remote. Lease, if not empty, is what a branch of our own has
// now, which is replaced then, or none for one that must not be there yet.
func (b *Branch) push(ctx context.Context, remote, hash, to, lease string) error {
	where := remote
	if remote == b.remote {
		where = b.Remote()
	}
	var flags []string
	if lease != "" {
		flags = []string{"--force-with-lease=refs/heads/" + to + ":" + strings.TrimPrefix(lease, none)}
	}
	_, err := b.pushTo(ctx, "push to "+gitcmd.Clean(where+"/"+to), flags, remote, hash+":refs/heads/"+to)
	return err
}

// pushTo pushes one reference. Beside an error it gives what git says of the reference.
func (b *Branch) pushTo(ctx context.Context, op string, flags []string, remote, spec string) (string, error) {
	args := slices.Concat([]string{"push", "--porcelain", "--no-follow-tags", "--no-recurse-submodules"}, flags, []string{"--end-of-options", remote, spec})
	if !b.hooks {
		args = append([]string{"-c", "core.hooksPath=/dev/null"}, args...)
	}
	p, err := gitcmd.Start(ctx, b.dir, gitcmd.Call{Op: op, Args: args, Env: append([]string{gitcmd.InEnglish}, b.env...)})
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	_, _ = p.Out.WriteTo(&out) // a broken pipe shows in the exit status
	if err = p.Wait(); err == nil {
		return "", nil
	}
	return out.String(), pushRefused(err, out.String(), p.Messages())
}

// pushRefused words why a push failed. Git's answer for each reference is
// "FLAG<tab>FROM:TO<tab>SUMMARY (REASON)"; what a server has to say stands in the messages.
func pushRefused(err error, out, messages string) error {
	var e *gitcmd.Error
	if !errors.As(err, &e) {
		return err
	}
	var said []string
	for line := range strings.Lines(messages) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "remote:"); ok {
			if text = gitcmd.Clean(strings.TrimPrefix(strings.TrimSpace(text), "error: ")); text != "" && len(said) < 5 {
				said = append(said, text)
			}
		}
	}
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if len(fields) < 3 || fields[0] != "!" {
			continue
		}
		reason := fields[2]
		if i := strings.IndexByte(reason, '('); i >= 0 {
			reason = strings.TrimSuffix(reason[i+1:], ")")
		}
		msg := "the remote refused it: " + gitcmd.Clean(reason)
		if len(said) > 0 {
			msg += ": " + strings.Join(said, "; ")
		}
		return &gitcmd.Error{Op: e.Op, Msg: msg, Err: errors.Join(errRefused, err)}
	}
	if len(said) > 0 {
		return &gitcmd.Error{Op: e.Op, Msg: e.Msg + ": " + strings.Join(said, "; "), Err: err}
	}
	if strings.Contains(messages, "pre-push") {
		return &gitcmd.Error{Op: e.Op, Msg: "the hook pre-push refused it", Hint: "git hook run pre-push", Err: err}
	}
	return err
}

// errRefused says that a remote has answered, and refused a reference.
var errRefused = errors.New("refused by the remote")

// Refused tells of an error of [Branch.Commit] that the remote has answered and refused
// the push, as for a protected branch. Another delivery may be taken.
func Refused(err error) bool { return errors.Is(err, errRefused) }

// follow notes what the branch is now, which is so whatever has ended since.
func (b *Branch) follow(ctx context.Context, hash string) {
	b.objects.Changed()
	if root, err := b.objects.RootOf(context.WithoutCancel(ctx), hash); err == nil {
		b.tip, b.root = hash, root
	}
}

// contains tells whether a commit is in the branch's history.
func (b *Branch) contains(ctx context.Context, hash string) (bool, error) {
	if hash == b.tip {
		return true, nil
	}
	if b.objects.Fetch != nil { // as far back as others may have come since
		_, err := b.reach(ctx, "fetch "+b.Where(), "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--filter=tree:0", "--depth=200", "--end-of-options", b.remote, b.tip)
		if err != nil {
			return false, err
		}
	}
	_, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git merge-base", Args: []string{"merge-base", "--is-ancestor", hash, b.tip}, Reads: true, Env: []string{gitcmd.AsStored}})
	if gitcmd.ExitCode(err) == 1 {
		return false, nil
	}
	return err == nil, err
}

// remoteHead asks the remote what a branch of a proposal is; empty where it has none.
func (b *Branch) remoteHead(ctx context.Context, name string) (string, error) {
	out, err := b.reach(ctx, "ask "+gitcmd.Clean(cmp.Or(b.fork, b.Remote())), "ls-remote", "--end-of-options", b.proposals(), "refs/heads/"+name)
	hash, _, _ := strings.Cut(string(out), "\t")
	if err == nil && hash != "" && !gitcmd.IsHash(hash) {
		err = &gitcmd.Error{Op: "git ls-remote", Msg: fmt.Sprintf("unexpected answer: %s", gitcmd.Clean(string(out)))}
	}
	return hash, err
}
