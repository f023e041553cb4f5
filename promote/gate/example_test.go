package gate_test

import (
	"context"
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/gate"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// A gate says why it does not let something pass, and until when.
func ExampleNew() {
	weekend := pipeline.Window{Schedule: "0 16 * * 5", Duration: "64h", TimeZone: "UTC", Reason: "weekend"}
	g, err := gate.New(pipeline.Gate{Freeze: &pipeline.FreezeGate{Deny: []pipeline.Window{weekend}}}, gate.Deps{})
	if err != nil {
		fmt.Println(err)
		return
	}
	q := promote.GateRequest{Service: "cart", From: "staging", To: "production", Now: time.Date(2026, 11, 27, 17, 0, 0, 0, time.UTC)}
	v := g.Check(context.Background(), q)
	fmt.Println(g.Name(), v.Answer, v.Reason)
	// Output:
	// freeze wait frozen (weekend) until 2026-11-30 08:00 UTC
}

// lunch is a gate of one's own: nobody promotes at noon.
type lunch struct{}

func (lunch) Name() string { return "lunch" }

func (lunch) Check(_ context.Context, q promote.GateRequest) promote.Verdict {
	if q.Now.Hour() == 12 {
		return promote.Verdict{Answer: promote.Wait, Reason: "it is noon", Until: q.Now.Truncate(time.Hour).Add(time.Hour)}
	}
	return promote.Verdict{Answer: promote.Pass}
}

// Gates of one's own stand behind those of the pipeline's file.
func ExampleOf() {
	of := gate.Of(gate.Deps{})
	p := &promote.Promoter{Gates: func(to *pipeline.Environment) ([]promote.Gate, error) {
		all, err := of(to)
		return append(all, lunch{}), err
	}}
	all, err := p.Gates(&pipeline.Environment{Name: "production", Gates: []pipeline.Gate{{Manual: &pipeline.ManualGate{}}}})
	for _, g := range all {
		fmt.Println(g.Name(), err)
	}
	// Output:
	// manual <nil>
	// lunch <nil>
}
