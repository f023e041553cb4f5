package promote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/promote/internal/parallel"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// The names of the gates that every promoter has, as verdicts and records have them.
const (
	GateVerify   = "verify"
	GatePromoted = "promoted"
	GateHold     = "hold"
)

// GateLimit is how long a gate may take that does not say it itself.
const GateLimit = pipeline.DefaultTimeout

// manyGates bounds how many questions to gates are open at once: each may take its own
// limit, and none is to wait for another that hangs.
const manyGates = 1024

// gatesHold is how long what gates have said is good for.
const gatesHold = 10 * time.Minute

// Gate is one condition on a promotion. Package promote/gate makes those that a pipeline
// file asks for; any other implementation will do as well.
//
// Further methods say more of it. One with Limit() time.Duration has a time limit other
// than GateLimit. One with Overridable() bool can be gone past by Request.Override where
// that says true.
type Gate interface {
	// Name is what verdicts and records call it.
	Name() string
	// Check says whether one service may be promoted at one moment. It may be called
	// for several services at once. Its answer is Unknown where it could not be told; so
	// it is where Check panics, or takes too long.
	Check(ctx context.Context, q GateRequest) Verdict
}

// GateRequest is what a gate is asked about.
type GateRequest struct {
	Service string            `json:"service"`
	Labels  map[string]string `json:"labels,omitempty"`
	From    string            `json:"from"`
	To      string            `json:"to"`
	// Images are those that would change: the pins that would be written. One without a
	// digest is refused for that beside the gates.
	Images []ImagePlan `json:"images"`
	// Along is what would move with them.
	Along []AlongPlan `json:"along,omitempty"`
	// Head is the commit that the promotion is planned on.
	Head string `json:"head"`
	// Now is the moment that is asked about.
	Now time.Time `json:"now"`
	// Services are all services of the plan: who has to read something for each may read
	// it for all.
	Services []string `json:"-"`
	// Before and After are the repository's files as they are and as they would be. Where
	// they are nil, they are those of Head and, of these, others that Edits gives.
	Before, After Tree                   `json:"-"`
	Edits         func() ([]File, error) `json:"-"`
	// Files are those that would change. Heads are commits that have the change already,
	// where it is one that somebody has made: those that a pull request may end with. It begins at Base.
	Files, Heads []string `json:"-"`
	Base         string   `json:"-"`
}

// gates asks all gates of the target environment. What they say stands in the order of
// the pipeline's file.
func (w *planner) gates(ctx context.Context) error {
	own, err := w.ownGates()
	if err != nil {
		return err
	}
	if err := w.checkOverrides(own); err != nil {
		return err
	}
	w.plan.judged = w.now()
	says := w.askGates(ctx, own)
	next := 0
	for _, g := range w.to.Gates {
		if g.Promoted == nil {
			w.takeVerdicts(own[next], says[next])
			next++
			continue
		}
		if err := w.verifyBy(ctx, GatePromoted, VerifyRequest{Policy: g.Promoted.Policy, Promoted: g.Promoted.Environment}); err != nil {
			return err
		}
	}
	for ; next < len(own); next++ {
		w.takeVerdicts(own[next], says[next])
	}
	return nil
}

func (p *Promoter) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// ownGates gives the gates of the target environment beside promoted, those of the file
// first. Where nobody can make them, and where whoever can write to the working tree
// could have made them up, they do not know.
func (w *planner) ownGates() ([]Gate, error) {
	var file []pipeline.Gate
	for _, g := range w.to.Gates {
		if g.Promoted == nil {
			file = append(file, g)
		}
	}
	if w.Rules.Uncommitted == "" && w.Gates != nil {
		own, err := w.Gates(w.to)
		if err == nil && len(own) < len(file) {
			err = failure("", "of %d gates of %q there are %d", len(file), w.to.Name, len(own))
		}
		return own, err
	}
	v := Verdict{Answer: Unknown, Reason: "there is nobody here to ask it"}
	if name := w.Rules.Uncommitted; name != "" {
		v.Reason, v.Hint = name+" is not committed, and what it asks for does not count until it is", "git add "+shell.Pathspecs(name)+" && git commit"
	}
	var own []Gate
	for _, g := range file {
		own = append(own, &silent{g.Title(), v})
	}
	return own, nil
}

// silent is a gate that says the same of every service.
type silent struct {
	name    string
	verdict Verdict
}

// Name implements [Gate].
func (s *silent) Name() string { return s.name }

// Check implements [Gate].
func (s *silent) Check(context.Context, GateRequest) Verdict { return s.verdict }

// checkOverrides finds overrides of what is no gate or may not be gone past.
func (w *planner) checkOverrides(own []Gate) error {
	var names []string
	may := make(map[string]bool)
	for _, g := range own {
		o, ok := g.(interface{ Overridable() bool })
		names, may[g.Name()] = append(names, g.Name()), ok && o.Overridable()
	}
	for _, name := range slices.Sorted(maps.Keys(w.req.Override)) {
		switch {
		case !slices.Contains(names, name):
			return usage(spelling.Hint(name, names), "%q has no gate %q that could be overridden", w.to.Name, name)
		case !may[name]:
			return usage("overridable: true beside it in the pipeline", "gate %q cannot be overridden", name)
		case w.req.Override[name] == "":
			return usage("", "there is no reason to override gate %q", name)
		}
	}
	return nil
}

