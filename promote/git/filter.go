package git

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"

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
	for _, f := range through {
		id, err := r.run(ctx, gitcmd.Call{Op: "git hash-object", Stdin: bytes.NewReader(f.Data),
			Args: []string{"hash-object", "-w", "--stdin", "--path=" + f.Path}})
		if err != nil {
			return err
		}
		if ok, err := r.brings(ctx, f, strings.TrimSpace(string(id))); err != nil {
			return err
		} else if !ok {
			return &Error{Msg: gitcmd.Clean(f.Path) + " would be committed otherwise than it was planned: a filter of git changes what it holds",
				Hint: "git check-attr filter -- " + shell.Quote(gitcmd.Clean(f.Path))}
		}
	}
	return nil
}

// brings tells whether a blob is what was planned for a file: the same bytes, but for the
// ends of lines and for what ident expands. What else a filter changes may be what a
// deployer reads, such as the blanks in front of a key of YAML, the order of lines or a
// name. Only a filter that hides all of a file, as LFS and git-crypt do, may store another
// text, and must give the planned bytes back.
func (r *Repo) brings(ctx context.Context, f promote.File, id string) (bool, error) {
	var blob []byte
	err := r.Blobs(ctx, []string{id}, func(_ string, data []byte) error { blob = data; return nil })
	if err != nil || bytes.Equal(plain(blob), plain(f.Data)) {
		return err == nil, err
	}
	if !hides(blob, f.Data) {
		return false, nil
	}
	shown, err := r.run(ctx, gitcmd.Call{Op: "git cat-file", Reads: true, Args: []string{"cat-file", "--filters", "--path=" + f.Path, id}})
	return err == nil && bytes.Equal(plain(shown), plain(f.Data)), err
}

// expandedID is what the attribute ident makes of $Id$.
var expandedID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$Id: [0-9a-f]{40,64} \$`) })

func plain(text []byte) []byte {
	return expandedID().ReplaceAll(unixLines(text), []byte("$$Id$$"))
}

// pointer is how a file begins that LFS keeps elsewhere.
const pointer = "version https://git-lfs.github.com/spec/v1\n"

// readable are the words that show that a text is still there: long enough not to be in
// another that is encrypted by accident.
var readable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("[0-9A-Za-z]{4,}") })

// hides tells whether nobody can take a blob for the text: it has no word of it. Of a text
// without words that cannot be told.
func hides(blob, text []byte) bool {
	if bytes.HasPrefix(blob, []byte(pointer)) {
		return true
	}
	words := make(map[string]bool)
	for _, word := range readable().FindAll(text, -1) {
		words[string(word)] = true
	}
	return len(words) > 0 && !slices.ContainsFunc(readable().FindAll(blob, -1), func(word []byte) bool { return words[string(word)] })
}

// storedAs tells whether a commit has what git makes of a file's bytes: a clean filter,
// such as that of LFS, and ident store others. A filter that encrypts may make another
// text of them each time.
func (r *Repo) storedAs(ctx context.Context, commit string, f promote.File) (bool, error) {
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
	return r.brings(ctx, f, strings.TrimSpace(string(has)))
}
