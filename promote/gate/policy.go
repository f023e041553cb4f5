package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/policy"
)

// policyGate refuses objects that rules of the repository have something against.
type policyGate struct {
	cfg  *pipeline.PolicyGate
	deps Deps

	mu  sync.Mutex
	set *policy.Set
}

// rules compiles the rules, once.
func (g *policyGate) rules(ctx context.Context) (*policy.Set, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.set != nil {
		return g.set, nil
	}
	set, err := policy.Load(ctx, g.deps.Tree, policy.Source{Rego: g.cfg.Rego, CEL: g.cfg.CEL, Namespaces: g.cfg.Namespaces, Data: g.cfg.Data})
	if err == nil {
		g.set = set
	}
	return set, err
}

func (g *policyGate) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	if g.deps.Tree == nil {
		return unknown("there is no repository to read the rules from")
	}
	set, err := g.rules(ctx)
	if err != nil {
		return cannot(err)
	}
	before, after, v := g.deps.render(ctx, q)
	if v != nil {
		return *v
	}
	promotion, err := asMap(q)
	if err != nil {
		return cannot(err)
	}
	found, err := set.Check(ctx, before, after, promotion)
	if err != nil {
		return cannot(err)
	}
	var findings, warnings []string
	for _, f := range found {
		if f.Warn {
			warnings = append(warnings, f.String())
		} else {
			findings = append(findings, f.String())
		}
	}
	switch {
	case len(findings) > 0:
		v := refuse(q, findings)
		v.Advice = promote.Advice{} // no difference need be at fault
		return v
	case len(warnings) > 0:
		return pass("nothing against it, but: %s", refuse(q, warnings).Reason)
	}
	return pass("nothing against %d objects", len(after))
}

// cannot is the verdict where rules or schemas cannot be read.
func cannot(err error) promote.Verdict {
	v := unknown("%s", fault.OneLine(err.Error()))
	v.Hint = fault.HintOf(err)
	return v
}

// asMap is what a gate is asked as rules see it.
func asMap(q promote.GateRequest) (map[string]any, error) {
	data, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("what is promoted cannot be written as JSON: %w", err)
	}
	var out map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	err = dec.Decode(&out)
	return out, err
}
