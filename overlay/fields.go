package overlay

import (
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/paths"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// slot is a part of a pin that has a key of its own in a mapping.
type slot int

const (
	slotName slot = iota
	slotNewName
	slotTagSuffix
	slotTag
	slotDigest
)

// keys gives the key of each slot that a format has.
type keys map[slot]string

// slotOrder is the order in which new keys are placed.
var slotOrder = []slot{slotName, slotNewName, slotTagSuffix, slotTag, slotDigest}

// imageKeys are those of kustomize's images, which Flux uses too.
var imageKeys = keys{slotName: "name", slotNewName: "newName", slotTagSuffix: "tagSuffix", slotTag: "newTag", slotDigest: "digest"}

// fieldsSite is a mapping whose keys hold the parts of a pin.
type fieldsSite struct {
	src  *syntax.Source
	item *yaml.Node // the mapping, or an alias of it
	keys keys
	p    Pin
	// behind says that newTag holds the digest as well, as TAG@DIGEST: what Renovate
	// writes, and kustomize puts behind the name as it stands.
	behind bool
	// siblings are the mappings whose quotes new values take.
	siblings *[]*yaml.Node
}

func (f *fieldsSite) pin() Pin { return f.p }

func (f *fieldsSite) want(c Change) Pin {
	p := f.p
	p.NewName = c.NewName.apply(p.NewName)
	p.Tag, p.Digest = c.Tag.apply(p.Tag), c.Digest.apply(p.Digest)
	p.TagSuffix = c.TagSuffix.apply(p.TagSuffix)
	return p
}

// wish is one field's old text and what it shall be; touch is false where the
// change says nothing of it.
type wish struct {
	slot      slot
	old, text string
	touch     bool
}

func wishes(p Pin, c Change) []wish {
	row := func(s slot, old string, v Value) wish { return wish{s, old, v.apply(old), v.op != keep} }
	return []wish{
		row(slotNewName, p.NewName, c.NewName),
		row(slotTagSuffix, p.TagSuffix, c.TagSuffix),
		row(slotTag, p.Tag, c.Tag),
		row(slotDigest, p.Digest, c.Digest),
	}
}

// wishes are those of the entry's fields as they stand in the text.
func (f *fieldsSite) wishes(c Change) []wish {
	p := f.p
	if !f.behind {
		return wishes(p, c)
	}
	w := f.want(c)
	p.Tag, p.Digest = p.Tag+"@"+p.Digest, ""
	switch {
	case w.Tag == "":
		c.Tag, c.Digest = To(""), To(w.Digest)
	case w.Digest == "":
		c.Tag, c.Digest = To(w.Tag), Value{}
	default:
		c.Tag, c.Digest = To(w.Tag+"@"+w.Digest), Value{}
	}
	return wishes(p, c)
}

func (f *fieldsSite) set(s *setter, c Change) error {
	kept := make(map[string]bool)
	var gone []string
	ws := f.wishes(c)
	for _, w := range ws {
		kept[f.keys[w.slot]] = w.text != "" || !w.touch
	}
	for _, w := range ws {
		key := f.keys[w.slot]
		present := f.item.Kind == yaml.MappingNode && nodes.KeyIndex(f.item, key) >= 0
		same := w.text == w.old && (w.text != "" || !present) && !notString(nodes.Value(nodes.Resolve(f.item), key))
		if !w.touch || same {
			continue
		}
		if present && w.text == "" {
			gone = append(gone, key)
			continue
		}
		if f.item.Kind != yaml.MappingNode {
			return f.src.Errorf(f.item, "write the entry here in place of the alias", "the entry of image %q is an alias of &%s", f.p.Name, f.item.Value)
		}
		if err := f.setField(s, key, w, kept); err != nil {
			return err
		}
	}
	return f.remove(s, gone)
}

// loose tells whether a value that would stay is written as something that is no
// string, such as a number: kustomize refuses it.
func (f *fieldsSite) loose(c Change) bool {
	for _, w := range f.wishes(c) {
		if w.touch && w.text != "" && notString(nodes.Value(nodes.Resolve(f.item), f.keys[w.slot])) {
			return true
		}
	}
	return false
}

// notString tells whether a scalar is a plain one that some version of YAML reads
// as a number, a boolean, a date or null.
func notString(n *yaml.Node) bool {
	if n != nil {
		n = nodes.Resolve(n)
	}
	return n != nil && n.Kind == yaml.ScalarNode && n.Style == 0 && n.Value != "" && syntax.Ambiguous(n.Value)
}

// remove takes fields out of the entry.
func (f *fieldsSite) remove(s *setter, gone []string) error {
	var indices []int
	for _, key := range gone {
		i := nodes.KeyIndex(f.item, key)
		if v := f.item.Content[i+1]; s.memo.Aliases(f.src, v) > 0 {
			return f.src.Errorf(f.item.Content[i], "", "%s of image %q has the anchor &%s, which is used elsewhere", key, f.p.Name, v.Anchor)
		}
		s.changed(FieldChange{Image: f.p.Name, Field: key, Old: nodes.Line(f.item.Content[i+1]), Position: position(f.src, f.item.Content[i])})
		indices = append(indices, i)
	}
	return s.edit(f.src).RemoveFields(f.item, indices)
}

// setField writes or adds one field.
func (f *fieldsSite) setField(s *setter, key string, w wish, kept map[string]bool) error {
	m, i := f.item, nodes.KeyIndex(f.item, key)
	change := FieldChange{Image: f.p.Name, Field: key, Old: w.old, New: w.text, Position: f.p.Position}
	switch {
	case w.text == "" && i < 0:
		return f.src.Errorf(m, "write the entry's fields here in place of <<",
			"%s of image %q comes from a merge key and cannot be removed", key, f.p.Name)
	case i < 0:
		s.changed(change)
		return s.edit(f.src).InsertField(m, f.neighbour(key, kept), syntax.Field{Key: key, Value: w.text, Like: s.memo.Like(f.siblings, key)})
	}
	return s.setScalar(f.src, m.Content[i+1], f.p, key, w.text)
}

// neighbour gives the index of the key behind which a new one is placed: the
// nearest before it in slotOrder that stays, or else the last that stays.
func (f *fieldsSite) neighbour(key string, kept map[string]bool) int {
	best := -1
	for _, s := range slotOrder {
		name := f.keys[s]
		if name == key {
			break
		}
		if i := nodes.KeyIndex(f.item, name); i >= 0 && (s == slotName || kept[name]) {
			best = i
		}
	}
	if best >= 0 {
		return best
	}
	for i := len(f.item.Content) - 2; i > 0; i -= 2 {
		if stays, known := kept[f.item.Content[i].Value]; stays || !known {
			return i
		}
	}
	return 0
}

// imagesHome is a field that lists images in kustomize's form: there, empty,
// null, or missing from a mapping that is there.
type imagesHome struct {
	src      *syntax.Source
	parent   *yaml.Node // the mapping that has or gets the field
	path     string     // of the field
	siblings *[]*yaml.Node
	format   Format
}

func (h *imagesHome) node() *yaml.Node {
	if i := nodes.KeyIndex(h.parent, "images"); i >= 0 {
		return h.parent.Content[i+1]
	}
	return h.parent
}

func (h *imagesHome) add(s *setter, changes []Change) ([]Pin, error) {
	var pins []Pin
	var added [][]syntax.Field
	for _, c := range changes {
		fields := []syntax.Field{{Key: imageKeys[slotName], Value: c.Name, Like: s.memo.Like(h.siblings, imageKeys[slotName])}}
		for _, w := range wishes(Pin{}, c) {
			if key := imageKeys[w.slot]; w.text != "" {
				fields = append(fields, syntax.Field{Key: key, Value: w.text, Like: s.memo.Like(h.siblings, key)})
				s.changed(FieldChange{Image: c.Name, Field: key, New: w.text})
			}
		}
		if len(fields) == 1 {
			s.changed(FieldChange{Image: c.Name, Field: imageKeys[slotName], New: c.Name})
		}
		added = append(added, fields)
		pins = append(pins, Pin{
			Type: TypeImage, Format: h.format, Name: c.Name, NewName: c.NewName.apply(""), TagSuffix: c.TagSuffix.apply(""),
			Tag: c.Tag.apply(""), Digest: c.Digest.apply(""), Path: paths.Item(h.path, c.Name),
		})
	}
	return pins, h.write(s.edit(h.src), added)
}

func (h *imagesHome) write(e *syntax.Edit, added [][]syntax.Field) error {
	i := nodes.KeyIndex(h.parent, "images")
	if i < 0 {
		return e.Add(h.parent, "images", added...)
	}
	switch list := h.parent.Content[i+1]; {
	case list.Kind == yaml.AliasNode:
		return h.src.Errorf(list, "write the list here in place of the alias", "images is an alias of &%s", list.Value)
	case list.Kind == yaml.SequenceNode && len(list.Content) > 0:
		return e.Append(list, added...)
	}
	return e.Fill(h.parent, i, added...)
}
