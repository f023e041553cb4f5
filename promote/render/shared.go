package render

import (
	"bytes"
	"context"
	"errors"
	"path"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/kio"
)

// sharedFile is what a base gives, beside the kustomization that has nothing else then.
const sharedFile = ".kubepromote-shared.yaml"

// withShared is the renderer of a tree in which bases that several kustomizations are made
// of are built already: kustomize builds a base for each that uses it. Only those are whose
// objects are the same to who uses them, whether built before or then: nothing of them is
// renamed, generated, or left to be settled above, and what stands in the text that is shared
// is read as the very nodes that kustomize would go on with, 1.10 as 1.10. It is nil where
// nothing is shared.
func (r *Renderer) withShared(ctx context.Context, n *node) *Renderer {
	if n.functions || n.schema || len(n.k.BuildMetadata) > 0 {
		return nil
	}
	over := make(map[string][]byte)
	r.share(ctx, n, over)
	if len(over) == 0 || n.reads(over) {
		return nil
	}
	return r.With(over)
}

// buildSharing has kustomize build a directory, with bases that are built already.
func (r *Renderer) buildSharing(ctx context.Context, n *node) (resmap.ResMap, error) {
	if sharing := r.withShared(ctx, n); sharing != nil {
		m, err := sharing.build(ctx, n)
		if err == nil || ctx.Err() != nil {
			return m, err
		}
		// What is wrong is told as it stands in the tree.
	}
	return r.build(ctx, n)
}

// reads tells whether any of these files is also data of a kustomization, as those of a
// generator are, which has to be as it stands in the tree.
func (n *node) reads(over map[string][]byte) bool {
	for _, name := range slices.Concat(n.loads(), n.k.Resources) {
		if _, ok := over[path.Join(n.dir, name)]; ok {
			return true
		}
	}
	for _, c := range slices.Concat(n.resources, n.components, n.configs) {
		if c.reads(over) {
			return true
		}
	}
	return false
}

func (r *Renderer) share(ctx context.Context, n *node, over map[string][]byte) {
	for _, c := range n.resources {
		if len(c.k.BuildMetadata) > 0 {
			continue
		}
		if text := r.sharedOf(ctx, c); text != nil {
			over[c.file], over[path.Join(c.dir, sharedFile)] = []byte("resources: ["+sharedFile+"]\n"), text
			continue
		}
		r.share(ctx, c, over)
	}
}

// shared is a base that was asked for.
type shared struct {
	uses int
	text []byte
	no   bool // it cannot be shared
}

// sharedOf gives the objects of a base from its second use on; nil where it is built by who
// uses it.
func (r *Renderer) sharedOf(ctx context.Context, n *node) []byte {
	s := r.source
	for s.below != nil && !s.covers(n) {
		s = s.below
	}
	s.mu.Lock()
	one := s.shared[n.dir]
	if one == nil {
		one = &shared{}
		s.shared[n.dir] = one
	}
	one.uses++
	text, known := one.text, one.no || one.text != nil || one.uses < 2
	s.mu.Unlock()
	if known {
		return text
	}
	below := &Renderer{s, r.options}
	text, err := below.sharedText(ctx, n)
	if ctx.Err() != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one.text, one.no = text, err != nil || text == nil
	return one.text
}

// covers tells whether files are laid over some of what a base is made of.
func (s *source) covers(n *node) bool {
	for name := range s.over {
		if n.dir == "." || strings.HasPrefix(name, n.dir+"/") {
			return true
		}
	}
	for _, c := range n.resources {
		if s.covers(c) {
			return true
		}
	}
	return false
}