// askGates asks each gate about each service that would change, side by side. The
// verdicts are those of a gate, in the order of the drafts; without a gate's name there
// is none.
func (w *planner) askGates(ctx context.Context, own []Gate) [][]Verdict {
	requests := make([]*GateRequest, len(w.drafts))
	total, names := 0, make([]string, len(w.drafts))
	for i, c := range w.drafts {
		names[i] = c.plan.Service
	}
	for i, c := range w.drafts {
		if requests[i] = w.gateRequest(c); requests[i] != nil {
			requests[i].Services = slices.Clip(names) // one list for all: no square of them
			total += len(own)
		}
	}
	says := make([][]Verdict, len(own))
	done := w.progress("asking gates", total)
	var lock sync.Mutex
	var wait sync.WaitGroup
	places := make(chan struct{}, manyGates)
	for n, g := range own {
		says[n] = make([]Verdict, len(requests))
		for i, q := range requests {
			if q == nil {
				continue
			}
			places <- struct{}{}
			wait.Go(func() {
				says[n][i] = AskGate(ctx, g, *q)
				<-places
				lock.Lock()
				defer lock.Unlock()
				done()
			})
		}
	}
	wait.Wait()
	return says
}

// gateRequest asks about what would change of a service; nil where nothing would.
func (w *planner) gateRequest(c *draft) *GateRequest {
	q := &GateRequest{Service: c.plan.Service, From: w.from.Name, To: w.to.Name, Images: []ImagePlan{}, Head: w.plan.Head, Now: w.plan.judged}
	for _, i := range c.all() {
		image := i.plan
		if image.New = w.pinned(i); i.create || image.New != image.Old {
			q.Images = append(q.Images, image)
		}
	}
	for _, p := range c.parts {
		q.Along, q.Files = append(q.Along, p.along.plans...), append(q.Files, p.plan.Target)
	}
	for _, p := range c.plan.Copies {
		q.Files = append(q.Files, p.Target)
	}
	brought, err := w.brought(q.Service)
	for _, f := range brought {
		q.Files = append(q.Files, f.Path)
	}
	changed := func(p CopyPlan) bool { return p.Changed }
	if len(q.Images)+len(q.Along)+len(brought) == 0 && err == nil && !slices.ContainsFunc(c.plan.Copies, changed) {
		return nil
	}
	for _, s := range w.Pipeline.Spec.Services {
		if s.Name == q.Service {
			q.Labels = s.Labels
		}
	}
	q.Edits = w.edited(c)
	if w.carrier != nil {
		q.Edits = func() ([]File, error) { return brought, err }
	}
	return q
}

// AskGate asks a gate within its limit; a gate that panics does not know, nor does one that
// does not heed its limit, which is left behind.
func AskGate(ctx context.Context, g Gate, q GateRequest) Verdict {
	limit := GateLimit
	if l, ok := g.(interface{ Limit() time.Duration }); ok {
		limit = cmp.Or(l.Limit(), limit)
	}
	v, err := parallel.Within(ctx, limit, func(ctx context.Context) Verdict { return g.Check(ctx, q) })
	switch {
	case err == nil:
	case errors.Is(err, parallel.ErrLate) && ctx.Err() != nil:
		v = Verdict{Answer: Unknown, Reason: "there was no time left for the gate's answer"}
	case errors.Is(err, parallel.ErrLate):
		v = Verdict{Answer: Unknown, Reason: fmt.Sprintf("the gate gave no answer within %s", limit)}
	default:
		v = Verdict{Answer: Unknown, Reason: "the gate has failed: " + err.Error()}
	}
	return v.by(g.Name())
}

// by is the verdict as one that a gate has given.
func (v Verdict) by(gate string) Verdict {
	v.Gate = gate
	if !slices.Contains([]Answer{Pass, Fail, Wait, Unknown}, v.Answer) {
		v.Answer, v.Reason = Unknown, "the gate has given no answer"
	}
	if v.Answer != Wait {
		v.Until = time.Time{}
	}
	return v
}

// takeVerdicts puts what a gate has said into the drafts. Whoever goes past it does so
// with a reason, aloud.
func (w *planner) takeVerdicts(g Gate, says []Verdict) {
	for i, v := range says {
		if v.Gate == "" {
			continue
		}
		if reason := w.req.Override[g.Name()]; reason != "" && v.Answer != Pass {
			if until := w.req.OverrideUntil; until.IsZero() || w.plan.judged.Before(until) {
				v.Answer, v.Override, v.OverrideUntil, v.OverrideBy, v.Until = Pass, reason, until, w.req.OverrideBy, time.Time{}
			}
		}
		plan := w.drafts[i].plan
		if v.Override != "" {
			plan.Warnings = append(plan.Warnings, fmt.Sprintf("NOT met: %s: %s; overridden: %s", v.Gate, v.Text(), v.Override))
		}
		plan.Verdicts = append(plan.Verdicts, v)
	}
}

// checkAge refuses a plan whose gates were asked so long ago that they might say
// something else now.
func (p *Promoter) checkAge(plan *Plan) error {
	age := p.now().Sub(plan.judged)
	for _, s := range plan.Services {
		for _, v := range s.Verdicts {
			if !v.OverrideUntil.IsZero() && !p.now().Before(v.OverrideUntil) {
				return failure("promote again", "the override of gate %q has ended at %s", v.Gate, v.OverrideUntil.UTC().Format(time.RFC3339))
			}
		}
	}
	if age <= gatesHold || plan.judged.IsZero() {
		return nil
	}
	return failure("promote again", "the gates were asked %s ago, and may say something else now", age.Round(time.Second))
}
