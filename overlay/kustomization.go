package overlay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/kubepromote/kubepromote/overlay/internal/entries"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/paths"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// kustomization finds the images of a kustomization, its Helm charts and its
// remote resources.
func (f *finder) kustomization(root *yaml.Node) {
	f.checkCase(root, "apiVersion", "kind", "images", "imageTags", "resources", "components", "bases", "helmCharts")
	if i := nodes.KeyIndex(root, "imageTags"); i >= 0 {
		f.fail(root.Content[i], "kustomize edit fix", "imageTags is a field of kustomize 1 and no longer read")
		return
	}
	f.images(Kustomization, root, "images")
	f.remotes(root)
}

// images finds the entries of a field that lists images in kustomize's form.
func (f *finder) images(format Format, parent *yaml.Node, path string) {
	path = f.path(path)
	siblings := &[]*yaml.Node{}
	f.homes = append(f.homes, &imagesHome{src: f.src, parent: parent, path: path, siblings: siblings, format: format})
	field := nodes.Value(parent, "images")
	if field == nil {
		return
	}
	list := nodes.Resolve(field)
	switch {
	case list.Kind == yaml.ScalarNode && list.ShortTag() == "!!null":
		return
	case list.Kind != yaml.SequenceNode:
		f.fail(field, "", "images is a %s, not a list", syntax.KindName(list))
		return
	}
	seen := make(map[string]*yaml.Node)
	var all []*fieldsSite
	for _, it := range list.Content {
		e := f.imageEntry(format, it, siblings)
		if e == nil {
			continue
		}
		if first := seen[e.p.Name]; first != nil {
			line, _ := f.src.Place(first)
			f.fail(it, "keep one of them", "second entry for image %q, first at line %d", e.p.Name, line)
			continue
		}
		seen[e.p.Name] = it
		e.p.Path = paths.Item(path, e.p.Name)
		if it.Kind == yaml.MappingNode {
			*siblings = append(*siblings, it)
		}
		all = append(all, e)
	}
	f.chain(all)
}

// chain adds entries as what they make together; see package entries.
func (f *finder) chain(all []*fieldsSite) {
	es := make([]entries.Entry, len(all))
	for i, e := range all {
		es[i] = entries.Entry{Name: e.p.Name, NewName: e.p.NewName, Tag: e.p.Tag, Digest: e.p.Digest, Suffix: e.p.TagSuffix}
	}
	list, ok := entries.NewList(es)
	if !ok {
		f.fail(all[0].item, "name the images", "too many names of images are patterns")
		return
	}
	sites := make([]site, len(all))
	for i, e := range slices.Backward(all) {
		sites[i] = e
		if m := list.Make(i); len(m.Then) > 0 && e.p.Known() {
			c := &chainedSite{fieldsSite: e, made: e.p, by: all[m.Then[len(m.Then)-1]]}
			if m.Repository != e.p.Repository() {
				c.made.NewName = m.Repository
			}
			c.made.Tag, c.made.Digest, c.made.TagSuffix = m.Tag, m.Digest, m.Suffix
			for _, t := range m.Then {
				if all[t].p.NewName != "" {
					c.made.Unknown = cmp.Or(c.made.Unknown, all[t].p.Unknown)
				}
			}
			if m.Version != i {
				c.version = sites[m.Version]
			}
			sites[i] = c
		}
	}
	f.sites = append(f.sites, sites...)
}

// chainedSite is an entry of images that others apply to after it, such as one for
// the name that it gives. What runs is what they make together.
type chainedSite struct {
	*fieldsSite
	made Pin
	// by is the last of the others, version the one that decides on tag and digest;
	// nil where that is the entry itself.
	by      *fieldsSite
	version site
}

func (c *chainedSite) pin() Pin {
	c.made.Policy = c.p.Policy
	return c.made
}

