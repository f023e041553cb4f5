package overlay

import (
	"strings"

	"go.yaml.in/yaml/v3"
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
	if r := registryOfChart(root); before.text == "" {
		f.registry = r
	}
	w := &valuesWalk{f}
	w.walk(start(root, path))
	f.registry = before
}

type valuesWalk struct{ f *finder }

func (w *valuesWalk) walk(t *trail) {
	n := t.node
	switch n.Kind {
	case yaml.SequenceNode:
		for i, it := range n.Content {
			if next := t.item(i, it); next != nil {
				w.child(next, nil)
			}
		}
	case yaml.MappingNode:
		block := w.block(t)
		var beside *flatKeys
		for i := 0; i+1 < len(n.Content); i += 2 {
			next := t.field(n.Content[i], n.Content[i+1])
			if next == nil {
				continue
			}
			w.child(next, n)
			if !block || next.key != "tag" {
				beside = w.flat(next, n, beside)
			}
		}
	}
}

// child looks at a value of a mapping (parent) or an item of a list. Of an alias
// only the block itself is listed: what is in it is looked at at the anchor.
func (w *valuesWalk) child(t *trail, parent *yaml.Node) {
	switch resolve(t.node).Kind {
	case yaml.ScalarNode:
		w.scalar(t, parent)
	case yaml.MappingNode, yaml.SequenceNode:
		if t.node.Kind == yaml.AliasNode {
			w.block(t)
		} else {
			w.walk(t)
		}
	}
}

// scalar finds a whole reference with a tag or a digest.
func (w *valuesWalk) scalar(t *trail, parent *yaml.Node) {
	if !isText(t.node) {
		return
	}
	label := t.label()
	field := label
	switch {
	case isImageKey(label) || strings.EqualFold(label, "imageName"):
	case parent != nil && t.up != nil && t.up.label() == "images":
		field = t.key
	case parent == nil && label == "images":
	default:
		return
	}
	text := textOf(t.node)
	if strings.Contains(text, "://") || isDigest(text) { // "sha256" is no repository
		return
	}
	path := w.f.path(t.path())
	if r, ok := newRefSite(w.f.src, t.node, HelmValues, path, field, false); ok && (r.p.Tag != "" || r.p.Digest != "") {
		if g := w.f.registry; g.text != "" && !hasHost(r.p.Name) {
			r.p.Unknown = g.doubt()
		}
		w.f.sites = append(w.f.sites, r)
	}
}

// isImageKey tells whether a key says that its value is an image.
func isImageKey(key string) bool {
	return len(key) >= 5 && strings.EqualFold(key[len(key)-5:], "image")
}

// block adds the pin of a mapping that is an image block; false where it is none.
func (w *valuesWalk) block(t *trail) bool {
	m := resolve(t.node)
	named := isImageKey(t.label())
	if m.Kind != yaml.MappingNode || !named && !isBlock(m) {
		return false
	}
	k := blockKeys(m, named)
	if k == (valueKeys{}) {
		return false
	}
	if t.up != nil && strings.HasPrefix(textOf(value(m, k.name)), "/") {
		k.base = textOf(value(resolve(t.up.node), "baseRepo"))
	}
	v, ok := w.f.valuesImage(t.node, k, fieldsOf(m), w.f.path(t.path()), HelmValues, named)
	if ok {
		w.f.sites = append(w.f.sites, v)
	}
	return ok
}

// isBlock tells an image block by its keys alone.
func isBlock(m *yaml.Node) bool {
	return isText(value(m, "repository")) && (value(m, "tag") != nil || value(m, "digest") != nil)
}

// valueKeys are the keys of a mapping that hold the parts of one image; "" where
// a convention, or the mapping, has none.
type valueKeys struct {
	registry, name, tag, digest string
	// base stands in front of a repository that begins with "/": baseRepo of the
	// mapping around it, in the charts of kubernetes-csi.
	base string
}

// blockKeys tells by which keys a mapping is an image block; none where it is no
// such block. named says that it stands under a key that ends in image.
func blockKeys(m *yaml.Node, named bool) valueKeys {
	has := func(key string) bool { return value(m, key) != nil }
	k := valueKeys{registry: present(m, "registry", "hub"), tag: "tag", digest: present(m, "digest", "sha")}
	pinned := has("tag") || k.digest != ""
	switch {
	case has("repository") && present(m, "repository") == "":
		return valueKeys{}
	case isText(value(m, "repository")):
		k.name = "repository"
		if textOf(value(m, "name")) != "" && named {
			k.name = ""
		}
		// A block without tag gets one when it is set, as `helm create` has it,
		// unless something else may be its tag.
		if !pinned && (!named || has("version") || k.name == "") {
			return valueKeys{}
		}
	case !named || !pinned:
		return valueKeys{}
	default:
		k.name = present(m, "name", "image", "repo")
		if k.name != "repo" && textOf(value(m, "repo")) != "" {
			k.name = "" // two names side by side
		}
	}
	if hasNamePart(fieldsOf(m), nameParts...) {
		k.name = ""
	}
	return k
}

