// Package judge says of an image that stands in an environment whether it might have come
// there: whether the environment that it is promoted from had its digest, and what the
// verification policy and the promoted gates say of it. What a commit's record claims
// is not asked, so that nobody passes by writing one.
//
// What only holds at the moment of a promotion, such as a freeze, is not asked afterwards.
package judge

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// GateSource names the verdict on where an image came from.
const GateSource = "source"

// Request asks whether an image might come to an environment, as far as that can
// be told afterwards.
type Request struct {
	Service string
	// From and To are environments; From is empty where images come in.
	From, To string
	Image    status.Image
	// Path is where the image's pin stands in its file, as [overlay.Pin] has it; empty
	// where that is not known.
	Path string
	// Sources are the trees, each of the shared history, that the source environment
	// may have had the image in when the promotion was made.
	Sources []promote.Tree
	// Policy, if not empty, is used in place of the pipeline's.
	Policy string
}

// Image gives verdicts on an image by the promoter's pipeline, resolver and verifier. An
// error means that the environment is none of the pipeline's, or that a policy cannot be
// used.
func Image(ctx context.Context, p *promote.Promoter, req Request) ([]promote.Verdict, error) {
	to, err := p.Pipeline.Environment(req.To)
	if err != nil {
		return nil, err
	}
	var verdicts []promote.Verdict
	if req.From != "" {
		if _, err := p.Source(to, req.From); err != nil {
			verdicts = append(verdicts, promote.Verdict{Gate: GateSource, Answer: promote.Fail, Reason: err.Error()})
		} else {
			verdicts = append(verdicts, bySource(ctx, p, req))
		}
	}
	asks := []promote.VerifyRequest{}
	if req.Policy == "" && to.Verify != nil {
		req.Policy = to.Verify.Policy
	}
	if req.Policy != "" {
		asks = append(asks, promote.VerifyRequest{Policy: req.Policy})
	}
	for _, g := range to.Gates {
		if g.Promoted == nil {
			continue // what it asks was so, or was not, when the promotion was made
		}
		asks = append(asks, promote.VerifyRequest{Policy: g.Promoted.Policy, Promoted: g.Promoted.Environment})
	}
	for _, ask := range asks {
		v, err := byPolicy(ctx, p, req, ask)
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}

func byPolicy(ctx context.Context, p *promote.Promoter, req Request, ask promote.VerifyRequest) (promote.Verdict, error) {
	v := promote.Verdict{Gate: promote.GateVerify, Answer: promote.Unknown}
	if ask.Promoted != "" {
		v.Gate = promote.GatePromoted
	}
	if p.Verifier == nil {
		v.Reason = fmt.Sprintf("image %q: %s asks for signatures, and no registry may be asked for them", req.Image.Name, ask.Policy)
		return v, nil
	}
	ask.Environment, ask.Images, ask.Services = req.To, []string{req.Image.Repository + "@" + req.Image.Digest}, []string{req.Service}
	results, err := p.Verifier.Verify(ctx, ask, func() {})
	if err != nil {
		return v, err
	}
	for _, r := range results {
		v.Rule, v.Answer, v.Override, v.Reason = r.Rule, r.Answer, r.Override, fmt.Sprintf("image %q: %s", req.Image.Name, r.Reason)
	}
	return v, nil
}

// bySource looks for the digest in the source environment. A tag without a digest
// is taken for it only where it still stands for it.
func bySource(ctx context.Context, p *promote.Promoter, req Request) promote.Verdict {
	say := func(a promote.Answer, format string, args ...any) promote.Verdict {
		return promote.Verdict{Gate: GateSource, Answer: a, Reason: fmt.Sprintf("image %q: ", req.Image.Name) + fmt.Sprintf(format, args...)}
	}
	var tagged []string
	as := "" // the digest as another image
	var unreadable error
	from, err := p.Pipeline.Environment(req.From)
	if err != nil {
		return say(promote.Unknown, "%v", err)
	}
	for _, tree := range req.Sources {
		all := p.Pipeline.Sites(tree)
		here, err := all.Of(from, req.Service)
		unreadable = errors.Join(unreadable, err)
		for _, one := range all.WithNamed(here) {
			f, err := all.Read(one, false)
			if err != nil {
				if !errors.Is(err, pipeline.ErrNoOverlay) {
					unreadable = err
				}
				continue
			}
			for _, i := range f.Images() {
				switch same := sameImage(req, i); {
				case i.Digest == req.Image.Digest && !same:
					as = i.Ref()
				case i.Digest == req.Image.Digest:
					return say(promote.Pass, "%s had it (%s)", req.From, f.Name())
				case same && i.Digest == "" && i.Tag != "" && i.Tag == req.Image.Tag && i.Repository() != "":
					tagged = append(tagged, i.Ref())
				}
			}
		}
	}
	switch {
	case len(tagged) == 0 && unreadable != nil:
		return say(promote.Unknown, "what %s had cannot be read: %v", req.From, unreadable)
	case len(tagged) == 0 && as != "":
		return say(promote.Fail, "%s had this digest as %s, and not as this image", req.From, as)
	case len(tagged) == 0:
		return say(promote.Fail, "%s did not have this digest when it was promoted", req.From)
	case p.Resolver == nil:
		return say(promote.Unknown, "%s had the tag %s alone, and no registry may be asked what that stands for", req.From, req.Image.Tag)
	}
	for _, r := range p.Resolver.Resolve(ctx, tagged, func() {}) {
		if r.Answer == promote.Pass && r.Digest == req.Image.Digest {
			return say(promote.Pass, "%s had the tag %s, which stands for it", req.From, req.Image.Tag)
		}
	}
	return say(promote.Unknown, "%s had the tag %s alone, and the registry does not say that it stood for this digest", req.From, req.Image.Tag)
}

// sameImage tells whether a pin of the source is about the image that is asked for. It has
// its name or its repository, the place in its file, or a repository that is called
// alike: environments may pull from registries of their own. That another image has
// had a digest says nothing of this one.
func sameImage(req Request, source overlay.Pin) bool {
	return source.Name == req.Image.Name || source.Repository() == req.Image.Repository ||
		req.Path != "" && source.Path == req.Path || path.Base(source.Repository()) == path.Base(req.Image.Repository)
}
