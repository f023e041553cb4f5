package condition

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// PromotionWant is what a verification summary has to say so that an image may
// go on. Whatever is empty is not compared, Digest and Environment excepted.
type PromotionWant struct {
	Digest      string   // sha256:<hex>; required
	Environment string   // which the image must have passed; required
	Service     string   // for which it must have passed
	Levels      []string // all of which must be among verifiedLevels
	Gates       []string // which must be there with the verdict pass
	// NoOverride refuses summaries in which a verdict was overruled. Gates never
	// counts an overruled verdict.
	NoOverride bool
}

// CheckPromotion says whether a statement is a verification summary that lets
// an image go on: its result is PASSED, for this digest and this environment.
// A nil error means that it does; an error says in one line why not.
//
// The statement must have been verified before: that the summary is by the
// verifier it names is shown by its signature alone. Also, one summary is
// looked at and no other. A later one that failed takes nothing back, because
// whoever may delete from the registry could hide it; a policy bounds the age of
// what it asks for instead.
func CheckPromotion(s statement.Statement, want PromotionWant) error {
	switch {
	case want.Environment == "":
		return errors.New("there is no environment to compare the summary with")
	case s.PredicateType() != statement.VSAType:
		return mismatch.NotMet("it states %s, which is no verification summary", untrusted.Quoted(s.PredicateType()))
	case !s.About(want.Digest):
		return mismatch.NotMet("it is about another digest")
	}
	p := statement.Object(s.Predicate())
	about := p.Object(statement.PromotionField)
	if err := cmp.Or(
		expect("the result", p.Text("verificationResult"), statement.Passed),
		expect("the environment", about.Text("environment"), want.Environment),
		expect("the service", about.Text("service"), want.Service),
	); err != nil {
		return err
	}
	if err := want.checkLevels(p.List("verifiedLevels")); err != nil {
		return err
	}
	return want.checkGates(about.List("gates"))
}

func (w *PromotionWant) checkLevels(levels []any) error {
	if slices.Contains(levels, any(statement.Failed)) {
		return mismatch.NotMet("the result is %s, and the level %s", statement.Passed, statement.Failed)
	}
	for _, l := range w.Levels {
		if !slices.Contains(levels, any(l)) {
			return mismatch.NotMet("level %s is not among the verified ones", untrusted.Quoted(l))
		}
	}
	return nil
}

func (w *PromotionWant) checkGates(gates []any) error {
	passing := map[string]bool{}
	for _, v := range gates {
		m, _ := v.(map[string]any)
		g := statement.Object(m)
		name, override := g.Text("gate"), g.Text("override")
		switch {
		case override != "" && w.NoOverride:
			return mismatch.NotMet("the verdict of gate %s was overruled: %s", untrusted.Quoted(name), untrusted.Quoted(override))
		case override == "" && g.Text("verdict") != "pass":
			return mismatch.NotMet("the result is %s, and the verdict of gate %s %s", statement.Passed, untrusted.Quoted(name), untrusted.Quoted(g.Text("verdict")))
		}
		if before, twice := passing[name]; !twice || before {
			passing[name] = override == ""
		}
	}
	for _, name := range w.Gates {
		if !passing[name] {
			return mismatch.NotMet("gate %s did not pass", untrusted.Quoted(name))
		}
	}
	return nil
}

// Promotion is met by a verification summary that says that the image has passed
// the gates of an environment, none of which was overruled.
// One that names a service is good for no other; where service is empty, it is not
// compared, and neither is that of a summary that names none.
func Promotion(environment, service string) Condition {
	return promotion{PromotionWant{Environment: environment, Service: service, NoOverride: true}}
}

// promotion is CheckPromotion as a condition.
type promotion struct{ want PromotionWant }

// Eval implements [Condition].
func (r promotion) Eval(_ context.Context, in Input) error {
	s, err := statement.FromFields(in.Statement)
	if err != nil {
		return mismatch.Malformed("%v", err)
	}
	r.want.Digest = in.Digest
	if about := statement.Object(s.Predicate()).Object(statement.PromotionField); about.Text("service") == "" {
		r.want.Service = ""
	}
	return CheckPromotion(s, r.want)
}
