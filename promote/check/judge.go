package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/internal/parallel"
	"github.com/kubepromote/kubepromote/promote/judge"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// The names of the verdicts that no gate gives.
const (
	gatePin  = "pin"
	gateHold = "hold"
)

// judge gives each change its verdicts.
func (w *work) judge(ctx context.Context) error {
	all := w.report.Changes
	if err := errors.Join(parallel.Each(ctx, len(all), func(n int) error { return w.judgeOne(ctx, &all[n]) })...); err != nil {
		return err
	}
	if err := w.gates(ctx); err != nil {
		return err
	}
	if err := w.holds(); err != nil {
		return err
	}
	for n := range all {
		var answers []promote.Answer
		for _, v := range all[n].Verdicts {
			answers = append(answers, v.Answer)
			if text := fmt.Sprintf("%s: NOT met: %s: %s; %s", all[n].Service, v.Gate, v.Text(), v.Override); v.Override != "" && !slices.Contains(w.report.Warnings, text) {
				w.report.Warnings = append(w.report.Warnings, text)
			}
		}
		all[n].Answer = promote.Worst(answers...)
	}
	return nil
}

// say adds a verdict on an image.
func (c *Change) say(gate string, a promote.Answer, format string, args ...any) *promote.Verdict {
	c.Verdicts = append(c.Verdicts, promote.Verdict{Gate: gate, Answer: a, Reason: fmt.Sprintf("image %q: ", c.Name) + fmt.Sprintf(format, args...)})
	return &c.Verdicts[len(c.Verdicts)-1]
}

func (w *work) judgeOne(ctx context.Context, c *Change) error {
	switch c.Kind {
	case Unread:
		return nil
	case Retag:
		c.say(gatePin, promote.Pass, "the digest is as it was")
		return nil
	}
	to, err := w.Pipeline.Environment(c.Environment)
	if err != nil {
		return err
	}
	switch c.Kind {
	case Removal:
		w.judgeRemoval(c, to)
		return nil
	case Mutable:
		w.judgeMutable(c, to)
		return nil
	}
	digest, ok := w.digest(ctx, c)
	if !ok {
		return nil
	}
	return w.judgeOrigin(ctx, c, to, digest)
}

// judgeMutable refuses what may stand for something else tomorrow.
func (w *work) judgeMutable(c *Change, to *pipeline.Environment) {
	what := "it has neither tag nor digest, so what runs is what the files below say"
	switch {
	case c.pin.Misread.Found() && c.New.Digest != "":
		what = c.pin.Misread.Says("what runs")
	case c.New.Tag != "" && w.mayBeTag():
		what = fmt.Sprintf("the tag %s moves", c.New.Tag)
	case c.New.Tag != "":
		what = fmt.Sprintf("the tag %s has no digest, and may stand for something else tomorrow", c.New.Tag)
	}
	v := c.say(gatePin, promote.Fail, "%s", what)
	with := map[string]string{"service": c.Service, "to": to.Name}
	if v.Advice = (promote.Advice{Do: promote.DoEnter, With: with}); len(to.From) > 0 {
		with["from"], v.Advice.Do = to.From[0], promote.DoPromote
	}
}

// judgeRemoval lets go what the source does not have either, and what goes with all of its
// overlay.
func (w *work) judgeRemoval(c *Change, to *pipeline.Environment) {
	var still []string
	for _, from := range to.From {
		if w.has(from, c.Service, c.Name) {
			still = append(still, from)
		}
	}
	switch {
	case c.gone:
		c.say(gatePin, promote.Pass, "%s is gone, with all pins in it", c.File)
	case len(to.From) == 0:
		c.say(gatePin, promote.Pass, "the pin is gone")
	case len(still) == 0:
		c.say(gatePin, promote.Pass, "the pin is gone, as it is from %s", strings.Join(to.From, " and "))
	default:
		c.say(gatePin, promote.Fail, "the pin is gone, and what runs then is what the files below say; %s still has it", strings.Join(still, " and "))
	}
}

// has tells whether an environment has a pin of a name before the change, as far as that can
// be read.
func (w *work) has(environment, service, name string) bool {
	from, err := w.Pipeline.Environment(environment)
	if err != nil {
		return false
	}
	for _, tree := range w.sources() {
		sites := w.Pipeline.Sites(tree)
		all, err := sites.Of(from, service)
		if err != nil {
			return true
		}
		for _, one := range sites.WithNamed(all) {
			v := read(sites, one)
			if v.err != nil || slices.ContainsFunc(v.pins, func(p overlay.Pin) bool { return p.Name == name }) {
				return true
			}
		}
	}
	return false
}

// sources are the trees in which a source environment counts: those that have not the change.
func (w *work) sources() []promote.Tree { return []promote.Tree{w.req.Before, w.req.Rules} }

// digest gives what is judged: what the tag stands for now where the pipeline pins by tags.
func (w *work) digest(ctx context.Context, c *Change) (string, bool) {
	if c.New.Digest != "" {
		return c.New.Digest, true
	}
	reason := "no registry may be asked"
	if w.Resolver != nil {
		for _, r := range w.Resolver.Resolve(ctx, []string{c.pin.Ref()}, func() {}) {
			if r.Answer == promote.Pass {
				return r.Digest, true
			}
			reason = r.Reason
		}
	}
	c.Kind = Mutable
	c.say("resolve", promote.Unknown, "nobody can say what the tag %s stands for: %s", c.New.Tag, reason)
	return "", false
}

