package versions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Over is a tree in which some files are others than they are.
type Over struct {
	pipeline.Tree
	Files map[string][]byte
}

// ReadFile gives a file's bytes.
func (o Over) ReadFile(name string) ([]byte, error) {
	if data, ok := o.Files[name]; ok {
		return data, nil
	}
	return o.Tree.ReadFile(name)
}

// ReadAny reads the first of the names that is a file of the directory.
func (o Over) ReadAny(dir string, names []string) (pipeline.Found, error) {
	found, err := o.Tree.ReadAny(dir, names)
	if data, ok := o.Files[path.Join(dir, found.Name)]; ok && err == nil {
		found.Data = data
	}
	return found, err
}

// Keeper keeps the files of a promotion.
type Keeper struct {
	Pipeline *pipeline.Pipeline
	// Home is the tree of the branch that has the pipeline, and the files.
	Home pipeline.Tree
	// To is the environment, Services are those that change there, and Writes the files
	// that do, as they shall be.
	To       *pipeline.Environment
	Services []string
	Writes   map[string][]byte
	// Base gives a file as it is to be changed, and as it stands; an error that is
	// fs.ErrNotExist where there is none.
	Base func(ctx context.Context, name string) (before, there []byte, err error)
}

// Change is a file that changes with a promotion.
type Change struct {
	Path        string
	Before, Now []byte
	// Written tells that it stands so already, by a run that was interrupted.
	Written bool
}

// Keep makes the files that the pipeline wants kept, as far as they are to be changed, and
// says which cannot be kept. A file that is not as it was written is an error, as is one
// that somebody is changing.
func (k *Keeper) Keep(ctx context.Context) ([]Change, []string, error) {
	names := k.Pipeline.Spec.Record.Versions
	if len(names) == 0 || len(k.Writes) == 0 {
		return nil, nil, nil
	}
	if k.To.Elsewhere() {
		return nil, []string{fmt.Sprintf("%s has no entry of %s, which is on another branch than the pipeline: %s", strings.Join(names, " and "), k.To.Name, k.To.Place())}, nil
	}
	entries, err := Of(ctx, k.Pipeline, Over{k.Home, k.Writes}, k.To, k.Services)
	if err != nil {
		return nil, nil, err
	}
	var changes []Change
	var warnings []string
	var errs []error
	for _, name := range names {
		before, there, err := k.Base(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			warnings = append(warnings, name+" is not there yet, and is kept once "+fixHint+" has written it")
			continue
		}
		c := Change{Path: name, Before: before, Written: !bytes.Equal(before, there)}
		if err == nil {
			c.Now, err = k.update(c, there, entries)
		}
		if errs = append(errs, err); err == nil && !bytes.Equal(c.Now, before) {
			changes = append(changes, c)
		}
	}
	return changes, warnings, errors.Join(errs...)
}

// update makes a file.
func (k *Keeper) update(c Change, there []byte, entries []Entry) ([]byte, error) {
	if k.Writes[c.Path] != nil {
		return nil, &overlay.Error{File: c.Path, Line: 1, Col: 1, Msg: "has pins that are promoted, and cannot be a file of versions", Hint: "another name for record.versions in the pipeline"}
	}
	f, err := Parse(c.Path, c.Before)
	if err != nil {
		return nil, err
	}
	f.Put(entries)
	now := f.Bytes()
	if c.Written && !bytes.Equal(there, now) {
		return nil, &overlay.Error{File: c.Path, Line: 1, Col: 1, Msg: "has uncommitted changes", Hint: "git commit " + shell.Pathspecs(c.Path) + ", or git stash"}
	}
	return now, nil
}
