package overlay

import (
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"go.yaml.in/yaml/v3"
)

// manifest finds the images of an API object: those of pods' containers and
// image volumes, at any depth, so that a CronJob's, a Rollout's or a custom
// resource's pod template is found without a list of kinds. Key names are those
// of the core/v1 PodSpec.
//
// An image that is no reference, such as ${IMAGE} or $(params.image), is not for
// us to edit and no pin; File.Unread lists it.
//
// What an anchor holds is looked at where the anchor stands. A container that is
// an alias is listed as well; a list that is one only where its anchor is no list
// of containers.
func (f *finder) manifest(root *yaml.Node, path string) {
	w := &podWalk{f: f, listed: make(map[*yaml.Node]bool)}
	w.walk(nodes.Start(root, path))
}

type podWalk struct {
	f *finder
	// listed holds the lists of containers that were reached: one that many
	// aliases repeat is listed once, lest a small file has millions of pins.
	listed map[*yaml.Node]bool
}

func (w *podWalk) walk(t *nodes.Trail) {
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

func (w *podWalk) field(t *nodes.Trail, key, v *yaml.Node) {
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
			w.each(next, list, (*podWalk).container)
		case "volumes":
			w.listed[list] = true
			w.each(next, list, (*podWalk).volume)
		}
	}
	if v.Kind != yaml.AliasNode {
		w.walk(next)
	}
}

// each visits the mappings of a list, with the alias that they are reached by.
func (w *podWalk) each(t *nodes.Trail, list *yaml.Node, visit func(w *podWalk, t *nodes.Trail, m, alias *yaml.Node)) {
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

func (w *podWalk) container(t *nodes.Trail, m, alias *yaml.Node) {
	w.ref(t, m, "image", alias)
}

// volume finds the OCI artifact that a volume mounts: volumes[].image.reference.
func (w *podWalk) volume(t *nodes.Trail, m, alias *yaml.Node) {
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
	w.ref(inner, nodes.Resolve(image), "reference", alias)
}

// ref adds the reference under a key of a mapping.
func (w *podWalk) ref(t *nodes.Trail, m *yaml.Node, key string, alias *yaml.Node) {
	n := nodes.Value(m, key)
	if n == nil || nodes.IsScalar(n) && nodes.Line(n) == "" || nodes.Resolve(n).ShortTag() == "!!null" {
		return // a patch has containers without an image
	}
	path := w.f.path(nodes.Join(t.Path(), key))
	var r *refSite
	ok := false
	if nodes.IsText(n) {
		r, ok = newRefSite(w.f.src, n, Manifest, path, key, false)
	}
	if !ok {
		w.f.unread = append(w.f.unread, Unread{Text: nodes.Line(n), Path: path, Position: position(w.f.src, n)})
		return
	}
	w.f.sites = append(w.f.sites, w.f.reached(r, m, alias))
}

// reached gives the site for a reference by the way that its mapping has it: as
// its own, by a merge key, or by an alias of the mapping.
func (f *finder) reached(r *refSite, m, alias *yaml.Node) site {
	switch {
	case alias != nil:
		return borrow(r, f.src, alias, r.node)
	case nodes.KeyIndex(m, r.field) < 0:
		return &mergedSite{refSite: r, item: m}
	}
	return r
}
