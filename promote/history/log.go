package history

import (
	"context"
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/internal/shell"
)

// Log reads a repository's history.
type Log interface {
	// Commits visits the first-parent history from the head, newest first, as
	// far as it touches the given Git pathspecs, until visit says no more. Where the
	// repository has the newer part of it alone, its error is in the end *Truncated.
	Commits(ctx context.Context, pathspecs []string, visit func(Commit) (more bool, err error)) error
	// Merged visits what a merge has brought to its first parent: the commits that
	// touch the pathspecs, newest first, and of merges those alone that may be promotions.
	Merged(ctx context.Context, merge string, pathspecs []string, visit func(Commit) (more bool, err error)) error
	// Blobs reads blobs by their object names, in the order given.
	Blobs(ctx context.Context, ids []string, visit func(id string, data []byte) error) error
}

// Follower is a Log that finds the path which a file had before it got another.
type Follower interface {
	Log
	// Renames gives the files that a commit has given another path, as git sees them in
	// the difference from its first parent.
	Renames(ctx context.Context, commit string) ([]Rename, error)
	// CommitsBefore is Commits from a commit's first parent.
	CommitsBefore(ctx context.Context, commit string, pathspecs []string, visit func(Commit) (more bool, err error)) error
}

// Dater is a Log that tells the dates of commits, which whoever makes a commit chooses.
type Dater interface {
	// Dates gives the first-parent history from the head, newest first, as many commits
	// as asked for or all that there are.
	Dates(ctx context.Context, most int) ([]Dated, error)
}

// Dated is a commit and its date.
type Dated struct {
	Commit string
	Time   time.Time
}

// Rename is a file that has got another path, perhaps with another content.
type Rename struct {
	From, To string
	Old      string // the blob that it was
}

// Truncated is the error of a history of which only the newer part is there, as in
// a shallow clone, or of a file that nobody can read in its newest version, as
// where a filter of git encrypts it.
type Truncated struct {
	// Commit is the oldest one that there is, or the one that has the file so.
	Commit string
	// File is what cannot be read; empty where the clone is shallow.
	File string
	// Err says why it cannot.
	Err error
}

// Error says where the history begins, or what cannot be read.
func (e *Truncated) Error() string {
	if e.File != "" {
		return fmt.Sprintf("what commit %.9s has of a file cannot be read: %v", e.Commit, e.Err)
	}
	return fmt.Sprintf("this clone has no history before commit %.9s", e.Commit)
}

// Unwrap gives why a file cannot be read.
func (e *Truncated) Unwrap() error { return e.Err }

// HintText gives the command that fetches the rest, in a workflow fetch-depth: 0 does, or
// one that shows the file.
func (e *Truncated) HintText() string {
	if e.File != "" {
		return fmt.Sprintf("git show %.9s:%s", e.Commit, shell.Quote(e.File))
	}
	return "git fetch --unshallow"
}

// Commit is one commit of a first-parent history.
type Commit struct {
	Hash          string
	Parents       []string
	Author, Email string
	Time          time.Time // of the commit, not of its authorship
	Message       string
	// Files are the files that differ from the first parent.
	Files []FileVersion
}

// FileVersion is one file's change in a commit. Old or New is empty where the
// file was added or deleted.
type FileVersion struct {
	Path     string
	Old, New string // blob object names
}
