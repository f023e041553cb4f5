package render

import (
	"bytes"
	"context"
	"path"
	"reflect"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
)

// sharedFile is what a base gives, beside the kustomization that has nothing else then.
const sharedFile = ".kubepromote-shared.yaml"

// withShared is the renderer of a tree in which bases that several kustomizations are made
// of are built already: kustomize builds a base for each that uses it. Only those are whose
// objects are the same to who uses them, whether built before or then: nothing of them is
// renamed, generated, or left to be settled above.
func (r *Renderer) withShared(ctx context.Context, n *node) *Renderer {
	if n.functions || n.schema || len(n.k.BuildMetadata) > 0 {
		return r
	}
	over := make(map[string][]byte)
	r.share(ctx, n, over)
	if len(over) == 0 {
		return r
	}
	return r.With(over)
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
	return m.AsYaml()
}

// settled tells whether nothing of a base depends on who uses it: fields that change what
// stands in its files, and leave names and namespaces alone.
func (r *Renderer) settled(n *node) bool {
	k := n.k
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
		// Annotations of kustomize's own say what is to become of an object in the end.
		if err != nil || bytes.Contains(data, []byte("config.k")) {
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
