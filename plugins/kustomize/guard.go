package kustomize

import (
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// promotionGuard fails where a digest does not stand in the environment before
// this one. It changes nothing.
type promotionGuard struct {
	yaml.ResourceMeta `json:",inline" yaml:",inline"`

	Spec promotionGuardSpec `json:"spec" yaml:"spec"`

	run
}

// promotionGuardSpec says where the digests that may be used stand. One that
// stands in either of the files may be.
type promotionGuardSpec struct {
	// Overlay is the overlay of the environment before this one, a directory with
	// a kustomization or a file.
	Overlay string `json:"overlay,omitempty" yaml:"overlay,omitempty"`
	// Lock is a lock file.
	Lock string `json:"lock,omitempty" yaml:"lock,omitempty"`

	scope `json:",inline" yaml:",inline"`
}

// Validate implements framework.Validator.
func (g *promotionGuard) Validate() error {
	if g.Spec.Overlay == "" && g.Spec.Lock == "" {
		return &fieldError{"spec", "names no environment to compare with", "overlay: ../staging"}
	}
	return g.Spec.validate()
}

// Filter implements kio.Filter.
func (g *promotionGuard) Filter(items []*yaml.RNode) ([]*yaml.RNode, error) {
	src, err := g.sources(g.Spec.Overlay, g.Spec.Lock)
	if err != nil {
		return items, err
	}
	images, results := g.images(items, g.Spec.scope)
	for _, i := range images {
		if i.ref().digest == "" {
			results = append(results, unpinned(i).result(g.kind, i))
		} else if f := g.compare(src, i); f != nil {
			results = append(results, f.result(g.kind, i))
		}
	}
	return finish(items, results)
}

// compare says what is wrong with an image's digest, or nil. A digest is looked
// for under any name: environments may have registries of their own.
func (g *promotionGuard) compare(src *sources, i *image) *finding {
	r := i.ref()
	if src.allows(r) {
		return nil
	}
	f := refuse("unlisted", "", "image %s has a digest that is not in %s", quoted(i.text), src.names())
	if src.overlay == nil {
		return f
	}
	f.hint = "promote it to that environment first"
	for _, p := range src.overlay.pins[r.repository] {
		if p.Digest != "" {
			f.message += ", which has " + p.Digest
			f.proposed = ref{r.repository, p.Tag, p.Digest}.String()
			return f
		}
	}
	for _, p := range src.overlay.pins[r.repository] {
		return unknown("unlisted", "pin it there: kubectl promote resolve "+p.Ref()+" --pin",
			"image %s: %s has it as %s, without a digest to compare with", quoted(i.text), src.overlay.name, p.Ref())
	}
	return f
}
