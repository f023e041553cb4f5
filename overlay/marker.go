package overlay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Warnings lists what is probably a mistake in the file and no fault for sure, as
// "file:line:col: what": comments that are nearly a marker of Flux. The caller
// must not change the slice.
func (f *File) Warnings() []string { return f.found.warnings }

// form is what a marker puts in place of its scalar.
type form int

const (
	formNone   form = iota // what Flux should not write over
	formRef                // name:tag, with @digest where there is one
	formTag                // tag
	formName               // repository
	formDigest             // digest
)

// String names the form as a warning needs it.
func (w form) String() string {
	return [...]string{"", "a whole reference", "a tag", "a repository", "a digest"}[w]
}

// suffix is what the marker's value has behind the policy.
func (w form) suffix() string { return [...]string{"", "", ":tag", ":name", ":digest"}[w] }

// marker is a comment {"$imagepolicy": "NAMESPACE:POLICY[:tag|:name|:digest]"}.
type marker struct {
	policy string // NAMESPACE:POLICY
	form   form
}

const markerKey = "$imagepolicy"

// nearMarker tells a comment that is a marker or wants to be one.
func nearMarker(comment string) bool {
	return strings.Contains(comment, "{") && strings.Contains(strings.ToLower(comment), "imagepolic")
}

// parseMarker reads a comment as kyaml's fieldmeta does, which Flux uses: all of
// it must be one JSON object of strings. problem says what a comment lacks that
// is nearly a marker.
func parseMarker(comment string) (m marker, problem string) {
	if !nearMarker(comment) {
		return m, ""
	}
	body := strings.TrimLeft(comment, "#")
	var object map[string]string
	if err := json.Unmarshal([]byte(body), &object); err != nil {
		if strings.Contains(body, "'") {
			return m, "JSON has double quotes only"
		}
		return m, "the whole comment must be a JSON object of strings"
	}
	text, ok := object[markerKey]
	if !ok {
		for key := range object {
			if nearMarker("{" + key) {
				return m, fmt.Sprintf("its key is %q, not %q", key, markerKey)
			}
		}
		return m, fmt.Sprintf("it has no key %q", markerKey)
	}
	words := strings.Split(text, ":")
	if len(words) < 2 || len(words) > 3 || words[0] == "" || words[1] == "" {
		return m, fmt.Sprintf("its value is %q, not NAMESPACE:POLICY, with :tag, :name or :digest behind it or nothing", text)
	}
	m = marker{policy: words[0] + ":" + words[1], form: formRef}
	if len(words) == 3 {
		m.form = map[string]form{"tag": formTag, "name": formName, "digest": formDigest}[words[2]]
		if m.form == formNone {
			return marker{}, fmt.Sprintf("%q is none of :tag, :name and :digest", ":"+words[2])
		}
	}
	return m, ""
}

// markable is a site whose scalars may have markers.
type markable interface {
	site
	// parts gives the scalars that hold the pin, and what of it.
	parts() map[*yaml.Node]form
	setPolicy(policy string)
}

// markedSite is a site with the markers that were found at its scalars.
type markedSite struct {
	site   markable
	policy string
	forms  map[form]bool
	clash  bool
}

// markers finds scalars with an $imagepolicy comment. A pin that is found already
// gets the policy; other scalars become pins of their own.
func (f *finder) markers() {
	if !bytes.Contains(bytes.ToLower(f.src.Bytes), []byte("imagepolic")) {
		return
	}
	w := &markerWalk{f: f, owners: make(map[*yaml.Node]*markedSite), forms: make(map[*yaml.Node]form)}
	for _, st := range f.sites {
		w.own(st)
	}
	for i, root := range f.src.Docs {
		f.enter(i)
		w.walk(start(root, ""))
	}
	f.marked = make(map[site]map[form]bool)
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
	forms  map[*yaml.Node]form
}

