// Package policy asks rules of a repository about rendered objects: Rego with Conftest's
// conventions, and CEL as ValidatingAdmissionPolicy has it.
//
// [Load] compiles what files have; what does not compile is an error with its place.
// [Set.Check] asks all rules about all objects. Rules see an object and, as
// input.promotion or promotion, what is promoted.
package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/yamlbound"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"go.yaml.in/yaml/v3"
)

// The bounds of what is read for one set.
const (
	maxFiles = 500
	maxBytes = 8 << 20
)

// Source says where rules stand in a tree.
type Source struct {
	// Rego and CEL are a file or a folder each; one may be empty.
	Rego, CEL string
	// Namespaces are the packages of Rego that count; empty is main.
	Namespaces []string
	// Data are files and folders with what rules in Rego see as data.
	Data []string
}

// Error is why rules cannot be asked.
type Error struct{ Msg, Hint string }

// Error has the place in front, file:line:col, as far as it is known.
func (e *Error) Error() string { return e.Msg }

// HintText gives the hint, or "".
func (e *Error) HintText() string { return e.Hint }

func fail(file string, line, col int, hint, format string, args ...any) *Error {
	place := file
	if line > 0 {
		place = fmt.Sprintf("%s:%d:%d", file, line, max(col, 1))
	}
	return &Error{fault.OneLine(place + ": " + fmt.Sprintf(format, args...)), hint}
}

// Finding is what a rule says of an object.
type Finding struct {
	// Rule names the rule: its package and name, or policy and place.
	Rule   string
	Object *objects.Object
	Msg    string
	// Warn tells that it stops nothing.
	Warn bool
}

// String is a line.
func (f Finding) String() string {
	line := f.Rule + ": " + f.Object.String() + ": " + f.Msg
	if at := f.Object.Place(nil).String(); at != "" {
		line += " (" + at + ")"
	}
	return fault.OneLine(line)
}

// Set is compiled rules. It may be used concurrently.
type Set struct {
	rego *regoSet
	cel  []*admission
}

// Load compiles the rules of a source, and runs their tests. The error is an *Error, or of
// the tree.
func Load(ctx context.Context, tree pipeline.Tree, s Source) (set *Set, err error) {
	defer func() {
		if p := recover(); p != nil {
			set, err = nil, &Error{Msg: fault.OneLine(fmt.Sprintf("the rules cannot be compiled: %v", p))}
		}
	}()
	set = &Set{}
	r := &reader{tree: tree}
	if s.Rego != "" {
		if set.rego, err = loadRego(ctx, r, s); err != nil {
			return nil, err
		}
	}
	if s.CEL != "" {
		if set.cel, err = loadCEL(r, s.CEL); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// Check asks the rules about objects as they would be; before are those that are there.
// An error says that a rule could not be asked.
func (s *Set) Check(ctx context.Context, before, after []objects.Object, promotion map[string]any) ([]Finding, error) {
	after = objects.Flatten(after)
	var out []Finding
	if s.rego != nil {
		found, err := s.rego.check(ctx, after, promotion)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	for _, p := range s.cel {
		found, err := p.check(ctx, objects.Flatten(before), after, promotion)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// reader reads the files of a set, within its bounds.
type reader struct {
	tree  pipeline.Tree
	files int
	bytes int
}

// file is a file that was read.
type file struct {
	name string
	data []byte
}

// read gives the files at a path: itself, or those below it that end so, in the order of
// their names.
func (r *reader) read(name string, ends ...string) ([]file, error) {
	name = path.Clean(name)
	entries, err := r.tree.ReadDir(name)
	if err != nil {
		data, ferr := r.one(name)
		if errors.Is(ferr, fs.ErrNotExist) {
			return nil, &Error{name + " is not there", "git add " + name + " && git commit"}
		}
		return []file{{name, data}}, ferr
	}
	var out []file
	for _, e := range entries {
		at := path.Join(name, e.Name())
		switch {
		case e.IsDir():
			more, err := r.read(at, ends...)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		case slices.Contains(ends, path.Ext(e.Name())):
			data, err := r.one(at)
			if err != nil {
				return nil, err
			}
			out = append(out, file{at, data})
		}
	}
	return out, nil
}

func (r *reader) one(name string) ([]byte, error) {
	data, err := r.tree.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if r.files++; r.files > maxFiles {
		return nil, &Error{Msg: fmt.Sprintf("%s: there are more than %d files of rules and data", name, maxFiles)}
	}
	if r.bytes += len(data); r.bytes > maxBytes {
		return nil, &Error{Msg: fmt.Sprintf("%s: rules and data are larger than %d MiB", name, maxBytes>>20)}
	}
	return data, nil
}

// documents parses a YAML or JSON file.
func documents(f file) ([]*yaml.Node, error) {
	if err := yamlbound.Check(f.data); err != nil {
		return nil, fail(f.name, 0, 0, "", "%v", err)
	}
	var out []*yaml.Node
	for dec := yaml.NewDecoder(bytes.NewReader(f.data)); ; {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			if strings.Contains(err.Error(), "EOF") {
				return out, nil
			}
			return nil, fail(f.name, 0, 0, "", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if len(n.Content) == 1 {
			out = append(out, n.Content[0])
		}
	}
}
