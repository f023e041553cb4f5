package overlay

import (
	"errors"
	"path"
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// kustomization is a typed view of a kustomization file that points into its
// syntax tree.
type kustomization struct {
	src     *syntax.Source
	root    *yaml.Node
	images  *yaml.Node // value of the images key, nil where there is none
	index   int        // index of the images key in root.Content
	entries []entry
}

// entry is one item of the images field. node is nil where the item is an alias
// and cannot be edited in place.
type entry struct {
	image Image
	node  *yaml.Node
	item  *yaml.Node
}

// fieldNames are the keys of an entry in the order in which new ones are placed.
var fieldNames = []string{"name", "newName", "tagSuffix", "newTag", "digest"}

func parseKustomization(s *syntax.Source) (*kustomization, error) {
	if len(s.Docs) == 0 {
		return nil, s.Errorf(nil, "", "is empty")
	}
	root := s.Docs[0]
	if err := checkKustomization(s, root); err != nil {
		return nil, err
	}
	if len(s.Docs) > 1 {
		return nil, s.Errorf(s.Docs[1], "keep one document", "a second document in a kustomization file")
	}
	k := &kustomization{src: s, root: root}
	if i := keyIndex(root, "imageTags"); i >= 0 {
		return nil, s.Errorf(root.Content[i], "kustomize edit fix", "imageTags is a field of kustomize 1 and no longer read")
	}
	k.index = keyIndex(root, "images")
	if k.index < 0 {
		return k, nil
	}
	k.images = root.Content[k.index+1]
	list := resolve(k.images)
	switch {
	case list.Kind == yaml.ScalarNode && list.ShortTag() == "!!null":
		return k, nil
	case list.Kind != yaml.SequenceNode:
		return nil, s.Errorf(k.images, "", "images is a %s, not a list", syntax.KindName(list))
	}
	return k, k.readEntries(list)
}

// checkKustomization tells a kustomization from other YAML by its content, or by
// its name where the content is silent, as kustomize does.
func checkKustomization(s *syntax.Source, root *yaml.Node) error {
	if root.Kind != yaml.MappingNode {
		return s.Errorf(root, "", "not a kustomization: the document is a %s", syntax.KindName(root))
	}
	version, kind := textOf(value(root, "apiVersion")), textOf(value(root, "kind"))
	group, _, _ := strings.Cut(version, "/")
	named := false
	switch path.Base(s.Name) {
	case "kustomization.yaml", "kustomization.yml", "Kustomization":
		named = true
	}
	switch {
	case version != "" && group != "kustomize.config.k8s.io",
		kind != "" && kind != "Kustomization" && kind != "Component",
		version == "" && kind == "" && !named:
		what := "neither its name nor its content says so"
		if version != "" || kind != "" {
			what = strings.TrimSpace(version + " " + kind)
		}
		return s.Errorf(root, "give the directory of a kustomization, or a kustomization file", "not a kustomization file (%s)", what)
	}
	return nil
}

func (k *kustomization) readEntries(list *yaml.Node) error {
	var errs []error
	seen := make(map[string]*yaml.Node)
	for _, item := range list.Content {
		e, err := k.readEntry(item)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if first := seen[e.image.Name]; first != nil {
			errs = append(errs, k.src.Errorf(item, "keep one of them", "second entry for image %q, first at line %d", e.image.Name, first.Line))
			continue
		}
		seen[e.image.Name] = item
		k.entries = append(k.entries, e)
	}
	return errors.Join(errs...)
}

func (k *kustomization) readEntry(item *yaml.Node) (entry, error) {
	m := resolve(item)
	if m.Kind != yaml.MappingNode {
		return entry{}, k.src.Errorf(item, "write - name: IMAGE", "an entry of images is a %s, not a mapping", syntax.KindName(m))
	}
	e := entry{item: item, image: Image{
		Format:   Kustomization,
		Position: Position{Line: item.Line, Col: item.Column},
	}}
	if item.Kind == yaml.MappingNode {
		e.node = item
	}
	fields := []*string{&e.image.Name, &e.image.NewName, &e.image.TagSuffix, &e.image.Tag, &e.image.Digest}
	var errs []error
	for i, name := range fieldNames {
		v := value(m, name)
		if v == nil {
			continue
		}
		if r := resolve(v); r.Kind != yaml.ScalarNode {
			errs = append(errs, k.src.Errorf(v, "", "%s of an image is a %s, not a string", name, syntax.KindName(r)))
			continue
		}
		*fields[i] = textOf(v)
	}
	if e.image.Name == "" && len(errs) == 0 {
		errs = append(errs, k.src.Errorf(item, "add name: IMAGE", "an entry of images has no name"))
	}
	return e, errors.Join(errs...)
}

// keyIndex finds a key in a mapping's own content; -1 where there is none.
func keyIndex(m *yaml.Node, key string) int {
	if m.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if k := m.Content[i]; k.Kind == yaml.ScalarNode && k.Value == key {
			return i
		}
	}
	return -1
}

// value finds a key's value, looking through merge keys (<<) one level deep: a
// merged mapping's own merges are rare enough to be an error of their user's.
func value(m *yaml.Node, key string) *yaml.Node {
	if i := keyIndex(m, key); i >= 0 {
		return m.Content[i+1]
	}
	i := keyIndex(m, "<<")
	if i < 0 {
		return nil
	}
	merged := resolve(m.Content[i+1])
	sources := []*yaml.Node{merged}
	if merged.Kind == yaml.SequenceNode {
		sources = merged.Content
	}
	for _, src := range sources {
		src = resolve(src)
		if i := keyIndex(src, key); i >= 0 {
			return src.Content[i+1]
		}
	}
	return nil
}

// resolve gives what an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// textOf gives a scalar's text; "" for null and for what is no scalar.
func textOf(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	n = resolve(n)
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return n.Value
}