// judgeOrigin finds out where a digest comes from, and asks the policies that hold for that.
func (w *work) judgeOrigin(ctx context.Context, c *Change, to *pipeline.Environment, digest string) error {
	req := judge.Request{Service: c.Service, To: to.Name, Sources: w.sources(), Path: c.pin.Path,
		Image: status.Image{Name: c.Name, Repository: c.Repository, Pin: promote.Pin{Tag: c.New.Tag, Digest: digest}}}
	var no []promote.Verdict
	for _, from := range to.From {
		v, err := w.source(ctx, req, from)
		if err != nil {
			return err
		}
		if v.Answer == promote.Pass {
			c.Kind, c.From, c.Verdicts = Promotion, from, append(c.Verdicts, v)
			return w.policies(ctx, c, w.Promoter, to, req)
		}
		no = append(no, v)
	}
	stood, err := w.stood(ctx, c, digest)
	switch {
	case stood != "":
		c.Kind = Rollback
		c.say(judge.GateSource, promote.Pass, "%s", stood)
		return w.policies(ctx, c, w.with(to, func(e *pipeline.Environment) { *e = *e.ForRollback() }), to, req)
	case len(to.From) == 0:
		c.Kind = Entry
		return w.policies(ctx, c, w.Promoter, to, req)
	}
	c.Kind, c.Verdicts = Foreign, append(c.Verdicts, no...)
	if err != nil {
		// That the source does not have it is no answer until the history says the same.
		c.Verdicts = nil
		v := c.say(judge.GateSource, promote.Unknown, "%s does not have this digest, and whether %s had it once is not known: %v", strings.Join(to.From, " and "), to.Name, err)
		if t, ok := errors.AsType[*history.Truncated](err); ok {
			v.Hint = t.HintText()
		}
	}
	return nil
}

// with is the promoter with other rules for an environment.
func (w *work) with(to *pipeline.Environment, change func(*pipeline.Environment)) *promote.Promoter {
	p, own := *w.Promoter, *w.Pipeline
	own.Spec.Environments = slices.Clone(own.Spec.Environments)
	for n := range own.Spec.Environments {
		if e := &own.Spec.Environments[n]; e.Name == to.Name {
			change(e)
		}
	}
	p.Pipeline = &own
	return &p
}

// source asks whether an environment had an image before the change.
func (w *work) source(ctx context.Context, req judge.Request, from string) (promote.Verdict, error) {
	to, err := w.Pipeline.Environment(req.To)
	if err != nil {
		return promote.Verdict{}, err
	}
	bare := w.with(to, func(e *pipeline.Environment) { e.Gates, e.Verify = nil, nil })
	req.From = from
	all, err := judge.Image(ctx, bare, req)
	if err != nil || len(all) == 0 || all[0].Answer != promote.Fail {
		return append(all, promote.Verdict{Gate: judge.GateSource, Answer: promote.Unknown})[0], err
	}
	v := all[0]
	v.Reason = fmt.Sprintf("image %q: %s does not have this digest", req.Image.Name, from)
	v.Advice = promote.Advice{Do: promote.DoPromote, With: map[string]string{"service": req.Service, "from": from, "to": req.To}}
	req.Sources = []promote.Tree{w.req.After}
	if now, err := judge.Image(ctx, bare, req); err == nil && len(now) > 0 && now[0].Answer == promote.Pass {
		v.Reason = fmt.Sprintf("image %q: %s gets this digest by the same change, so nobody has seen it there before", req.Image.Name, from)
	}
	return v, nil
}

// policies asks what verify and promoted demand.
func (w *work) policies(ctx context.Context, c *Change, p *promote.Promoter, to *pipeline.Environment, req judge.Request) error {
	to, err := p.Pipeline.Environment(to.Name)
	if err != nil {
		return err
	}
	req.Policy = w.req.Policy
	asks := req.Policy != "" || to.Verify != nil || slices.ContainsFunc(to.Gates, func(g pipeline.Gate) bool { return g.Promoted != nil })
	if asks && c.pin.Unknown != "" {
		c.say(promote.GateVerify, promote.Unknown, "%s, so nothing can be verified", c.pin.Unknown)
		return nil
	}
	all, err := judge.Image(ctx, p, req)
	c.Verdicts = append(c.Verdicts, all...)
	return err
}

// stood says when an environment had a digest, before what it has now; empty where it
// never had it. The error is about a history that cannot be read to its end.
func (w *work) stood(ctx context.Context, c *Change, digest string) (said string, err error) {
	if w.History == nil {
		return "", errors.New("there is no history to read")
	}
	err = w.History(ctx, []string{c.Service}, c.Environment, func(was history.Change) bool {
		for _, i := range was.Images {
			if i.Name != c.Name && i.Repository != c.Repository {
				continue
			}
			if i.Old.Digest == digest {
				said = fmt.Sprintf("%s had it until commit %.9s", c.Environment, was.Commit)
			} else if i.New.Digest == digest {
				said = fmt.Sprintf("%s had it from commit %.9s on", c.Environment, was.Commit)
			}
		}
		return said == ""
	})
	if said != "" {
		err = nil
	}
	return said, err
}
