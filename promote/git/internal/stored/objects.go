// Package stored reads the objects of a repository, and the files of its commits, as git
// has stored them: without the line endings and filters of a checkout, and without the
// objects that stand for others.
//
// [Objects] asks one git, which lasts as long as they do; [Files] are those of one commit.
package stored

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// Objects reads objects by their names with one git, as long as it lasts. Its methods may be
// called concurrently.
type Objects struct {
	// Dir is git's own directory, or the clone's root.
	Dir string
	// Fetch, if not nil, gets objects that the repository lacks.
	Fetch func(ctx context.Context, ids []string) error

	mu      sync.Mutex
	process *gitcmd.Process
	end     context.CancelFunc // of the process, whoever reads from it
	trees   map[string][]Entry
	// known are the objects that are here, where others may be fetched: git that is asked
	// for one which is not here fetches it by itself, with all that it leads to, or ends.
	known map[string]bool
}

// Entry is a line of a tree: a mode in octal digits, as git writes it there, and the name
// of an object.
type Entry struct{ name, Mode, ID string }

// The modes of what is no file.
const (
	ModeTree      = "40000"
	ModeLink      = "120000"
	ModeSubmodule = "160000"
)

// Close ends git.
func (o *Objects) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stop()
}

func (o *Objects) stop() {
	if o.process != nil {
		_ = o.process.In.Close()
		o.process.Stop()
		o.end()
		o.process = nil
	}
}

// Get reads an object; it fetches what the repository lacks, where that may be done.
func (o *Objects) Get(ctx context.Context, id string) (gitcmd.Object, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.read(ctx, id)
}

func (o *Objects) read(ctx context.Context, id string) (gitcmd.Object, error) {
	found, err := o.ask(ctx, id)
	if err == nil && found.Kind == "" && o.Fetch != nil {
		if err = o.obtain(ctx, []string{id}); err == nil {
			found, err = o.ask(ctx, id)
		}
	}
	if err == nil && found.Kind == "" {
		err = &gitcmd.Error{Msg: "object " + id + " is missing from the repository", Hint: "git fsck"}
	}
	return found, err
}

// obtain fetches objects.
func (o *Objects) obtain(ctx context.Context, ids []string) error {
	err := o.Fetch(ctx, ids)
	if err == nil && o.known != nil {
		for _, id := range ids {
			o.known[id] = true
		}
	}
	return err
}

// isKnown tells whether an object is here, or always yes where all are.
func (o *Objects) isKnown(id string) (bool, error) {
	if o.Fetch == nil {
		return true, nil
	}
	if o.known == nil {
		out, err := gitcmd.Run(context.Background(), o.Dir, gitcmd.Call{Op: "git cat-file", Args: []string{"cat-file", "--batch-all-objects", "--batch-check=%(objectname)", "--unordered", "--buffer"}, Reads: true, Env: []string{NoFetch}})
		if err != nil {
			return false, err
		}
		o.known = make(map[string]bool)
		for line := range strings.Lines(string(out)) {
			o.known[strings.TrimSpace(line)] = true
		}
	}
	return o.known[id], nil
}

// Changed forgets which objects are here.
func (o *Objects) Changed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known = nil
}

// NoFetch has git fetch nothing on its own.
const NoFetch = "GIT_NO_LAZY_FETCH=1"

// ask asks git, which is started where it does not run. It lasts longer than one request; but
// a request whose context is over ends it, as it may wait for another machine: of a partial
// clone git itself fetches what is not here.
func (o *Objects) ask(ctx context.Context, id string) (gitcmd.Object, error) {
	if here, err := o.isKnown(id); err != nil || !here {
		return gitcmd.Object{}, err
	}
	const op = "git cat-file"
	if ctx.Err() != nil {
		return gitcmd.Object{}, gitcmd.Interrupted(op, ctx.Err())
	}
	if err := o.start(op); err != nil {
		return gitcmd.Object{}, err
	}
	lasts := context.AfterFunc(ctx, o.end)
	_, err := io.WriteString(o.process.In, id+"\n")
	var found gitcmd.Object
	if err == nil {
		found, err = gitcmd.ReadObject(o.process.Out, id)
	}
	if !lasts() {
		o.stop()
		return gitcmd.Object{}, gitcmd.Interrupted(op, ctx.Err())
	}
	if err != nil {
		_ = o.process.In.Close()
		if werr := o.process.Wait(); werr != nil {
			err = werr // it says why
		}
		o.end()
		o.process = nil
		return found, err
	}
	return found, nil
}

// start has git run.
func (o *Objects) start(op string) error {
	if o.process != nil {
		return nil
	}
	env := []string{gitcmd.AsStored}
	if o.Fetch != nil {
		env = append(env, NoFetch)
	}
	ctx, end := context.WithCancel(context.Background())
	p, err := gitcmd.Start(ctx, o.Dir, gitcmd.Call{Op: op, Args: []string{"cat-file", "--batch"}, Reads: true, Talks: true, Env: env})
	if err != nil {
		end()
		return err
	}
	o.process, o.end = p, end
	return nil
}

// Tree gives the entries of a tree, in the order in which git has them.
func (o *Objects) Tree(ctx context.Context, id string) ([]Entry, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if entries, ok := o.trees[id]; ok {
		return entries, nil
	}
	found, err := o.read(ctx, id)
	if err != nil {
		return nil, err
	}
	entries, err := parseTree(found)
	if err != nil {
		return nil, err
	}
	if o.trees == nil {
		o.trees = make(map[string][]Entry)
	}
	o.trees[id] = entries
	return entries, nil
}

// TreeOnce does the same, and does not keep them: there may be many, each read once.
func (o *Objects) TreeOnce(ctx context.Context, id string) ([]Entry, error) {
	found, err := o.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return parseTree(found)
}

// FetchLacking fetches those of the objects that the repository has not, in one request.
func (o *Objects) FetchLacking(ctx context.Context, ids []string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var lacking []string
	for _, id := range ids {
		here, err := o.isKnown(id)
		if err != nil {
			return err
		}
		if !here {
			lacking = append(lacking, id)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return o.obtain(ctx, lacking)
}

// RootOf gives the tree of a commit.
func (o *Objects) RootOf(ctx context.Context, commit string) (string, error) {
	found, err := o.Get(ctx, commit)
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(found.Data, []byte{'\n'})
	id, ok := strings.CutPrefix(string(line), "tree ")
	if found.Kind != "commit" || !ok || !gitcmd.IsHash(id) {
		return "", &gitcmd.Error{Msg: "object " + commit + " is no commit"}
	}
	return id, nil
}

// parseTree reads a tree as git cat-file gives it: a mode in octal digits, a blank, a
// name, a zero byte, and the object's name in binary form, which has a fixed size
// (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects).
func parseTree(o gitcmd.Object) ([]Entry, error) {
	if o.Kind != "tree" {
		return nil, &gitcmd.Error{Msg: "object " + o.ID + " is a " + o.Kind + ", not a tree"}
	}
	var entries []Entry
	data, size := o.Data, len(o.ID)/2
	for len(data) > 0 {
		blank := bytes.IndexByte(data, ' ')
		zero := bytes.IndexByte(data, 0)
		if blank <= 0 || zero < blank || len(data) < zero+1+size {
			return nil, &gitcmd.Error{Op: "git cat-file", Msg: "unexpected answer: a tree that ends early"}
		}
		id := data[zero+1 : zero+1+size]
		entries = append(entries, Entry{string(data[blank+1 : zero]), string(data[:blank]), hex.EncodeToString(id)})
		data = data[zero+1+size:]
	}
	return entries, nil
}
