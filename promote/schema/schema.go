// Package schema tells whether the API server of a version of Kubernetes would know the
// fields of objects: by the schemas of Kubernetes itself, which are built in for its last
// minor versions, and by those of CustomResourceDefinitions. Nothing is fetched.
//
// [Load] reads the definitions that a repository has, and [Set.Check] looks at objects. It
// knows types, required and unknown fields, and APIs that are deprecated or gone. What an
// API server finds out by running code it does not know: names that are none, rules in CEL.
package schema

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Options say what objects are held against.
type Options struct {
	// Version is that of Kubernetes, such as 1.36; by default the newest of [Versions].
	Version string
	// CRDs are files and folders with CustomResourceDefinitions.
	CRDs []string
	// Ignore are the objects that are not looked at, by their kind: KIND, KIND.GROUP or one
	// of them with /NAME behind, each part a glob.
	Ignore []string
}

// Error is why objects cannot be held against schemas.
type Error struct{ Msg, Hint string }

// Error has the place in front, as far as there is one.
func (e *Error) Error() string { return e.Msg }

// HintText gives the hint, or "".
func (e *Error) HintText() string { return e.Hint }

// Finding is what is wrong with an object.
type Finding struct {
	Object *objects.Object
	// Path is the field; empty where it is the object itself.
	Path objects.Path
	Msg  string
	// Hint is what was probably meant, or "".
	Hint string
}

// String is a line.
func (f Finding) String() string {
	line := f.Object.String() + ": "
	if len(f.Path) > 0 {
		line += f.Path.String() + " "
	}
	line += f.Msg
	if f.Hint != "" {
		line += ", " + f.Hint
	}
	if at := f.Object.Place(f.Path).String(); at != "" {
		line += " (" + at + ")"
	}
	return fault.OneLine(line)
}

// Result is what was found.
type Result struct {
	// Findings are what an API server would refuse, or leave out.
	Findings []Finding
	// Deprecated are objects whose API will be gone.
	Deprecated []Finding
	// Unknown are objects that there is no schema of.
	Unknown []objects.Object
	// Known is how many objects there is a schema of.
	Known int
}

// Set is the schemas of a version of Kubernetes and of a repository. It may be used
// concurrently.
type Set struct {
	version string
	bit     int
	builtin *builtin
	defined definitions
	ignore  []string
	mu      sync.Mutex
	known   map[string]*schema
}

// Load reads the definitions of a repository.
func Load(tree pipeline.Tree, o Options) (*Set, error) {
	b, err := kubernetes()
	if err != nil {
		return nil, err
	}
	if o.Version == "" {
		o.Version = b.versions[len(b.versions)-1]
	}
	n := slices.Index(b.versions, o.Version)
	if n < 0 {
		return nil, &Error{"the schemas of Kubernetes " + fault.OneLine(o.Version) + " are not built in", "version: one of " + strings.Join(b.versions, ", ")}
	}
	s := &Set{version: o.Version, bit: 1 << n, builtin: b, ignore: o.Ignore, defined: make(definitions), known: make(map[string]*schema)}
	r := &reader{tree: tree, into: s.defined}
	for _, name := range o.CRDs {
		if err := r.read(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Version is that of Kubernetes.
func (s *Set) Version() string { return s.version }

// Check holds objects against their schemas. CustomResourceDefinitions among them count. An
// error says that a definition is none, or that time is over.
func (s *Set) Check(ctx context.Context, all []objects.Object) (*Result, error) {
	all = objects.Flatten(all)
	own := make(definitions)
	for _, o := range all {
		if err := own.add(&o); err != nil {
			return nil, err
		}
	}
	out := &Result{}
	for i := range all {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("there was not time for all objects: %w", err)
		}
		if o := &all[i]; !s.ignored(o) {
			if err := s.object(o, own, out); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// ignored tells whether nobody wants to know of an object.
func (s *Set) ignored(o *objects.Object) bool {
	return slices.ContainsFunc(s.ignore, func(pattern string) bool {
		kind, name, named := strings.Cut(pattern, "/")
		return (glob(kind, o.Kind) || glob(kind, o.Kind+"."+o.Group())) && (!named || glob(name, o.Name) || glob(name, o.Original))
	})
}

func glob(pattern, s string) bool {
	ok, err := path.Match(pattern, s)
	return ok && err == nil
}

// object holds one object against its schema.
func (s *Set) object(o *objects.Object, own definitions, out *Result) error {
	k := keyOf(o)
	for _, defined := range []definitions{own, s.defined} {
		c, ok := defined[k.groupKind()]
		if !ok {
			continue
		}
		v, ok := c.versions[k.version]
		if !ok {
			served := cmp.Or(strings.Join(c.served(), ", "), "no version that is served")
			out.Findings = append(out.Findings, Finding{o, nil, fmt.Sprintf("is %s, and the definition of %s (%s) has %s", o.APIVersion, k.kind, c.place, served), ""})
			return nil
		}
		if v.deprecated != "" {
			out.Deprecated = append(out.Deprecated, Finding{o, nil, v.deprecated, ""})
		}
		return s.custom(o, v, out)
	}
	name := s.builtin.named(k, s.bit)
	switch {
	case name != "":
		out.Known++
		s.deprecated(o, k, out)
		found, err := s.validate(o, prune(o.Fields, nil), &schema{Ref: name})
		out.Findings = append(out.Findings, found...)
		return err
	case s.builtin.groups[k.group]:
		out.Findings = append(out.Findings, s.gone(o, k))
	default:
		out.Unknown = append(out.Unknown, *o)
	}
	return nil
}

// custom holds an object against a definition of the repository.
func (s *Set) custom(o *objects.Object, v *definedVersion, out *Result) error {
	out.Known++
	v.once.Do(func() { v.parsed, v.err = parseDefined(v.schema) })
	if v.err != nil {
		return &Error{Msg: fault.OneLine(fmt.Sprintf("%s: its schema cannot be used: %v", v.place, v.err))}
	}
	found, err := s.validate(o, prune(o.Fields, v.parsed), v.parsed)
	out.Findings = append(out.Findings, found...)
	return err
}

// deprecated notes an API that will be gone.
func (s *Set) deprecated(o *objects.Object, k key, out *Result) {
	life, ok := s.builtin.lives[k]
	if !ok || before(s.version, life.deprecated) {
		return
	}
	f := Finding{Object: o, Msg: fmt.Sprintf("is %s, which is deprecated since Kubernetes %s", o.APIVersion, life.deprecated)}
	if life.removed != "" {
		f.Msg += " and gone from " + life.removed + " on"
	}
	f.Hint = life.instead()
	out.Deprecated = append(out.Deprecated, f)
}

// gone is the finding for an API that the version does not have.
func (s *Set) gone(o *objects.Object, k key) Finding {
	f := Finding{Object: o, Msg: fmt.Sprintf("is %s, which Kubernetes %s does not have", o.APIVersion, s.version)}
	if life, ok := s.builtin.lives[k]; ok && life.removed != "" && !before(s.version, life.removed) {
		f.Msg, f.Hint = fmt.Sprintf("is %s, which Kubernetes has no more since %s", o.APIVersion, life.removed), life.instead()
	}
	if others := s.builtin.others(k, s.bit); f.Hint == "" && len(others) > 0 {
		f.Hint = "but " + strings.Join(others, ", ")
	}
	return f
}
