package review

import (
	"context"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// apart are those whose approvals do not count, by what they are known elsewhere.
type apart struct {
	authors, builders []string
	asks              bool
}

// apart finds them. Where the gate keeps both apart, none may be the other.
func (a *approvals) apart(ctx context.Context, q promote.GateRequest) (*apart, *promote.Verdict) {
	out := &apart{asks: len(a.cfg.Separate) > 0}
	fail := func(v promote.Verdict) (*apart, *promote.Verdict) { return nil, &v }
	if slices.Contains(a.cfg.Separate, pipeline.SeparateAuthor) {
		if a.g.Authors == nil {
			return fail(say(promote.Unknown, "nobody can say who has made the change"))
		}
		authors, err := a.g.Authors(ctx, q)
		if err != nil {
			return fail(untold("who has made the change: ", err))
		}
		for _, name := range authors {
			out.authors = append(out.authors, address(name))
		}
		if len(authors) == 0 || slices.Contains(out.authors, "") {
			return fail(say(promote.Unknown, "nobody can say who has made the change: it has no author, or one without an address"))
		}
	}
	if slices.Contains(a.cfg.Separate, pipeline.SeparateBuilder) {
		if a.g.Builders == nil {
			return fail(untold("", errNobody))
		}
		evidence, err := a.g.Builders(ctx, q)
		if err != nil {
			return fail(untold("who has built it: ", err))
		}
		for _, e := range evidence {
			out.builders = append(out.builders, nonEmpty(e.Subject, e.KeyID)...)
		}
		if len(out.builders) == 0 {
			v := say(promote.Unknown, "nobody can say who has built it: no signature of the images is asked for")
			v.Hint = "verify: {policy: policies/images.yaml} in the environment"
			return fail(v)
		}
	}
	if both := common(out.authors, out.builders); both != "" {
		return fail(say(promote.Fail, "%s has made the change, and has built the image", both))
	}
	return out, nil
}

// person tells whether somebody who is known by some names is one of them. Whom nobody
// knows by any name is nameless, for that reason.
func (p *apart) person(known []string, reason string) (State, string) {
	switch {
	case !p.asks:
		return Counts, ""
	case common(p.authors, known) != "":
		return Author, ""
	case common(p.builders, known) != "":
		return Builder, ""
	case len(known) == 0:
		return Nameless, reason
	}
	return Counts, ""
}

// address is the one of a name as git has it, NAME <ADDRESS>, where the name may have what
// no mail may have; or the name, where it is an address alone.
func address(name string) string {
	if from, to := strings.LastIndexByte(name, '<'), strings.LastIndexByte(name, '>'); from >= 0 && from < to {
		name = name[from+1 : to]
	}
	return strings.TrimSpace(name)
}

// common gives what is in both lists; empty where nothing is.
func common(a, b []string) string {
	for _, one := range a {
		if slices.ContainsFunc(b, func(other string) bool { return strings.EqualFold(one, other) }) {
			return one
		}
	}
	return ""
}

func nonEmpty(all ...string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}
