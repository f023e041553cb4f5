package kustomize

import (
	"fmt"
	"path"

	"github.com/kubepromote/kubepromote/verify"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// VerifyImages fails where an image has no digest or, with a policy, no signature
// that counts. It changes nothing.
type VerifyImages struct {
	yaml.ResourceMeta `json:",inline" yaml:",inline"`

	Spec VerifyImagesSpec `json:"spec" yaml:"spec"`

	run
}

// VerifyImagesSpec says what is demanded.
type VerifyImagesSpec struct {
	// Policy is a verification policy. Keys that it names are looked for beside
	// it. Without a policy, a digest is all that is asked for.
	Policy string `json:"policy,omitempty" yaml:"policy,omitempty"`
	// Registry reads signatures from the registries that the images are in.
	Registry bool `json:"registry,omitempty" yaml:"registry,omitempty"`

	scope `json:",inline" yaml:",inline"`
}

// Schema implements framework.ValidationSchemaProvider.
func (*VerifyImages) Schema() (*spec.Schema, error) { return schemaOf(KindVerifyImages) }

// Default implements framework.Defaulter.
func (v *VerifyImages) Default() error { return nil }

// Validate implements framework.Validator.
func (v *VerifyImages) Validate() error {
	switch {
	case v.Spec.Policy != "" && !v.Spec.Registry:
		return &fieldError{"spec.policy", "needs the registry, where signatures are", "registry: true"}
	case v.Spec.Policy == "" && v.Spec.Registry:
		return &fieldError{"spec.registry", "is of no use without a policy", "policy: FILE"}
	}
	return v.Spec.validate()
}

// Filter implements kio.Filter.
func (v *VerifyImages) Filter(items []*yaml.RNode) ([]*yaml.RNode, error) {
	var policy *verify.Policy
	if v.Spec.Policy != "" {
		var err error
		if policy, err = v.policy(); err != nil {
			return items, err
		}
	}
	images, results := v.images(items, v.Spec.scope)
	var signed []*image
	var refs []string
	for _, i := range images {
		if r := i.ref(); r.digest == "" {
			results = append(results, unpinned(i).result(v.kind, i))
		} else if policy != nil {
			signed = append(signed, i)
			refs = append(refs, ref{repository: r.repository, digest: r.digest}.String())
		}
	}
	if len(refs) > 0 {
		for n, answer := range v.host.start().verifier.Verify(v.ctx, policy, refs...) {
			if f, ok := judged(signed[n], answer); ok {
				results = append(results, f.result(v.kind, signed[n]))
			}
		}
	}
	return finish(items, results)
}

func unpinned(i *image) finding {
	f := refuse("unpinned", fmt.Sprintf("image %s is not pinned by digest", quoted(i.text)))
	f.hint = "PinImages, or kubectl promote resolve " + i.text
	if i.ref().tag == "" {
		f.hint = "give it a tag, and pin that"
	}
	return f
}

// judged makes a finding of what the verifier says; ok is false for a yes.
func judged(i *image, r verify.Result) (f finding, ok bool) {
	switch r.Outcome {
	case verify.Verified:
		return finding{}, false
	case verify.Rejected:
		return refuse("rejected", fmt.Sprintf("image %s is refused by the policy: %s", quoted(i.text), r.Reason)), true
	}
	f = undecided("unverified", fmt.Sprintf("image %s could not be verified: %s", quoted(i.text), r.Reason))
	f.hint = "this is no answer: try again"
	return f, true
}

// policy reads the policy and the keys that it names.
func (v *VerifyImages) policy() (*verify.Policy, error) {
	t, err := v.host.open()
	if err != nil {
		return nil, err
	}
	defer t.close()
	data, err := t.read(v.Spec.Policy)
	if err != nil {
		return nil, err
	}
	return verify.ParsePolicy(v.Spec.Policy, data, func(key string) ([]byte, error) {
		return t.read(path.Join(path.Dir(v.Spec.Policy), key))
	})
}
