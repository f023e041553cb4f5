package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/verify"
)

// resolver gives digest's answers in the domain's terms.
type resolver struct{ digest *digest.Resolver }

func (r *resolver) Resolve(ctx context.Context, refs []string, done func()) []promote.Resolution {
	out := make([]promote.Resolution, len(refs))
	for i, res := range r.digest.ResolveAll(ctx, refs, func(digest.Result) { done() }) {
		out[i] = promote.Resolution{Answer: promote.Pass, Digest: res.Digest, TagDigest: res.TagDigest}
		switch {
		case errors.Is(res.Err, digest.ErrNotFound), errors.Is(res.Err, digest.ErrMalformed):
			out[i] = promote.Resolution{Answer: promote.Fail, Reason: res.Err.Error()}
		case res.Err != nil:
			out[i] = promote.Resolution{Answer: promote.Undecided, Reason: res.Err.Error()}
		}
	}
	return out
}

// verifier gives verify's answers in the domain's terms.
type verifier struct {
	session *Session
	repo    promote.Tree
	verify  *verify.Verifier
}

// VerifyBatch is how many images are verified before progress is shown.
const VerifyBatch = 32

func (v *verifier) Verify(ctx context.Context, req promote.VerifyRequest, done func()) ([]promote.Verification, error) {
	p, err := v.session.LoadPolicy(v.repo, req.Policy)
	if err != nil {
		return nil, err
	}
	p = p.For(req.Environment)
	if req.Promoted != "" {
		p = p.Promoted(req.Promoted)
	}
	var out []promote.Verification
	for start := 0; start < len(req.Images); start += VerifyBatch {
		batch := req.Images[start:min(start+VerifyBatch, len(req.Images))]
		for _, r := range v.verify.Verify(ctx, p, batch...) {
			out = append(out, verification(r))
			done()
		}
	}
	return out, nil
}

func verification(r verify.Result) promote.Verification {
	v := promote.Verification{Image: r.Image, Answer: promote.Undecided, Reason: r.Reason, Warnings: r.Warnings}
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

// reachRegistries lets a promoter ask registries, all over one transport.
func (s *Session) reachRegistries(p *promote.Promoter, repo *git.Repo) error {
	r, err := s.NewResolver()
	if err != nil {
		return err
	}
	v, err := s.NewVerifier("")
	if err != nil {
		return err
	}
	p.Resolver = &resolver{r}
	p.Verifier = &verifier{session: s, repo: repo, verify: v}
	return nil
}
