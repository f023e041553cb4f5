package promote

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/record"
)

// message is the message of the commit that carries the plan out: a subject, a
// table where several images move, and a set of trailers for each service.
func (p *Plan) message() string {
	services := p.changed()
	var b strings.Builder
	b.WriteString(p.Subject() + "\n\n")
	var images [][]string
	for _, s := range services {
		for _, i := range s.Images {
			images = append(images, []string{s.Service, i.Name, i.Old.Short() + " → " + i.New.Short()})
		}
	}
	if len(images) > 1 {
		b.WriteString(record.Table(images) + "\n")
	}
	b.WriteString(p.Record())
	return b.String()
}

// Record is the trailers of the commit that carries the plan out, a line each.
func (p *Plan) Record() string {
	var b strings.Builder
	for _, s := range p.changed() {
		for _, t := range p.trailers(s) {
			fmt.Fprintf(&b, "%s: %s\n", t[0], record.Escape(t[1]))
		}
	}
	return b.String()
}

// Subject is the first line of the commit's message.
func (p *Plan) Subject() string { return p.verb() + "(" + p.To + "): " + p.what(p.changed()) }

func (p *Plan) verb() string {
	if p.RollbackOf != "" {
		return "rollback"
	}
	return "promote"
}

// Proposal is the branch of a pull request for the plan: promote/ENVIRONMENT/SERVICE, or rollback/…;
// for several services a number that stands for them. It is empty in other delivery
// modes.
func (p *Plan) Proposal() string {
	if p.Mode != pipeline.DeliverPullRequest || len(p.Services) == 0 {
		return ""
	}
	var names []string
	for _, s := range p.Services {
		names = append(names, s.Service)
	}
	return record.Branch(p.verb(), p.To, names)
}

func (p *Plan) what(services []*ServicePlan) string {
	if len(services) != 1 {
		if p.From == "" {
			return fmt.Sprintf("%d services, %s", len(services), record.Escape(p.Entry))
		}
		return fmt.Sprintf("%d services from %s", len(services), p.From)
	}
	s := services[0]
	pins := make(map[string]bool)
	for _, i := range s.Images {
		pins[i.New.Short()] = true
	}
	switch {
	case len(pins) == 0 && len(s.Along) == 1:
		return s.Service + " → " + record.Escape(s.Along[0].New)
	case len(pins) == 0:
		return s.Service
	case len(pins) == 1:
		return s.Service + " → " + record.Escape(s.Images[0].New.Short())
	}
	return fmt.Sprintf("%s, %d images", s.Service, len(s.Images))
}

func (p *Plan) trailers(s *ServicePlan) [][2]string {
	from := [2]string{record.KeyFrom, p.From}
	switch {
	case p.RollbackOf != "":
		from = [2]string{record.KeyRollbackOf, p.RollbackOf}
	case p.From == "":
		from = [2]string{record.KeyEntry, p.Entry}
	}
	out := [][2]string{{record.KeyService, s.Service}, from, {record.KeyTo, p.To}}
	for _, i := range s.Images {
		if i.Old == i.New {
			continue // it was there before, and this promotion has not looked at it
		}
		if t := [2]string{record.KeyImage, i.New.Ref(i.Repository)}; !slices.Contains(out, t) { // which several files may have
			out = append(out, t)
		}
	}
	for _, a := range s.Along {
		out = append(out, [2]string{record.KeyAlong, a.Kind + " " + a.Name + "=" + a.New})
	}
	if p.reason != "" {
		out = append(out, [2]string{record.KeyReason, p.reason})
	}
	if from := cmp.Or(p.sourceHead, p.Head); from != "" {
		out = append(out, [2]string{record.KeySourceCommit, from})
	}
	for _, r := range p.Rules {
		out = append(out, [2]string{record.KeyRules, r.String()})
	}
	for _, v := range s.Verdicts {
		answer, reason := string(v.Answer), v.Reason
		if v.Override != "" {
			answer, reason = record.Overridden, v.Override+": "+v.Reason
		}
		out = append(out, [2]string{record.KeyGate, fmt.Sprintf("%s=%s; %s", v.Gate, answer, reason)})
		if v.OverrideBy != "" {
			out = append(out, [2]string{record.KeyOverride, record.Override{Gate: v.Gate, By: v.OverrideBy, Until: v.OverrideUntil, Reason: v.Override}.String()})
		}
	}
	return out
}

// isRecordedBy tells by an error in what a message differs from the plan's record.
func (p *Plan) isRecordedBy(message string) error { return record.Differs(p.message(), message) }
