package git

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// moveHead makes the commit the head, if that still is the one that the commit
// was made on. The branch is locked before the index is changed: nobody commits
// in between, and with it what is staged for this commit. The index is changed
// before the branch: a crash in between leaves files that are staged, and the
// same promotion made again commits them. The other way round it would leave
// their old contents staged, to be committed by whoever is next.
//
// The result is errNotMade where git cannot change its index.
func (r *Repo) moveHead(ctx context.Context, d promote.Delivery, b built) (string, error) {
	subject, _, _ := strings.Cut(d.Message, "\n")
	u, err := r.beginUpdate(ctx, "commit: "+subject)
	if err == nil {
		err = u.say("update HEAD " + b.commit + " " + d.Head + "\ndelete " + r.tempRef() + " " + b.commit + "\nprepare")
	}
	if err != nil {
		r.forget(ctx, b)
		return "", r.refusedByGit(err)
	}
	entries := make([]string, len(d.Files))
	for i, f := range d.Files {
		entries[i] = b.files[i].Mode + " " + b.files[i].Now + "\t" + f.Path
	}
	if err := r.stage(ctx, entries); err != nil {
		u.abandon()
		r.forget(ctx, b)
		return "", errNotMade
	}
	if err := u.commit(); err != nil {
		// Git may have been ended when it was done, before it could say so.
		if head, herr := r.head(ctx); herr != nil || head.hash != b.commit {
			for i, f := range d.Files {
				entries[i] = b.staged[f.Path].mode + " " + b.staged[f.Path].blob + "\t" + f.Path
			}
			_ = r.stage(ctx, entries)
			r.forget(ctx, b)
			return "", r.refusedByGit(err)
		}
	}
	// Git takes the files for changed until it looks at them. Its status says that
	// others are changed.
	_, _ = r.run(ctx, gitcmd.Call{Op: "git update-index", Args: gitcmd.Durably("update-index", "-q", "--refresh"), Env: []string{gitcmd.InEnglish}})
	if b.maintain {
		// Git commit ignores how it ends, too.
		_, _ = r.run(ctx, gitcmd.Call{Op: "git maintenance", Args: []string{"maintenance", "run", "--auto", "--quiet"}})
	}
	return b.commit, nil
}

// stage puts entries into the index: mode, blob, a tab, the path.
func (r *Repo) stage(ctx context.Context, entries []string) error {
	begin := time.Now()
	_, err := r.run(ctx, gitcmd.Call{Op: "git update-index", Args: gitcmd.Durably("update-index", "-z", "--index-info"), Env: []string{gitcmd.InEnglish},
		Stdin: strings.NewReader(strings.Join(entries, "\x00") + "\x00")})
	if err != nil && gitcmd.ExitCode(err) < 0 {
		r.clearIndexLock(begin, err)
	}
	return err
}

// refUpdate is a change of references that git is ready to make.
type refUpdate struct{ *gitcmd.Process }

// beginUpdate has git run; nothing is locked yet.
func (r *Repo) beginUpdate(ctx context.Context, reason string) (*refUpdate, error) {
	p, err := gitcmd.Start(ctx, r.top, gitcmd.Call{Op: "git update-ref", Talks: true, Args: gitcmd.Durably("update-ref", "-m", reason, "--stdin"), Env: []string{gitcmd.InEnglish}})
	if err != nil {
		return nil, err
	}
	u := &refUpdate{p}
	return u, u.say("start")
}

// say gives git a command, or several of which the last is answered, and waits for
// the answer, "COMMAND: ok". After an error git has ended.
func (u *refUpdate) say(command string) error {
	_, err := io.WriteString(u.In, command+"\n")
	answer := u.Line()
	if err == nil && strings.HasSuffix(answer, ": ok") {
		return nil
	}
	_ = u.In.Close()
	if werr := u.Wait(); werr != nil {
		return werr // it says why
	}
	return u.Unexpected(answer)
}

// commit makes the change.
func (u *refUpdate) commit() error {
	if err := u.say("commit"); err != nil {
		return err
	}
	u.abandon() // the change is made
	return nil
}

// abandon gives the locks back.
func (u *refUpdate) abandon() {
	_ = u.In.Close()
	_ = u.Wait()
}
