package kustomize

import (
	"errors"

	"github.com/kubepromote/kubepromote/digest"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// pinImages puts digests beside tags. An image that has a digest is left alone,
// unless Overlay has another for it. What no source knows is an error, and then
// no image is changed.
type pinImages struct {
	yaml.ResourceMeta `json:",inline" yaml:",inline"`

	Spec pinImagesSpec `json:"spec" yaml:"spec"`

	run
}

// pinImagesSpec names the sources. They are asked in the order of the fields.
type pinImagesSpec struct {
	// Overlay is another environment's overlay, a directory with a kustomization
	// or a file. Images have the name, tag and digest that stand there.
	Overlay string `json:"overlay,omitempty" yaml:"overlay,omitempty"`
	// Lock is a lock file with the digests of tags.
	Lock string `json:"lock,omitempty" yaml:"lock,omitempty"`
	// Registry asks the registry. Without it nothing is asked of anybody.
	Registry bool `json:"registry,omitempty" yaml:"registry,omitempty"`

	scope `json:",inline" yaml:",inline"`
}

// Validate implements framework.Validator.
func (p *pinImages) Validate() error {
	if p.Spec.Overlay == "" && p.Spec.Lock == "" && !p.Spec.Registry {
		return errors.Join(&fieldError{"spec", "names no source of digests", "lock: FILE, overlay: DIR, or registry: true"}, p.Spec.validate())
	}
	return p.Spec.validate()
}

// Filter implements kio.Filter.
func (p *pinImages) Filter(items []*yaml.RNode) ([]*yaml.RNode, error) {
	src, err := p.sources(p.Spec.Overlay, p.Spec.Lock)
	if err != nil {
		return items, err
	}
	images, results := p.images(items, p.Spec.scope)
	var changes []change
	var ask []int // indices of changes that the registry is to complete
	for _, i := range images {
		to, f := p.wish(src, i)
		if f != nil {
			results = append(results, f.result(p.kind, i))
			continue
		}
		if to.digest == "" {
			ask = append(ask, len(changes))
		}
		changes = append(changes, change{i, to})
	}
	asked, err := p.ask(changes, ask)
	if err != nil {
		return items, err
	}
	results = append(results, asked...)
	if results.ExitCode() != 0 {
		return finish(items, results)
	}
	changes = differing(changes)
	if err := apply(changes, p.Spec.Fields); err != nil {
		return items, err
	}
	*p.changed = len(changes) > 0
	return finish(items, append(results, p.done(changes)...))
}

// wish says what an image shall be. Its digest is empty where the registry has to
// be asked.
func (p *pinImages) wish(src *sources, i *image) (ref, *finding) {
	to := i.ref()
	if src.overlay != nil {
		pin, f := src.overlay.pin(to.repository)
		if f != nil {
			return to, f
		}
		if pin != nil {
			to = pin.over(to)
		}
	}
	if to.digest != "" {
		return to, nil
	}
	if to.tag == "" {
		return to, refuse("unpinned", `write the tag that is meant: "latest" is not assumed`, "image %s has neither tag nor digest", quoted(i.text))
	}
	if d := src.locked(to); d != "" {
		to.digest = d
		return to, nil
	}
	if !p.Spec.Registry {
		return to, unknown("unresolved", "kubectl promote resolve "+to.String(), "image %s: no digest in %s", quoted(to.String()), src.names())
	}
	return to, nil
}

// ask completes changes with digests from the registry.
func (p *pinImages) ask(changes []change, which []int) (results framework.Results, err error) {
	if len(which) == 0 {
		return nil, nil
	}
	clients, err := p.host.start()
	if err != nil {
		return nil, err
	}
	var refs []string
	for _, n := range which {
		refs = append(refs, changes[n].to.String())
	}
	for n, answer := range clients.resolver.ResolveAll(p.ctx, refs, nil) {
		c := &changes[which[n]]
		c.to.digest = answer.Digest
		if answer.Err == nil {
			continue
		}
		f := unknown("unresolved", "", "image %s could not be resolved: %v", quoted(refs[n]), answer.Err)
		if errors.Is(answer.Err, digest.ErrNotFound) || errors.Is(answer.Err, digest.ErrMalformed) {
			f = refuse("unresolved", "", "image %s has no digest: %v", quoted(refs[n]), answer.Err)
		}
		results = append(results, f.result(p.kind, c.image))
	}
	return results, nil
}

// differing leaves out what is as it shall be.
func differing(changes []change) []change {
	var out []change
	for _, c := range changes {
		if c.to.String() != c.image.text {
			out = append(out, c)
		}
	}
	return out
}

// done tells of the changes made.
func (r *run) done(changes []change) (results framework.Results) {
	for _, c := range changes {
		f := &finding{severity: framework.Info, answer: Yes, message: "image set to " + c.to.String(), proposed: c.to.String()}
		results = append(results, f.result(r.kind, c.image))
	}
	return results
}
