package convention

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
)

// ValueKeys are the keys of a mapping that hold the parts of one image; "" where
// a convention, or the mapping, has none.
type ValueKeys struct {
	Registry, Name, Tag, Digest string
	// base stands in front of a repository that begins with "/": baseRepo of the
	// mapping around it, in the charts of kubernetes-csi.
	Base string
}

// BlockKeys tells by which keys a mapping is an image block; none where it is no
// such block. named says that it stands under a key that ends in image.
func BlockKeys(m *yaml.Node, named bool) ValueKeys {
	has := func(key string) bool { return nodes.Value(m, key) != nil }
	k := ValueKeys{Registry: present(m, "registry", "hub"), Tag: "tag", Digest: present(m, "digest", "sha")}
	pinned := has("tag") || k.Digest != ""
	switch {
	case has("repository") && present(m, "repository") == "":
		return ValueKeys{}
	case nodes.IsText(nodes.Value(m, "repository")):
		k.Name = "repository"
		if nodes.Text(nodes.Value(m, "name")) != "" && named {
			k.Name = ""
		}
		// A block without tag gets one when it is set, as `helm create` has it,
		// unless something else may be its tag.
		if !pinned && (!named || has("version") || k.Name == "") {
			return ValueKeys{}
		}
	case !named || !pinned:
		return ValueKeys{}
	default:
		k.Name = present(m, "name", "image", "repo")
		if k.Name != "repo" && nodes.Text(nodes.Value(m, "repo")) != "" {
			k.Name = "" // two names side by side
		}
	}
	if HasNamePart(FieldsOf(m), NameParts...) {
		k.Name = ""
	}
	return k
}

// FlatKeys is an index of a mapping's fields, merged ones too, made where a flat
// tag is found: in a mapping of many such tags, a search each would take long.
type FlatKeys struct {
	Node  map[string]*yaml.Node // by key
	lower map[string]string     // key by its lower case
}

// IsImageKey tells whether a key says that its value is an image.
func IsImageKey(key string) bool {
	return len(key) >= 5 && strings.EqualFold(key[len(key)-5:], "image")
}

// IsBlock tells an image block by its keys alone.
func IsBlock(m *yaml.Node) bool {
	return nodes.IsText(nodes.Value(m, "repository")) && (nodes.Value(m, "tag") != nil || nodes.Value(m, "digest") != nil)
}

// FieldsOf looks fields of a mapping up.
func FieldsOf(m *yaml.Node) func(key string) *yaml.Node {
	return func(key string) *yaml.Node { return nodes.Value(m, key) }
}

// present gives the first of some keys that a mapping has with a scalar or
// nothing as its value.
func present(m *yaml.Node, keys ...string) string {
	for _, k := range keys {
		if v := nodes.Value(m, k); v != nil && nodes.Resolve(v).Kind == yaml.ScalarNode {
			return k
		}
	}
	return ""
}

// NewFlatKeys takes the keys of a mapping, and those that it merges ("<<").
func NewFlatKeys(m *yaml.Node) *FlatKeys {
	k := &FlatKeys{Node: make(map[string]*yaml.Node), lower: make(map[string]string)}
	k.add(m)
	if merged := nodes.Value(m, "<<"); merged != nil {
		merged = nodes.Resolve(merged)
		if merged.Kind == yaml.SequenceNode {
			for _, it := range merged.Content {
				k.add(nodes.Resolve(it))
			}
		} else {
			k.add(merged)
		}
	}
	return k
}

func (k *FlatKeys) add(m *yaml.Node) {
	if m.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key := m.Content[i].Value
		if m.Content[i].Kind != yaml.ScalarNode || k.Node[key] != nil {
			continue
		}
		k.Node[key] = m.Content[i+1]
		if k.lower[strings.ToLower(key)] == "" {
			k.lower[strings.ToLower(key)] = key
		}
	}
}

// Scalar gives the first of some keys in lower case that has a scalar, as it is
// written.
func (k *FlatKeys) Scalar(names ...string) string {
	for _, n := range names {
		if key := k.lower[n]; key != "" && nodes.Resolve(k.Node[key]).Kind == yaml.ScalarNode {
			return key
		}
	}
	return ""
}

// FlatTag takes apart a key like imageTag or foo_image_tag, in lower case: what
// stands before "tag", and the separator between them.
func FlatTag(key string) (stem, separator string, ok bool) {
	stem, ok = strings.CutSuffix(key, "tag")
	if n := len(stem); ok && n > 0 && (stem[n-1] == '_' || stem[n-1] == '-') {
		stem, separator = stem[:n-1], stem[n-1:]
	}
	return stem, separator, ok && strings.HasSuffix(stem, "image")
}

// Beside fills in the keys that belong to a flat tag: with stem "fooimage" and
// separator "", fooImage or fooImageRepository and the like, as written.
func (k ValueKeys) Beside(keys *FlatKeys, stem, sep string) ValueKeys {
	names := []string{stem + sep + "repository", stem + sep + "repo", stem + sep + "name", stem}
	if stem == "image" {
		names = append(names, "repository")
	}
	k.Name = keys.Scalar(names...)
	for _, part := range NameParts {
		if n := keys.Scalar(stem + sep + strings.ToLower(part)); n != "" && nodes.Text(keys.Node[n]) != "" {
			k.Name = ""
		}
	}
	k.Registry = keys.Scalar(stem + sep + "registry")
	k.Digest = keys.Scalar(stem + sep + "digest")
	return k
}

// IsNoReference tells a text that stands where an image does, is meant as one, and
// cannot be read: it has a variable or a template in it, or a tag or digest that is
// none behind a name. Other texts, such as a colour or a file, are no images at all.
func IsNoReference(text string) bool {
	repo, tag, digest, ok := reference.SplitRef(text, false)
	switch {
	case strings.Contains(text, "${"), strings.Contains(text, "$("), strings.Contains(text, "{{"):
		return true
	case !ok:
		return reference.IsName(strings.TrimRight(text, ":@"))
	}
	return reference.IsName(repo) && (tag != "" && !reference.IsTag(tag) || digest != "" && !reference.IsDigest(digest))
}
