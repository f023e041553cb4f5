package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/source"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const noImage = "no such image in the registry"

// maxPlatforms bounds the images in an index.
const maxPlatforms = 64

// examination is one image being examined.
type examination struct {
	v       *Verifier
	t       *target
	rules   []*policy.Rule
	sources map[string]source.Source // by repository; "" is that of the image
	ignored int
}

// examine reads no more than it takes to decide every rule.
func (v *Verifier) examine(ctx context.Context, t *target, rules []*policy.Rule) Result {
	x := &examination{v: v, t: t, rules: rules, sources: map[string]source.Source{}}
	results := map[*policy.Rule]ruleResult{}
	var platforms []*policy.Rule
	var direct []*policy.Rule
	for _, r := range rules {
		if r.Manifest == policy.ManifestPlatforms {
			platforms = append(platforms, r)
		} else {
			direct = append(direct, r)
		}
	}
	found := x.judge(ctx, t.digest, direct, results)
	for _, r := range direct {
		if r.Manifest == policy.ManifestEither && results[r].outcome != Verified {
			platforms = append(platforms, r)
		}
	}
	if found && len(platforms) > 0 {
		x.platforms(ctx, platforms, results)
	}
	result := conclude(rules, results)
	result.Ignored = x.ignored
	if !found {
		result.Reason = noImage
	}
	return result
}

// judge decides rules for one digest. It returns false if there is no such image.
func (x *examination) judge(ctx context.Context, digest v1.Hash, rules []*policy.Rule, results map[*policy.Rule]ruleResult) (found bool) {
	if len(rules) == 0 {
		return true
	}
	j := newJudge(digest, x.t.name(), x.v.now(), rules)
	j.service = x.t.service
	x.read(ctx, j)
	found = true
	if j.nothing() && !j.done() {
		// No signature is a different thing for an image that is not there.
		src, err := x.source(policy.Repository{})
		if err == nil {
			found, err = src.Exists(ctx, digest)
		}
		if err != nil {
			found = true
			j.missed(err)
		}
	}
	if found && j.mayBeBelow() {
		if src, err := x.source(policy.Repository{}); err == nil {
			j.isIndex = isIndex(ctx, src, digest)
		}
	}
	x.ignored += j.ignored
	for _, t := range j.trials {
		if results[t.rule] = j.result(t); !found {
			results[t.rule] = ruleResult{outcome: Rejected, reason: noImage}
		}
	}
	return found
}

// isIndex looks whether a digest is that of an index, for a hint: where it cannot be
// known, there is none.
func isIndex(ctx context.Context, src source.Source, digest v1.Hash) bool {
	doc, err := src.Manifest(ctx, digest.String())
	if err != nil {
		return false
	}
	_, index, err := doc.Index()
	return index && err == nil
}

// read takes in signatures from every repository where an authority has some.
func (x *examination) read(ctx context.Context, j *judge) {
	var repositories []policy.Repository
	for _, t := range j.trials {
		for _, a := range t.rule.Authorities {
			for _, in := range a.Repositories() {
				if !slices.Contains(repositories, in) {
					repositories = append(repositories, in)
				}
			}
		}
	}
	for _, in := range repositories {
		if j.done() {
			return
		}
		src, err := x.source(in)
		if err != nil {
			j.missed(err)
			continue
		}
		if j.wants(in, false) {
			readTag(ctx, src, j, in, ".sig", signature.SimpleSigning)
		}
		if j.wants(in, true) {
			readTag(ctx, src, j, in, ".att", signature.DSSEEnvelope)
		}
		if j.wants(in, false) || j.wants(in, true) {
			readReferrers(ctx, src, j, in)
		}
	}
}

// source opens a repository, once for each examination.
func (x *examination) source(in policy.Repository) (source.Source, error) {
	if s := x.sources[in.Name]; s != nil {
		return s, nil
	}
	repo := x.t.repo
	if in.Name == "" && x.t.layout != nil {
		return x.t.layout, nil
	}
	if in.Name != "" {
		var err error
		if repo, err = name.NewRepository(in.Name); err != nil {
			return nil, fmt.Errorf("%s is no repository", untrusted.Quoted(in.Name))
		}
	}
	r := x.v.repository(repo)
	x.sources[in.Name] = r
	return r, nil
}

