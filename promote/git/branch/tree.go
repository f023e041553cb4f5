package branch

import (
	"cmp"
	"context"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// maxLinks is how many symbolic links one path may lead through.
const maxLinks = 16

// ReadFile gives the bytes that the newest commit has for a file, as they are stored.
// A symbolic link is followed as long as it stays in the tree.
func (b *Branch) ReadFile(name string) ([]byte, error) {
	if err := gitcmd.CheckPath(name); err != nil {
		return nil, err
	}
	e, err := b.find(name)
	if err != nil {
		return nil, err
	}
	if e.isDir() {
		return nil, &gitcmd.Error{Op: "read " + gitcmd.Clean(name), Msg: "is not a file"}
	}
	o, err := b.objects.get(b.ctx, e.id)
	if err != nil {
		return nil, err
	}
	if o.Kind != "blob" {
		return nil, &gitcmd.Error{Op: "read " + gitcmd.Clean(name), Msg: "is not a file"}
	}
	return o.Data, nil
}

// ReadDir lists a directory in the order of the names. The root is "." or the empty path.
func (b *Branch) ReadDir(name string) ([]fs.DirEntry, error) {
	id := b.root
	if name != "" && name != "." {
		if err := gitcmd.CheckPath(name); err != nil {
			return nil, err
		}
		e, err := b.find(name)
		if err != nil {
			return nil, err
		}
		if e.mode != modeTree {
			return nil, missing(name)
		}
		id = e.id
	}
	if id == "" {
		return nil, missing(name)
	}
	entries, err := b.objects.tree(b.ctx, id)
	if err != nil {
		return nil, err
	}
	out := make([]fs.DirEntry, len(entries))
	for i, e := range entries {
		out[i] = e
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return out, nil
}

// ReadAny reads the first of the names that is a file of the directory.
func (b *Branch) ReadAny(dir string, names []string) (promote.Found, error) {
	entries, err := b.ReadDir(dir)
	if err != nil {
		return promote.Found{}, err
	}
	var found promote.Found
	err = missing(path.Join(dir, names[0]))
	for _, name := range names {
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name }) {
			continue
		}
		if found.Have = append(found.Have, name); found.Name != "" {
			continue
		}
		found.Data, err = b.ReadFile(path.Join(dir, name))
		if err == nil {
			found.Name = name
		}
	}
	return found, err
}

func missing(name string) error {
	return &gitcmd.Error{Op: "read " + gitcmd.Clean(name), Msg: "no such file or directory", Err: fs.ErrNotExist}
}

// find walks from the root to a path, and through symbolic links.
func (b *Branch) find(name string) (entry, error) {
	at := name
	for range maxLinks {
		e, link, err := b.step(at)
		if err != nil || link == "" {
			return e, err
		}
		if at = link; !fs.ValidPath(at) {
			return entry{}, gitcmd.LeadsOut(name)
		}
	}
	return entry{}, &gitcmd.Error{Op: "read " + gitcmd.Clean(name), Msg: "too many levels of symbolic links"}
}

// step walks until the path's end or the first link on the way; then it gives the path
// that is meant instead.
func (b *Branch) step(name string) (found entry, link string, err error) {
	here := entry{mode: modeTree, id: b.root}
	walked := "."
	for elem := range strings.SplitSeq(name, "/") {
		if here.mode != modeTree || here.id == "" {
			return entry{}, "", missing(name)
		}
		entries, err := b.objects.tree(b.ctx, here.id)
		if err != nil {
			return entry{}, "", err
		}
		i := slices.IndexFunc(entries, func(e entry) bool { return e.name == elem })
		if i < 0 {
			return entry{}, "", missing(name)
		}
		here = entries[i]
		if here.mode == ModeLink {
			target, err := b.objects.get(b.ctx, here.id)
			if err != nil {
				return entry{}, "", err
			}
			rest := strings.TrimPrefix(strings.TrimPrefix(name, path.Join(walked, elem)), "/")
			if path.IsAbs(string(target.Data)) {
				return entry{}, "", gitcmd.LeadsOut(name)
			}
			return entry{}, path.Join(walked, string(target.Data), rest), nil
		}
		walked = path.Join(walked, elem)
	}
	return here, "", nil
}

// Object gives what stands at a path as git has it, a link as a link: its mode and its object.
// Where nothing does it is empty.
func (b *Branch) Object(name string) (string, error) {
	here := entry{mode: modeTree, id: b.root}
	for elem := range strings.SplitSeq(name, "/") {
		if here.mode != modeTree || here.id == "" {
			return "", nil
		}
		entries, err := b.objects.tree(b.ctx, here.id)
		if err != nil {
			return "", err
		}
		i := slices.IndexFunc(entries, func(e entry) bool { return e.name == elem })
		if i < 0 {
			return "", nil
		}
		here = entries[i]
	}
	return here.mode + " " + here.id, nil
}

// Blob gives the bytes of an object: a file's, or where a link leads.
func (b *Branch) Blob(id string) ([]byte, error) {
	found, err := b.objects.get(b.ctx, id)
	return found.Data, err
}

// Sizes tells how large objects are, by their names. Empty names are left out.
func (b *Branch) Sizes(ids []string) (map[string]int64, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })
	if len(ids) == 0 {
		return nil, nil
	}
	if b.objects.fetch != nil {
		if err := b.objects.fetchLacking(b.ctx, ids); err != nil {
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

// Name implements [fs.DirEntry].
func (e entry) Name() string { return e.name }

// IsDir implements [fs.DirEntry]; a submodule is a directory, as in a working tree.
func (e entry) IsDir() bool { return e.isDir() }

func (e entry) isDir() bool { return e.mode == modeTree || e.mode == ModeSubmodule }

// Type implements [fs.DirEntry].
func (e entry) Type() fs.FileMode {
	switch {
	case e.isDir():
		return fs.ModeDir
	case e.mode == ModeLink:
		return fs.ModeSymlink
	}
	return 0
}

// Info is an error: a commit has neither sizes nor times.
func (entry) Info() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

// Prefetch gets the files at the paths, and what leads to them, in a few requests. It
// does nothing where the repository has everything.
func (b *Branch) Prefetch(ctx context.Context, paths []string) error {
	if b.objects.fetch == nil {
		return nil
	}
	level := map[string][]string{b.root: paths} // what is looked for below a tree
	for len(level) > 0 {
		var ids []string
		for id := range level {
			ids = append(ids, id)
		}
		if err := b.objects.fetchLacking(ctx, ids); err != nil {
			return err
		}
		next := make(map[string][]string)
		var blobs []string
		for id, wanted := range level {
			entries, err := b.objects.tree(ctx, id)
			if err != nil {
				return err
			}
			byName := make(map[string]entry, len(entries))
			for _, e := range entries {
				byName[e.name] = e
			}
			for _, p := range wanted {
				elem, rest, deeper := strings.Cut(p, "/")
				switch e := byName[elem]; {
				case e.id == "" || e.mode == ModeSubmodule:
				case e.mode == modeTree && deeper:
					next[e.id] = append(next[e.id], rest)
				case e.mode != modeTree && !deeper:
					blobs = append(blobs, e.id)
				}
			}
		}
		if err := b.objects.fetchLacking(ctx, blobs); err != nil {
			return err
		}
		level = next
	}
	return nil
}
