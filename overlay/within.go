package overlay

import (
	"errors"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/paths"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// ErrAbsent says that a file has nothing at a path.
var ErrAbsent = errors.New("nothing is there")

// absentError is ErrAbsent with what is missing and where.
type absentError struct{ at *Error }

// Error is that of the place.
func (a *absentError) Error() string { return a.at.Error() }

// HintText gives the hint, or "".
func (a *absentError) HintText() string { return a.at.Hint }

// Unwrap gives the place.
func (a *absentError) Unwrap() error { return a.at }

// Is tells that it is ErrAbsent.
func (a *absentError) Is(target error) bool { return target == ErrAbsent }

// places gives what a path names in all documents, or what is wrong with the path.
func (f *File) places(path string) ([]paths.Match, error) {
	expr, err := paths.Parse(path)
	if err != nil {
		return nil, public(f.src.Errorf(nil, "", "%v", err))
	}
	return expr.FindAll(f.src.Docs), nil
}

// ImagesWithin lists the images whose place lies at or below a path, in the file's
// order. The path has the form of ValueChange.Path, as services.web or
// spec.generators[0].list.elements[env=production], and must lead to mappings or
// lists; an empty value is an empty one. Where it leads nowhere the error is
// ErrAbsent; both errors hold an *Error with the place.
func (f *File) ImagesWithin(path string) ([]Pin, error) {
	all, err := f.places(path)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, &absentError{f.absent(path)}
	}
	var which []int
	for _, p := range all {
		if n := nodes.Resolve(p.Node); n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" {
			return nil, public(f.src.Errorf(p.Node, "", "%s is a %s, and no part of the file that could hold images", path, syntax.KindName(n)))
		}
		which = append(which, f.imagesBelow().Below(p.Path)...)
	}
	slices.Sort(which)
	var pins []Pin
	for _, i := range slices.Compact(which) {
		pins = append(pins, f.images[i])
	}
	return pins, nil
}

// absent says how far a path leads.
func (f *File) absent(path string) *Error {
	var docs []*yaml.Node
	expr, err := paths.Parse(path)
	if err == nil {
		docs = expr.Of(f.src.Docs)
	}
	if len(docs) == 0 {
		return &Error{File: f.src.Name, Msg: path + " leads nowhere"}
	}
	var e *Error
	errors.As(public((&setter{file: f}).nothingAt(docs, expr)), &e)
	if strings.HasPrefix(e.Hint, "--create") {
		e.Hint = ""
	}
	return e
}

// KeysAt lists the keys of the mapping that a path leads to: the services of
// services. Of a path whose end leaves a field open, as in
// list.elements[env=*], it lists the values of this field: the environments. None
// where there is no such mapping or list.
func (f *File) KeysAt(path string) []string {
	expr, err := paths.Parse(path)
	if err != nil {
		return nil
	}
	return expr.Keys(f.src.Docs)
}

// Scalar is a value of a file, whatever it means.
type Scalar struct {
	// Path names it alone, with indices in place of selections.
	Path string `json:"path"`
	Text string `json:"text"`
	// Kind is string, number, boolean or null, to those who read YAML 1.1.
	Kind     string   `json:"kind"`
	Position Position `json:"position"`
}

// Scalars lists the values that a path names, with * for all keys and [*] for all
// items, in the file's order. Mappings and lists among them are left out.
func (f *File) Scalars(path string) []Scalar {
	all, err := f.places(path)
	if err != nil {
		return nil
	}
	var out []Scalar
	for _, p := range all {
		n := nodes.Resolve(p.Node)
		if n.Kind != yaml.ScalarNode {
			continue
		}
		out = append(out, Scalar{Path: p.Path, Text: nodes.Text(n), Kind: syntax.ScalarKind(n), Position: position(f.src, p.Node)})
	}
	return out
}

// Change gives what makes the value at a path of another file the same: a string
// stays one, and so does a number or a boolean that every version of YAML reads as
// this one; quotes are those that stand there. Null is nothing that could be copied.
func (s Scalar) Change(path string) (ValueChange, bool) {
	switch {
	case s.Kind == "null":
		return ValueChange{}, false
	case s.Kind != "string" && syntax.PlainKind(s.Text) != "!!str":
		return ValueChange{Path: path, Text: s.Text, Plain: true}, true
	case s.Kind != "string":
		return ValueChange{Path: path, Text: s.Text}, true
	}
	return ValueChange{Path: path, Text: `"` + s.Text + `"`}, true
}
