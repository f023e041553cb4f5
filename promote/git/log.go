package git

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/history"
)

// logFormat has every field end with a zero byte, which none can hold.
const logFormat = "--format=%x00%H%x00%P%x00%ct%x00%an%x00%ae%x00%B%x00"

// logArgs overrule every setting of the user that would change the output.
func logArgs() []string {
	return []string{
		"-c", "log.showRoot=true", "-c", "log.follow=false",
		"log", "--diff-merges=first-parent", "--raw", "-z", logFormat,
		"--no-abbrev", "--no-renames", "--no-relative", "--no-color", "--no-notes",
		"--no-show-signature", "--no-decorate", "--no-ext-diff", "--no-textconv",
		"--encoding=UTF-8", "--ignore-submodules=none",
	}
}

var _ history.Follower = (*Repo)(nil)

// maxArgs is how many bytes of pathspecs are given as arguments; Windows takes
// 32 KiB for a whole command.
const maxArgs = 16 << 10

// Commits visits the first-parent history from the head, newest first, as far
// as it touches the given Git pathspecs; all of it without any. A merge is one
// commit with everything that it brought in. Pathspecs and the files of a
// commit are relative to the root. Before the first commit there is nothing to
// visit. The oldest commit of a shallow clone, which seems to add every file, is
// left out; where the history leads to it, the error is a [*history.Truncated].
//
// An error of visit ends the reading and is returned as it is.
func (r *Repo) Commits(ctx context.Context, pathspecs []string, visit func(history.Commit) (bool, error)) error {
	return r.commits(ctx, "HEAD", pathspecs, visit)
}

// LogOf reads the history that ends with a commit, in place of the head.
func (r *Repo) LogOf(commit string) history.Log { return &logOf{r, commit} }

// LogIn reads the history that ends with a commit in a repository without a working tree,
// of which gitDir is git's directory. What is not there is not fetched: that is an error.
func LogIn(gitDir, commit string) history.Follower {
	return &logOf{&Repo{top: gitDir, gitDir: gitDir, common: gitDir, env: []string{"GIT_NO_LAZY_FETCH=1"}}, commit}
}

type logOf struct {
	*Repo
	commit string
}

// Commits implements [history.Log].
func (l *logOf) Commits(ctx context.Context, pathspecs []string, visit func(history.Commit) (bool, error)) error {
	return l.commits(ctx, l.commit, pathspecs, visit)
}

// CommitsBefore is Commits from a commit's first parent.
func (r *Repo) CommitsBefore(ctx context.Context, commit string, pathspecs []string, visit func(history.Commit) (bool, error)) error {
	if !gitcmd.IsHash(commit) {
		return &Error{Msg: "not an object name: " + gitcmd.Clean(commit)}
	}
	return r.commits(ctx, commit+"^1", pathspecs, visit)
}

// mostRenamed is how many files git compares with one another to find what became of them.
const mostRenamed = "1000"

// Renames gives the files that a commit has given another path: those that are alike by
// half and more, in the difference from its first parent.
func (r *Repo) Renames(ctx context.Context, commit string) ([]history.Rename, error) {
	if !gitcmd.IsHash(commit) {
		return nil, &Error{Msg: "not an object name: " + gitcmd.Clean(commit)}
	}
	out, err := r.run(ctx, gitcmd.Call{Op: "git diff-tree", Args: []string{"diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--find-renames=50%", "-l" + mostRenamed,
		"--diff-filter=R", "--no-relative", "--no-ext-diff", "--no-textconv", commit + "^1", commit, "--"}, Reads: true, Env: r.asStored()})
	if err != nil {
		return nil, err
	}
	var all []history.Rename
	fields := strings.Split(string(out), "\x00")
	for ; len(fields) > 2; fields = fields[3:] {
		v, isFile, err := parseRaw(fields[0])
		if err != nil {
			return nil, err
		}
		if isFile {
			all = append(all, history.Rename{From: fields[1], To: fields[2], Old: v.Old})
		}
	}
	return all, nil
}

