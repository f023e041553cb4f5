package kustomize

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/promote"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Judge demands of all images of some objects what an environment demands of those
// that are to go to it, as VerifyImages does: that they are pinned by digest, and
// that verify lets them in. Fields are paths of images that are in no pod spec.
// Verify is asked once, about references of the form repository@digest, and answers
// in their order.
//
// An error is a *[Refused], or one of verify.
func Judge(items []*yaml.RNode, fields []string, verify func(refs []string) ([]promote.Verification, error)) (framework.Results, error) {
	if err := checkItems(items); err != nil {
		return nil, &Refused{Results: configResults(nil, err)}
	}
	r := &run{kind: kindVerifyImages}
	images, results := r.imagesToJudge(items, scope{Fields: fields}, false)
	var refs []string
	places := make(map[string][]*image)
	for _, i := range images {
		if i.ref().digest == "" {
			results = append(results, unpinned(i).result(r.kind, i))
			continue
		}
		name := ref{repository: i.ref().repository, digest: i.ref().digest}.String()
		if places[name] == nil {
			refs = append(refs, name)
		}
		places[name] = append(places[name], i)
	}
	if len(refs) > 0 {
		answers, err := verify(refs)
		if err != nil {
			return nil, err
		}
		if len(answers) != len(refs) {
			return nil, errors.New("not all images were verified")
		}
		for n, answer := range answers {
			for _, i := range places[refs[n]] {
				for _, f := range findings(i, answer) {
					results = append(results, f.result(r.kind, i))
				}
			}
		}
	}
	if results.ExitCode() != 0 {
		return results, &Refused{Results: results}
	}
	return results, nil
}

// findings says what a verification has to say about an image, but for a plain yes.
func findings(i *image, v promote.Verification) []*finding {
	var all []*finding
	for _, w := range v.Warnings {
		all = append(all, &finding{severity: framework.Warning, reason: "warned", message: fmt.Sprintf("image %s: %s", quoted(i.text), w)})
	}
	switch {
	case v.Answer == promote.Pass && v.Override == "":
		return all
	case v.Answer == promote.Pass:
		return append(all, &finding{severity: framework.Warning, answer: Yes, reason: "warned",
			message: fmt.Sprintf("image %s is NOT verified by %s: %s; %s", quoted(i.text), cmp.Or(v.Rule, "the policy"), v.Reason, v.Override)})
	case v.Answer == promote.Fail:
		return append(all, rejected(i, v.Rule, v.Reason))
	}
	return append(all, unverified(i, v.Rule, v.Reason, v.Lacks))
}
