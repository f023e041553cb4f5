package overlay

import "go.yaml.in/yaml/v3"

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
	w.walk(start(root, path))
}

type podWalk struct {
	f *finder
	// listed holds the lists of containers that were reached: one that many
	// aliases repeat is listed once, lest a small file has millions of pins.
	listed map[*yaml.Node]bool
}

func (w *podWalk) walk(t *trail) {
	n := t.node
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			w.field(t, n.Content[i], n.Content[i+1])
		}
	case yaml.SequenceNode:
		for i, it := range n.Content {
			if next := t.item(i, it); next != nil && len(it.Content) > 0 {
				w.walk(next)
			}
		}
	}
}

func (w *podWalk) field(t *trail, key, v *yaml.Node) {
	list := resolve(v)
	if len(list.Content) == 0 {
		return
	}
	next := t.field(key, v)
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
func (w *podWalk) each(t *trail, list *yaml.Node, visit func(w *podWalk, t *trail, m, alias *yaml.Node)) {
	for i, it := range list.Content {
		var alias *yaml.Node
		switch {
		case t.node.Kind == yaml.AliasNode:
			alias = t.node
		case it.Kind == yaml.AliasNode:
			alias = it
		}
		if m := resolve(it); m.Kind == yaml.MappingNode {
			if next := t.item(i, m); next != nil {
				visit(w, next, m, alias)
			}
		}
	}
}

func (w *podWalk) container(t *trail, m, alias *yaml.Node) {
	w.ref(t, m, "image", alias)
}

// volume finds the OCI artifact that a volume mounts: volumes[].image.reference.
func (w *podWalk) volume(t *trail, m, alias *yaml.Node) {
	image := value(m, "image")
	if image == nil || resolve(image).Kind != yaml.MappingNode {
		return
	}
	if keyIndex(m, "image") < 0 {
		return // a merged volume source: listed where it is anchored
	}
	if alias == nil && image.Kind == yaml.AliasNode {
		alias = image
	}
	inner := &trail{up: t, node: resolve(image), key: "image", index: -1, size: t.size}
	w.ref(inner, resolve(image), "reference", alias)
}

// ref adds the reference under a key of a mapping.
func (w *podWalk) ref(t *trail, m *yaml.Node, key string, alias *yaml.Node) {
	n := value(m, key)
	if n == nil || isScalar(n) && lineOf(n) == "" || resolve(n).ShortTag() == "!!null" {
		return // a patch has containers without an image
	}
	path := w.f.path(join(t.path(), key))
	var r *refSite
	ok := false
	if isText(n) {
		r, ok = newRefSite(w.f.src, n, Manifest, path, key, false)
	}
	if !ok {
		w.f.unread = append(w.f.unread, Unread{Text: lineOf(n), Path: path, Position: position(w.f.src, n)})
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
	case keyIndex(m, r.field) < 0:
		return &mergedSite{refSite: r, item: m}
	}
	return r
}