// platforms decides rules for the images in an index, which all have to meet
// them. What is no index has to meet them itself.
func (x *examination) platforms(ctx context.Context, rules []*policy.Rule, results map[*policy.Rule]ruleResult) {
	fail := func(o Outcome, reason string) {
		for _, r := range rules {
			// Where one of two ways is unknown, so is the whole.
			if v, ok := results[r]; !ok || v.outcome == Rejected {
				results[r] = ruleResult{outcome: o, reason: reason}
			}
		}
	}
	var doc *source.Document
	src, err := x.source(policy.Repository{})
	if err == nil {
		doc, err = src.Manifest(ctx, x.t.digest.String())
	}
	switch {
	case source.IsNotFound(err):
		fail(Rejected, noImage)
		return
	case err != nil:
		fail(Unknown, untrusted.Message(err.Error()))
		return
	}
	list, isIndex, err := doc.Index()
	list = slices.DeleteFunc(list, isNoPlatform)
	ambiguous, _ := errors.AsType[*mismatch.Error](err)
	switch {
	case ambiguous != nil:
		fail(Rejected, "the manifest is ambiguous: "+ambiguous.Text)
	case err != nil:
		fail(Unknown, untrusted.Message(err.Error()))
	case !isIndex:
		own := slices.DeleteFunc(slices.Clone(rules), func(r *policy.Rule) bool { return r.Manifest == policy.ManifestEither })
		x.judge(ctx, x.t.digest, own, results)
	case len(list) == 0:
		fail(Rejected, "the index has no image")
	case len(list) > maxPlatforms:
		fail(Unknown, fmt.Sprintf("the index has %d images, and %d are the most", len(list), maxPlatforms))
	default:
		x.each(ctx, list, rules, results)
	}
}

// each decides rules for every image of an index.
func (x *examination) each(ctx context.Context, list []v1.Descriptor, rules []*policy.Rule, results map[*policy.Rule]ruleResult) {
	total := map[*policy.Rule]ruleResult{}
	for _, r := range rules {
		total[r] = ruleResult{outcome: Verified}
	}
	for _, d := range list {
		one := map[*policy.Rule]ruleResult{}
		found := x.judge(ctx, d.Digest, rules, one)
		for _, r := range rules {
			v, sum := one[r], total[r]
			switch {
			case !found:
				v = ruleResult{outcome: Unknown, reason: "it is not in the registry"}
			case v.outcome == Verified:
				sum.evidence = append(sum.evidence, v.evidence...)
				total[r] = sum
				continue
			}
			if sum.outcome == Verified || sum.outcome == Unknown && v.outcome == Rejected {
				total[r] = ruleResult{outcome: v.outcome, lacks: v.lacks, reason: platformOf(d) + ": " + v.reason}
			}
		}
	}
	for _, r := range rules {
		// One way is enough, and a no counts only if both are known.
		if old, ok := results[r]; ok && total[r].outcome == Rejected && old.outcome == Unknown {
			continue
		}
		results[r] = total[r]
	}
}

// isNoPlatform is true for what builders keep in an index beside the images.
// Nothing chooses a platform that is unknown.
func isNoPlatform(d v1.Descriptor) bool {
	return d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
}

func platformOf(d v1.Descriptor) string {
	if d.Platform == nil {
		return d.Digest.String()
	}
	return untrusted.OneLine(d.Platform.String())
}

// conclude makes the result of the results of all rules. What is enforced
// outweighs what is not, and a no an unknown.
func conclude(rules []*policy.Rule, results map[*policy.Rule]ruleResult) Result {
	r := Result{Outcome: Verified}
	var names []string
	heaviest := 0
	for _, rule := range rules {
		v := results[rule]
		if v.outcome == Verified {
			for _, e := range v.evidence {
				r.Evidence = append(r.Evidence, e)
				if s := fmt.Sprintf("%q", e.Authority); !slices.Contains(names, s) {
					names = append(names, s)
				}
			}
			continue
		}
		weight := 1
		if v.outcome == Rejected {
			weight++
		}
		if rule.Warn {
			r.Warnings = append(r.Warnings, v.reason)
		} else {
			weight += 2
		}
		if weight > heaviest {
			heaviest, r.Outcome, r.Reason, r.Rule, r.Lacks = weight, v.outcome, v.reason, rule.Place, v.lacks
		}
	}
	if heaviest > 0 {
		r.Evidence, r.Warned = nil, heaviest <= 2
		return r
	}
	r.Reason = "signed by " + strings.Join(names, ", ")
	return r
}
