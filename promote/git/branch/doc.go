// Package branch is a branch of a Git repository as a promotion sees it that needs no
// working tree: its files are read from its newest commit, and a new commit is made on
// top of that and put in its place, if it still is the newest. It implements
// promote.Repo.
//
// The branch may be one of a remote of a clone ([OfRemote]), another branch of the clone
// itself ([OfClone]), or one of a repository that is known by its URL alone ([OfURL]),
// of which no more is fetched than what is read. What is checked out is never looked at.
//
// Others move the branch as well. Where one of them was faster, [Branch.Commit] gives a
// *promote.Moved, and nothing has happened: the plan is to be made again on what
// [Branch.Fetch] finds then. A push is never forced.
//
// The user's git does all of it, with the user's credentials, identity, signatures, and
// the hooks commit-msg and pre-push. The hook pre-commit is not run: it looks at a
// working tree. In a repository known by its URL no hook is run.
package branch
