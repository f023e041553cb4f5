package overlay

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/convention"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
)

// flux finds the pins of Flux's objects; false where the kind is another. Field
// names are those of the APIs kustomize., helm. and source.toolkit.fluxcd.io; an
// ImagePolicy or ImageUpdateAutomation pins nothing.
func (f *finder) flux(kind string, root *yaml.Node, path string) bool {
	spec := nodes.At(root, "spec")
	if spec == nil || nodes.Resolve(spec).Kind != yaml.MappingNode {
		return fluxKinds[kind]
	}
	spec, path = nodes.Resolve(spec), nodes.Join(path, "spec")
	switch kind {
	case "Kustomization":
		f.images(Flux, spec, nodes.Join(path, "images"))
	case "HelmRelease":
		f.helmRelease(spec, path)
	case "HelmChart":
		f.chartVersion(spec, path)
	case "OCIRepository":
		f.ociRepository(spec, path)
	case "GitRepository":
		f.gitRepository(spec, path)
	}
	return fluxKinds[kind]
}

// fluxKinds are the kinds that are read, or known to hold nothing: in none of
// them is there a pod.
var fluxKinds = map[string]bool{
	"Kustomization": true, "HelmRelease": true, "HelmChart": true, "OCIRepository": true, "GitRepository": true,
	"HelmRepository": true, "Bucket": true, "ImageRepository": true, "ImagePolicy": true, "ImageUpdateAutomation": true,
}

// helmRelease finds the values of a release, the version of its chart, and the
// images of a post-renderer.
func (f *finder) helmRelease(spec *yaml.Node, path string) {
	if c := nodes.At(spec, "chart", "spec"); c != nil {
		f.chartVersion(nodes.Resolve(c), nodes.Join(nodes.Join(path, "chart"), "spec"))
	}
	if v := nodes.At(spec, "values"); v != nil && nodes.Resolve(v).Kind == yaml.MappingNode {
		f.values(nodes.Resolve(v), nodes.Join(path, "values"))
	}
	for i, r := range f.items(nodes.At(spec, "postRenderers")) {
		k := nodes.At(r, "kustomize")
		if nodes.At(k, "images") == nil {
			continue
		}
		homes := len(f.homes)
		f.images(Flux, nodes.Resolve(k), nodes.Join(nodes.Join(nodes.Item(nodes.Join(path, "postRenderers"), i), "kustomize"), "images"))
		f.homes = f.homes[:homes] // a new image is not looked for in a post-renderer
	}
}

// chartVersion finds the version of a chart. A range is listed as it is.
func (f *finder) chartVersion(spec *yaml.Node, path string) {
	p := Pin{Type: TypeChart, Format: Flux, Name: nodes.Text(nodes.At(spec, "chart"))}
	f.version(nodes.At(spec, "version"), p, nodes.Join(path, "version"), "version")
}

// ociRepository finds the tag and the digest of an OCI artifact, which are pinned
// as those of an image are: the name is the URL without oci://. A range (semver)
// takes precedence over a tag and chooses at run time: then nothing is pinned but
// by a digest.
func (f *finder) ociRepository(spec *yaml.Node, path string) {
	ref := nodes.At(spec, "ref")
	if ref == nil || nodes.Resolve(ref).Kind != yaml.MappingNode {
		return
	}
	keys := keys{slotTag: "tag", slotDigest: "digest"}
	if nodes.At(ref, "semver") != nil {
		keys = map[slot]string{slotDigest: "digest"}
	}
	p := Pin{Type: TypeImage, Format: Flux, Path: f.path(nodes.Join(path, "ref")), Position: position(f.src, ref)}
	for s, text := range map[slot]*string{slotTag: &p.Tag, slotDigest: &p.Digest} {
		if v := nodes.At(ref, keys[s]); keys[s] != "" && nodes.IsScalar(v) {
			*text = nodes.Text(v)
		}
	}
	if p.Tag == "" && p.Digest == "" || convention.IsPlaceholder(p.Tag+p.Digest) {
		return
	}
	p.Name = strings.TrimPrefix(nodes.Text(nodes.At(spec, "url")), "oci://")
	if p.Name == "" || convention.IsPlaceholder(p.Name) {
		p.Name, p.Unknown = p.Path, convention.NotHere("spec.url")
	}
	f.sites = append(f.sites, &ociSite{fieldsSite{src: f.src, item: ref, keys: keys, siblings: &[]*yaml.Node{}, p: p}})
}

// ociSite is the reference of an OCIRepository. The URL stands elsewhere.
type ociSite struct{ fieldsSite }

func (o *ociSite) want(c Change) Pin {
	c.NewName, c.TagSuffix = Value{}, Value{}
	return o.fieldsSite.want(c)
}

func (o *ociSite) set(s *setter, c Change) error {
	w := o.want(c)
	switch {
	case c.NewName.op == to && c.NewName.text != o.p.Name || c.TagSuffix.op == to:
		return o.src.Errorf(o.item, "change spec.url by hand", "an OCIRepository's ref holds a tag and a digest alone")
	case w.Tag == "" && w.Digest == "":
		return o.src.Errorf(o.item, "give a tag or a digest", "the ref of %q cannot be left empty", o.p.Name)
	case w.Tag != o.p.Tag && o.keys[slotTag] == "":
		return o.src.Errorf(o.item, "remove semver first", "the ref of %q has semver, which takes precedence over a tag", o.p.Name)
	}
	c.NewName, c.TagSuffix = Value{}, Value{}
	return o.fieldsSite.set(s, c)
}

// gitRefs are the keys of a GitRepository's ref, the one that counts first.
var gitRefs = []string{"commit", "name", "semver", "tag", "branch"}

// gitRepository finds the one key of a ref that decides what is checked out.
func (f *finder) gitRepository(spec *yaml.Node, path string) {
	for _, key := range gitRefs {
		if v := nodes.At(spec, "ref", key); nodes.Text(v) != "" {
			p := Pin{Type: TypeRevision, Format: Flux, Name: nodes.Text(nodes.At(spec, "url"))}
			f.version(v, p, nodes.Join(nodes.Join(path, "ref"), key), key)
			return
		}
	}
}
