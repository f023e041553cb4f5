package promote

import (
	"context"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Paths are slash-separated and relative to the repository's root everywhere in
// this package.

// Tree and Found are how a pipeline's files are read.
type (
	Tree  = pipeline.Tree
	Found = pipeline.Found
)

// Repo is the working copy of an infrastructure repository.
type Repo interface {
	Tree
	// State tells where the repository stands and which of the paths differ
	// from its head.
	State(ctx context.Context, paths []string) (State, error)
	// Committed gives the bytes that the head has at each path. A path that the
	// head does not have is left out.
	Committed(ctx context.Context, paths []string) (map[string][]byte, error)
	// Write replaces files, all of which exist but those that are new. All contents are on disk before
	// the first file is replaced; each replacement is atomic and keeps the
	// file's mode; when Write returns without an error, all of it is durable.
	Write(ctx context.Context, files []File) error
	// Commit writes the files as Write does and records them, and nothing else
	// whatever is staged, in one commit on top of the head. It returns that
	// commit, which holds the files' bytes and is durable. Once all files are
	// written its errors are *NotCommitted, as long as there is no commit.
	Commit(ctx context.Context, d Delivery) (string, error)
}

// Delivery is what a commit is made of.
type Delivery struct {
	// Head is the commit to build on; another one as the head is an error.
	Head    string
	Files   []File
	Message string
	// Proposal, if not empty, is a branch that the commit goes to in place of the one that
	// it is made on, to be merged there by somebody.
	Proposal string
	Fork     string // has the branch Proposal, if not empty: a remote, or a URL
	ByForge  string // the environment whose forge makes the commit, if not empty
	// Check, if not nil, looks at the message that the commit has in the end, as a
	// hook may have changed it. Its error is returned beside the commit.
	Check func(message string) error
	// Ready, if not nil, is asked while the files are prepared. Its error leaves all as it was.
	Ready func(context.Context) error
}

// NotCommitted is the error of [Repo.Commit] where the files are written and
// there is no commit of them.
type NotCommitted struct{ Err error }

// Error says what is there, and the cause.
func (e *NotCommitted) Error() string {
	return "the files are written but not committed: " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *NotCommitted) Unwrap() error { return e.Err }

// File is a path and the bytes that shall stand there.
type File struct {
	Path string
	Data []byte
	// Old, if not nil, is what the file must hold when it is replaced: a change
	// that somebody has made in the meantime is an error, and nothing is written.
	Old []byte
	// New is a file that is not there yet; one that has come in the meantime is an error.
	New  bool
	Gone bool // it is to be deleted, on a branch; a working tree refuses it
	// Was and Is are the mode and the object before and after, where a [Carrier] brings it.
	Was, Is string
	Unread  bool // it is too large to be looked at, and has no Data here
}

// State is where a repository stands.
type State struct {
	// Head is the commit; empty before the first one.
	Head string
	// Branch is the branch's name; empty when HEAD is detached.
	Branch string
	// Remote names the remote whose branch it is, where there is no working tree; else it
	// is empty.
	Remote string
	// Busy names an operation that is not finished: merge, rebase, cherry-pick,
	// revert; empty when there is none.
	Busy string
	// Dirty holds the paths asked for that differ from the head, and how:
	// modified, staged, untracked, deleted, conflicted, ignored; hidden, where Git is
	// told not to look; or foreign, in another repository, such as a submodule.
	Dirty map[string]string
	// Index changes with whatever is staged; empty where that cannot be told.
	Index string
}
