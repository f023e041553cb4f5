package gate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/expression"
	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/cluster"
	"github.com/kubepromote/kubepromote/promote/internal/condition"
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Deps are what gates are made with. What is not there makes those gates unknown that
// need it.
type Deps struct {
	// Tree has the files that gates name: calendars, and the programs of the repository
	// as they are committed.
	Tree promote.Tree
	// Root is the directory of the working tree, in which commands are run. Where it is
	// empty none is.
	Root string
	// AllowExec tells whether the user lets this repository run commands. A repository
	// cannot allow it itself: whoever only looks at what a clone would promote does not
	// want to run what it says.
	AllowExec func(context.Context) bool
	// Client sends requests; nil where nobody may be asked. See [NewClient].
	Client *http.Client
	// History reads what has stood in an environment.
	History *History
	// Elsewhere makes what is asked by gates that other packages know; nil where it does
	// not know the gate.
	Elsewhere func(pipeline.Gate) Asks
	// Clusters tell how services are; nil where none may be asked.
	Clusters *cluster.Clusters
	// Pipeline is the one whose environments say where their health is seen.
	Pipeline *pipeline.Pipeline
	// Contains tells whether a commit is in the history of a revision, or is it. An error
	// is why that cannot be told: the clone lacks the revision.
	Contains func(ctx context.Context, commit, revision string) (bool, error)
	// Renderer gives the objects that are applied; nil where nothing is rendered.
	Renderer Renderer
	// Confirmed tells whether a person has said yes to what is asked about.
	Confirmed func(promote.GateRequest) bool
	// LookupEnv, if not nil, stands for os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// Sleep, if not nil, is how requests wait before they are sent again.
	Sleep func(ctx context.Context, d time.Duration) error

	health []*health // the gates of the environment that soak counts from
}

// Of gives a function for [promote.Promoter.Gates] that makes the gates of environments.
func Of(d Deps) func(*pipeline.Environment) ([]promote.Gate, error) {
	return func(to *pipeline.Environment) ([]promote.Gate, error) {
		d := d
		for _, cfg := range to.Gates {
			if cfg.Health != nil {
				d.health = append(d.health, &health{cfg.Health, d})
			}
		}
		var all []promote.Gate
		var errs []error
		for _, cfg := range to.Gates {
			if cfg.Promoted != nil {
				continue
			}
			g, err := New(cfg, d)
			all, errs = append(all, g), append(errs, err)
		}
		return all, errors.Join(errs...)
	}
}

// New makes a gate of what a pipeline file says, promoted excepted, which is none of its
// own. An error is about a file that the gate names, or about a pipeline that was not
// parsed by [pipeline.Parse].
func New(cfg pipeline.Gate, d Deps) (promote.Gate, error) {
	if d.LookupEnv == nil {
		d.LookupEnv = os.LookupEnv
	}
	if d.Sleep == nil {
		d.Sleep = sleep
	}
	return newRule(cfg, d)
}

// Asks is what a gate of another package asks.
type Asks func(ctx context.Context, q promote.GateRequest) promote.Verdict

func (a Asks) check(ctx context.Context, q promote.GateRequest) promote.Verdict { return a(ctx, q) }

// checker is what a gate asks, without how it is asked.
type checker interface {
	check(ctx context.Context, q promote.GateRequest) promote.Verdict
}

// rule is a gate of a pipeline file.
type rule struct {
	cfg  pipeline.Gate
	asks checker
	when *expression.Program
}