// sharedText builds a base that is the same for all, in the order in which its objects are
// written: nil where it is not one.
func (r *Renderer) sharedText(ctx context.Context, n *node) ([]byte, error) {
	if !r.settled(n) {
		return nil, nil
	}
	o := options()
	o.Reorder = krusty.ReorderOptionNone
	m, err := r.buildWith(ctx, n, o)
	if err != nil || m.Size() == 0 {
		return nil, err
	}
	// AsYaml would write what the values mean. Overlays see how they are written as well:
	// replacements, for one.
	var b bytes.Buffer
	for _, one := range m.Resources() {
		text, err := one.RNode.String()
		if err != nil {
			return nil, err
		}
		b.WriteString("---\n" + text)
	}
	if err := sameNodes(m, b.Bytes()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

var errNotSame = errors.New("it is read as something else than it was written from")

// sameNodes tells whether kustomize reads from a text what the text was written from.
func sameNodes(m resmap.ResMap, text []byte) error {
	read, err := kio.FromBytes(text)
	if err != nil {
		return err
	}
	all := m.Resources()
	if len(read) != len(all) {
		return errNotSame
	}
	for i, one := range all {
		if !sameNode(one.YNode(), read[i].YNode(), false) {
			return errNotSame
		}
	}
	return nil
}

// sameNode compares all that the functions of kustomize can tell apart. A value without a
// tag is not one with it: what is put in its place later is read in another way.
func sameNode(a, b *yaml.Node, key bool) bool {
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	if a.Kind != yaml.ScalarNode { // whose style is how it is laid out
		if a.ShortTag() != b.ShortTag() {
			return false
		}
	} else if a.Style != b.Style || a.Tag != b.Tag && !(key && a.ShortTag() == b.ShortTag()) {
		return false
	}
	for i := range a.Content {
		if !sameNode(a.Content[i], b.Content[i], a.Kind == yaml.MappingNode && i%2 == 0) {
			return false
		}
	}
	return true
}

// settled tells whether nothing of a base depends on who uses it: fields that change what
// stands in its files, and leave names and namespaces alone.
func (r *Renderer) settled(n *node) bool {
	k := n.k
	if k.Kind == types.ComponentKind { // which is refused among resources
		return false
	}
	for _, l := range k.Labels {
		if len(l.FieldSpecs) > 0 || anyOwn(l.Pairs) {
			return false
		}
	}
	//lint:ignore SA1019 repositories have them
	if anyOwn(k.CommonAnnotations) || anyOwn(k.CommonLabels) {
		return false
	}
	k.TypeMeta, k.MetaData = types.TypeMeta{}, nil
	k.Resources, k.Labels, k.CommonAnnotations, k.Images, k.Replicas = nil, nil, nil, nil, nil
	//lint:ignore SA1019 repositories have them
	k.CommonLabels, k.Bases = nil, nil
	if n.functions || n.schema || len(n.components)+len(n.configs) > 0 || !reflect.DeepEqual(k, types.Kustomization{}) {
		return false
	}
	for _, name := range n.k.Resources {
		at := path.Join(n.dir, name)
		if kind, err := r.source.at(at); err != nil || kind == isDir {
			continue
		}
		data, err := r.source.bytes(at)
		if err != nil || !settledFile(data) {
			return false
		}
	}
	for _, c := range n.resources {
		if !r.settled(c) {
			return false
		}
	}
	return true
}

// own tells whether an annotation is one of kustomize's own, which say what is to become of
// an object in the end.
func own(key string) bool { return strings.Contains(key, "config.k") }

func anyOwn(pairs map[string]string) bool {
	for key := range pairs {
		if own(key) {
			return true
		}
	}
	return false
}

// settledFile tells whether the objects of a file go through the end of a build unchanged:
// it drops empty annotations, and makes texts of the others.
func settledFile(data []byte) bool {
	nodes, err := kio.FromBytes(data)
	if err != nil {
		return false
	}
	for _, one := range nodes {
		if strings.HasSuffix(one.GetKind(), "List") {
			return false
		}
		meta := field(one.YNode(), "metadata")
		if meta == nil {
			return false
		}
		n := field(meta, "annotations")
		if n == nil {
			continue
		}
		if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
			return false
		}
		for i, v := range n.Content {
			if v.Kind != yaml.ScalarNode || v.ShortTag() != "!!str" || i%2 == 0 && own(v.Value) {
				return false
			}
		}
	}
	return true
}