// follows tells whether a change is made at the entry that decides: where it says
// what the whole entry shall be, or what a marker at it stands for, it is not.
func (c *chainedSite) follows(to Change) bool { return to.NewName.op == keep && to.Policy == "" }

func (c *chainedSite) want(to Change) Pin {
	if !c.follows(to) {
		return c.fieldsSite.want(to)
	}
	p := c.pin()
	p.Tag, p.Digest = to.Tag.apply(p.Tag), to.Digest.apply(p.Digest)
	return p
}

func (c *chainedSite) set(s *setter, to Change) error {
	if c.version != nil && c.follows(to) {
		return s.site(c.version, to)
	}
	return c.fieldsSite.set(s, to)
}

// checkCase refuses keys that are known but for the case of their letters.
// Kustomize reads them, since it decodes by way of JSON; to write beside one
// would have no effect, or another one than it seems.
func (f *finder) checkCase(m *yaml.Node, known ...string) bool {
	sound := true
	for i := 0; i+1 < len(m.Content); i += 2 {
		for _, k := range known {
			if key := m.Content[i]; key.Kind == yaml.ScalarNode && key.Value != k && strings.EqualFold(key.Value, k) {
				f.fail(key, "write "+k, "%q is read as %s by kustomize and by nobody else", key.Value, k)
				sound = false
			}
		}
	}
	return sound
}

// imageEntry reads one entry; nil where it is none, which is noted.
func (f *finder) imageEntry(format Format, it *yaml.Node, siblings *[]*yaml.Node) *fieldsSite {
	m := nodes.Resolve(it)
	if m.Kind != yaml.MappingNode {
		f.fail(it, "write - name: IMAGE", "an entry of images is a %s, not a mapping", syntax.KindName(m))
		return nil
	}
	e := &fieldsSite{src: f.src, item: it, keys: imageKeys, siblings: siblings, p: Pin{Type: TypeImage, Format: format, Position: position(f.src, it)}}
	parts := map[slot]*string{slotName: &e.p.Name, slotNewName: &e.p.NewName, slotTagSuffix: &e.p.TagSuffix, slotTag: &e.p.Tag, slotDigest: &e.p.Digest}
	sound := f.checkCase(m, "name", "newName", "newTag", "digest", "tagSuffix")
	for _, s := range slotOrder {
		v := nodes.Value(m, imageKeys[s])
		if v == nil {
			continue
		}
		if r := nodes.Resolve(v); r.Kind != yaml.ScalarNode {
			f.fail(v, "", "%s of an image is a %s, not a string", imageKeys[s], syntax.KindName(r))
			sound = false
			continue
		} else if strings.ContainsFunc(nodes.Line(r), unicode.IsControl) {
			f.fail(v, "", "%s of an image has a control character", imageKeys[s])
			sound = false
			continue
		}
		*parts[s] = nodes.Line(v)
	}
	if tag, digest, ok := strings.Cut(e.p.Tag, "@"); ok && reference.IsTag(tag) && reference.IsDigest(digest) {
		if e.p.Digest != "" {
			f.fail(it, "keep one of them", "newTag of image %q holds a digest, and digest stands beside it", e.p.Name)
			sound = false
		}
		e.p.Tag, e.p.Digest, e.behind = tag, digest, true
	}
	if repository, tag, digest, ok := reference.SplitRef(e.p.NewName, true); ok && repository != "" && (tag != "" || digest != "") {
		e.p.Unknown = fmt.Sprintf("its newName holds a tag or a digest, which belong into newTag and digest: %q", e.p.NewName)
	}
	if repository, _, _, _ := reference.SplitRef(e.p.Name, false); e.p.NewName == "" && !reference.IsName(repository) {
		e.p.Unknown = "its name is a pattern, which stands for several"
	}
	if e.p.Name == "" && sound {
		f.fail(it, "add name: IMAGE", "an entry of images has no name")
		sound = false
	}
	if !sound {
		return nil
	}
	return e
}
