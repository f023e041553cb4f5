// Package hold reads and writes the holds of a repository: which services stay at their
// pins, where, since when, by whom and why. They stand in one file at the repository's
// root, [FileName], and are reviewed like code.
//
//	apiVersion: kubepromote.dev/v1alpha1
//	kind: Holds
//	holds:
//	- service: cart
//	  environment: production
//	  reason: v1.3.0 loses orders
//	  by: Ann <ann@example.com>
//	  since: 2026-11-29T06:00:00Z
//
// [Parse] decodes the file strictly, [List.For] tells what holds a service, and [Add] and
// [Remove] make a new file of it, in which every byte that need not change is as it was.
package hold

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// FileName is where the holds stand.
const FileName = "promotion.holds.yaml"

// Kind is the kind of the file's object.
const Kind = "Holds"

// Hold keeps services at the pins that they have.
type Hold struct {
	// Service is the one that is held; empty for all of the environment.
	Service string `json:"service,omitempty"`
	// Environment is the name of one, or of a group; empty for everywhere.
	Environment string `json:"environment,omitempty"`
	Reason      string `json:"reason"`
	// By says who holds it, for people.
	By    string    `json:"by"`
	Since time.Time `json:"since"`
	// Until is when the hold ends by itself; zero where somebody has to end it.
	Until time.Time `json:"until,omitzero"`
	// Except are services, by names or globs, that a hold of all does not hold.
	Except []string `json:"except,omitempty"`
}

// List is what a file holds.
type List struct{ Holds []Hold }

// file is the form of the file.
type file struct {
	APIVersion string  `yaml:"apiVersion"`
	Kind       string  `yaml:"kind"`
	Holds      []entry `yaml:"holds"`
}

// entry is a hold as it is written.
type entry struct {
	Service     string   `yaml:"service"`
	Environment string   `yaml:"environment"`
	Reason      string   `yaml:"reason"`
	By          string   `yaml:"by"`
	Since       string   `yaml:"since"`
	Until       string   `yaml:"until"`
	Except      []string `yaml:"except"`
}

// Parse decodes a file of holds; no bytes hold nothing. The name is for messages, the
// pipeline, if not nil, for the names of environments: what would hold nothing for a
// mistyped name is a fault. All faults are reported, each with its place, as
// *overlay.Error.
func Parse(name string, data []byte, p *pipeline.Pipeline) (*List, error) {
	l := &List{}
	if len(data) == 0 {
		return l, nil
	}
	var in file
	f := yamlfile.Parse(name, data, yamlfile.Options{})
	if f.Decode(0, &in) {
		if in.APIVersion != pipeline.APIVersion {
			f.At("apiVersion", "apiVersion: "+pipeline.APIVersion, "apiVersion is %q", in.APIVersion)
		}
		if in.Kind != Kind {
			f.At("kind", "kind: "+Kind, "kind is %q", in.Kind)
		}
		for i, e := range in.Holds {
			l.Holds = append(l.Holds, e.check(f, fmt.Sprintf("holds[%d]", i), p))
		}
	}
	return l, f.Err(func(f yamlfile.Fault) error {
		return &overlay.Error{File: f.File, Line: f.Line, Col: f.Col, Msg: f.Msg, Hint: f.Hint}
	})
}

// check finds what is wrong with an entry, and gives what it says.
func (e entry) check(f *yamlfile.File, at string, p *pipeline.Pipeline) Hold {
	h := Hold{Service: e.Service, Environment: e.Environment, Reason: e.Reason, By: e.By, Except: e.Except}
	if e.Service != "" && !pipeline.IsFolder(e.Service) {
		f.At(at+".service", "letters, digits, '.', '_' and '-'", "service name %q is malformed", e.Service)
	}
	if p != nil && e.Environment != "" {
		if _, err := p.Targets([]string{e.Environment}); err != nil {
			names := p.Groups()
			for _, known := range p.Spec.Environments {
				names = append(names, known.Name)
			}
			f.At(at+".environment", spelling.Hint(e.Environment, names), "unknown environment %q, so nothing would be held", e.Environment)
		}
	}
	for _, must := range []struct{ name, value, hint string }{
		{"reason", e.Reason, "reason: TEXT"}, {"by", e.By, "by: NAME"}, {"since", e.Since, "since: 2026-11-29"},
	} {
		if must.value == "" {
			f.At(at, must.hint, "the hold has no %s", must.name)
		}
	}
	h.Since, h.Until = moment(f, at+".since", e.Since), moment(f, at+".until", e.Until)
	if len(e.Except) > 0 && e.Service != "" {
		f.At(at+".except", "remove it, or service", "the hold of one service has exceptions")
	}
	for i, glob := range e.Except {
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			f.At(fmt.Sprintf("%s.except[%d]", at, i), "cart, or legacy-*", "service %q is malformed", glob)
		}
	}
	return h
}

// moment reads a time of RFC 3339, or a day, which begins at midnight UTC.
func moment(f *yamlfile.File, at, text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC()
		}
	}
	f.At(at, "2026-11-29T16:00:00Z, or 2026-11-29", "%q is no time", text)
	return time.Time{}
}

// For gives what holds a service in an environment at a moment: of several, one that
// does not end by itself, or the one that lasts longest.
func (l *List) For(service string, e *pipeline.Environment, now time.Time) (Hold, bool) {
	var found []Hold
	for _, h := range l.Holds {
		if h.holds(service, e) && (h.Until.IsZero() || now.Before(h.Until)) {
			found = append(found, h)
		}
	}
	if len(found) == 0 {
		return Hold{}, false
	}
	return slices.MaxFunc(found, func(a, b Hold) int {
		if a.Until.IsZero() || b.Until.IsZero() {
			return cmp.Compare(zero(a.Until), zero(b.Until))
		}
		return a.Until.Compare(b.Until)
	}), true
}

func zero(t time.Time) int {
	if t.IsZero() {
		return 1
	}
	return 0
}

// IsFor tells whether another hold is for the same services in the same environment.
func (h Hold) IsFor(other Hold) bool {
	return h.Service == other.Service && h.Environment == other.Environment
}

func (h Hold) holds(service string, e *pipeline.Environment) bool {
	if h.Environment != "" && h.Environment != e.Name && (e.Group == "" || h.Environment != e.Group) {
		return false
	}
	if h.Service != "" {
		return isNamed(h.Service, service)
	}
	return !slices.ContainsFunc(h.Except, func(glob string) bool {
		ok, _ := path.Match(glob, service)
		return ok || isNamed(glob, service)
	})
}

// isNamed tells whether a name is a service's, whose full name may have a team before it.
func isNamed(name, service string) bool { return name == service || name == path.Base(service) }

// String says since when it holds, by whom and why, as verdicts do.
func (h Hold) String() string {
	text := "held since " + h.Since.UTC().Format("2006-01-02 15:04Z") + " by " + h.By
	if !h.Until.IsZero() {
		text += " until " + h.Until.UTC().Format("2006-01-02 15:04Z")
	}
	return text + ": " + h.Reason
}