func (r *Repo) commits(ctx context.Context, from string, pathspecs []string, visit func(history.Commit) (bool, error)) error {
	cut, err := r.cutOff()
	if err != nil {
		return err
	}
	visited, stopped := false, false
	err = r.log(ctx, "--first-parent", []string{from}, pathspecs, func(c history.Commit) (bool, error) {
		if cut[c.Hash] {
			return true, nil
		}
		visited = true
		more, err := visit(c)
		stopped = !more || err != nil
		return more, err
	})
	switch {
	case err != nil && !visited && r.unborn(ctx):
		return nil
	case err != nil || stopped || len(cut) == 0:
		return err
	}
	out, err := r.run(ctx, gitcmd.Call{Op: "git rev-list", Args: []string{"rev-list", "--first-parent", "--max-parents=0", from, "--"}, Reads: true, Env: r.asStored()})
	if oldest := strings.TrimSpace(string(out)); err == nil && cut[oldest] {
		return &history.Truncated{Commit: oldest}
	}
	return err
}

// Merged visits what a merge has brought to its first parent, as far as it touches
// the pathspecs: merges on the branch that it has merged, as a promotion may be one, then
// without merges, each newest first.
func (r *Repo) Merged(ctx context.Context, merge string, pathspecs []string, visit func(history.Commit) (bool, error)) error {
	if !gitcmd.IsHash(merge) {
		return &Error{Msg: "not an object name: " + gitcmd.Clean(merge)}
	}
	stopped := false
	err := r.log(ctx, "--first-parent", []string{merge + "^2", "^" + merge + "^1"}, pathspecs, func(c history.Commit) (bool, error) {
		if len(c.Parents) < 2 {
			return true, nil
		}
		more, err := visit(c)
		stopped = !more || err != nil
		return more, err
	})
	if err != nil || stopped {
		return err
	}
	return r.log(ctx, "--no-merges", []string{merge, "^" + merge + "^1"}, pathspecs, visit)
}

// asStored is the environment of what reads objects.
func (r *Repo) asStored() []string { return append([]string{gitcmd.AsStored}, r.env...) }

// log visits the commits that the revisions name.
func (r *Repo) log(ctx context.Context, option string, revisions, pathspecs []string, visit func(history.Commit) (bool, error)) error {
	c := gitcmd.Call{Op: "git log", Args: append(logArgs(), option), Reads: true, Env: r.asStored()}
	if err := addPathspecs(&c, revisions, pathspecs); err != nil {
		return err
	}
	p, err := gitcmd.Start(ctx, r.top, c)
	if err != nil {
		return err
	}
	parser := newLogParser(p.Out)
	for {
		commit, err := parser.next()
		if errors.Is(err, io.EOF) {
			return p.Wait()
		}
		more := false
		if err == nil {
			more, err = visit(commit)
		}
		if err != nil || !more {
			p.Stop()
			return err
		}
	}
}

// cutOff gives the commits of a shallow clone whose parents it does not have.
func (r *Repo) cutOff() (map[string]bool, error) {
	data, err := os.ReadFile(filepath.Join(r.common, "shallow"))
	if err != nil && !notExist(err) {
		return nil, gitcmd.FileError("read", "the list of a shallow clone's ends", err)
	}
	cut := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		cut[strings.TrimSpace(line)] = true
	}
	return cut, nil
}

// Shallow tells that the clone lacks what came before its oldest commits.
func (r *Repo) Shallow() bool {
	cut, err := r.cutOff()
	return err == nil && len(cut) > 0
}

// addPathspecs gives the pathspecs as arguments, or through stdin if they are
// too many for that.
func addPathspecs(c *gitcmd.Call, revisions, pathspecs []string) error {
	size := 0
	for _, spec := range pathspecs {
		size += len(spec) + 1
		if spec == "" || strings.ContainsRune(spec, 0) {
			return &Error{Op: "git log", Msg: "empty pathspec or one with a zero byte"}
		}
	}
	if size <= maxArgs {
		c.Args = append(append(append(c.Args, revisions...), "--"), pathspecs...)
		return nil
	}
	all := strings.Join(pathspecs, "\n")
	if strings.Count(all, "\n") != len(pathspecs)-1 {
		return &Error{Op: "git log", Msg: "so many pathspecs cannot hold newlines"}
	}
	c.Args = append(c.Args, "--stdin")
	c.Stdin = strings.NewReader(strings.Join(revisions, "\n") + "\n--\n" + all + "\n")
	return nil
}

// unborn tells whether the branch has no commit yet.
func (r *Repo) unborn(ctx context.Context) bool {
	state, err := r.State(ctx, nil)
	return err == nil && state.Head == ""
}
