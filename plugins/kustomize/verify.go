package kustomize

import (
	"cmp"
	"fmt"
	"path"

	"github.com/kubepromote/kubepromote/verify"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// verifyImages fails where an image has no digest or, with a policy, no signature
// that counts. It changes nothing.
type verifyImages struct {
	yaml.ResourceMeta `json:",inline" yaml:",inline"`

	Spec verifyImagesSpec `json:"spec" yaml:"spec"`

	run
}

// verifyImagesSpec says what is demanded.
type verifyImagesSpec struct {
	// Policy is a verification policy. Keys that it names are looked for beside
	// it. Without a policy, a digest is all that is asked for.
	Policy string `json:"policy,omitempty" yaml:"policy,omitempty"`
	// Evidence is an OCI layout with images and their signatures, as cosign save
	// and kubectl promote make them. What it has is not asked of a registry.
	Evidence string `json:"evidence,omitempty" yaml:"evidence,omitempty"`
	// Registry reads signatures from the registries that the images are in.
	Registry bool `json:"registry,omitempty" yaml:"registry,omitempty"`
	// Environment is the one that the objects are for. A policy that asks for
	// approvals asks for those of this environment; without one, its answer is
	// unknown. Empty is the host's.
	Environment string `json:"environment,omitempty" yaml:"environment,omitempty"`

	scope `json:",inline" yaml:",inline"`
}

// Schema implements framework.ValidationSchemaProvider.
func (*verifyImages) Schema() (*spec.Schema, error) { return schemaOf(kindVerifyImages) }

// Default implements framework.Defaulter.
func (v *verifyImages) Default() error { return nil }

// Validate implements framework.Validator.
func (v *verifyImages) Validate() error {
	switch {
	case v.Spec.Policy != "" && !v.Spec.Registry && v.Spec.Evidence == "":
		return &fieldError{"spec.policy", "needs a place where signatures are", "evidence: DIR, or registry: true"}
	case v.Spec.Policy == "" && v.Spec.Registry:
		return &fieldError{"spec.registry", "is of no use without a policy", "policy: FILE"}
	case v.Spec.Policy == "" && v.Spec.Environment != "":
		return &fieldError{"spec.environment", "is of no use without a policy", "policy: FILE"}
	case v.Spec.Environment != "" && v.host.Environment != "" && v.Spec.Environment != v.host.Environment:
		return &fieldError{"spec.environment", "is " + quoted(v.Spec.Environment) + ", and the build is for " + quoted(v.host.Environment), "leave it out, and say it with --env"}
	case v.Spec.Policy == "" && v.Spec.Evidence != "":
		return &fieldError{"spec.evidence", "is of no use without a policy", "policy: FILE"}
	}
	return v.Spec.validate()
}

// Filter implements kio.Filter.
func (v *verifyImages) Filter(items []*yaml.RNode) ([]*yaml.RNode, error) {
	var policy *verify.Policy
	if v.Spec.Policy != "" {
		var err error
		if policy, err = v.policy(); err != nil {
			return items, err
		}
	}
	images, results := v.images(items, v.Spec.scope)
	var signed []*image
	for _, i := range images {
		if i.ref().digest == "" {
			results = append(results, unpinned(i).result(v.kind, i))
		} else if policy != nil {
			signed = append(signed, i)
		}
	}
	answers, err := v.verify(policy, signed)
	if err != nil {
		return items, err
	}
	for n, answer := range answers {
		if f, ok := judged(signed[n], answer); ok {
			if f.answer == Unknown && policy.LacksEnvironment() {
				f.hint = "environment: NAME in spec, or kubectl promote build --env NAME"
			}
			results = append(results, f.result(v.kind, signed[n]))
		}
	}
	return finish(items, results)
}

// verify asks the evidence first, and the registry for what that does not have.
func (v *verifyImages) verify(policy *verify.Policy, images []*image) ([]verify.Result, error) {
	answers := make([]verify.Result, len(images))
	if len(images) == 0 {
		return answers, nil
	}
	if v.Spec.Evidence != "" {
		if err := v.fromEvidence(policy, images, answers); err != nil {
			return nil, err
		}
	}
	var refs []string
	var which []int
	for n, i := range images {
		if r := i.ref(); answers[n].Outcome != verify.Verified && v.Spec.Registry {
			refs = append(refs, ref{repository: r.repository, digest: r.digest}.String())
			which = append(which, n)
		}
	}
	if len(refs) > 0 {
		for n, answer := range v.host.start().verifier.Verify(v.ctx, policy, refs...) {
			answers[which[n]] = answer
		}
	}
	return answers, nil
}

// fromEvidence looks into the layout. An image that it does not have is unknown.
func (v *verifyImages) fromEvidence(policy *verify.Policy, images []*image, answers []verify.Result) error {
	t, err := v.host.open()
	if err != nil {
		return err
	}
	defer t.close()
	dir, err := t.directory(v.Spec.Evidence)
	if err != nil {
		return err
	}
	known := make(map[ref]verify.Result)
	for n, i := range images {
		r := i.ref()
		r.tag = ""
		answer, ok := known[r]
		if !ok {
			// A layout does not say which repository it was made from: that is the
			// one that the object names.
			o := verify.Options{Client: v.host.start().registries, LayoutName: r.repository}
			answer = verify.New(o).Verify(v.ctx, policy, "oci:"+dir+"@"+r.digest)[0]
			known[r] = answer
		}
		answers[n] = answer
	}
	return nil
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
		return rejected(i, r.Reason), true
	}
	return unverified(i, r.Reason), true
}

func rejected(i *image, reason string) finding {
	return refuse("rejected", fmt.Sprintf("image %s is refused by the policy: %s", quoted(i.text), reason))
}

func unverified(i *image, reason string) finding {
	f := unknown("unverified", fmt.Sprintf("image %s could not be verified: %s", quoted(i.text), reason))
	f.hint = "this is no answer: try again"
	return f
}

// policy reads the policy and the keys that it names.
func (v *verifyImages) policy() (*verify.Policy, error) {
	t, err := v.host.open()
	if err != nil {
		return nil, err
	}
	defer t.close()
	data, err := t.read(v.Spec.Policy)
	if err != nil {
		return nil, err
	}
	p, err := verify.ParsePolicy(v.Spec.Policy, data, func(key string) ([]byte, error) {
		return t.read(path.Join(path.Dir(v.Spec.Policy), key))
	})
	if env := cmp.Or(v.Spec.Environment, v.host.Environment); err == nil && env != "" {
		p = p.For(env)
	}
	return p, err
}
