package convention

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/paths"
)

// Base is the document that values, or an object, are laid over. The zero Base has
// nothing.
type Base struct{ Root *yaml.Node }

// BaseOf chooses among documents the one that another stands over: of an object the
// one of the same kind and name, of values the first that is no object.
func BaseOf(docs []*yaml.Node, root *yaml.Node) Base {
	kind, name := objectOf(root)
	for _, d := range docs {
		if k, n := objectOf(d); k == kind && n == name {
			return Base{d}
		}
	}
	return Base{}
}

func objectOf(root *yaml.Node) (kind, name string) {
	if kind = nodes.Text(nodes.Value(root, "kind")); kind == "" {
		return "", ""
	}
	return kind, nodes.Text(nodes.At(root, "metadata", "name"))
}

// at gives what stands at a path, and the mapping around it; nil where nothing does.
func (b Base) at(path string) (node, around *yaml.Node) {
	if b.Root == nil || path == "" {
		return b.Root, nil
	}
	expr, err := paths.Parse(path)
	if err != nil {
		return nil, nil
	}
	if found := expr.Find(b.Root); len(found) == 1 {
		node = nodes.Resolve(found[0].Node)
	}
	expr.Steps = expr.Steps[:len(expr.Steps)-1]
	if found := expr.Find(b.Root); len(found) == 1 {
		around = nodes.Resolve(found[0].Node)
	}
	return node, around
}

// Registry is that of all images of the values at a path.
func (b Base) Registry(path string) ChartRegistry {
	if n, _ := b.at(path); n != nil {
		return RegistryOfChart(n)
	}
	return ChartRegistry{}
}

// IsBlock tells whether an image block stands at a path.
func (b Base) IsBlock(path string) bool {
	n, _ := b.at(path)
	return n != nil && n.Kind == yaml.MappingNode && IsBlock(n)
}

// BaseImage is what a base says of an image.
type BaseImage struct {
	Repository, Registry string
	Node                 *yaml.Node // the repository
}

// Image looks for an image whose keys a mapping has, at the same path: for a block in
// the mapping there, for a tag beside other keys among those.
func (b Base) Image(path string, k ValueKeys, named bool) BaseImage {
	m, around := b.at(path)
	var has ValueKeys
	if tag := nodes.Join("", k.Tag); path == tag || strings.HasSuffix(path, "."+tag) {
		stem, separator, ok := FlatTag(strings.ToLower(k.Tag))
		if m = around; m == nil || m.Kind != yaml.MappingNode || !ok {
			return BaseImage{}
		}
		has = has.Beside(NewFlatKeys(m), stem, separator)
	} else if m != nil && m.Kind == yaml.MappingNode {
		has = BlockKeys(m, named)
	}
	if has == (ValueKeys{}) {
		return BaseImage{}
	}
	out := BaseImage{Registry: strings.TrimSuffix(nodes.Text(nodes.Value(m, has.Registry)), "/")}
	if n := nodes.Value(m, has.Name); has.Name != "" && n != nil {
		out.Repository, _ = RepositoryOf(n)
		out.Node = n
	}
	return out
}

// Leaves tells whether a mapping leaves an image's repository to its base.
func Leaves(get func(key string) *yaml.Node) bool {
	return !HasNamePart(get, "repository", "name", "image", "repo") && !HasNamePart(get, NameParts...)
}
