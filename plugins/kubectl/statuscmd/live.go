package statuscmd

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// mostAtOnce is how many services are asked about side by side.
const mostAtOnce = 8

// addLive asks the clusters of the environments that say where their health is seen, as the
// health gate does: whether what stands in the files is healthy and is what runs.
func (o *options) addLive(ctx context.Context, w *cli.Workspace, statuses []status.Service) error {
	gates := make(map[string]promote.Gate)
	for _, e := range w.Pipeline.Spec.Environments {
		g, err := o.session.HealthGate(w.Promoter, e.Name)
		if err != nil {
			return err
		}
		if g != nil {
			gates[e.Name] = g
		}
	}
	if len(gates) == 0 {
		return &promote.Error{Msg: "no environment says where its health is seen", Hint: "health: {context: CONTEXT, kind: Deployment} below an environment of " + pipeline.FileName}
	}
	var names []string
	for _, st := range statuses {
		names = append(names, st.Service)
	}
	now := time.Now()
	places := make(chan struct{}, mostAtOnce)
	var wait sync.WaitGroup
	for n := range statuses {
		for m := range statuses[n].Environments {
			e := &statuses[n].Environments[m]
			g := gates[e.Environment]
			if g == nil || !e.Exists || e.Error != "" || len(e.Images)+len(e.Along) == 0 {
				continue
			}
			q := promote.GateRequest{Service: statuses[n].Service, From: e.Environment, To: e.Environment, Images: imagesOf(e), Now: now, Services: names}
			places <- struct{}{}
			wait.Go(func() {
				defer func() { <-places }()
				v := promote.AskGate(ctx, g, q)
				e.Live = &status.Live{Answer: string(v.Answer), Reason: v.Text(), Hint: v.Hint}
			})
		}
	}
	wait.Wait()
	return ctx.Err()
}

// imagesOf are the pins of an environment as a promotion would bring them.
func imagesOf(e *status.Environment) []promote.ImagePlan {
	var all []promote.ImagePlan
	for _, i := range e.Images {
		if i.Unknown == "" {
			all = append(all, promote.ImagePlan{Name: i.Name, File: i.File, Repository: i.Repository, Old: i.Pin, New: i.Pin})
		}
	}
	return all
}

// states are what the board calls the answers.
var states = map[promote.Answer]string{promote.Pass: "healthy", promote.Wait: "waiting", promote.Fail: "failed", promote.Unknown: "unknown"}

// state is an environment's state as the board has it; "" where none was asked for.
func state(e status.Environment) string {
	if e.Live == nil {
		return ""
	}
	return states[promote.Answer(e.Live.Answer)]
}

// explainLive says below the board why what is not healthy is not.
func (o *options) explainLive(shown []status.Service) {
	var facts []cli.Fact
	for _, st := range shown {
		for _, e := range st.Environments {
			if e.Live == nil || e.Live.Answer == string(promote.Pass) {
				continue
			}
			facts = append(facts, cli.Fact{Text: fmt.Sprintf("%s in %s: %s: %s", st.Service, e.Environment, state(e), e.Live.Reason), Hint: e.Live.Hint})
		}
	}
	o.session.PrintFacts(facts)
}

// unseen tells that the state of something could not be told.
func unseen(statuses []status.Service) bool {
	return slices.ContainsFunc(statuses, func(st status.Service) bool {
		return slices.ContainsFunc(st.Environments, func(e status.Environment) bool { return e.Live != nil && e.Live.Answer == string(promote.Unknown) })
	})
}
