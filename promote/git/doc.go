// Package git is the working copy of an infrastructure repository: it reads and
// replaces files, tells where the repository stands, commits, and reads the
// history. It implements [promote.Repo] and [promote.Log].
//
// Files are read and written through an [os.Root], so that neither ".." nor a
// symbolic link leads out of the tree, and nothing below .git is touched.
// Everything else is asked of the user's own git program, version 2.38 or
// newer, never of a library: credentials, signing, hooks, partial clones and
// line endings are then exactly as the user has set them up.
//
// A promotion uses it in this order:
//
//	repo, err := git.Open(ctx, ".")         // find the repository
//	state, err := repo.State(ctx, paths)    // is any of these files dirty?
//	data, err := repo.ReadFile(path)        // read, and decide what to write
//	hash, err := repo.Commit(ctx, delivery) // replace the files and record exactly those
//
// [Repo.Write] does the first half of Commit only.
//
// # What a crash leaves behind
//
// [Repo.Write] first puts all new contents into temporary files next to their
// targets and makes them durable, then renames them one after the other. Each
// file is therefore old or new, never half. When the machine stops between two
// renames, some files are new and some are old; the same call again replaces
// the rest, and uses and removes the same temporary files.
//
// [Repo.Commit] of many files writes their blobs and trees and the commit as one
// pack, because git commit would write a file for each. It then exchanges the
// blobs in git's index, which keeps all its other bytes, and last the head. If the
// machine stops before the head has moved, the pack, or a part of it, is garbage
// that git removes in time, and the files may be staged; the same promotion made
// again commits them. It also removes an index.lock of a run that was killed, and
// of no other program.
//
// An index of a form that is not known here is left to git commit: one that is
// split or sparse, or has extensions that are newer.
//
// # Errors
//
// Every error is an [*Error]: one line that says what was being done to what,
// and often a command to type next. It wraps its cause, so that errors.Is finds
// fs.ErrNotExist or context.Canceled. [Repo.Commit] wraps it once more, in a
// [*promote.NotCommitted], where the files are written and there is no commit.
package git
