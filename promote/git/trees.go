package git

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
)

// directory is one directory of the head on the way to the files of a commit.
type directory struct {
	id    string // in hex
	tree  []byte // as git has it
	below map[string]*directory
	files map[string]promote.File
}

func newDirectory() *directory {
	return &directory{below: map[string]*directory{}, files: map[string]promote.File{}}
}

// directories arranges the files in their directories.
func directories(files []promote.File) *directory {
	top := newDirectory()
	for _, f := range files {
		d, rest := top, f.Path
		for {
			elem, tail, deeper := strings.Cut(rest, "/")
			if !deeper {
				d.files[rest] = f
				break
			}
			if d.below[elem] == nil {
				d.below[elem] = newDirectory()
			}
			d, rest = d.below[elem], tail
		}
	}
	return top
}

// readDirectories reads the directories' trees from a commit, level by level, by
// one process. Anything that is not where it should be is errNotMade.
func (r *Repo) readDirectories(ctx context.Context, top *directory, commit string) error {
	in, requests := io.Pipe()
	defer in.Close()
	p, err := start(ctx, r.top, call{op: "git cat-file", args: []string{"cat-file", "--batch-command", "--buffer"}, stdin: in, env: reading()})
	if err != nil {
		return err
	}
	top.id = commit + "^{tree}"
	for level := []*directory{top}; len(level) > 0 && err == nil; {
		level, err = r.readLevel(p, requests, level)
	}
	_ = requests.Close()
	if err != nil {
		p.stop()
		return err
	}
	return p.wait()
}

// readLevel reads some directories and gives those below.
func (r *Repo) readLevel(p *process, requests io.Writer, level []*directory) ([]*directory, error) {
	var ask strings.Builder
	for _, d := range level {
		ask.WriteString("contents " + d.id + "\n")
	}
	ask.WriteString("flush\n")
	// Neither side waits for the other for ever: this one reads at the same time.
	sent := later(func() (int, error) { return io.WriteString(requests, ask.String()) })
	var next []*directory
	for _, d := range level {
		o, err := readObject(p.out, d.id)
		if err != nil {
			return nil, err
		}
		if o.kind != "tree" {
			return nil, errNotMade
		}
		d.id, d.tree = o.id, o.data
		found := 0
		for e := range r.entries(d.tree) {
			if below := d.below[e.name]; below != nil && e.mode == "40000" {
				below.id = hex.EncodeToString(e.id)
				next = append(next, below)
				found++
			}
		}
		if found != len(d.below) {
			return nil, errNotMade
		}
	}
	_, err := sent()
	return next, err
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
		copy(e.id, set.add(typeBlob, f.Data))
	}
	if found != len(d.files) {
		return nil, errNotMade
	}
	return set.add(typeTree, tree), nil
}
