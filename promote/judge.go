package promote

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// gateSource names the verdict on where an image came from.
const gateSource = "source"

// JudgeRequest asks whether an image might come to an environment, as far as that can
// be told afterwards.
type JudgeRequest struct {
	Service string
	// From and To are environments; From is empty where images come in.
	From, To string
	Image    status.Image
	// Sources are the trees, each of the shared history, that the source environment
	// may have had the image in when the promotion was made.
	Sources []Tree
	// Policy, if not empty, is used in place of the pipeline's.
	Policy string
}

// Judge gives verdicts on an image that stands in an environment, by the promoter's
// pipeline and verifier: whether the source had its digest, and what policy and gates
// say. What a record claims is not asked.
func (p *Promoter) Judge(ctx context.Context, req JudgeRequest) ([]Verdict, error) {
	to, err := p.Pipeline.Environment(req.To)
	if err != nil {
		return nil, err
	}
	var verdicts []Verdict
	if req.From != "" {
		if _, err := p.source(to, req.From); err != nil {
			verdicts = append(verdicts, Verdict{Gate: gateSource, Answer: Fail, Reason: err.Error()})
		} else {
			verdicts = append(verdicts, p.judgeSource(ctx, req))
		}
	}
	asks := []VerifyRequest{}
	if req.Policy == "" && to.Verify != nil {
		req.Policy = to.Verify.Policy
	}
	if req.Policy != "" {
		asks = append(asks, VerifyRequest{Policy: req.Policy})
	}
	for _, g := range to.Gates {
		if g.Promoted == nil {
			continue // what it asks was so, or was not, when the promotion was made
		}
		asks = append(asks, VerifyRequest{Policy: g.Promoted.Policy, Promoted: g.Promoted.Environment})
	}
	for _, ask := range asks {
		v, err := p.judgeBy(ctx, req, ask)
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}

func (p *Promoter) judgeBy(ctx context.Context, req JudgeRequest, ask VerifyRequest) (Verdict, error) {
	v := Verdict{Gate: gateVerify, Answer: Unknown}
	if ask.Promoted != "" {
		v.Gate = gatePromoted
	}
	if p.Verifier == nil {
		v.Reason = fmt.Sprintf(notAsked, req.Image.Name, ask.Policy)
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

// judgeSource looks for the digest in the source environment. A tag without a digest
// is taken for it only where it still stands for it.
func (p *Promoter) judgeSource(ctx context.Context, req JudgeRequest) Verdict {
	say := func(a Answer, format string, args ...any) Verdict {
		return Verdict{Gate: gateSource, Answer: a, Reason: fmt.Sprintf("image %q: ", req.Image.Name) + fmt.Sprintf(format, args...)}
	}
	var tagged []string
	var unreadable error
	from, err := p.Pipeline.Environment(req.From)
	if err != nil {
		return say(Unknown, "%v", err)
	}
	for _, tree := range req.Sources {
		all := p.Pipeline.Sites(tree)
		here, err := all.Of(from, req.Service)
		unreadable = errors.Join(unreadable, err)
		for _, one := range here {
			f, err := all.Read(one, false)
			if err != nil {
				if !errors.Is(err, pipeline.ErrNoOverlay) {
					unreadable = err
				}
				continue
			}
			for _, i := range f.Images() {
				switch {
				case i.Digest == req.Image.Digest:
					return say(Pass, "%s had it (%s)", req.From, f.Name())
				case i.Digest == "" && i.Tag != "" && i.Tag == req.Image.Tag && i.Repository() != "":
					tagged = append(tagged, i.Ref())
				}
			}
		}
	}
	switch {
	case len(tagged) == 0 && unreadable != nil:
		return say(Unknown, "what %s had cannot be read: %v", req.From, unreadable)
	case len(tagged) == 0:
		return say(Fail, "%s did not have this digest when it was promoted", req.From)
	case p.Resolver == nil:
		return say(Unknown, "%s had the tag %s alone, and no registry may be asked what that stands for", req.From, req.Image.Tag)
	}
	for _, r := range p.Resolver.Resolve(ctx, tagged, func() {}) {
		if r.Answer == Pass && r.Digest == req.Image.Digest {
			return say(Pass, "%s had the tag %s, which stands for it", req.From, req.Image.Tag)
		}
	}
	return say(Unknown, "%s had the tag %s alone, and the registry does not say that it stood for this digest", req.From, req.Image.Tag)
}
