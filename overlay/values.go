package overlay

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/convention"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
)

// values finds the images of Helm values by the conventions of charts, at any
// depth and in lists:
//
//	image:                        what `helm create` writes; registry as in
//	  registry: ghcr.io           Bitnami's charts, image in place of repository
//	  repository: org/app         as in ingress-nginx, name in place of it in
//	  tag: v1                     others; sha, which is a digest without
//	  digest: sha256:…            "sha256:", as in kube-prometheus-stack
//
//	image: ghcr.io/org/app:v1@sha256:…      also under keys that end in image,
//	                                        imageName, and in a map or list images
//
//	image: ghcr.io/org/app        as in Elastic's charts; also fooImageTag with
//	imageTag: v1                  fooImage, imageRepository or imageName, and
//	                              image with tag
//
// A mapping under any key is an image if it has repository and tag or digest.
// Under a key that ends in image a tag or a digest alone is enough: the rest comes
// from the chart's defaults, and the pin is called by its path. So is one whose
// name would be a guess, as with a variable in it, or with repository and name
// side by side, which Strimzi joins and others do not.
//
// Left out, since setting them could set the wrong thing: a scalar without tag
// that has no key for one beside it, "version" as a tag, a tag outside the OCI
// grammar (a template or a variable), URLs, and a tag under no image at all, such
// as Istio's global.tag.
func (f *finder) values(root *yaml.Node, path string) {
	before := f.registry
	if r := convention.RegistryOfChart(root); before.Text == "" {
		f.registry = r
	}
	w := &valuesWalk{f}
	w.walk(nodes.Start(root, path))
	f.registry = before
}

type valuesWalk struct{ f *finder }

func (w *valuesWalk) walk(t *nodes.Trail) {
	n := t.Node
	switch n.Kind {
	case yaml.SequenceNode:
		for i, it := range n.Content {
			if next := t.Item(i, it); next != nil {
				w.child(next, nil)
			}
		}
	case yaml.MappingNode:
		block := w.block(t)
		var beside *convention.FlatKeys
		for i := 0; i+1 < len(n.Content); i += 2 {
			next := t.Field(n.Content[i], n.Content[i+1])
			if next == nil {
				continue
			}
			w.child(next, n)
			if !block || next.Key != "tag" {
				beside = w.flat(next, n, beside)
			}
		}
	}
}

// child looks at a value of a mapping (parent) or an item of a list. Of an alias
// only the block itself is listed: what is in it is looked at at the anchor.
func (w *valuesWalk) child(t *nodes.Trail, parent *yaml.Node) {
	switch nodes.Resolve(t.Node).Kind {
	case yaml.ScalarNode:
		w.scalar(t, parent)
	case yaml.MappingNode, yaml.SequenceNode:
		if t.Node.Kind == yaml.AliasNode {
			w.block(t)
		} else {
			w.walk(t)
		}
	}
}

// scalar finds a whole reference with a tag or a digest.
func (w *valuesWalk) scalar(t *nodes.Trail, parent *yaml.Node) {
	if !nodes.IsText(t.Node) {
		return
	}
	label := t.Label()
	field := label
	switch {
	case convention.IsImageKey(label) || strings.EqualFold(label, "imageName"):
	case parent != nil && t.Up != nil && t.Up.Label() == "images":
		field = t.Key
	case parent == nil && label == "images":
	default:
		return
	}
	text := nodes.Text(t.Node)
	if strings.Contains(text, "://") || reference.IsDigest(text) { // "sha256" is no repository
		return
	}
	path := w.f.path(t.Path())
	if r, ok := newRefSite(w.f.src, t.Node, HelmValues, path, field, false); ok && (r.p.Tag != "" || r.p.Digest != "") {
		if g := w.f.registry; g.Text != "" && !convention.HasHost(r.p.Name) {
			r.p.Unknown = g.Doubt()
		}
		w.f.sites = append(w.f.sites, r)
	}
}

// block adds the pin of a mapping that is an image block; false where it is none.
func (w *valuesWalk) block(t *nodes.Trail) bool {
	m := nodes.Resolve(t.Node)
	named := convention.IsImageKey(t.Label())
	if m.Kind != yaml.MappingNode || !named && !convention.IsBlock(m) {
		return false
	}
	k := convention.BlockKeys(m, named)
	if k == (convention.ValueKeys{}) {
		return false
	}
	if t.Up != nil && strings.HasPrefix(nodes.Text(nodes.Value(m, k.Name)), "/") {
		k.Base = nodes.Text(nodes.Value(nodes.Resolve(t.Up.Node), "baseRepo"))
	}
	v, ok := w.f.valuesImage(t.Node, k, convention.FieldsOf(m), w.f.path(t.Path()), HelmValues, named)
	if ok {
		w.f.sites = append(w.f.sites, v)
	}
	return ok
}

// flat finds a tag that stands beside the image's name: imageTag beside image,
// imageRepository or imageName, and tag beside image. It gives the index of the
// mapping, for the next one.
func (w *valuesWalk) flat(t *nodes.Trail, m *yaml.Node, beside *convention.FlatKeys) *convention.FlatKeys {
	if len(t.Key) < 3 || !strings.EqualFold(t.Key[len(t.Key)-3:], "tag") || nodes.Resolve(t.Node).Kind != yaml.ScalarNode {
		return beside
	}
	if beside == nil {
		beside = convention.NewFlatKeys(m)
	}
	k := convention.ValueKeys{Tag: t.Key}
	if t.Key == "tag" {
		if bare, _ := convention.RepositoryOf(beside.Node["image"]); bare == "" {
			return beside
		}
		k.Name, k.Registry, k.Digest = "image", beside.Scalar("registry", "hub"), beside.Scalar("digest", "sha")
	} else {
		stem, separator, ok := convention.FlatTag(strings.ToLower(t.Key))
		if !ok {
			return beside
		}
		k = k.Beside(beside, stem, separator)
	}
	get := func(key string) *yaml.Node { return beside.Node[key] }
	if v, ok := w.f.valuesImage(m, k, get, w.f.path(t.Path()), HelmValues, true); ok {
		v.p.Position = position(w.f.src, t.Node)
		w.f.sites = append(w.f.sites, v)
	}
	return beside
}
