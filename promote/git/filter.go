package git

import (
	"bytes"
	"context"
	"maps"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// converted gives the attributes by which git stores files otherwise than they are: a
// filter, ident, another encoding. Of a file with several it is the first.
func (r *Repo) converted(ctx context.Context, paths []string) (map[string]string, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git check-attr", Stdin: strings.NewReader(strings.Join(paths, "\x00") + "\x00"),
		Args: []string{"check-attr", "--stdin", "-z", "filter", "ident", "working-tree-encoding"}, Reads: true})
	if err != nil {
		return nil, err
	}
	found := make(map[string]string)
	// path, attribute, value, and so on
	for fields := strings.Split(string(out), "\x00"); len(fields) > 3; fields = fields[3:] {
		if set := fields[2] != "unspecified" && fields[2] != "unset"; set && found[fields[0]] == "" {
			found[fields[0]] = fields[1]
		}
	}
	return found, nil
}

// filtered refuses, before anything is written, what a clean filter would commit as
// something else: the record would name what the commit does not hold.
func (r *Repo) filtered(ctx context.Context, list []promote.File, converted map[string]string) error {
	var through []promote.File
	for _, f := range list {
		if converted[f.Path] == "filter" {
			through = append(through, f)
		}
	}
	if len(through) == 0 {
		return nil
	}
	before, err := r.Committed(ctx, pathsOf(through))
	if err != nil {
		return err
	}
	for _, f := range through {
		id, err := r.run(ctx, gitcmd.Call{Op: "git hash-object", Stdin: bytes.NewReader(f.Data),
			Args: []string{"hash-object", "-w", "--stdin", "--path=" + f.Path}})
		if err != nil {
			return err
		}
		if ok, err := r.brings(ctx, f, before[f.Path], strings.TrimSpace(string(id))); err != nil {
			return err
		} else if !ok {
			return &Error{Msg: gitcmd.Clean(f.Path) + " would be committed otherwise than it was planned: a filter of git changes what it holds",
				Hint: "git check-attr filter -- " + shell.Quote(gitcmd.Clean(f.Path))}
		}
	}
	return nil
}

// brings tells whether a blob brings the change that was planned to what the file was
// before in commits: the same lines. A filter that hides all of a file, as LFS and
// git-crypt do, must give the planned bytes back.
func (r *Repo) brings(ctx context.Context, f promote.File, was []byte, id string) (bool, error) {
	var blob []byte
	err := r.Blobs(ctx, []string{id}, func(_ string, data []byte) error { blob = data; return nil })
	if err != nil {
		return false, err
	}
	if maps.Equal(changedLines(was, blob), changedLines(f.Old, f.Data)) || maps.Equal(changedLines(nil, blob), changedLines(nil, f.Data)) {
		return true, nil
	}
	kept := changedLines(nil, blob)
	for line := range changedLines(nil, f.Data) {
		if kept[line] > 0 {
			return false, nil // it is to be read as it is
		}
	}
	shown, err := r.run(ctx, gitcmd.Call{Op: "git cat-file", Reads: true, Args: []string{"cat-file", "--filters", "--path=" + f.Path, id}})
	return err == nil && bytes.Equal(unixLines(shown), unixLines(f.Data)), err
}

// changedLines counts how many more of a line a text has than another, without the blanks
// around it.
func changedLines(old, now []byte) map[string]int {
	n := make(map[string]int)
	count := func(text []byte, by int) {
		for line := range bytes.Lines(text) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				n[string(line)] += by
			}
		}
	}
	count(old, -1)
	count(now, 1)
	maps.DeleteFunc(n, func(_ string, count int) bool { return count == 0 })
	return n
}

// storedAs tells whether a commit has what git makes of a file's bytes: a clean filter,
// such as that of LFS, and ident store others. A filter that encrypts may make another
// text of them each time.
func (r *Repo) storedAs(ctx context.Context, d promote.Delivery, commit string, f promote.File) (bool, error) {
	made, err := r.run(ctx, gitcmd.Call{Op: "git hash-object", Reads: true, Stdin: bytes.NewReader(f.Data),
		Args: []string{"hash-object", "--stdin", "--path=" + f.Path}})
	if err != nil {
		return false, err
	}
	has, err := r.run(ctx, gitcmd.Call{Op: "git rev-parse", Reads: true, Env: []string{gitcmd.AsStored},
		Args: []string{"rev-parse", "--verify", "--quiet", "--end-of-options", commit + ":" + f.Path}})
	if gitcmd.ExitCode(err) == 1 { // the commit has no such file
		return false, nil
	}
	if err != nil || bytes.Equal(made, has) {
		return err == nil, err
	}
	converted, err := r.converted(ctx, []string{f.Path})
	if err != nil || converted[f.Path] != "filter" {
		return false, err
	}
	was, err := r.At(ctx, d.Head).ReadFile(f.Path)
	if err != nil && !notExist(err) {
		return false, err
	}
	return r.brings(ctx, f, was, strings.TrimSpace(string(has)))
}
