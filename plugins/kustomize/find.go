package kustomize

import (
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/overlay/unlisted"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// image is one place in an object that names an image.
type image struct {
	item *yaml.RNode
	// path is where it stands: spec.template.spec.containers[0].image.
	path string
	text string
	// node is the scalar. It is nil where the image was declared by a path; the
	// package overlay finds and edits those.
	node *yaml.Node
	// pin is a declared image.
	pin overlay.Pin
	// what says what stands there where it is no text: a mapping or a list.
	what string
	// unlisted is the kind of the object where nobody knows whether this is an image.
	unlisted string
}

func (i *image) ref() ref { return splitRef(i.text) }

// fault says why nobody can tell what image it is, or "".
func (i *image) fault() string {
	if i.what != "" {
		return "a " + i.what
	}
	return whyMalformed(i.text)
}

// findImages lists the images of an object, in its order, then those at declared
// paths, and those of its kind.
//
// The rule for pod specs is that of the package overlay, and a test compares the
// two. It is repeated here on the nodes that a host hands over, since to write
// out each object for overlay to parse takes several times as long as all else
// that a function does.
func findImages(item *yaml.RNode, fields []string) ([]*image, error) {
	w := &walk{item: item, seen: make(map[*yaml.Node]bool)}
	w.value(item.YNode(), nil)
	if len(fields) == 0 && len(overlay.KindImages(item.GetApiVersion(), item.GetKind())) == 0 {
		return w.found, nil
	}
	declared, err := findDeclared(item, fields)
	if err != nil {
		return nil, err
	}
	known := make(map[string]*image)
	for _, i := range w.found {
		known[i.path] = i
	}
	for _, p := range declared {
		i := &image{item: item, path: p.Path, text: p.Ref(), pin: p}
		if old := known[p.Path]; old == nil {
			w.found = append(w.found, i)
		} else if old.what != "" { // the path tells how to read it
			*old = *i
		}
	}
	return w.found, nil
}

// unlistedIn gives what may be images beside those that were found: in the fields of
// kinds that package overlay does not know.
func unlistedIn(item *yaml.RNode, found []*image) []*image {
	known := make(map[string]bool)
	for _, i := range found {
		if i.item == item {
			known[i.path] = true
		}
	}
	var maybe []*image
	for _, f := range unlisted.Fields(item.YNode()) {
		if !known[f.Path] {
			maybe = append(maybe, &image{item: item, path: f.Path, text: f.Ref, unlisted: f.Kind})
		}
	}
	return maybe
}

func findDeclared(item *yaml.RNode, fields []string) ([]overlay.Pin, error) {
	file, err := parseItem(item, fields)
	if err != nil {
		return nil, err
	}
	var pins []overlay.Pin
	for _, p := range file.Images() {
		if p.Format == overlay.Declared || p.Format == overlay.Manifest {
			pins = append(pins, p)
		}
	}
	return pins, nil
}

func parseItem(item *yaml.RNode, fields []string) (*overlay.File, error) {
	text, err := item.String()
	if err != nil {
		return nil, fmt.Errorf("the object cannot be written out: %w", err)
	}
	return overlay.Options{Images: overlay.ImagePaths(fields...)}.Parse("object", []byte(text))
}

// key is a step into an object, kept as a list from the innermost outwards: paths
// are written out for images alone.
type key struct {
	up    *key
	name  string
	index int // where name is empty
}

// String is the path, as results name fields: spec.containers[0].image.
func (k *key) String() string {
	var parts []string
	for ; k != nil; k = k.up {
		if k.name == "" {
			parts = append(parts, fmt.Sprintf("[%d]", k.index))
			continue
		}
		text := escapeKey.Replace(k.name)
		if k.up != nil {
			text = "." + text
		}
		parts = append(parts, text)
	}
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteString(parts[i])
	}
	return b.String()
}

var escapeKey = strings.NewReplacer(`\`, `\\`, ".", `\.`, "[", `\[`, ":", `\:`)

// walk looks for containers and volumes at any depth, so that no list of kinds is
// needed. Each node is looked at once, however many aliases repeat it.
type walk struct {
	item  *yaml.RNode
	found []*image
	seen  map[*yaml.Node]bool
}

func (w *walk) value(n *yaml.Node, at *key) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if name, v := n.Content[i].Value, n.Content[i+1]; v.Kind != yaml.ScalarNode {
				w.field(name, v, &key{up: at, name: name})
			}
		}
	case yaml.SequenceNode:
		for i, v := range n.Content {
			if len(v.Content) > 0 {
				w.value(v, &key{up: at, index: i})
			}
		}
	}
}

func (w *walk) field(name string, v *yaml.Node, at *key) {
	if list := resolve(v); list.Kind == yaml.SequenceNode && !w.seen[list] {
		switch name {
		case "containers", "initContainers", "ephemeralContainers":
			w.seen[list] = true
			for i, it := range list.Content {
				w.ref(resolve(it), "image", &key{up: at, index: i})
			}
		case "volumes":
			w.seen[list] = true
			for i, it := range list.Content {
				if source := lookup(resolve(it), "image", 0); source != nil {
					w.ref(resolve(source), "reference", &key{up: &key{up: at, index: i}, name: "image"})
				}
			}
		}
	}
	if v.Kind != yaml.AliasNode { // what it stands for is looked at where it is anchored
		w.value(v, at)
	}
}

// ref notes the reference under a key of a container or an image volume.
func (w *walk) ref(m *yaml.Node, name string, at *key) {
	n := lookup(m, name, 0)
	if n == nil {
		return
	}
	n = resolve(n)
	if n.ShortTag() == yaml.NodeTagNull || n.Kind == yaml.ScalarNode && n.Value == "" || w.seen[n] {
		return
	}
	w.seen[n] = true
	found := &image{item: w.item, path: (&key{up: at, name: name}).String()}
	if n.Kind == yaml.ScalarNode {
		found.text, found.node = strings.TrimRight(n.Value, "\n"), n
	} else {
		found.what = yamlfile.KindOf(n)
	}
	w.found = append(w.found, found)
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// maxMerges bounds how deep merge keys are followed.
const maxMerges = 8

// lookup finds a key's value, looking through merge keys (<<).
func lookup(m *yaml.Node, name string, depth int) *yaml.Node {
	if m.Kind != yaml.MappingNode || depth > maxMerges {
		return nil
	}
	var merge *yaml.Node
	for i := 0; i+1 < len(m.Content); i += 2 {
		switch m.Content[i].Value {
		case name:
			return m.Content[i+1]
		case "<<":
			merge = resolve(m.Content[i+1])
		}
	}
	if merge == nil {
		return nil
	}
	sources := []*yaml.Node{merge}
	if merge.Kind == yaml.SequenceNode {
		sources = merge.Content
	}
	for _, s := range sources {
		if v := lookup(resolve(s), name, depth+1); v != nil {
			return v
		}
	}
	return nil
}
