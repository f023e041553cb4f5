package git

import (
	"context"
	"errors"
	"io"
	"strings"
)

// refUpdate is a change of the head that git is ready to make.
type refUpdate struct {
	process *process
	in      *io.PipeWriter
}

// beginUpdate has git run; nothing is locked yet.
func (r *Repo) beginUpdate(ctx context.Context, reason string) (*refUpdate, error) {
	stdin, in := io.Pipe()
	args := append(durableObjects(), "update-ref", "-m", reason, "--stdin")
	p, err := start(ctx, r.top, call{op: "git update-ref", args: args, stdin: stdin, env: inEnglish()})
	if err != nil {
		return nil, err
	}
	u := &refUpdate{p, in}
	return u, u.say("start")
}

// prepare locks the head, and the branch that it stands for. It is an error if the
// head is not at old.
func (u *refUpdate) prepare(now, old string) error {
	return u.say("update HEAD " + now + " " + old + "\nprepare")
}

// say gives git a command and waits for its answer, "COMMAND: ok". After an error
// git has ended.
func (u *refUpdate) say(command string) error {
	_, err := io.WriteString(u.in, command+"\n")
	answer := ""
	if err == nil {
		answer, err = u.process.out.ReadString('\n')
	}
	if err == nil && strings.HasSuffix(answer, ": ok\n") {
		return nil
	}
	_ = u.in.Close()
	if werr := u.process.wait(); werr != nil {
		return werr // it says why
	}
	return &Error{Op: "git update-ref", Msg: "unexpected answer: " + clean(answer), Err: err}
}

// commit makes the change.
func (u *refUpdate) commit() error {
	if err := u.say("commit"); err != nil {
		return err
	}
	_ = u.in.Close()
	_ = u.process.wait() // the change is made
	return nil
}

// abandon gives the locks back.
func (u *refUpdate) abandon() {
	_ = u.in.Close()
	_ = u.process.wait()
}

// refusedByGit says of a step of a commit what is said of git commit.
func refusedByGit(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	return &Error{Msg: "the commit was refused by git: " + e.Msg, Hint: e.Hint, Err: err}
}
