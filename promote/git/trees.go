package git

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
)

// directory is one directory of the head on the way to the files of a commit.
type directory struct {
	path     string // ends with a slash, if it is not the top
	tree     []byte // as git has it
	was, now []byte // the tree's name, and that of the one to come
	cached   *cachedTree
	below    map[string]*directory
	files    map[string]*leaf
}

// leaf is a file of a commit.
type leaf struct {
	promote.File
	mode     string // in octal digits
	was, now []byte // the names of the blobs
	at       int    // where the entry is in the index
}

func newDirectory(path string) *directory {
	return &directory{path: path, below: map[string]*directory{}, files: map[string]*leaf{}}
}

// directories arranges the files in their directories.
func directories(files []promote.File) *directory {
	top := newDirectory("")
	for _, f := range files {
		d, rest := top, f.Path
		for {
			elem, tail, deeper := strings.Cut(rest, "/")
			if !deeper {
				d.files[rest] = &leaf{File: f}
				break
			}
			if d.below[elem] == nil {
				d.below[elem] = newDirectory(d.path + elem + "/")
			}
			d, rest = d.below[elem], tail
		}
	}
	return top
}

// readDirectories reads the directories' trees from a commit, level by level. What
// is not in the index one process of git reads. Anything that is not where it should
// be is errNotMade.
func (r *Repo) readDirectories(ctx context.Context, top *directory, tree []byte, x *index) error {
	reader := &treeReader{repo: r}
	defer reader.close()
	top.was = tree
	for level := []*directory{top}; len(level) > 0; {
		var missing, next []*directory
		for _, d := range level {
			if !x.readTree(d) {
				missing = append(missing, d)
			}
		}
		if err := reader.read(ctx, missing); err != nil {
			return err
		}
		for _, d := range level {
			found := 0
			for e := range r.entries(d.tree) {
				if below := d.below[e.name]; below != nil && e.mode == "40000" {
					below.was = e.id
					next = append(next, below)
					found++
				}
			}
			if found != len(d.below) {
				return errNotMade
			}
		}
		level = next
	}
	return nil
}

// treeReader reads trees by one process of git, which is started when it is needed.
type treeReader struct {
	repo     *Repo
	process  *process
	requests *io.PipeWriter
}

func (t *treeReader) read(ctx context.Context, dirs []*directory) error {
	if len(dirs) == 0 {
		return nil
	}
	if t.process == nil {
		in, requests := io.Pipe()
		p, err := start(ctx, t.repo.top, call{op: "git cat-file", args: []string{"cat-file", "--batch-command", "--buffer"}, stdin: in, env: reading()})
		if err != nil {
			return err
		}
		t.process, t.requests = p, requests
	}
	var ask strings.Builder
	for _, d := range dirs {
		fmt.Fprintf(&ask, "contents %x\n", d.was)
	}
	ask.WriteString("flush\n")
	// Neither side waits for the other for ever: this one reads at the same time.
	sent := later(func() (int, error) { return io.WriteString(t.requests, ask.String()) })
	for _, d := range dirs {
		o, err := readObject(t.process.out, hex.EncodeToString(d.was))
		if err != nil {
			return err
		}
		if o.kind != "tree" {
			return errNotMade
		}
		d.tree = o.data
	}
	_, err := sent()
	return err
}

// close ends git; what it was asked for has been read, or is of no use.
func (t *treeReader) close() {
	if t.process != nil {
		_ = t.requests.Close()
		t.process.stop()
	}
}

// entry is one entry of a tree. The id is a part of the tree's bytes.
type entry struct {
	mode, name string
	id         []byte
}

// entries reads a tree: mode, blank, name, zero byte, name of the object. It ends
// early where a tree is malformed.
func (r *Repo) entries(tree []byte) func(yield func(entry) bool) {
	size := 20
	if r.sha256 {
		size = 32
	}
	return func(yield func(entry) bool) {
		for rest := tree; len(rest) > 0; {
			end := bytes.IndexByte(rest, 0)
			if end < 0 || len(rest) < end+1+size {
				return
			}
			mode, name, _ := strings.Cut(string(rest[:end]), " ")
			if !yield(entry{mode, name, rest[end+1 : end+1+size]}) {
				return
			}
			rest = rest[end+1+size:]
		}
	}
}

// rebuild adds the objects of a directory with the new files to the set and gives
// the tree's name. Only names of objects change in a tree, never names of files,
// modes or the order.
func (r *Repo) rebuild(d *directory, set *objectSet) ([]byte, error) {
	tree := bytes.Clone(d.tree)
	found := 0
	for e := range r.entries(tree) {
		if below := d.below[e.name]; below != nil {
			id, err := r.rebuild(below, set)
			if err != nil {
				return nil, err
			}
			copy(e.id, id)
			continue
		}
		f, wanted := d.files[e.name]
		if !wanted {
			continue
		}
		if e.mode != "100644" && e.mode != "100755" || bytes.Contains(f.Data, []byte("\r\n")) {
			return nil, errNotMade // git may store such lines otherwise
		}
		found++
		f.mode, f.was, f.now = e.mode, bytes.Clone(e.id), set.add(typeBlob, f.Data)
		copy(e.id, f.now)
	}
	if found != len(d.files) {
		return nil, errNotMade
	}
	d.now = set.add(typeTree, tree)
	return d.now, nil
}

// leaves gives the files of a directory and of those below, by their paths.
func (d *directory) leaves(into map[string]*leaf) map[string]*leaf {
	for _, f := range d.files {
		into[f.Path] = f
	}
	for _, below := range d.below {
		below.leaves(into)
	}
	return into
}
