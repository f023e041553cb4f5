package kustomize

import (
	"cmp"
	"fmt"
	"path"

	"github.com/kubepromote/kubepromote/verify"
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
	// Service is the one that the objects are of. An approval that names a service
	// counts for that one alone. Empty is the host's.
	Service string `json:"service,omitempty" yaml:"service,omitempty"`

	scope `json:",inline" yaml:",inline"`
}

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
	case v.Spec.Policy == "" && v.Spec.Service != "":
		return &fieldError{"spec.service", "is of no use without a policy", "policy: FILE"}
	case v.Spec.Service != "" && v.host.Service != "" && v.Spec.Service != v.host.Service:
		return &fieldError{"spec.service", "is " + quoted(v.Spec.Service) + ", and the build is of " + quoted(v.host.Service), "leave it out"}
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
	images, results := v.imagesToJudge(items, v.Spec.scope, policy == nil)
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
		answer.Rule = cmp.Or(answer.Rule, v.Spec.Policy)
		if f := judged(signed[n], answer); f != nil {
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
	var subjects []verify.Subject
	var which []int
	for n, i := range images {
		if r := i.ref(); answers[n].Outcome != verify.Verified && v.Spec.Registry {
			subjects = append(subjects, v.subject(ref{repository: r.repository, digest: r.digest}.String()))
			which = append(which, n)
		}
	}
	if len(subjects) > 0 {
		clients, err := v.host.start()
		if err != nil {
			return nil, err
		}
		for n, answer := range clients.verifier.VerifySubjects(v.ctx, policy, subjects...) {
			answers[which[n]] = answer
		}
	}
	return answers, nil
}

// subject is an image of the service that the objects are of.
func (v *verifyImages) subject(image string) verify.Subject {
	return verify.Subject{Image: image, Service: cmp.Or(v.Spec.Service, v.host.Service)}
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
	clients, err := v.host.start()
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
			o := verify.Options{Client: clients.registries, LayoutName: r.repository}
			answer = verify.New(o).VerifySubjects(v.ctx, policy, v.subject("oci:"+dir+"@"+r.digest))[0]
			known[r] = answer
		}
		answers[n] = answer
	}
	return nil
}

func unpinned(i *image) *finding {
	hint := "PinImages, or kubectl promote resolve " + i.text
	if i.ref().tag == "" {
		hint = "give it a tag, and pin that"
	}
	return refuse("unpinned", hint, "image %s is not pinned by digest", quoted(i.text))
}

// judged makes a finding of what the verifier says; nil for a yes.
func judged(i *image, r verify.Result) *finding {
	switch r.Outcome {
	case verify.Verified:
		return nil
	case verify.Rejected:
		return rejected(i, r.Rule, r.Reason)
	}
	return unverified(i, r.Rule, r.Reason, r.Lacks)
}

// rejected is a no of a rule: the place of it, or of its policy.
func rejected(i *image, rule, reason string) *finding {
	if i.unlisted != "" {
		return mayBeImage(i, fmt.Sprintf("%s says: %s", cmp.Or(rule, "the policy"), reason))
	}
	return refuse("rejected", "", "image %s is refused by %s: %s", quoted(i.text), cmp.Or(rule, "the policy"), reason)
}

// unverified is no answer; lacks is what would have to be named for one.
func unverified(i *image, rule, reason, lacks string) *finding {
	hint := ""
	switch lacks {
	case verify.LacksEnvironment:
		hint = "environment: ENVIRONMENT in the spec of VerifyImages, or kubectl promote build DIR --env ENVIRONMENT"
	case verify.LacksService:
		hint = "service: SERVICE in the spec of VerifyImages, or kubectl promote build SERVICE --env ENVIRONMENT"
	}
	return unknown("unverified", hint, "image %s could not be verified by %s: %s", quoted(i.text), cmp.Or(rule, "the policy"), reason)
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
