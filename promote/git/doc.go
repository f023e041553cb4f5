// Package git is the working copy of an infrastructure repository: it reads and
// replaces files, tells where the repository stands, commits, and reads the
// history. It implements [promote.Repo] and [history.Log].
//
// Files are read and written through an [os.Root], so that neither ".." nor a
// symbolic link leads out of the tree, and nothing below .git is touched.
// Everything else is asked of the user's own git program, version 2.38 or
// newer, never of a library, and Git's objects, index and references are written
// by it alone: credentials, signing, hooks, partial clones and line endings are
// then exactly as the user has set them up. Git and the hooks that it runs get
// what they need of the environment, and none of the keys and tokens in it.
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
// What somebody else saves meanwhile stays, and is an error.
//
// [Repo.Commit] of few files, and wherever a hook, a signature, a filter, an
// unfinished merge or a replaced object has a say, is git commit. Many files are
// committed by git fast-import, because git commit would write a file for each
// object. It makes one pack, and a reference below refs/promote, so that nothing of
// it is cleared away. Then the branch is locked, git update-index puts the files
// into the index, and last the head moves, if it still is where it was, and the
// reference goes. If the machine stops before the head has moved, the reference
// may be left, and the files may be staged; the same promotion made again commits
// them, and the reference is used and removed by the next commit of many files.
// A lock of git's own that is left is told with its age and its name before anything
// is written. What a git of ours leaves that fails or is ended, as on a full disk, is
// removed as long as this program runs. If both are killed, the next commit of many
// files removes the pack, whose name is noted in git's directory (kubepromote-pack).
//
// # Errors
//
// Every error is an [*Error]: one line that says what was being done to what,
// and often a command to type next. It wraps its cause, so that errors.Is finds
// fs.ErrNotExist or context.Canceled. [Repo.Commit] wraps it once more, in a
// [*promote.NotCommitted], where the files are written and there is no commit.
package git
