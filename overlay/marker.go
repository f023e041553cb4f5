package overlay

import (
	"bytes"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/markers"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
)

// Warnings lists what is probably a mistake in the file and no fault for sure, as
// "file:line:col: what": comments that are nearly a marker of Flux. The caller
// must not change the slice.
func (f *File) Warnings() []string { return f.found.warnings }

// markable is a site whose scalars may have markers.
type markable interface {
	site
	// parts gives the scalars that hold the pin, and what of it.
	parts() map[*yaml.Node]markers.Form
	setPolicy(policy string)
}

// markedSite is a site with the markers that were found at its scalars.
type markedSite struct {
	site   markable
	policy string
	forms  map[markers.Form]bool
	clash  bool
}

// markers finds scalars with an $imagepolicy comment. A pin that is found already
// gets the policy; other scalars become pins of their own.
func (f *finder) markers() {
	if !bytes.Contains(bytes.ToLower(f.src.Bytes), []byte("imagepolic")) {
		return
	}
	w := &markerWalk{f: f, owners: make(map[*yaml.Node]*markedSite), forms: make(map[*yaml.Node]markers.Form)}
	for _, st := range f.sites {
		w.own(st)
	}
	for i, root := range f.src.Docs {
		f.enter(i)
		w.walk(nodes.Start(root, ""))
	}
	f.marked = make(map[site]map[markers.Form]bool)
	for _, o := range w.owners {
		if o.policy != "" && !o.clash {
			o.site.setPolicy(o.policy)
			f.marked[o.site] = o.forms
		}
	}
}

// markerWalk looks at the comments of a file. The parser puts a comment on a
// value's line, or on the header of a block scalar, to the value's LineComment;
// one between a key's line and a value that stands on its own line is the value's
// HeadComment; one above a key, or behind it, is the key's.
type markerWalk struct {
	f      *finder
	owners map[*yaml.Node]*markedSite
	forms  map[*yaml.Node]markers.Form
}

// own notes which scalars belong to a site. A site with an alias or a merge key
// has none of its own.
func (w *markerWalk) own(st site) {
	m, ok := st.(markable)
	if _, merged := st.(*mergedSite); merged || !ok {
		return
	}
	o := &markedSite{site: m, forms: make(map[markers.Form]bool)}
	for n, form := range m.parts() {
		w.owners[n], w.forms[n] = o, form
	}
}

func (w *markerWalk) walk(t *nodes.Trail) {
	n := t.Node
	w.value(t)
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			w.misplaced(k, "behind or above the key of what it is about: write it on the value's line", k.LineComment, k.HeadComment)
			w.misplaced(k, "below what it is about: write it on the value's line", k.FootComment)
			if next := t.Field(k, n.Content[i+1]); next != nil {
				w.walk(next)
			}
		}
	case yaml.SequenceNode:
		for i, it := range n.Content {
			if next := t.Item(i, it); next != nil {
				w.walk(next)
			}
		}
	}
}

// value looks at the comments of a value. Where it has one on its line, the one
// above it does not count.
func (w *markerWalk) value(t *nodes.Trail) {
	n := t.Node
	switch {
	case n.Kind == yaml.AliasNode:
		w.misplaced(n, "at an alias: write it at the anchor", n.LineComment, n.HeadComment, n.FootComment)
		return
	case n.Kind != yaml.ScalarNode:
		w.misplaced(n, "at a list or a mapping: write it on the line of a scalar", n.LineComment, n.HeadComment, n.FootComment)
		return
	}
	comment := n.LineComment
	if comment == "" {
		comment = n.HeadComment
	} else {
		w.misplaced(n, "above a value that has another comment on its line, which counts alone", n.HeadComment)
	}
	w.misplaced(n, "below what it is about: write it on the value's line", n.FootComment)
	m, problem := markers.Parse(comment)
	if problem != "" {
		w.warn(n, "this is no marker of Flux: %s", problem)
	}
	if m.Policy != "" {
		w.found(t, m)
	}
}

func (w *markerWalk) warn(n *yaml.Node, format string, args ...any) {
	w.f.warnings = append(w.f.warnings, w.f.src.Errorf(n, "", format, args...).Error())
}

func (w *markerWalk) misplaced(n *yaml.Node, where string, comments ...string) {
	for _, c := range comments {
		if markers.Near(c) {
			w.warn(n, "a marker of Flux stands %s", where)
		}
	}
}

// found takes a marker for the pin that the scalar belongs to, or makes it one.
func (w *markerWalk) found(t *nodes.Trail, m markers.Marker) {
	n := t.Node
	o := w.owners[n]
	switch {
	case o == nil:
		w.add(t, m)
	case w.forms[n] == markers.FormNone:
		w.warn(n, "a marker of Flux stands at the name of an entry, which Flux would write over")
	case w.forms[n] != m.Form:
		w.warn(n, "the marker stands for %s, and the value is %s: write %q", m.Form, w.forms[n], m.Policy+w.forms[n].Suffix())
	case o.policy != "" && o.policy != m.Policy:
		o.clash = true
		w.warn(n, "one image has markers of two policies, %s and %s", o.policy, m.Policy)
	default:
		if r, ok := o.site.(*refSite); ok && r.p.NewName != "" {
			w.warn(n, "a marker of Flux stands at NAME=REFERENCE, and Flux would write the reference alone")
		}
		o.policy = m.Policy
		o.forms[m.Form] = true
	}
}

// add makes a pin of a scalar that is none by itself. Its name is the reference's,
// or else the policy's: nothing else says what the scalar is about.
func (w *markerWalk) add(t *nodes.Trail, m markers.Marker) {
	f, n, path := w.f, t.Node, t.Path()
	if path == "" {
		return
	}
	path = f.path(path)
	p := Pin{Type: TypeImage, Format: FluxMarker, Name: m.Policy, Path: path}
	var st markable
	switch m.Form {
	case markers.FormRef:
		r, ok := newRefSite(f.src, n, FluxMarker, path, t.Label(), false)
		if !ok {
			w.warn(n, "the marker stands for a whole reference, and %q is none", nodes.Text(n))
			return
		}
		st = r
	case markers.FormTag:
		p.Unknown = markers.NotBeside(m)
		st = newTagSite(f.src, n, p, t.Label(), partTag)
	case markers.FormName:
		st = newTagSite(f.src, n, p, t.Label(), partName)
	default:
		p.Unknown = markers.NotBeside(m)
		st = newTagSite(f.src, n, p, t.Label(), partDigest)
	}
	f.sites = append(f.sites, st)
	w.owners[n] = &markedSite{site: st, policy: m.Policy, forms: map[markers.Form]bool{m.Form: true}}
}
