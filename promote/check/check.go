// Package check judges a change of pins that anybody has made as the promotion that it is:
// a person, a bot, or kubectl promote itself.
//
// [Checker.Check] reads the sites of a pipeline in the trees before and after a change.
// Each pin that differs is classed: a promotion from an environment that had the digest
// before the change, a rollback to what stood there once, an entry from outside, a tag that
// may move, a removal, or none of these. Then policies and gates are asked as for a
// promotion. All rules are those of the tree before the change: what a change does to them
// is told, and has no say.
//
// The package reads trees and history through interfaces that promote/git implements.
package check

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Kind is what a change of a pin is.
type Kind string

// The kinds. Only of a promotion, a rollback and an entry does it depend on policies and
// gates whether they may be.
const (
	Promotion Kind = "promotion" // the source environment had the digest before the change
	Rollback  Kind = "rollback"  // the digest stood in this environment before
	Entry     Kind = "entry"     // to an environment that nothing is promoted to
	Retag     Kind = "retag"     // the digest stays, and the tag beside it changes
	Removal   Kind = "removal"   // the pin is gone
	Mutable   Kind = "mutable"   // no digest, where the pipeline pins by digest
	Foreign   Kind = "foreign"   // no promotion: nobody had it before
	Unread    Kind = "unread"    // what nobody can read
)

// Change is what happens to one pin, and the verdicts on it.
type Change struct {
	Service     string `json:"service,omitempty"`
	Environment string `json:"environment,omitempty"`
	Kind        Kind   `json:"kind"`
	// From is the environment that it is promoted from.
	From string `json:"from,omitempty"`
	history.ImageChange
	// Answer is the worst of the verdicts.
	Answer   promote.Answer    `json:"answer"`
	Verdicts []promote.Verdict `json:"verdicts"`

	pin  overlay.Pin // as it is afterwards, or was where it is gone
	gone bool        // with all of its overlay
}

// Report is what a change does.
type Report struct {
	Changes []Change
	// Rules are files that the change touches and that its successors are judged by:
	// the pipeline, policies, calendars, commands of gates.
	Rules []string
	// Along are the other places that the change touches.
	Along []Place
	// Warnings are facts that stop nothing.
	Warnings []string
}

// Place is where a file differs in something else than its pins.
type Place struct {
	File string `json:"file"`
	// Line is the first that differs; 0 where the file is gone, or is no text.
	Line int `json:"line,omitempty"`
}

// Answer is the worst of all verdicts: Pass where no pin changes.
func (r *Report) Answer() promote.Answer {
	var all []promote.Answer
	for _, c := range r.Changes {
		all = append(all, c.Answer)
	}
	return promote.Worst(all...)
}

// Request is a change to be judged.
type Request struct {
	// Services and Environments restrict it; empty means all.
	Services, Environments []string
	// Before and After are the trees that the change leads from and to.
	Before, After promote.Tree
	// Rules is the tree that the checker's pipeline was read from: the newest of the branch
	// that the change is for. What its source environments have counts as well.
	Rules promote.Tree
	// Policy, if not empty, is used in place of the pipeline's.
	Policy string
	// Files are those that differ between Before and After, in any order.
	Files []history.FileVersion
	// Base is the commit that the change begins at, where it is one of commits.
	Base string
	// Heads are the commits that end with the change: After's, and those that have it as
	// well, such as the head of a pull request of which After is the merge.
	Heads []string
}

// Checker judges changes by the rules of a promoter.
type Checker struct {
	*promote.Promoter
	// History visits the changes of services in an environment, newest first, that were
	// made before the change.
	History func(ctx context.Context, services []string, environment string, visit func(history.Change) bool) error
}

// Check finds out what a change does to pins, and whether it may. A refusal is no error:
// it is in the report. An environment or a service that is not there is one.
func (c *Checker) Check(ctx context.Context, req Request) (*Report, error) {
	for _, name := range req.Environments {
		if _, err := c.Pipeline.Environment(name); err != nil {
			return nil, err
		}
	}
	w := &work{Checker: c, req: req, report: &Report{}, edited: make(map[string]*edited)}
	for _, f := range req.Files {
		w.changed = append(w.changed, f.Path)
	}
	slices.Sort(w.changed)
	if err := w.compare(ctx); err != nil {
		return nil, err
	}
	if err := w.judge(ctx); err != nil {
		return nil, err
	}
	w.report.Rules = w.rules()
	w.along()
	return w.report, ctx.Err()
}

// work is the making of one report.
type work struct {
	*Checker
	req     Request
	report  *Report
	changed []string // paths, in order
	before  *pipeline.Sites
	pairs   []pair
	edited  map[string]*edited // by file
	broken  []string           // files and overlays that cannot be read afterwards
}

// place tells sites apart in both trees, whatever services are called beside others.
type place struct {
	entry                              int
	environment, service, path, within string
}

// pair is a site in both trees.
type pair struct {
	site     pipeline.Site
	old, now version
}

// unread adds a change that nobody can judge.
func (w *work) unread(one pipeline.Site, file, reason string) {
	v := promote.Verdict{Gate: "read", Answer: promote.Unknown, Reason: reason}
	w.report.Changes = append(w.report.Changes, Change{Service: one.Service, Environment: one.Environment, Kind: Unread,
		ImageChange: history.ImageChange{File: file}, Verdicts: []promote.Verdict{v}, Answer: v.Answer})
}

// touches tells whether the change touches a file or what is below a directory.
func (w *work) touches(at string) bool {
	n, found := slices.BinarySearch(w.changed, at)
	if found {
		return true
	}
	for ; n < len(w.changed) && strings.HasPrefix(w.changed[n], at); n++ {
		if strings.HasPrefix(w.changed[n], at+"/") {
			return true
		}
	}
	return false
}

// list finds the sites of both trees. Where one cannot be listed, nobody can say what the
// change does.
func (w *work) list() error {
	w.before = w.Pipeline.Sites(w.req.Before)
	after := w.Pipeline.Sites(w.req.After)
	old, err := w.before.All(w.req.Environments...)
	now, nerr := after.All(w.req.Environments...)
	if err = errors.Join(err, nerr); err != nil {
		w.unread(pipeline.Site{}, "", strings.ReplaceAll(err.Error(), "\n", "; "))
		return nil
	}
	known := make(pipeline.ByService)
	at := make(map[place]int)
	for n, all := range []pipeline.ByService{old, now} {
		in := []*pipeline.Sites{w.before, after}[n]
		for service, environments := range all {
			known[service] = environments
			for _, sites := range environments {
				for _, one := range in.WithNamed(sites) {
					key := place{one.Entry, one.Environment, one.Service[strings.LastIndexByte(one.Service, '/')+1:], one.Path, one.Within}
					n, ok := at[key]
					if !ok {
						n = len(w.pairs)
						at[key], w.pairs = n, append(w.pairs, pair{})
					}
					w.pairs[n].site = one
				}
			}
		}
	}
	w.pairs = slices.DeleteFunc(w.pairs, func(p pair) bool {
		return len(w.req.Services) > 0 && !slices.Contains(w.req.Services, p.site.Service)
	})
	rank := make(map[string]int)
	for n, e := range w.Pipeline.Spec.Environments {
		rank[e.Name] = n
	}
	slices.SortFunc(w.pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.site.Service, b.site.Service), cmp.Compare(rank[a.site.Environment], rank[b.site.Environment]),
			cmp.Compare(a.site.Entry, b.site.Entry), cmp.Compare(a.site.Path, b.site.Path))
	})
	return known.Check(w.req.Services)
}
