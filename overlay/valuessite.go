package overlay

import (
	"cmp"
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/convention"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// values finds the images of Helm values by the conventions of charts.
func (f *finder) values(root *yaml.Node, path string) {
	before := f.registry
	if r := convention.RegistryOfChart(root); before.Text == "" {
		f.registry = r
	}
	if f.registry.Text == "" {
		f.registry = f.base.Registry(path)
	}
	convention.WalkValues(root, path, valuesFinder{f, HelmValues, make(convention.Around)})
	f.registry = before
}

// valuesFinder adds what values have.
type valuesFinder struct {
	f      *finder
	format Format
	around convention.Around
}

// registry is that of the whole chart, or one that stands around a place.
func (v valuesFinder) registry(t *nodes.Trail) convention.ChartRegistry {
	if v.f.registry.Text != "" {
		return v.f.registry
	}
	return v.around.Registry(t)
}

// image reads the pin under keys of a mapping at a place.
func (v valuesFinder) image(t *nodes.Trail, item *yaml.Node, k convention.ValueKeys, get func(key string) *yaml.Node, named bool) (*valuesSite, bool) {
	before := v.f.registry
	v.f.registry = v.registry(t)
	defer func() { v.f.registry = before }()
	return v.f.valuesImage(item, k, get, v.f.path(cmp.Or(t.Path(), ".")), v.format, named)
}

// Ref adds a whole reference with a tag or a digest.
func (v valuesFinder) Ref(t *nodes.Trail, field string) {
	path := v.f.path(t.Path())
	r, ok := newRefSite(v.f.src, t.Node, v.format, path, field, false)
	if !ok || r.p.Tag == "" && r.p.Digest == "" {
		if text := nodes.Text(t.Node); convention.IsNoReference(text) {
			v.f.notRead(t.Node, path, text)
		}
		return
	}
	if g := v.registry(t.Up); g.Text != "" && !convention.HasHost(r.p.Name) {
		r.p.Unknown = g.Doubt()
	}
	v.f.sites = append(v.f.sites, r)
}

// IsImage tells what is an image in the base.
func (v valuesFinder) IsImage(t *nodes.Trail) bool {
	return v.f.base.IsBlock(t.Path())
}

// Block takes a mapping for an image.
func (v valuesFinder) Block(t *nodes.Trail, k convention.ValueKeys, named bool) bool {
	st, ok := v.image(t, t.Node, k, convention.FieldsOf(nodes.Resolve(t.Node)), named)
	if ok {
		v.f.sites = append(v.f.sites, st)
	}
	return ok
}

// Flat takes keys beside one another for an image.
func (v valuesFinder) Flat(t *nodes.Trail, m *yaml.Node, k convention.ValueKeys, get func(key string) *yaml.Node) {
	if st, ok := v.image(t, m, k, get, true); ok {
		st.p.Position = position(v.f.src, t.Node)
		v.f.sites = append(v.f.sites, st)
	}
}

// valuesSite is an image of Helm values whose parts stand under keys of one
// mapping. A part is changed where it stands; a digest goes
//
//   - to the key digest (or sha), where there is one, empty or not; when it is
//     dropped the key stays with "", since charts have it with a default;
//   - behind the tag otherwise, as tag: v1@sha256:…, which is how charts without
//     such a key are pinned, for example by Renovate.
//
// A tag that is dropped becomes "" likewise. A key that is missing or comes from
// a merge key is written into the mapping itself.
type valuesSite struct {
	src  *syntax.Source
	item *yaml.Node // the mapping, or an alias of it
	keys convention.ValueKeys
	p    Pin
	// tag and digest are the scalars that hold them, if any.
	tag, digest *yaml.Node
	// registry stands in front of the repository in the pin's name.
	registry string
	// shared is where the registry stands if it is that of other images too.
	shared string
	// behind says that the digest stands behind the tag.
	behind bool
}

// valuesImage reads the pin under keys of a mapping, whose fields get gives; false where it is none.
// named says that the place alone tells that it is an image: then a name that
// cannot be told does not matter, and the pin is called by its path.
func (f *finder) valuesImage(item *yaml.Node, k convention.ValueKeys, get func(key string) *yaml.Node, path string, format Format, named bool) (*valuesSite, bool) {
	v := &valuesSite{src: f.src, item: item, keys: k, tag: get(k.Tag), digest: get(k.Digest)}
	v.p = Pin{Type: TypeImage, Format: format, Path: path, Position: position(f.src, item)}
	for _, key := range []string{k.Tag, k.Digest} {
		if n := get(key); n != nil && nodes.Resolve(n).Kind != yaml.ScalarNode {
			return nil, false
		}
	}
	repository, ok := convention.RepositoryOf(get(k.Name))
	if !v.readVersion(get) {
		if ok && (named || repository != "") {
			f.notRead(item, path, repository+":"+nodes.Text(v.tag))
		}
		return nil, false
	}
	own := strings.TrimSuffix(nodes.Text(get(k.Registry)), "/")
	if f.base.Root != nil && ok {
		b := f.base.Image(strings.TrimPrefix(path, f.prefix), k, named)
		if own == "" && get(k.Registry) == nil && b.Registry != "" {
			own, v.shared = b.Registry, "the chart's"
		}
		if repository == "" && b.Repository != "" && convention.Leaves(get) {
			repository, v.keys.Name = b.Repository, ""
			v.p.RepositoryFrom = Place{f.opts.Base.Name(), position(f.opts.Base.src, b.Node)}
		}
	}
	var unknown string
	if v.registry, unknown = f.registry.Over(own, repository); v.registry != own {
		v.shared = f.registry.Key
	}
	if k.Base != "" && strings.HasPrefix(repository, "/") {
		v.registry, v.shared = strings.TrimSuffix(k.Base, "/"), "baseRepo"
	}
	name := repository
	if v.registry != "" {
		name = v.registry + "/" + strings.TrimPrefix(repository, "/")
	}
	if k.Name == "" && v.p.RepositoryFrom == (Place{}) || repository == "" || !reference.IsName(name) {
		if !ok || !named && k.Base == "" && !strings.HasPrefix(repository, "/") {
			return nil, false
		}
		v.keys.Name, name = "", path
		if unknown = convention.NotHere(convention.RepositoryOfTag(path)); v.given(get) {
			unknown = "its repository cannot be told from this file: its parts are joined by the chart, or are variables"
		}
	}
	v.p.Name, v.p.Unknown = name, unknown
	return v, true
}

// given tells whether some part of a name stands in the mapping.
func (v *valuesSite) given(get func(key string) *yaml.Node) bool {
	return convention.HasNamePart(get, "repository", "name", "image", "repo", "registry")
}

// readVersion reads tag and digest; false where one of them is malformed, as a
// variable is.
func (v *valuesSite) readVersion(get func(key string) *yaml.Node) bool {
	digest := nodes.Text(get(v.keys.Digest))
	if v.bare() && reference.IsHexDigest(digest) {
		digest = "sha256:" + digest
	}
	var ok bool
	v.p.Tag, v.p.Digest, v.behind, ok = reference.Version(nodes.Text(get(v.keys.Tag)), digest)
	v.behind = v.behind || v.keys.Digest == ""
	return ok
}

// bare tells whether the digest's key holds hexadecimal digits alone.
func (v *valuesSite) bare() bool { return v.keys.Digest == "sha" }

func (v *valuesSite) pin() Pin { return v.p }

func (v *valuesSite) want(c Change) Pin {
	p := v.p
	p.Tag, p.Digest = c.Tag.apply(p.Tag), c.Digest.apply(p.Digest)
	if c.NewName.op == to {
		p.Name = c.NewName.text
	}
	return p
}

func (v *valuesSite) set(s *setter, c Change) error {
	w := v.want(c)
	if v.item.Kind == yaml.AliasNode {
		return v.setAlias(s, c)
	}
	if w.Name != v.p.Name {
		if err := v.setName(s, w.Name); err != nil {
			return err
		}
	}
	tag, digest := w.Tag, w.Digest
	switch {
	case v.behind && tag == "" && digest != "":
		return v.src.Errorf(v.item, `give a tag as well, or add digest: "" to the block if the chart knows it`,
			"image %q has no key for a digest, and no tag that one could stand behind", v.p.Name)
	case v.behind && digest != "":
		tag, digest = tag+"@"+digest, ""
	case v.bare() && digest != "":
		var ok bool
		if digest, ok = strings.CutPrefix(digest, "sha256:"); !ok {
			return v.src.Errorf(v.item, "give a sha256 digest", "sha of image %q holds a sha256 digest alone", v.p.Name)
		}
	}
	if err := v.write(s, v.keys.Tag, tag); err != nil {
		return err
	}
	if v.keys.Digest != "" {
		if err := v.write(s, v.keys.Digest, digest); err != nil {
			return err
		}
	}
	s.written[v.item] = w.Ref()
	return nil
}

// setAlias sees to a block that is an alias: it follows its anchor.
func (v *valuesSite) setAlias(s *setter, c Change) error {
	if s.written[nodes.Resolve(v.item)] == v.want(c).Ref() {
		return nil // the block at the anchor gets the same
	}
	if !s.follow {
		return refuseAlias(v.src, v.item, v.p)
	}
	s.warnAliases(v.src, v.item.Alias)
	anchored := *v
	anchored.item = nodes.Resolve(v.item)
	return anchored.set(s, c)
}

// setName replaces the repository, and the registry where it stands apart.
func (v *valuesSite) setName(s *setter, name string) error {
	if v.keys.Name == "" {
		return v.src.Errorf(v.item, "edit the file by hand", "image %q has no repository of its own that could be replaced", v.p.Name)
	}
	old := nodes.Text(nodes.Value(nodes.Resolve(v.item), v.keys.Name))
	slash := old[:len(old)-len(strings.TrimPrefix(old, "/"))]
	if v.registry == "" {
		return v.write(s, v.keys.Name, name)
	}
	if rest, ok := strings.CutPrefix(name, v.registry+"/"); ok {
		return v.write(s, v.keys.Name, slash+rest)
	}
	host, rest, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return v.src.Errorf(v.item, "give the new name with its registry, such as "+v.registry+"/"+name,
			"image %q has its registry under a key of its own, and %q has none", v.p.Name, name)
	}
	if slash != "" || v.shared != "" {
		return v.src.Errorf(v.item, "edit the file by hand", "registry %s of image %q is that of other images too", v.registry, v.p.Name)
	}
	if err := v.write(s, v.keys.Registry, host); err != nil {
		return err
	}
	return v.write(s, v.keys.Name, rest)
}

