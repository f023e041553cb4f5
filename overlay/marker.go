package overlay

import (
	"bytes"
	"fmt"

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
		markers.Walk(nodes.Start(root, ""), w)
	}
	f.marked = make(map[site]map[markers.Form]bool)
	for _, o := range w.owners {
		if o.policy != "" && !o.clash {
			o.site.setPolicy(o.policy)
			f.marked[o.site] = o.forms
		}
	}
}

// markerWalk gives markers to the sites that they stand at.
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

// Warn notes what is nearly a marker.
func (w *markerWalk) Warn(n *yaml.Node, text string) {
	w.f.warnings = append(w.f.warnings, w.f.src.Errorf(n, "", "%s", text).Error())
}

func (w *markerWalk) warn(n *yaml.Node, format string, args ...any) {
	w.Warn(n, fmt.Sprintf(format, args...))
}

// Found takes a marker for the pin that the scalar belongs to, or makes it one.
func (w *markerWalk) Found(t *nodes.Trail, m markers.Marker) {
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
