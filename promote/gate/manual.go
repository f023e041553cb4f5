package gate

import (
	"cmp"
	"context"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// manual passes what a person has said yes to. It asks nobody itself: a person is asked
// with the whole plan before their eyes, which there is not yet while gates are asked.
type manual struct {
	cfg       *pipeline.ManualGate
	confirmed func(promote.GateRequest) bool
}

func (m *manual) check(_ context.Context, q promote.GateRequest) promote.Verdict {
	question := cmp.Or(m.cfg.Question, "is "+q.Service+" to go to "+q.To+"?")
	if m.confirmed != nil && m.confirmed(q) {
		return pass("%s yes, on a terminal", question)
	}
	v := say(promote.Wait, "somebody has to say yes on a terminal: %s", question)
	v.Advice = promote.Advice{Do: promote.DoConfirm, With: map[string]string{"service": q.Service, "to": q.To}}
	return v
}
