// Package report counts what the history of pins says of deliveries: how many there are,
// how long an image takes to get there, how often one is taken back, and how soon. These are
// the four figures that DORA asks teams for, from Git alone.
package report

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Request says what is counted.
type Request struct {
	// Services are those that are looked at; none stands for all.
	Services []string
	// Environment is the one that is counted; empty for all. Where images come from is looked
	// for in all of them.
	Environment string
	// Since and Until bound the deliveries that are counted.
	Since, Until time.Time
}

// Report has the figures of a span of time.
type Report struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// LeadTimeFrom is "history" where lead times count from where an image stood first, and
	// "created" where they do from when it was made; see [Book.Ask].
	LeadTimeFrom string `json:"leadTimeFrom"`
	// Figures are of each service in each environment that something was delivered to, in
	// the pipeline's order, and after those of an environment the ones of all its services,
	// without a name.
	Figures []Figures `json:"figures"`
}

// Figures are those of a service in an environment, or of all services.
type Figures struct {
	Service     string `json:"service,omitempty"`
	Environment string `json:"environment"`
	// Deployments are commits that have changed images, other than those that took
	// something back. The first pin of a service is where its history begins, and is none.
	Deployments int     `json:"deployments"`
	PerWeek     float64 `json:"perWeek"`
	// LeadTime is how long images took from where they stood first to here; missing where
	// nothing is promoted to the environment.
	LeadTime *Spread `json:"leadTime,omitempty"`
	// LeadTimeUnknown are the deployments of which nobody knows when their images were made.
	LeadTimeUnknown int `json:"leadTimeUnknown,omitempty"`
	// Failed are the deployments that were taken back, Recovery is how soon.
	Failed      int     `json:"failed"`
	FailureRate float64 `json:"failureRate"`
	Recovery    *Spread `json:"recovery,omitempty"`
	// Weeks are the deployments of each week of the span, the oldest first, which may be
	// shorter; of ten years at most.
	Weeks []Week `json:"weeks"`
}

// Week has the deployments of one, and how many of them were taken back, whenever that was.
type Week struct {
	Deployments int `json:"deployments"`
	Failed      int `json:"failed"`
}

// Spread tells how long something took, in seconds: the middle, and what nine of ten did
// not exceed.
type Spread struct {
	Count  int   `json:"count"`
	Median int64 `json:"medianSeconds"`
	P90    int64 `json:"p90Seconds"`
}

// Clocks differ, and what was rebased keeps its time: so much older than what came after it a
// commit may seem. What was delivered is looked for a year before the span, and so many
// changes.
const (
	clockSlack  = 7 * 24 * time.Hour
	before      = 365 * 24 * time.Hour
	mostChanges = 20_000
)

// Read reads the history as far as it has to, and counts. Its error is one of
// [history.Read]; with a [*history.Truncated] there is a report of what could be read.
func Read(ctx context.Context, p *pipeline.Pipeline, tree pipeline.Tree, log history.Log, req Request) (*Report, error) {
	b := NewBook(p, req)
	err := history.Read(ctx, p, tree, log, history.Request{Services: req.Services}, b.Add)
	return b.Report(), err
}

type key struct{ service, environment string }

// delivery is a change of images.
type delivery struct {
	*history.Change
	takesBack, failed bool
	recovered         time.Duration
}

// sight is where something was first.
type sight struct {
	time        time.Time
	environment string
}

// Book is what is known while the history is read, newest first: for who reads it for
// something else as well.
type Book struct {
	pipeline *pipeline.Pipeline
	req      Request
	chains   map[key][]*delivery
	seen     map[string]sight // where each digest was first, as far as was read
	open     map[string]bool  // digests whose way in has not come up yet
	older    int              // changes before the span
	// created is when images were made, by reference; nil where nobody was asked.
	created map[string]time.Time
}

// NewBook makes one without a change.
func NewBook(p *pipeline.Pipeline, req Request) *Book {
	return &Book{pipeline: p, req: req, chains: make(map[key][]*delivery), seen: make(map[string]sight), open: make(map[string]bool)}
}

// Add takes a change, and tells whether older ones are of use.
func (b *Book) Add(c history.Change) bool {
	k := key{c.Service, c.Environment}
	entry := false
	if e, err := b.pipeline.Environment(c.Environment); err == nil {
		entry = len(e.From) == 0
	}
	old := c.Time.Before(b.req.Since)
	if old {
		b.older++
	}
	for _, i := range c.Images {
		what := identity(i)
		if i.New == (history.Pin{}) || i.New == i.Old {
			continue
		}
		b.seen[what] = sight{c.Time, c.Environment}
		if entry {
			delete(b.open, what)
		} else if !old {
			b.open[what] = true
		}
	}
	if len(c.Images) > 0 {
		b.chains[k] = append(b.chains[k], &delivery{Change: &c})
	}
	switch {
	case !c.Time.Before(b.req.Since.Add(-clockSlack)):
		return true
	case len(b.open) == 0 || b.older > mostChanges:
		return false
	}
	return c.Time.After(b.req.Since.Add(-before))
}

// identity is what makes an image the same one elsewhere: its digest, or its tag where it
// has none.
func identity(i history.ImageChange) string {
	return cmp.Or(i.New.Digest, i.Name+":"+i.New.Tag)
}

