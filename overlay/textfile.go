package overlay

import (
	"path"

	"github.com/kubepromote/kubepromote/overlay/internal/convention"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// text finds the images of a document that is not YAML; false where it is.
func (f *finder) text(root *yaml.Node) bool {
	switch f.src.Form() {
	case syntax.Env, syntax.Properties:
		f.lines(root)
	case syntax.Line:
		if convention.IsKustomizationName(path.Base(f.src.Name)) {
			return false
		}
		f.line(root)
	default:
		return false
	}
	return true
}

// lines finds the images of KEY=VALUE lines: those that values have by their keys,
// such as WEB_IMAGE_TAG beside WEB_IMAGE; references with a tag or a digest under any
// key; and WEB_TAG where WEB_IMAGE or WEB_REPOSITORY names the image. A tag alone may
// be one of anything: see Options.Images.
func (f *finder) lines(root *yaml.Node) {
	convention.WalkValues(root, "", valuesFinder{f, Env, make(convention.Around)})
	found := newFoundSites(f.sites)
	keys := convention.NewFlatKeys(root)
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, v := root.Content[i].Value, root.Content[i+1]
		path := f.path(nodes.Join("", key))
		if found.at(v, path) != nil {
			continue
		}
		if r, ok := newRefSite(f.src, v, Env, path, key, false); ok && convention.IsImageOf(key, v.Value) {
			f.sites = append(f.sites, r)
			continue
		}
		k := keys.OfTag(key)
		get := func(key string) *yaml.Node { return keys.Node[key] }
		if st, ok := f.valuesImage(root, k, get, path, Env, false); ok && k.Name != "" {
			st.p.Position = position(f.src, v)
			f.sites = append(f.sites, st)
		}
	}
}

// line finds the image of a file of one line: a reference, or a part of one.
func (f *finder) line(root *yaml.Node) {
	path := f.path(".")
	if f.valuePin(root, path, "tag", OneLine, ImagePath{}) || !reference.IsPinned(root.Value) {
		return
	}
	if r, ok := newRefSite(f.src, root, OneLine, path, "image", false); ok {
		f.sites = append(f.sites, r)
	}
}