func newRule(cfg pipeline.Gate, d Deps) (*rule, error) {
	r := &rule{cfg: cfg}
	var err error
	switch {
	case cfg.Freeze != nil:
		r.asks, err = newFreeze(cfg.Freeze, d)
	case cfg.Soak != nil:
		r.asks = &soak{cfg.Soak, d.History, d.health}
	case cfg.Health != nil:
		r.asks = &health{cfg.Health, d}
	case cfg.HTTP != nil:
		r.asks, err = newHTTP(cfg.HTTP, d)
	case cfg.Metric != nil:
		r.asks = &metric{cfg: cfg.Metric, deps: d}
	case cfg.Exec != nil:
		r.asks = newCommand(cfg.Exec, d)
	case cfg.Manual != nil:
		r.asks = &manual{cfg.Manual, d.Confirmed}
	case cfg.Rendered != nil:
		r.asks, err = newRendered(cfg.Rendered, d)
	case cfg.References != nil:
		r.asks = &referencesGate{cfg.References, d}
	case cfg.Resources != nil:
		r.asks, err = newResources(cfg.Resources, d)
	case cfg.Policy != nil:
		r.asks = &policyGate{cfg: cfg.Policy, deps: d}
	case cfg.Schema != nil:
		r.asks = &schemaGate{cfg: cfg.Schema, deps: d}
	case cfg.AnyOf != nil:
		r.asks, err = newAnyOf(cfg.AnyOf, d)
	case cfg.Approvals != nil, cfg.CommitStatus != nil:
		r.asks = elsewhere(cfg, d)
	default:
		err = fmt.Errorf("gate %q is none that is made here", cfg.Title())
	}
	if err == nil && cfg.When != "" {
		r.when, err = condition.When(cfg.When)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// elsewhere is what a gate of another package asks. Where nobody makes it, it does not
// know.
func elsewhere(cfg pipeline.Gate, d Deps) Asks {
	if d.Elsewhere != nil {
		if made := d.Elsewhere(cfg); made != nil {
			return made
		}
	}
	return func(context.Context, promote.GateRequest) promote.Verdict {
		return unknown("there is nobody here to ask it")
	}
}

// Name implements [promote.Gate].
func (r *rule) Name() string { return r.cfg.Title() }

// Overridable tells whether the file lets somebody go past the gate.
func (r *rule) Overridable() bool { return r.cfg.Overridable }

// Limit is how long the gate may take.
func (r *rule) Limit() time.Duration {
	if any, ok := r.asks.(anyOf); ok && r.cfg.Timeout == "" {
		total := time.Duration(0)
		for _, one := range any {
			total += one.Limit()
		}
		return total
	}
	if r.cfg.Timeout == "" {
		return pipeline.DefaultTimeout
	}
	return r.cfg.Timeout.Time()
}

// letThrough stands in a record for a gate that stops nothing.
const letThrough = "warnOnly in the pipeline"

// Check implements [promote.Gate].
func (r *rule) Check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	v := r.verdict(ctx, q)
	if r.cfg.Overridable && v.Answer != promote.Pass && v.Hint == "" && v.Advice.Do == "" {
		v.Advice = promote.Advice{Do: promote.DoOverride, With: map[string]string{"gate": r.Name(), "service": q.Service}}
	}
	if r.cfg.WarnOnly && v.Answer != promote.Pass {
		v.Answer, v.Override = promote.Pass, letThrough
	}
	return v
}

func (r *rule) verdict(ctx context.Context, q promote.GateRequest) promote.Verdict {
	if r.when == nil {
		return r.asks.check(ctx, q)
	}
	applies, err := r.when.Holds(ctx, variables(q))
	switch {
	case err != nil:
		v := unknown("when %s: %s", r.cfg.When, fault.OneLine(err.Error()))
		if strings.Contains(err.Error(), "no such key") {
			v.Hint = `"tier" in labels && labels.tier == "gold"`
		}
		return v
	case !applies:
		return pass("not asked, as %s does not hold", r.cfg.When)
	}
	return r.asks.check(ctx, q)
}

// variables are those of when.
func variables(q promote.GateRequest) map[string]any {
	labels := q.Labels
	if labels == nil {
		labels = map[string]string{}
	}
	images := []any{}
	for _, i := range q.Images {
		images = append(images, map[string]any{
			"name": i.Name, "repository": i.Repository,
			"tag": i.New.Tag, "digest": i.New.Digest, "oldTag": i.Old.Tag, "oldDigest": i.Old.Digest,
		})
	}
	return map[string]any{condition.Service: q.Service, condition.Environment: q.To, condition.From: q.From, condition.Images: images, condition.Labels: labels}
}

// fill puts what is promoted in the place of a template's holes.
func fill(template string, q promote.GateRequest) string {
	return location.Fill(template, location.Holes{location.Service: q.Service, location.Environment: q.To, "from": q.From})
}

// anyOf passes where one of several gates does. They are asked in their order, and none
// behind the first that passes.
type anyOf []*rule

func newAnyOf(all []pipeline.Gate, d Deps) (anyOf, error) {
	var out anyOf
	for _, cfg := range all {
		r, err := newRule(cfg, d)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func (a anyOf) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	worse := []promote.Answer{promote.Fail, promote.Unknown, promote.Wait}
	none := promote.Verdict{Answer: promote.Fail}
	var reasons []string
	for _, one := range a {
		inner, cancel := context.WithTimeout(ctx, one.Limit())
		v := one.verdict(inner, q)
		cancel()
		if v.Answer == promote.Pass {
			v.Reason = one.Name() + ": " + v.Reason
			return v
		}
		reasons = append(reasons, fmt.Sprintf("%s: %s: %s", one.Name(), v.Answer, v.Text()))
		if v.Answer == promote.Wait && !v.Until.IsZero() && (none.Until.IsZero() || v.Until.Before(none.Until)) {
			none.Until = v.Until
		}
		if slices.Index(worse, v.Answer) > slices.Index(worse, none.Answer) {
			none.Answer = v.Answer
		}
		if none.Hint == "" && none.Advice.Do == "" {
			none.Hint, none.Advice = v.Hint, v.Advice
		}
	}
	none.Reason = "none passes: " + strings.Join(reasons, "; ")
	return none
}

// soon is how far the end of a wait may be away to be waited for by a command.
const soon = time.Hour

// until is a wait whose end is known.
func until(t time.Time, q promote.GateRequest, reason string) promote.Verdict {
	v := promote.Verdict{Answer: promote.Wait, Until: t, Reason: reason}
	if t.Sub(q.Now) <= soon {
		v.Advice = promote.Advice{Do: promote.DoAwait, With: map[string]string{"service": q.Service}}
	}
	return v
}

// short is a digest as messages have it: the record has it whole beside them.
func short(digest string) string {
	if digest == "" {
		return ""
	}
	return promote.Pin{Digest: digest}.Short()
}

func say(a promote.Answer, format string, args ...any) promote.Verdict {
	return promote.Verdict{Answer: a, Reason: fmt.Sprintf(format, args...)}
}

func pass(format string, args ...any) promote.Verdict { return say(promote.Pass, format, args...) }

func unknown(format string, args ...any) promote.Verdict {
	return say(promote.Unknown, format, args...)
}

// stamp writes a moment: to the minute, where it is one.
func stamp(t time.Time) string {
	if t.Second() == 0 {
		return t.Format("2006-01-02 15:04 MST")
	}
	return t.Format("2006-01-02 15:04:05 MST")
}

// span writes a duration without what is zero: 10m, not 10m0s.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
