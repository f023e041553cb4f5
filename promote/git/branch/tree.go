package branch

import (
	"context"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/git/internal/stored"
)

// The modes of what is neither a file nor a directory.
const (
	ModeLink      = stored.ModeLink
	ModeSubmodule = stored.ModeSubmodule
)

func (b *Branch) files() stored.Files {
	return stored.Files{Context: b.ctx, Objects: b.objects, Root: b.root}
}

// ReadFile gives the bytes that the newest commit has for a file, as they are stored.
// A symbolic link is followed as long as it stays in the tree.
func (b *Branch) ReadFile(name string) ([]byte, error) { return b.files().ReadFile(name) }

// ReadDir lists a directory in the order of the names. The root is "." or the empty path.
func (b *Branch) ReadDir(name string) ([]fs.DirEntry, error) { return b.files().ReadDir(name) }

// ReadAny reads the first of the names that is a file of the directory.
func (b *Branch) ReadAny(dir string, names []string) (promote.Found, error) {
	return b.files().ReadAny(dir, names)
}

// Object gives what stands at a path as git has it, a link as a link: its mode and its object.
// Where nothing does it is empty.
func (b *Branch) Object(name string) (string, error) { return b.files().Object(name) }

// Blob gives the bytes of an object: a file's, or where a link leads.
func (b *Branch) Blob(id string) ([]byte, error) {
	found, err := b.objects.Get(b.ctx, id)
	return found.Data, err
}

// Sizes tells how large objects are, by their names. Empty names are left out.
func (b *Branch) Sizes(ids []string) (map[string]int64, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })
	if len(ids) == 0 {
		return nil, nil
	}
	if b.objects.Fetch != nil {
		if err := b.objects.FetchLacking(b.ctx, ids); err != nil {
			return nil, err
		}
	}
	out, err := gitcmd.Run(b.ctx, b.dir, gitcmd.Call{Op: "git cat-file", Args: []string{"cat-file", "--batch-check=%(objectname) %(objectsize)", "--buffer"}, Stdin: strings.NewReader(strings.Join(ids, "\n") + "\n"), Reads: true, Env: b.lazily()})
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64)
	for line := range strings.Lines(string(out)) {
		id, size, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil {
			return nil, &gitcmd.Error{Op: "git cat-file", Msg: "unexpected answer: " + gitcmd.Clean(line)}
		}
		sizes[id] = n
	}
	return sizes, nil
}

// Prefetch gets the files at the paths, and what leads to them, in a few requests. It
// does nothing where the repository has everything.
func (b *Branch) Prefetch(ctx context.Context, paths []string) error {
	if b.objects.Fetch == nil {
		return nil
	}
	level := map[string][]string{b.root: paths} // what is looked for below a tree
	for len(level) > 0 {
		var ids []string
		for id := range level {
			ids = append(ids, id)
		}
		if err := b.objects.FetchLacking(ctx, ids); err != nil {
			return err
		}
		next := make(map[string][]string)
		var blobs []string
		for id, wanted := range level {
			entries, err := b.objects.Tree(ctx, id)
			if err != nil {
				return err
			}
			byName := make(map[string]stored.Entry, len(entries))
			for _, e := range entries {
				byName[e.Name()] = e
			}
			for _, p := range wanted {
				elem, rest, deeper := strings.Cut(p, "/")
				switch e := byName[elem]; {
				case e.ID == "" || e.Mode == ModeSubmodule:
				case e.Mode == stored.ModeTree && deeper:
					next[e.ID] = append(next[e.ID], rest)
				case e.Mode != stored.ModeTree && !deeper:
					blobs = append(blobs, e.ID)
				}
			}
		}
		if err := b.objects.FetchLacking(ctx, blobs); err != nil {
			return err
		}
		level = next
	}
	return nil
}