// Report counts what was added. The book is of no use afterwards.
func (b *Book) Report() *Report {
	r := &Report{Since: b.req.Since, Until: b.req.Until, LeadTimeFrom: FromHistory, Figures: []Figures{}}
	if b.created != nil {
		r.LeadTimeFrom = FromCreated
	}
	services := make(map[string][]string)
	for k, chain := range b.chains {
		slices.Reverse(chain)
		judge(chain)
		services[k.environment] = append(services[k.environment], k.service)
	}
	for _, e := range b.pipeline.Spec.Environments {
		if b.req.Environment != "" && e.Name != b.req.Environment {
			continue
		}
		var all []*delivery
		n := len(r.Figures)
		slices.Sort(services[e.Name])
		for _, service := range services[e.Name] {
			chain := slices.DeleteFunc(b.chains[key{service, e.Name}], func(d *delivery) bool {
				return d.takesBack || d.begins() || d.Time.Before(b.req.Since) || d.Time.After(b.req.Until)
			})
			if len(chain) > 0 {
				r.Figures = append(r.Figures, b.count(service, e.Name, chain))
				all = append(all, chain...)
			}
		}
		if len(r.Figures)-n > 1 {
			r.Figures = append(r.Figures, b.count("", e.Name, all))
		}
	}
	return r
}

// begins tells whether a change only brings images that were not there, or takes images out.
func (d *delivery) begins() bool {
	return !slices.ContainsFunc(d.Images, func(i history.ImageChange) bool {
		return i.Old != (history.Pin{}) && i.New != (history.Pin{}) && i.Old != i.New
	})
}

// judge finds what was taken back in one service's changes, the oldest first: by a rollback
// that says so, or by a change that puts back exactly what the one before it took away.
func judge(chain []*delivery) {
	for n, d := range chain {
		from := n
		switch r := d.Record; {
		case r != nil && r.RollbackOf != "" && d.Mismatch == "":
			if from = slices.IndexFunc(chain[:n], func(o *delivery) bool { return o.Commit == r.RollbackOf }); from < 0 {
				from = max(n-1, 0)
			}
		case n > 0 && undoes(d, chain[n-1]) && !chain[n-1].takesBack:
			from = n - 1
		default:
			continue
		}
		d.takesBack = true
		for _, o := range chain[from:n] {
			if !o.takesBack && !o.failed {
				o.failed, o.recovered = true, max(d.Time.Sub(o.Time), 0)
			}
		}
	}
}

// undoes tells whether a change puts back all that another one changed, and nothing else.
// A change with the record of a promotion says of itself that it is one.
func undoes(d, other *delivery) bool {
	if d.Record != nil && d.Mismatch == "" || len(d.Images) != len(other.Images) || d.begins() {
		return false
	}
	return !slices.ContainsFunc(d.Images, func(i history.ImageChange) bool {
		return !slices.ContainsFunc(other.Images, func(o history.ImageChange) bool {
			return o.File == i.File && o.Path == i.Path && o.Name == i.Name && o.Old == i.New && o.New == i.Old
		})
	})
}

// count gives the figures of deployments.
func (b *Book) count(service, environment string, all []*delivery) Figures {
	f := Figures{Service: service, Environment: environment, Deployments: len(all)}
	var lead, recovery []time.Duration
	for _, d := range all {
		took, ok, unknown := b.lead(d)
		if unknown {
			f.LeadTimeUnknown++
		} else if ok {
			lead = append(lead, took)
		}
		if d.failed {
			f.Failed++
			recovery = append(recovery, d.recovered)
		}
	}
	if span := b.req.Until.Sub(b.req.Since); span > 0 {
		f.PerWeek = float64(f.Deployments) / (float64(span) / float64(week))
		f.Weeks = b.weeks(span, all)
	}
	f.FailureRate = float64(f.Failed) / float64(max(f.Deployments, 1))
	f.LeadTime, f.Recovery = spread(lead), spread(recovery)
	return f
}

const (
	week = 7 * 24 * time.Hour
	// mostWeeks bounds how many are told one by one.
	mostWeeks = 530
)

func (b *Book) weeks(span time.Duration, all []*delivery) []Week {
	weeks := make([]Week, min(int((span+week-1)/week), mostWeeks))
	for _, d := range all {
		n := len(weeks) - 1 - int(b.req.Until.Sub(d.Time)/week)
		if n < 0 {
			continue
		}
		if weeks[n].Deployments++; d.failed {
			weeks[n].Failed++
		}
	}
	return weeks
}

// lead is how long the slowest image of a deployment took from another environment, where
// it stood first, or from when it was made.
func (b *Book) lead(d *delivery) (took time.Duration, known, unknown bool) {
	if b.created != nil {
		return b.sinceMade(d)
	}
	for _, i := range d.Images {
		first, ok := b.seen[identity(i)]
		if ok && i.New != i.Old && first.environment != d.Environment {
			took, known = max(took, d.Time.Sub(first.time)), true
		}
	}
	return took, known, false
}

func spread(all []time.Duration) *Spread {
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	// The smallest value that so many do not exceed.
	at := func(percent int) int64 { return int64(all[(len(all)*percent+99)/100-1].Seconds()) }
	return &Spread{Count: len(all), Median: at(50), P90: at(90)}
}
