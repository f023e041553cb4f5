// Package pods finds where the containers of pods and their volumes have images: at
// any depth of any object, without a list of kinds.
package pods

import (
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"go.yaml.in/yaml/v3"
)

// Image is a place for an image's reference: a key of a mapping, which may be missing.
type Image struct {
	Key     string
	Mapping *yaml.Node
	Trail   *nodes.Trail // to the mapping
	// Alias, if any, is by what the mapping is reached.
	Alias *yaml.Node
}

// Images visits those of an object's containers and image volumes: key names are
// those of the core/v1 PodSpec.
//
// What an anchor holds is looked at where the anchor stands. A container that is
// an alias is visited as well; a list that is one only where its anchor is no list
// of containers.
func Images(root *yaml.Node, path string, visit func(Image)) {
	w := &walk{visit: visit, listed: make(map[*yaml.Node]bool)}
	w.walk(nodes.Start(root, path))
}

type walk struct {
	visit func(Image)
	// listed holds the lists of containers that were reached: one that many
	// aliases repeat is listed once, lest a small file has millions of pins.
	listed map[*yaml.Node]bool
}

func (w *walk) walk(t *nodes.Trail) {
	n := t.Node
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			w.field(t, n.Content[i], n.Content[i+1])
		}
	case yaml.SequenceNode:
		for i, it := range n.Content {
			if next := t.Item(i, it); next != nil && len(it.Content) > 0 {
				w.walk(next)
			}
		}
	}
}

func (w *walk) field(t *nodes.Trail, key, v *yaml.Node) {
	list := nodes.Resolve(v)
	if len(list.Content) == 0 {
		return
	}
	next := t.Field(key, v)
	if next == nil {
		return
	}
	if list.Kind == yaml.SequenceNode && !w.listed[list] {
		switch key.Value {
		case "containers", "initContainers", "ephemeralContainers":
			w.listed[list] = true
			w.each(next, list, (*walk).container)
		case "volumes":
			w.listed[list] = true
			w.each(next, list, (*walk).volume)
		}
	}
	if v.Kind != yaml.AliasNode {
		w.walk(next)
	}
}

// each visits the mappings of a list, with the alias that they are reached by.
func (w *walk) each(t *nodes.Trail, list *yaml.Node, visit func(w *walk, t *nodes.Trail, m, alias *yaml.Node)) {
	for i, it := range list.Content {
		var alias *yaml.Node
		switch {
		case t.Node.Kind == yaml.AliasNode:
			alias = t.Node
		case it.Kind == yaml.AliasNode:
			alias = it
		}
		if m := nodes.Resolve(it); m.Kind == yaml.MappingNode {
			if next := t.Item(i, m); next != nil {
				visit(w, next, m, alias)
			}
		}
	}
}

func (w *walk) container(t *nodes.Trail, m, alias *yaml.Node) {
	w.visit(Image{"image", m, t, alias})
}

// volume finds the OCI artifact that a volume mounts: volumes[].image.reference.
func (w *walk) volume(t *nodes.Trail, m, alias *yaml.Node) {
	image := nodes.Value(m, "image")
	if image == nil || nodes.Resolve(image).Kind != yaml.MappingNode {
		return
	}
	if nodes.KeyIndex(m, "image") < 0 {
		return // a merged volume source: listed where it is anchored
	}
	if alias == nil && image.Kind == yaml.AliasNode {
		alias = image
	}
	inner := &nodes.Trail{Up: t, Node: nodes.Resolve(image), Key: "image", Index: -1, Size: t.Size}
	w.visit(Image{"reference", nodes.Resolve(image), inner, alias})
}
