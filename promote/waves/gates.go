package waves

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Gate is a Health that asks a gate of each environment about what was delivered to it.
type Gate struct {
	// Of gives the gate that sees how services are in an environment; nil where the
	// pipeline does not say where that is seen.
	Of func(environment string) (promote.Gate, error)
	// Now is the clock.
	Now func() time.Time

	mu        sync.Mutex
	delivered map[string]*promote.ServicePlan // by environment and service
	heads     map[string]string               // by environment
}

// sideBySide bounds how many services are asked about at once.
const sideBySide = 32

// Delivered notes what a plan has brought, and the commit that it is in: that is what must
// be healthy. What the plan refuses has not come.
func (g *Gate) Delivered(plan *promote.Plan, commit string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.delivered == nil {
		g.delivered, g.heads = make(map[string]*promote.ServicePlan), make(map[string]string)
	}
	g.heads[plan.To] = commit
	for _, s := range plan.Services {
		proposed := plan.Mode == pipeline.DeliverPullRequest && s.Answer() == promote.Wait // and merged since
		if s.Answer() != promote.Pass && !proposed {
			continue
		}
		g.delivered[plan.To+"\n"+s.Service] = s
	}
}

// Health implements [Health].
func (g *Gate) Health(ctx context.Context, services []string, environment string) promote.Verdict {
	one, err := g.Of(environment)
	switch {
	case err != nil:
		return promote.Verdict{Answer: promote.Unknown, Reason: err.Error()}
	case one == nil:
		return promote.Verdict{Answer: promote.Unknown, Reason: fmt.Sprintf("environment %q does not say where its health is seen", environment)}
	}
	says := make([]promote.Verdict, len(services))
	places := make(chan struct{}, sideBySide)
	var wait sync.WaitGroup
	for n, service := range services {
		g.mu.Lock()
		s, head := g.delivered[environment+"\n"+service], g.heads[environment]
		g.mu.Unlock()
		if s == nil {
			says[n] = promote.Verdict{Answer: promote.Unknown, Reason: "it was not delivered"}
			continue
		}
		// The gate is one of a promotion from there: it sees what stands there now.
		q := promote.GateRequest{Service: service, From: environment, To: environment, Images: s.Images, Head: head, Now: g.Now(), Services: services}
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			says[n] = promote.AskGate(ctx, one, q)
		})
	}
	wait.Wait()
	return worst(services, says)
}

// worst joins what is said of several services.
func worst(services []string, says []promote.Verdict) promote.Verdict {
	var answers []promote.Answer
	for _, v := range says {
		answers = append(answers, v.Answer)
	}
	all := promote.Verdict{Answer: promote.Worst(answers...)}
	var reasons []string
	for n, v := range says {
		if v.Answer != all.Answer {
			continue
		}
		reasons = append(reasons, services[n]+": "+v.Text())
		if all.Hint == "" {
			all.Hint, all.Advice = v.Hint, v.Advice
		}
		if !v.Until.IsZero() && (all.Until.IsZero() || v.Until.Before(all.Until)) {
			all.Until = v.Until
		}
	}
	const most = 3
	if more := len(reasons) - most; more > 0 {
		reasons = append(reasons[:most], fmt.Sprintf("and %d more", more))
	}
	all.Reason = strings.Join(reasons, "; ")
	return all
}