// own notes which scalars belong to a site. A site with an alias or a merge key
// has none of its own.
func (w *markerWalk) own(st site) {
	m, ok := st.(markable)
	if _, merged := st.(*mergedSite); merged || !ok {
		return
	}
	o := &markedSite{site: m, forms: make(map[form]bool)}
	for n, form := range m.parts() {
		w.owners[n], w.forms[n] = o, form
	}
}

func (w *markerWalk) walk(t *trail) {
	n := t.node
	w.value(t)
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			w.misplaced(k, "behind or above the key of what it is about: write it on the value's line", k.LineComment, k.HeadComment)
			w.misplaced(k, "below what it is about: write it on the value's line", k.FootComment)
			if next := t.field(k, n.Content[i+1]); next != nil {
				w.walk(next)
			}
		}
	case yaml.SequenceNode:
		for i, it := range n.Content {
			if next := t.item(i, it); next != nil {
				w.walk(next)
			}
		}
	}
}

// value looks at the comments of a value. Where it has one on its line, the one
// above it does not count.
func (w *markerWalk) value(t *trail) {
	n := t.node
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
	m, problem := parseMarker(comment)
	if problem != "" {
		w.warn(n, "this is no marker of Flux: %s", problem)
	}
	if m.policy != "" {
		w.found(t, m)
	}
}

func (w *markerWalk) warn(n *yaml.Node, format string, args ...any) {
	w.f.warnings = append(w.f.warnings, w.f.src.Errorf(n, "", format, args...).Error())
}

func (w *markerWalk) misplaced(n *yaml.Node, where string, comments ...string) {
	for _, c := range comments {
		if nearMarker(c) {
			w.warn(n, "a marker of Flux stands %s", where)
		}
	}
}

// found takes a marker for the pin that the scalar belongs to, or makes it one.
func (w *markerWalk) found(t *trail, m marker) {
	n := t.node
	o := w.owners[n]
	switch {
	case o == nil:
		w.add(t, m)
	case w.forms[n] == formNone:
		w.warn(n, "a marker of Flux stands at the name of an entry, which Flux would write over")
	case w.forms[n] != m.form:
		w.warn(n, "the marker stands for %s, and the value is %s: write %q", m.form, w.forms[n], m.policy+w.forms[n].suffix())
	case o.policy != "" && o.policy != m.policy:
		o.clash = true
		w.warn(n, "one image has markers of two policies, %s and %s", o.policy, m.policy)
	default:
		if r, ok := o.site.(*refSite); ok && r.p.NewName != "" {
			w.warn(n, "a marker of Flux stands at NAME=REFERENCE, and Flux would write the reference alone")
		}
		o.policy = m.policy
		o.forms[m.form] = true
	}
}

// add makes a pin of a scalar that is none by itself. Its name is the reference's,
// or else the policy's: nothing else says what the scalar is about.
func (w *markerWalk) add(t *trail, m marker) {
	f, n, path := w.f, t.node, t.path()
	if path == "" {
		return
	}
	path = f.path(path)
	p := Pin{Type: TypeImage, Format: FluxMarker, Name: m.policy, Path: path}
	var st markable
	switch m.form {
	case formRef:
		r, ok := newRefSite(f.src, n, FluxMarker, path, t.label(), false)
		if !ok {
			w.warn(n, "the marker stands for a whole reference, and %q is none", textOf(n))
			return
		}
		st = r
	case formTag:
		p.Unknown = notBeside(m)
		st = newTagSite(f.src, n, p, t.label(), partTag)
	case formName:
		st = newTagSite(f.src, n, p, t.label(), partName)
	default:
		p.Unknown = notBeside(m)
		st = newTagSite(f.src, n, p, t.label(), partDigest)
	}
	f.sites = append(f.sites, st)
	w.owners[n] = &markedSite{site: st, policy: m.policy, forms: map[form]bool{m.form: true}}
}

// notBeside is why a repository is not known that a marker alone tells of: the
// policy's image stands in an ImagePolicy, elsewhere.
func notBeside(m marker) string {
	return fmt.Sprintf("its repository is not in this file beside the marker of %s", m.policy)
}
