package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/hold"
)

// manyGates bounds how many questions to gates are open at once.
const manyGates = 1024

// group is what gates are asked about at once: the images of a service that come from one
// environment.
type group struct {
	service, to, from string
	back              bool // it is a way back
}

// gates asks the gates of the environments that something is promoted or comes in to, or
// those that a way back must pass, once for all images of a service.
func (w *work) gates(ctx context.Context) error {
	groups := make(map[group][]int)
	var order []group
	services := make(map[string][]string) // by environment
	for n, c := range w.report.Changes {
		if c.Kind != Promotion && c.Kind != Entry && c.Kind != Rollback {
			continue
		}
		g := group{c.Service, c.Environment, cmp.Or(c.From, c.Environment), c.Kind == Rollback}
		if groups[g] == nil {
			order, services[g.to] = append(order, g), append(services[g.to], g.service)
		}
		groups[g] = append(groups[g], n)
	}
	var wait sync.WaitGroup
	places := make(chan struct{}, manyGates)
	type asked struct {
		to   string
		back bool
	}
	made := make(map[asked][]promote.Gate)
	says := make([][]promote.Verdict, len(order))
	for n, g := range order {
		own, ok := made[asked{g.to, g.back}]
		if !ok {
			var err error
			if own, err = w.ownGates(g.to, g.back); err != nil {
				return err
			}
			made[asked{g.to, g.back}] = own
		}
		q := promote.GateRequest{Service: g.service, From: g.from, To: g.to, Head: w.Promoter.Rules.Commit, Now: w.now(), Services: services[g.to], Base: w.req.Base, Heads: w.req.Heads, Before: w.req.Before, After: w.req.After}
		for _, at := range groups[g] {
			c := w.report.Changes[at]
			q.Files = append(q.Files, c.File)
			q.Images = append(q.Images, promote.ImagePlan{Name: c.Name, File: c.File, Repository: c.Repository, Unknown: c.pin.Unknown, Old: c.Old, New: c.New})
		}
		for _, s := range w.Pipeline.Spec.Services {
			if s.Name == g.service {
				q.Labels = s.Labels
			}
		}
		says[n] = make([]promote.Verdict, len(own))
		for i, one := range own {
			places <- struct{}{}
			wait.Go(func() {
				says[n][i] = advised(promote.AskGate(ctx, one, q))
				<-places
			})
		}
	}
	wait.Wait()
	for n, g := range order {
		for _, at := range groups[g] {
			w.report.Changes[at].Verdicts = append(w.report.Changes[at].Verdicts, says[n]...)
		}
	}
	return nil
}

// holds says what the file of holds, as the rules have it, keeps where it is. A way back
// goes past it, aloud.
func (w *work) holds() error {
	data, err := w.req.Rules.ReadFile(hold.FileName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	list, err := hold.Parse(hold.FileName, data, w.Pipeline)
	if err != nil {
		return err
	}
	for n := range w.report.Changes {
		c := &w.report.Changes[n]
		to, err := w.Pipeline.Environment(c.Environment)
		if err != nil {
			continue // of what nobody can read
		}
		h, held := list.For(c.Service, to, w.now())
		switch {
		case !held || c.Kind == Retag || c.Kind == Unread:
		case c.Kind == Rollback:
			if text := fmt.Sprintf("%s in %s: %s; a rollback goes past that", c.Service, c.Environment, h); !slices.Contains(w.report.Warnings, text) {
				w.report.Warnings = append(w.report.Warnings, text)
			}
		default:
			v := promote.Verdict{Gate: gateHold, Answer: promote.Fail, Reason: h.String()}
			v.Advice = promote.Advice{Do: promote.DoUnhold, With: map[string]string{"service": h.Service, "env": h.Environment}}
			if !h.Until.IsZero() {
				v.Answer, v.Until = promote.Wait, h.Until
			}
			c.Verdicts = append(c.Verdicts, v)
		}
	}
	return nil
}

// ownGates gives the gates of an environment beside promoted. Where nobody can make them
// they do not know.
func (w *work) ownGates(name string, back bool) ([]promote.Gate, error) {
	to, err := w.Pipeline.Environment(name)
	if err != nil {
		return nil, err
	}
	if back {
		if to = to.ForRollback(); len(to.Gates) == 0 {
			return nil, nil
		}
	}
	if w.Promoter.Gates != nil {
		return w.Promoter.Gates(to)
	}
	var out []promote.Gate
	for _, g := range to.Gates {
		if g.Promoted == nil {
			out = append(out, nobody(g.Title()))
		}
	}
	return out, nil
}

// nobody is a gate of which only the name is known.
type nobody string

// Name implements [promote.Gate].
func (n nobody) Name() string { return string(n) }

// Check implements [promote.Gate].
func (nobody) Check(context.Context, promote.GateRequest) promote.Verdict {
	return promote.Verdict{Answer: promote.Unknown, Reason: "there is nobody here to ask it"}
}

// advised is a verdict without advice that is about a promotion still to be made.
func advised(v promote.Verdict) promote.Verdict {
	switch v.Advice.Do {
	case promote.DoAwait, promote.DoOverride, promote.DoDiff:
		v.Advice = promote.Advice{}
	}
	return v
}

func (w *work) now() time.Time {
	if w.Now == nil {
		return time.Now()
	}
	return w.Now()
}
