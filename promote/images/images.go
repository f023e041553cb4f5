// Package images gives package promote what it asks about images: a [Resolver] over
// package digest, which says what a tag stands for, and a [Verifier] over package
// verify, which says whether a policy lets an image in.
//
// Their answers are those of promote: pass and fail only where a registry has
// answered, and unknown where it has not, or where the policy cannot be judged.
//
// A [promote.VerifyRequest] names the environment that images are to go to, and for
// which services, and the policy is judged for those alone: an approval for staging
// opens nothing in production, and one of cart nothing for web. Where a policy asks for
// approvals and the environment is not named, the answer for every image is unknown, and
// so it is where the service is not named and an approval is for one.
package images

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify"
)

// Resolver finds out what references stand for, as [promote.Resolver] wants it.
type Resolver struct{ digest *digest.Resolver }

// NewResolver makes a resolver that asks registries by the one given.
func NewResolver(r *digest.Resolver) *Resolver { return &Resolver{r} }

// Resolve implements [promote.Resolver]. A reference that is malformed, or that its
// registry does not have, fails; what could not be asked is unknown.
func (r *Resolver) Resolve(ctx context.Context, refs []string, done func()) []promote.Resolution {
	out := make([]promote.Resolution, len(refs))
	for i, res := range r.digest.ResolveAll(ctx, refs, func(digest.Result) { done() }) {
		out[i] = promote.Resolution{Answer: promote.Pass, Digest: res.Digest, TagDigest: res.TagDigest}
		switch {
		case errors.Is(res.Err, digest.ErrNotFound), errors.Is(res.Err, digest.ErrMalformed):
			out[i] = promote.Resolution{Answer: promote.Fail, Reason: res.Err.Error()}
		case res.Err != nil:
			out[i] = promote.Resolution{Answer: promote.Unknown, Reason: res.Err.Error()}
		}
	}
	return out
}

// Policies gives the policy that stands at a path, slash-separated and relative to
// the root of the repository. See [PoliciesIn].
type Policies func(path string) (*verify.Policy, error)

// PoliciesIn reads policies from a tree. The files of keys that a policy names are
// looked for beside it, and may not leave the tree.
func PoliciesIn(tree promote.Tree) Policies {
	return func(policy string) (*verify.Policy, error) {
		data, err := tree.ReadFile(policy)
		if err != nil {
			return nil, &promote.Error{Msg: "the verification policy " + policy + " cannot be read", Err: err}
		}
		return verify.ParsePolicy(policy, data, func(key string) ([]byte, error) {
			return tree.ReadFile(path.Join(path.Dir(policy), filepath.ToSlash(key)))
		})
	}
}

// Verifier checks images against policies, as [promote.Verifier] wants it.
type Verifier struct {
	verify   *verify.Verifier
	policies Policies
}

// NewVerifier makes a verifier that finds signatures and attestations by the one
// given, and judges them by the policies.
func NewVerifier(v *verify.Verifier, policies Policies) *Verifier { return &Verifier{v, policies} }

// batch is how many images are verified before the caller hears of them.
const batch = 32

// Verify implements [promote.Verifier].
func (v *Verifier) Verify(ctx context.Context, req promote.VerifyRequest, done func()) ([]promote.Verification, error) {
	p, err := v.policies(req.Policy)
	if err != nil {
		return nil, err
	}
	p = p.For(req.Environment)
	if req.Promoted != "" {
		p = p.Promoted(req.Promoted)
	}
	subjects := make([]verify.Subject, len(req.Images))
	for i, image := range req.Images {
		subjects[i].Image = image
		if i < len(req.Services) {
			subjects[i].Service = req.Services[i]
		}
	}
	var out []promote.Verification
	for start := 0; start < len(subjects); start += batch {
		for _, r := range v.verify.VerifySubjects(ctx, p, subjects[start:min(start+batch, len(subjects))]...) {
			r.Rule = cmp.Or(r.Rule, req.Policy)
			out = append(out, Verification(r))
			done()
		}
	}
	return out, nil
}

// Verification gives an answer of package verify in the words of promote. What rules
// in warn mode alone reject passes, and says so.
func Verification(r verify.Result) promote.Verification {
	v := promote.Verification{Image: r.Image, Answer: promote.Unknown, Reason: r.Reason, Rule: r.Rule, Lacks: r.Lacks, Warnings: r.Warnings}
	switch {
	case r.Outcome == verify.Verified:
		v.Answer = promote.Pass
	case r.Warned:
		v.Answer, v.Override = promote.Pass, "let through by a rule in warn mode"
	case r.Outcome == verify.Rejected:
		v.Answer = promote.Fail
	}
	for _, e := range r.Evidence {
		found := promote.Evidence{
			Authority: e.Authority, Kind: e.Kind, KeyID: e.KeyID, Subject: e.Subject, Issuer: e.Issuer, Storage: e.Storage,
			Payload: e.Payload, PredicateType: e.PredicateType, Location: e.Location, Time: e.Time,
		}
		for _, l := range e.Logs {
			found.Logs = append(found.Logs, fmt.Sprintf("%s/%d", l.LogID, l.Index))
		}
		v.Evidence = append(v.Evidence, found)
	}
	return v
}
