package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// soak passes where each image has stood in an environment long enough. The history of
// the files is what counts: commits that leave the pin as it is do not begin the time
// anew, and a pin that was away for a while does.
type soak struct {
	cfg     *pipeline.SoakGate
	history *History
}

func (s *soak) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	environment := cmp.Or(s.cfg.Environment, q.From)
	switch {
	case s.history == nil:
		return unknown("there is no history to read")
	case len(q.Images) == 0:
		return unknown("no image would change, and of nothing else it is known how long it has been in %s", environment)
	}
	var youngest promote.Verdict
	for n, i := range q.Images {
		v := s.image(ctx, q, environment, i)
		if v.Answer != promote.Pass && v.Answer != promote.Wait {
			return v
		}
		if n == 0 || v.Until.After(youngest.Until) {
			youngest = v
		}
	}
	return youngest
}

// image judges one image. Until is set where it passes too: when it did.
func (s *soak) image(ctx context.Context, q promote.GateRequest, environment string, i promote.ImagePlan) promote.Verdict {
	if i.New.Digest == "" && !s.cfg.TrustTags {
		return unknown("image %q: its digest is not known, so nobody can tell how long it has been in %s", i.Name, environment)
	}
	at, err := s.history.since(ctx, q, environment, i.New, s.cfg.TrustTags)
	what := cmp.Or(short(i.New.Digest), i.New.Tag)
	switch {
	case err != nil:
		return historyFault(err, environment)
	case at.tagged:
		v := unknown("image %q: %s has had the tag %s since %s and no digest, so nobody can tell how long it has had %s",
			i.Name, environment, i.New.Tag, stamp(at.since.UTC()), what)
		v.Hint = "pin " + environment + " by digest, or soak: {trustTags: true}"
		return v
	case !at.found && !at.ended.IsZero():
		return say(promote.Fail, "image %q: %s had %s until %s, and has something else since", i.Name, environment, what, stamp(at.ended.UTC()))
	case !at.found:
		return say(promote.Fail, "image %q: %s has never had %s", i.Name, environment, what)
	}
	end := at.since.Add(s.cfg.For.Time()).UTC()
	reason := fmt.Sprintf("%s has had %s since %s; %s are asked for", environment, what, stamp(at.since.UTC()), span(s.cfg.For.Time()))
	if q.Now.Before(end) {
		return until(end, q, reason+", until "+stamp(end))
	}
	v := pass("%s", reason)
	v.Until = end
	return v
}

func isTruncated(err error) bool {
	var t *history.Truncated
	return errors.As(err, &t)
}

// historyFault is the verdict where the history does not say.
func historyFault(err error, environment string) promote.Verdict {
	v := unknown("the history of %s: %s", environment, fault.OneLine(err.Error()))
	var t *history.Truncated
	if errors.As(err, &t) {
		v.Hint = t.HintText()
	}
	return v
}
