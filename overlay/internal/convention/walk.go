package convention

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
)

// ValuesVisitor is told where values have images.
type ValuesVisitor interface {
	// Ref is told of a scalar that may be a whole reference, and of its key.
	Ref(t *nodes.Trail, field string)
	// IsImage tells whether a mapping that has a tag or a digest alone is one of an
	// image, for all that is known elsewhere.
	IsImage(t *nodes.Trail) bool
	// Block is told of a mapping, or an alias of one, that has the parts of an image
	// under keys; it tells whether there is one.
	Block(t *nodes.Trail, k ValueKeys, named bool) bool
	// Flat is told of a tag in a mapping that has the other parts beside it.
	Flat(t *nodes.Trail, m *yaml.Node, k ValueKeys, get func(key string) *yaml.Node)
}

// WalkValues finds the images of Helm values by the conventions of charts, at any
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
//	cart: ghcr.io/org/cart:v1               a file of such versions, and nothing else
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
// that has no key for one beside it, "version" as a tag, URLs, and a tag under no
// image at all, such as Istio's global.tag.
func WalkValues(root *yaml.Node, path string, to ValuesVisitor) {
	w := &valuesWalk{to: to}
	if isListOfVersions(root) {
		w.list = root
	}
	w.walk(nodes.Start(root, path))
}

type valuesWalk struct {
	to   ValuesVisitor
	list *yaml.Node // the root, where it is a list of versions
}

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
		var beside *FlatKeys
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

// scalar finds what may be a whole reference.
func (w *valuesWalk) scalar(t *nodes.Trail, parent *yaml.Node) {
	if !nodes.IsText(t.Node) {
		return
	}
	label, text := t.Label(), nodes.Text(t.Node)
	field := label
	switch {
	case IsImageKey(label) || strings.EqualFold(label, "imageName"):
	case parent != nil && t.Up != nil && t.Up.Label() == "images":
		field = t.Key
	case parent == nil && label == "images":
	case parent != nil && parent == w.list:
		field = t.Key
	default:
		return
	}
	if strings.Contains(text, "://") || reference.IsDigest(text) { // "sha256" is no repository
		return
	}
	w.to.Ref(t, field)
}

// isListOfVersions tells whether all values of a file are references, with their registries,
// of images that their keys are the names of. With anything else in it, such as what ran
// before, it may be another list.
func isListOfVersions(m *yaml.Node) bool {
	if m.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		text := nodes.Text(m.Content[i+1])
		repository, _, _, pinned := reference.SplitRef(text, true)
		if !pinned || !nodes.IsText(m.Content[i+1]) || !HasHost(repository) || !reference.IsPinned(text) || !strings.HasSuffix(repository, "/"+m.Content[i].Value) {
			return false
		}
	}
	return true
}

// block adds the pin of a mapping that is an image block; false where it is none.
func (w *valuesWalk) block(t *nodes.Trail) bool {
	m := nodes.Resolve(t.Node)
	named := IsImageKey(t.Label())
	if m.Kind == yaml.MappingNode && !named && !IsBlock(m) && (nodes.IsScalar(nodes.Value(m, "tag")) || nodes.IsScalar(nodes.Value(m, "digest"))) {
		named = w.to.IsImage(t)
	}
	if m.Kind != yaml.MappingNode || !named && !IsBlock(m) {
		return false
	}
	k := BlockKeys(m, named)
	if k == (ValueKeys{}) {
		return false
	}
	if t.Up != nil && strings.HasPrefix(nodes.Text(nodes.Value(m, k.Name)), "/") {
		k.Base = nodes.Text(nodes.Value(nodes.Resolve(t.Up.Node), "baseRepo"))
	}
	return w.to.Block(t, k, named)
}

// flat finds a tag that stands beside the image's name: imageTag beside image,
// imageRepository or imageName, and tag beside image. It gives the index of the
// mapping, for the next one.
func (w *valuesWalk) flat(t *nodes.Trail, m *yaml.Node, beside *FlatKeys) *FlatKeys {
	if len(t.Key) < 3 || !strings.EqualFold(t.Key[len(t.Key)-3:], "tag") || nodes.Resolve(t.Node).Kind != yaml.ScalarNode {
		return beside
	}
	if beside == nil {
		beside = NewFlatKeys(m)
	}
	k := ValueKeys{Tag: t.Key}
	if t.Key == "tag" {
		if bare, _ := RepositoryOf(beside.Node["image"]); bare == "" {
			return beside
		}
		k.Name, k.Registry, k.Digest = "image", beside.Scalar("registry", "hub"), beside.Scalar("digest", "sha")
	} else {
		stem, separator, ok := FlatTag(strings.ToLower(t.Key))
		if !ok {
			return beside
		}
		k = k.Beside(beside, stem, separator)
	}
	get := func(key string) *yaml.Node { return beside.Node[key] }
	w.to.Flat(t, m, k, get)
	return beside
}
