package promote

import (
	"errors"
	"slices"
)

// gatePlan is the gate of a verdict about a service that could not be planned.
const gatePlan = "plan"

// setAside takes errors about one service. Where all services are asked for the others
// are planned and shown all the same, and it returns nil; else it returns the errors.
func (w *planner) setAside(service string, errs ...error) error {
	err := errors.Join(errs...)
	if err == nil || !w.several && !w.req.SkipRefused {
		return err
	}
	if w.aside == nil {
		w.aside = make(map[string][]error)
	}
	for _, e := range errs {
		if e != nil {
			w.aside[service] = append(w.aside[service], e)
		}
	}
	w.drafts = slices.DeleteFunc(w.drafts, func(c *draft) bool { return c != nil && c.plan.Service == service })
	return nil
}

// assemble puts the services into the plan in the order in which they were named.
// Where none could be planned there is no plan.
func (w *planner) assemble() error {
	if len(w.drafts) == 0 && len(w.aside) > 0 {
		var errs []error
		for _, name := range w.names {
			errs = append(errs, w.aside[name]...)
		}
		return errors.Join(errs...)
	}
	plans := make(map[string]*ServicePlan)
	for _, c := range w.drafts {
		plans[c.plan.Service] = c.plan
	}
	for name, errs := range w.aside {
		p := &ServicePlan{Service: name, Images: []ImagePlan{}, failed: errs}
		for _, err := range errs {
			v := Verdict{Gate: gatePlan, Answer: Unknown, Reason: err.Error()}
			var hinted interface{ HintText() string }
			if errors.As(err, &hinted) {
				v.Hint = hinted.HintText()
			}
			if mine, ok := errors.AsType[*Error](err); ok {
				v.Hint, v.Advice = mine.Hint, mine.Advice
			}
			p.Verdicts = append(p.Verdicts, v)
		}
		plans[name] = p
	}
	w.plan.Answer = Worst()
	for _, name := range w.names {
		if p := plans[name]; p != nil {
			w.plan.Services = append(w.plan.Services, p)
			w.plan.Answer = Worst(w.plan.Answer, p.Answer())
		}
	}
	return nil
}

// Failed gives the errors of services that could not be planned, where all were asked
// for; nil where there are none. Such a plan's answer is not [Pass].
func (p *Plan) Failed() error {
	var errs []error
	for _, s := range p.Services {
		errs = append(errs, s.failed...)
	}
	return errors.Join(errs...)
}
