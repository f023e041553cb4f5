package gitcmd

import (
	"context"
	"errors"
	"strings"
)

// Tidy removes what git would: blanks at the ends of lines, and empty lines at
// the ends and next to each other.
func Tidy(message string) string {
	var b strings.Builder
	empty := false
	for line := range strings.Lines(message) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" {
			empty = true
			continue
		}
		if empty && b.Len() > 0 {
			b.WriteByte('\n')
		}
		empty = false
		b.WriteString(line + "\n")
	}
	return b.String()
}

// Identity is whom a commit names, each with the time, as a commit has them.
type Identity struct{ Author, Committer string }

// WhoCommits asks git whom to name in a repository.
func WhoCommits(ctx context.Context, dir string) (Identity, error) {
	ask := func(name string) (string, error) {
		out, err := Run(ctx, dir, Call{Op: "find out who commits", Args: []string{"var", name}, Reads: true})
		var e *Error
		if errors.As(err, &e) && ctx.Err() == nil {
			e.Hint = `git config user.name "Your Name" && git config user.email you@example.com`
		}
		return strings.TrimSpace(string(out)), err
	}
	committer := Later(func() (string, error) { return ask("GIT_COMMITTER_IDENT") })
	var who Identity
	var err, cerr error
	who.Author, err = ask("GIT_AUTHOR_IDENT")
	who.Committer, cerr = committer()
	if err == nil {
		err = cerr
	}
	return who, err
}

// Committer is whom a commit would name, without the time.
func Committer(ctx context.Context, dir string) (string, error) {
	who, err := WhoCommits(ctx, dir)
	if i := strings.LastIndex(who.Committer, ">"); i >= 0 {
		who.Committer = who.Committer[:i+1]
	}
	return who.Committer, err
}
