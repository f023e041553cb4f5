package git

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
)

// logFormat has every field end with a zero byte, which none can hold.
const logFormat = "--format=%x00%H%x00%ct%x00%an%x00%ae%x00%B%x00"

// logArgs overrule every setting of the user that would change the output.
func logArgs() []string {
	return []string{
		"-c", "log.showRoot=true", "-c", "log.follow=false",
		"log", "--first-parent", "--diff-merges=first-parent", "--raw", "-z", logFormat,
		"--no-abbrev", "--no-renames", "--no-relative", "--no-color", "--no-notes",
		"--no-show-signature", "--no-decorate", "--no-ext-diff", "--no-textconv",
		"--encoding=UTF-8", "--ignore-submodules=none",
	}
}

// maxArgs is how many bytes of pathspecs are given as arguments; Windows takes
// 32 KiB for a whole command.
const maxArgs = 16 << 10

// Commits visits the first-parent history from the head, newest first, as far
// as it touches the given Git pathspecs; all of it without any. A merge is one
// commit with everything that it brought in. Pathspecs and the files of a
// commit are relative to the root. Before the first commit there is nothing to
// visit. The oldest commit of a shallow clone, which seems to add every file, is
// left out.
//
// An error of visit ends the reading and is returned as it is.
func (r *Repo) Commits(ctx context.Context, pathspecs []string, visit func(promote.Commit) (bool, error)) error {
	c := call{op: "git log", args: logArgs(), reads: true, env: []string{asStored}}
	if err := addPathspecs(&c, pathspecs); err != nil {
		return err
	}
	p, err := start(ctx, r.top, c)
	if err != nil {
		return err
	}
	parser := newLogParser(p.out)
	cut, err := r.cutOff()
	if err != nil {
		p.stop()
		return err
	}
	visited := false
	for {
		commit, err := parser.next()
		if errors.Is(err, io.EOF) {
			break
		}
		more := false
		if err == nil && !cut[commit.Hash] {
			visited = true
			more, err = visit(commit)
		}
		if err != nil || !more {
			p.stop()
			return err
		}
	}
	err = p.wait()
	if err != nil && !visited && r.unborn(ctx) {
		return nil
	}
	return err
}

// cutOff gives the commits of a shallow clone whose parents it does not have.
func (r *Repo) cutOff() (map[string]bool, error) {
	data, err := os.ReadFile(filepath.Join(r.common, "shallow"))
	if err != nil && !notExist(err) {
		return nil, fileError("read", "the list of a shallow clone's ends", err)
	}
	cut := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		cut[strings.TrimSpace(line)] = true
	}
	return cut, nil
}

// addPathspecs gives the pathspecs as arguments, or through stdin if they are
// too many for that.
func addPathspecs(c *call, pathspecs []string) error {
	size := 0
	for _, spec := range pathspecs {
		size += len(spec) + 1
		if spec == "" || strings.ContainsRune(spec, 0) {
			return &Error{Op: "git log", Msg: "empty pathspec or one with a zero byte"}
		}
	}
	if size <= maxArgs {
		c.args = append(c.args, "HEAD", "--")
		c.args = append(c.args, pathspecs...)
		return nil
	}
	all := strings.Join(pathspecs, "\n")
	if strings.Count(all, "\n") != len(pathspecs)-1 {
		return &Error{Op: "git log", Msg: "so many pathspecs cannot hold newlines"}
	}
	c.args = append(c.args, "--stdin")
	c.stdin = strings.NewReader("HEAD\n--\n" + all + "\n")
	return nil
}

// unborn tells whether the branch has no commit yet.
func (r *Repo) unborn(ctx context.Context) bool {
	state, err := r.State(ctx, nil)
	return err == nil && state.Head == ""
}
