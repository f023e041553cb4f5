// Package waves brings a promotion of several services, or to several environments, in
// steps: a service comes behind those that it depends on, once these are healthy where
// they have come to, and an environment behind those of its group that the pipeline lists
// before it.
//
// [Steps] plans them, and [Runner.Run] carries them out. What deploys the services may have
// an order of its own: [Contradictions] finds where that is another one.
package waves

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Step is what is delivered at once.
type Step struct {
	Environment string
	Services    []string
	// Wave is which of the environment's waves it is, from 1, and Waves how many there are.
	Wave, Waves int
}

// String names the step for people.
func (s Step) String() string {
	if s.Waves > 1 {
		return fmt.Sprintf("wave %d of %d in %s", s.Wave, s.Waves, s.Environment)
	}
	return s.Environment
}

// Of parts services into waves. In each are those that depend on none of the later ones, be
// it through others that are not among them. The pipeline has no circles: pipeline.Parse
// refuses them.
func Of(p *pipeline.Pipeline, services []string) [][]string {
	on := make(map[string][]string)
	for _, s := range p.Spec.Services {
		on[s.Name] = s.DependsOn
	}
	asked := make(map[string]bool)
	for _, s := range services {
		asked[s] = true
	}
	depth := make(map[string]int)
	var visit func(string) int // how many waves come before what depends on the service
	visit = func(service string) int {
		if n, known := depth[service]; known {
			return n
		}
		depth[service] = 0
		most := 0
		for _, other := range on[service] {
			most = max(most, visit(other))
		}
		if asked[service] {
			most++
		}
		depth[service] = most
		return most
	}
	var out [][]string
	for _, s := range p.InOrder(services) {
		n := visit(s)
		for len(out) < n {
			out = append(out, nil)
		}
		out[n-1] = append(out[n-1], s)
	}
	return out
}

// Steps gives the steps of a promotion of services to environments, in the order of both.
func Steps(p *pipeline.Pipeline, services []string, targets []*pipeline.Environment) []Step {
	waves := Of(p, services)
	var out []Step
	for _, e := range targets {
		for n, wave := range waves {
			out = append(out, Step{e.Name, wave, n + 1, len(waves)})
		}
	}
	return out
}

// Health tells how services are in an environment.
type Health interface {
	// Health is Pass where all are healthy and are what was delivered; Wait while they may
	// still become so. It is asked again and again.
	Health(ctx context.Context, services []string, environment string) promote.Verdict
}

// Runner carries out steps.
type Runner struct {
	// Deliver carries out one step. It tells whether all of it is delivered: what is
	// refused, or still waits when the time is over, is not, and ends it.
	Deliver func(ctx context.Context, s Step) (delivered bool, err error)
	// Health is asked between two steps.
	Health Health
	// Now and Sleep are the clock.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	// Says, if not nil, is told what is waited for.
	Says func(s Step, v promote.Verdict)
}

// Stopped says why not all steps were carried out.
type Stopped struct {
	// After is the step that was delivered last, and Left those that were not.
	After Step
	Left  []Step
	// Verdict is on the health of After; of no answer where the next step itself was not
	// delivered.
	Verdict promote.Verdict
}

// Error names what is done and what is not.
func (s *Stopped) Error() string {
	var left []string
	for _, l := range s.Left {
		left = append(left, fmt.Sprintf("%s (%s)", l, strings.Join(l.Services, ", ")))
	}
	return fmt.Sprintf("%s is delivered: %s; not delivered: %s", s.After, s.Verdict.Text(), strings.Join(left, "; "))
}

// How often health is asked for, and how often in a row it may be unknown.
const (
	askUsually  = 5 * time.Second
	askLatest   = 30 * time.Second
	askSoonest  = time.Second
	mostUnknown = 5
)

// Run carries out steps one after the other, each once the one before is healthy. A step
// that is not delivered ends it without an error: who delivers has said why. So does the end
// of the context's time with a *[Stopped], whose verdict is then the last one.
func (r *Runner) Run(ctx context.Context, steps []Step) error {
	for n, s := range steps {
		delivered, err := r.Deliver(ctx, s)
		if err != nil || !delivered || n+1 == len(steps) {
			return err
		}
		if v := r.await(ctx, s); v.Answer != promote.Pass {
			return &Stopped{s, slices.Clone(steps[n+1:]), v}
		}
	}
	return nil
}

// await asks for health until it is there, or is not to be had.
func (r *Runner) await(ctx context.Context, s Step) promote.Verdict {
	unknown := 0
	var last promote.Verdict
	for {
		v := r.Health.Health(ctx, s.Services, s.Environment)
		if last.Answer == promote.Wait && errors.Is(ctx.Err(), context.DeadlineExceeded) && v.Answer == promote.Unknown {
			return last // whoever is asked when the time is over says nothing
		}
		last = v
		switch v.Answer {
		case promote.Pass, promote.Fail:
			return v
		case promote.Wait:
			unknown = 0
		default:
			if unknown++; unknown == mostUnknown {
				return v
			}
		}
		if r.Says != nil {
			r.Says(s, v)
		}
		pause := askUsually
		if !v.Until.IsZero() {
			pause = min(max(v.Until.Sub(r.Now()), askSoonest), askLatest)
		}
		if err := r.Sleep(ctx, pause); err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				v = promote.Verdict{Answer: promote.Unknown, Reason: "it was interrupted"}
			}
			return v
		}
	}
}
