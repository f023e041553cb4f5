// Package unlisted finds what may be an image where no convention of package overlay
// finds one: the field of a custom resource whose kind nobody has taught it, such as
// spec.image of kind Shop. What runs there is its controller's business. Whoever
// judges what runs must not pass over it, and must not take it for more than it is.
package unlisted

import (
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/overlay/internal/convention"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/paths"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// Field is a place that may hold an image.
type Field struct {
	// Kind is that of the object.
	Kind string
	// Ref is the reference that stands there, put together where it stands in parts. It
	// may have neither tag nor digest.
	Ref string
	// Path is in the grammar of [overlay.ValueChange], without a document.
	Path string
	node *yaml.Node
}

// Pinned tells whether the reference has a tag or a digest.
func (f Field) Pinned() bool { return reference.IsPinned(f.Ref) }

// Digest tells whether the reference has a digest.
func (f Field) Digest() bool { return f.Pinned() && strings.Contains(f.Ref, "@") }

// Located is a field of a file.
type Located struct {
	Field
	Position overlay.Position
}

// In gives the fields of a file that are neither among its images nor among those that
// cannot be read.
func In(f *overlay.File) []Located {
	s, err := syntax.Parse(f.Name(), f.Bytes())
	if err != nil {
		return nil // it was parsed before
	}
	known := make(map[string]bool)
	for _, p := range f.Images() {
		known[p.Path] = true
	}
	for _, u := range f.Unread() {
		known[u.Path] = true
	}
	var found []Located
	for i, root := range s.Docs {
		prefix := paths.Prefix(len(s.Docs), i)
		for _, field := range Fields(root) {
			if field.Path = prefix + field.Path; !known[field.Path] {
				line, col := s.Place(field.node)
				found = append(found, Located{field, overlay.Position{Line: line, Col: col}})
			}
		}
	}
	return found
}

// Fields gives those of one object, or of the items of a List, in its order. Those
// that package overlay finds by a path or a kind are among them.
func Fields(object *yaml.Node) []Field {
	if object.Kind != yaml.MappingNode {
		return nil
	}
	version, kind := nodes.Text(nodes.Value(object, "apiVersion")), nodes.Text(nodes.Value(object, "kind"))
	var found []Field
	if items := nodes.Value(object, "items"); kind == "List" && items != nil {
		for i, it := range nodes.Resolve(items).Content {
			for _, field := range Fields(nodes.Resolve(it)) {
				field.Path = nodes.Item("items", i) + "." + field.Path
				found = append(found, field)
			}
		}
		return found
	}
	if kind == "" || version == "" || isKnown(version, kind) {
		return nil
	}
	nodes.EachScalar(nodes.Start(object, ""), func(t *nodes.Trail) {
		field, ok := at(t)
		if !ok {
			return
		}
		if field.Path = t.Path(); strings.HasPrefix(field.Path, "metadata.") || strings.HasPrefix(field.Path, "status.") {
			return
		}
		// A block is called by the field that holds it.
		if field.node != t.Node {
			field.Path, field.node = t.Up.Path(), t.Node
		}
		field.Kind = kind
		found = append(found, field)
	})
	return found
}

// at tells whether a scalar may be an image, or the name in a block of one.
func at(t *nodes.Trail) (Field, bool) {
	text := nodes.Text(t.Node)
	repo, _, digest, ok := reference.SplitRef(text, false)
	key := t.Label()
	switch {
	case !nodes.IsText(t.Node) || strings.Contains(text, "://"):
	case ok && reference.IsName(repo) && reference.IsPinned(text) && (namesImage(key) || digest != "" && strings.Contains(repo, "/")),
		ok && namesImage(key) && reference.IsName(repo) && repo == text && convention.HasHost(repo):
		return Field{Ref: text, node: t.Node}, true
	case t.Up != nil && namesImage(t.Up.Label()) && nodes.Resolve(t.Up.Node).Kind == yaml.MappingNode:
		m := nodes.Resolve(t.Up.Node)
		if k := convention.BlockKeys(m, true); k.Name != "" && k.Name == t.Key {
			return Field{Ref: joined(m, k)}, true
		}
	}
	return Field{}, false
}

// joined puts the parts of a block together.
func joined(m *yaml.Node, k convention.ValueKeys) string {
	ref := nodes.Text(nodes.Value(m, k.Name))
	if registry := nodes.Text(nodes.Value(m, k.Registry)); k.Registry != "" && registry != "" {
		ref = registry + "/" + ref
	}
	if tag := nodes.Text(nodes.Value(m, k.Tag)); k.Tag != "" && tag != "" {
		ref += ":" + tag
	}
	if digest := nodes.Text(nodes.Value(m, k.Digest)); k.Digest != "" && digest != "" {
		ref += "@" + digest
	}
	return ref
}

// namesImage tells a key that says of its value that it is an image.
func namesImage(key string) bool {
	for _, end := range []string{"", "s", "Name", "_name", "Ref", "Reference", "Url", "URL"} {
		if stem, ok := strings.CutSuffix(key, end); ok && convention.IsImageKey(stem) {
			return true
		}
	}
	return false
}

// isKnown tells kinds of whose fields it is known whether they are images: those of
// Kubernetes itself, whose pods have them in containers, those that package overlay
// reads in a way of their own, and rules about images, which run none.
func isKnown(version, kind string) bool {
	group, _, versioned := strings.Cut(version, "/")
	switch {
	case !versioned, !strings.Contains(group, "."): // v1, apps/v1, batch/v1
		return true
	case group == "argoproj.io":
		return kind == "Application" || kind == "ApplicationSet" || kind == "AppProject"
	case strings.HasSuffix(group, ".toolkit.fluxcd.io"):
		return true
	}
	return withoutImages[group]
}

// withoutImages are the groups of API servers, kustomize, and of rules about images.
var withoutImages = map[string]bool{
	"admissionregistration.k8s.io": true, "apiextensions.k8s.io": true, "apiregistration.k8s.io": true, "authentication.k8s.io": true,
	"authorization.k8s.io": true, "certificates.k8s.io": true, "coordination.k8s.io": true, "discovery.k8s.io": true, "events.k8s.io": true,
	"flowcontrol.apiserver.k8s.io": true, "networking.k8s.io": true, "node.k8s.io": true, "rbac.authorization.k8s.io": true,
	"resource.k8s.io": true, "scheduling.k8s.io": true, "storage.k8s.io": true,
	"config.kubernetes.io": true, "kustomize.config.k8s.io": true, "kubepromote.dev": true,
	"policy.sigstore.dev": true, "kyverno.io": true, "policies.kyverno.io": true, "gatekeeper.sh": true, "constraints.gatekeeper.sh": true,
	"templates.gatekeeper.sh": true,
}
