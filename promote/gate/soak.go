package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

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
	// health are the gates beside it that say how the images are.
	health []*health
}

func (s *soak) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	environment := cmp.Or(s.cfg.Environment, q.From)
	switch {
	case s.history == nil:
		return unknown("there is no history to read")
	case len(q.Images) == 0:
		return unknown("no image would change, and of nothing else it is known how long it has been in %s", environment)
	}
	v := s.images(ctx, q, environment)
	if s.cfg.Healthy && (v.Answer == promote.Pass || v.Answer == promote.Wait) {
		return later(v, s.healthy(ctx, q))
	}
	return v
}

// images judges all images: the one that came last decides.
func (s *soak) images(ctx context.Context, q promote.GateRequest, environment string) promote.Verdict {
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

// healthy judges since when the images have been healthy.
func (s *soak) healthy(ctx context.Context, q promote.GateRequest) promote.Verdict {
	if len(s.health) == 0 {
		return unknown("there is no gate beside it that tells how the images are")
	}
	var since time.Time
	for _, h := range s.health {
		r, v := h.ask(ctx, q)
		switch {
		case v != nil:
			return *v
		case r.Answer != promote.Pass:
			return promote.Verdict{Answer: r.Answer, Reason: "not healthy: " + r.Reason, Hint: r.Hint}
		case r.Since.IsZero():
			return unknown("since when it is healthy, it does not say: %s", r.Reason)
		case r.Since.After(since):
			since = r.Since
		}
	}
	end := since.Add(s.cfg.For.Time()).UTC()
	reason := fmt.Sprintf("it has been healthy since %s", stamp(since.UTC()))
	if q.Now.Before(end) {
		return until(end, q, reason+", and is asked to be so until "+stamp(end))
	}
	return pass("%s", reason)
}

// later is what two verdicts say together: the worse of them, and of two waits the longer.
func later(time, health promote.Verdict) promote.Verdict {
	switch worst := promote.Worst(time.Answer, health.Answer); {
	case worst == promote.Pass:
		time.Reason += "; " + health.Reason
		return time
	case worst == time.Answer && (worst != health.Answer || !health.Until.IsZero() && time.Until.After(health.Until)):
		return time
	}
	return health
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

// isTruncated tells that older commits are missing. What cannot be read in its newest
// version is unknown, whatever older ones have.
func isTruncated(err error) bool {
	var t *history.Truncated
	return errors.As(err, &t) && t.File == ""
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