// fieldsOf looks fields of a mapping up.
func fieldsOf(m *yaml.Node) func(key string) *yaml.Node {
	return func(key string) *yaml.Node { return value(m, key) }
}

// present gives the first of some keys that a mapping has with a scalar or
// nothing as its value.
func present(m *yaml.Node, keys ...string) string {
	for _, k := range keys {
		if v := value(m, k); v != nil && resolve(v).Kind == yaml.ScalarNode {
			return k
		}
	}
	return ""
}

// flatKeys is an index of a mapping's fields, merged ones too, made where a flat
// tag is found: in a mapping of many such tags, a search each would take long.
type flatKeys struct {
	node  map[string]*yaml.Node // by key
	lower map[string]string     // key by its lower case
}

func newFlatKeys(m *yaml.Node) *flatKeys {
	k := &flatKeys{node: make(map[string]*yaml.Node), lower: make(map[string]string)}
	k.add(m)
	if merged := value(m, "<<"); merged != nil {
		merged = resolve(merged)
		if merged.Kind == yaml.SequenceNode {
			for _, it := range merged.Content {
				k.add(resolve(it))
			}
		} else {
			k.add(merged)
		}
	}
	return k
}

func (k *flatKeys) add(m *yaml.Node) {
	if m.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key := m.Content[i].Value
		if m.Content[i].Kind != yaml.ScalarNode || k.node[key] != nil {
			continue
		}
		k.node[key] = m.Content[i+1]
		if k.lower[strings.ToLower(key)] == "" {
			k.lower[strings.ToLower(key)] = key
		}
	}
}

// scalar gives the first of some keys in lower case that has a scalar, as it is
// written.
func (k *flatKeys) scalar(names ...string) string {
	for _, n := range names {
		if key := k.lower[n]; key != "" && resolve(k.node[key]).Kind == yaml.ScalarNode {
			return key
		}
	}
	return ""
}

// flatTag takes apart a key like imageTag or foo_image_tag, in lower case: what
// stands before "tag", and the separator between them.
func flatTag(key string) (stem, separator string, ok bool) {
	stem, ok = strings.CutSuffix(key, "tag")
	if n := len(stem); ok && n > 0 && (stem[n-1] == '_' || stem[n-1] == '-') {
		stem, separator = stem[:n-1], stem[n-1:]
	}
	return stem, separator, ok && strings.HasSuffix(stem, "image")
}

// flat finds a tag that stands beside the image's name: imageTag beside image,
// imageRepository or imageName, and tag beside image. It gives the index of the
// mapping, for the next one.
func (w *valuesWalk) flat(t *trail, m *yaml.Node, beside *flatKeys) *flatKeys {
	if len(t.key) < 3 || !strings.EqualFold(t.key[len(t.key)-3:], "tag") || resolve(t.node).Kind != yaml.ScalarNode {
		return beside
	}
	if beside == nil {
		beside = newFlatKeys(m)
	}
	k := valueKeys{tag: t.key}
	if t.key == "tag" {
		if bare, _ := repositoryOf(beside.node["image"]); bare == "" {
			return beside
		}
		k.name, k.registry, k.digest = "image", beside.scalar("registry", "hub"), beside.scalar("digest", "sha")
	} else {
		stem, separator, ok := flatTag(strings.ToLower(t.key))
		if !ok {
			return beside
		}
		k = k.beside(beside, stem, separator)
	}
	get := func(key string) *yaml.Node { return beside.node[key] }
	if v, ok := w.f.valuesImage(m, k, get, w.f.path(t.path()), HelmValues, true); ok {
		v.p.Position = position(w.f.src, t.node)
		w.f.sites = append(w.f.sites, v)
	}
	return beside
}

// beside fills in the keys that belong to a flat tag: with stem "fooimage" and
// separator "", fooImage or fooImageRepository and the like, as written.
func (k valueKeys) beside(keys *flatKeys, stem, sep string) valueKeys {
	names := []string{stem + sep + "repository", stem + sep + "repo", stem + sep + "name", stem}
	if stem == "image" {
		names = append(names, "repository")
	}
	k.name = keys.scalar(names...)
	for _, part := range nameParts {
		if n := keys.scalar(stem + sep + strings.ToLower(part)); n != "" && textOf(keys.node[n]) != "" {
			k.name = ""
		}
	}
	k.registry = keys.scalar(stem + sep + "registry")
	k.digest = keys.scalar(stem + sep + "digest")
	return k
}