// write gives a key of the mapping a value, and adds the key where it is missing.
func (v *valuesSite) write(s *setter, key, text string) error {
	m := v.item
	n := s.memo.Value(m, key)
	if nodes.Text(n) == text && (n == nil || text == "" || nodes.IsText(n) && !notString(n)) {
		return nil
	}
	i := s.memo.Index(m, key)
	if i >= 0 {
		return s.setScalar(v.src, n, v.p, key, text)
	}
	like := s.memo.Value(m, v.keys.Name)
	if n != nil {
		if now, ok := s.written[nodes.Resolve(n)]; ok && now == text {
			return nil // the block that it is merged from gets the same
		}
		like = n
	}
	if like != nil {
		like = nodes.Resolve(like)
	}
	s.changed(FieldChange{Image: v.p.Name, Field: key, Old: nodes.Text(n), New: text, Position: v.p.Position})
	return s.edit(v.src).InsertField(m, v.neighbour(s), syntax.Field{Key: key, Value: text, Like: like})
}

// neighbour gives the index of the key behind which a new one is placed.
func (v *valuesSite) neighbour(s *setter) int {
	for _, key := range []string{v.keys.Tag, v.keys.Name, v.keys.Registry, "<<"} {
		if i := s.memo.Index(v.item, key); i >= 0 {
			return i
		}
	}
	return len(v.item.Content) - 2
}
