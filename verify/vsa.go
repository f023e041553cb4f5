package verify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	vsaPredicateType = "https://slsa.dev/verification_summary/v1"
	// promotionField is where a summary says what SLSA has no field for. The
	// specification lets producers add fields whose names are URIs, and demands
	// of consumers to ignore those they do not know.
	promotionField = "https://kubepromote.dev/promotion/v1"

	passed = "PASSED"
	failed = "FAILED"

	maxGates  = 256
	maxInputs = 1024
)

// VSA is a verification summary: a verifier says that an image has passed, or
// failed, the gates of an environment. It becomes a SLSA Verification Summary
// Attestation, https://slsa.dev/spec/v1.2/verification_summary. Environment,
// Service, Repository, Commit and Gates, for which SLSA has no fields, stand in
// the extension field https://kubepromote.dev/promotion/v1 of the predicate.
type VSA struct {
	Image    string            // repository@sha256:<hex>; required
	Verifier string            // URI of who verified; required
	Version  map[string]string // of the verifier's components, by name
	Time     time.Time         // when it was verified; required
	// Resource is the URI from which consumers fetch the image. Empty:
	// oci://<repository>@sha256:<hex>.
	Resource string
	Policy   Resource   // the rules; the URI is required
	Inputs   []Resource // all attestations that were looked at; each with a digest
	// Passed is the result. It needs every gate to have the verdict pass, or an
	// override.
	Passed bool
	// Levels are SLSA levels or properties that the image has, at most one of
	// each SLSA track. Empty: SLSA_BUILD_LEVEL_UNEVALUATED. A summary that is
	// not Passed has the level FAILED and no other.
	Levels []string

	Environment string // whose gates these are; required
	Service     string
	Repository  string // of the desired state, a URI
	Commit      string // full name of the commit of the desired state
	Gates       []GateVerdict
}

// GateVerdict is what a gate said.
type GateVerdict struct {
	Gate    string // its name; required
	Verdict string // pass, fail, wait or error
	Reason  string // for people
	// Override is why the verdict was overruled. Empty: it was not.
	Override string
}

// NewVSA makes the statement of a verification summary. It looks at no clock.
// The error is one line for people and names the field.
func NewVSA(v VSA) (Statement, error) {
	predicate, err := v.predicate()
	if err == nil {
		var s Statement
		if s, err = newStatement(v.Image, vsaPredicateType, predicate); err == nil {
			return s, nil
		}
	}
	return Statement{}, fmt.Errorf("verification summary: %w", err)
}

func (v *VSA) predicate() (map[string]any, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	t, err := parseTarget(v.Image)
	if err != nil {
		return nil, err
	}
	policy, err := v.Policy.descriptor()
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	levels, err := v.levels()
	if err != nil {
		return nil, err
	}
	verifier := map[string]any{"id": v.Verifier}
	if len(v.Version) > 0 {
		verifier["version"] = v.Version
	}
	p := map[string]any{
		"verifier":           verifier,
		"timeVerified":       stamp(v.Time),
		"resourceUri":        v.Resource,
		"policy":             policy,
		"verificationResult": failed,
		"verifiedLevels":     levels,
		promotionField:       v.promotion(),
	}
	if v.Passed {
		p["verificationResult"] = passed
	}
	if v.Resource == "" {
		p["resourceUri"] = "oci://" + t.repo.Name() + "@" + t.digest.String()
	}
	inputs, err := v.inputs()
	if len(inputs) > 0 {
		p["inputAttestations"] = inputs
	}
	return p, err
}

func (v *VSA) inputs() ([]resourceDescriptor, error) {
	var inputs []resourceDescriptor
	for i, r := range v.Inputs {
		d, err := r.descriptor()
		if err != nil || d.Digest == nil {
			return nil, fmt.Errorf("input %d: %w", i, cmp.Or(err, errors.New("digest is missing")))
		}
		inputs = append(inputs, d)
	}
	return inputs, nil
}

func (v *VSA) check() error {
	if err := checkFields(
		field{"verifier", v.Verifier, true}, field{"policy", v.Policy.URI, true}, field{"resource", v.Resource, false},
		field{"environment", v.Environment, true}, field{"service", v.Service, false},
		field{"repository", v.Repository, false},
	); err != nil {
		return err
	}
	switch {
	case v.Time.IsZero():
		return errors.New("time is missing")
	case len(v.Gates) > maxGates:
		return fmt.Errorf("there are more than %d gates", maxGates)
	case len(v.Inputs) > maxInputs:
		return fmt.Errorf("there are more than %d inputs", maxInputs)
	}
	for _, uri := range []string{v.Verifier, v.Repository, v.Resource} {
		if uri == "" {
			continue
		}
		if err := checkURI(uri); err != nil {
			return err
		}
	}
	for i, g := range v.Gates {
		if err := checkFields(field{"name", g.Gate, true}, field{"verdict", g.Verdict, true},
			field{"reason", g.Reason, false}, field{"override", g.Override, false}); err != nil {
			return fmt.Errorf("gate %d: %w", i, err)
		}
		if !slices.Contains([]string{"pass", "fail", "wait", "error"}, g.Verdict) {
			return fmt.Errorf("gate %s: verdict %s is not pass, fail, wait or error", quoted(g.Gate), quoted(g.Verdict))
		}
		if v.Passed && g.Verdict != "pass" && g.Override == "" {
			return fmt.Errorf("passed, although the verdict of gate %s is %s", quoted(g.Gate), g.Verdict)
		}
	}
	return checkCommit(v.Commit)
}

func (v *VSA) levels() ([]string, error) {
	if !v.Passed {
		if len(v.Levels) > 0 {
			return nil, errors.New("not passed, and levels in spite of it")
		}
		return []string{failed}, nil
	}
	if len(v.Levels) == 0 {
		return []string{"SLSA_BUILD_LEVEL_UNEVALUATED"}, nil
	}
	tracks := map[string]bool{}
	for _, l := range v.Levels {
		if l == "" || l == failed || len(l) > maxField {
			return nil, fmt.Errorf("%s is no level", quoted(l))
		}
		track, _, leveled := strings.Cut(l, "_LEVEL_")
		if leveled && tracks[track] {
			return nil, fmt.Errorf("level %s: there is another one of its track", quoted(l))
		}
		tracks[track] = leveled
	}
	return v.Levels, nil
}

// promotion is the extension field.
func (v *VSA) promotion() map[string]any {
	gates := []map[string]string{}
	for _, g := range v.Gates {
		gates = append(gates, present("gate", g.Gate, "verdict", g.Verdict, "reason", g.Reason, "override", g.Override))
	}
	p := map[string]any{"gates": gates}
	for name, value := range present("environment", v.Environment, "service", v.Service,
		"repository", v.Repository, "commit", v.Commit) {
		p[name] = value
	}
	return p
}

// present makes a map of the names whose values are not empty.
func present(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			m[pairs[i]] = pairs[i+1]
		}
	}
	return m
}

// PromotionWant is what a verification summary has to say so that an image may
// go on. Whatever is empty is not compared, Digest and Environment excepted.
type PromotionWant struct {
	Digest      string   // sha256:<hex>; required
	Environment string   // which the image must have passed; required
	Service     string   // for which it must have passed
	Verifier    string   // verifier.id
	Policy      string   // policy.uri
	Resource    string   // resourceUri
	Levels      []string // all of which must be among verifiedLevels
	Gates       []string // which must be there with the verdict pass
	// NoOverride refuses summaries in which a verdict was overruled. Gates never
	// counts an overruled verdict.
	NoOverride bool
	Now        time.Time     // to compare the time with; zero: the time is not looked at
	MaxAge     time.Duration // needs Now; 0: any age
}

// CheckPromotion says whether a statement is a verification summary that lets
// an image go on: its result is PASSED, for this digest and this environment.
// A nil error means that it does; an error says in one line why not.
//
// The statement must have been verified before: that the summary is by the
// verifier it names is shown by its signature alone. Also, one summary is
// looked at and no other. A later one that failed takes nothing back, because
// whoever may delete from the registry could hide it; use MaxAge for that.
func CheckPromotion(s Statement, want PromotionWant) error {
	switch {
	case want.Environment == "":
		return errors.New("there is no environment to compare the summary with")
	case want.MaxAge != 0 && want.Now.IsZero():
		return errors.New("there is no time to compare the age of the summary with")
	case s.predicateType != vsaPredicateType:
		return notMet("it states %s, which is no verification summary", quoted(s.predicateType))
	case !s.About(want.Digest):
		return notMet("it is about another digest")
	}
	p := object(s.predicate())
	about := p.object(promotionField)
	if err := cmp.Or(
		expect("the result", p.text("verificationResult"), passed),
		expect("the environment", about.text("environment"), want.Environment),
		expect("the service", about.text("service"), want.Service),
		expect("the verifier", p.object("verifier").text("id"), want.Verifier),
		expect("the policy", p.object("policy").text("uri"), want.Policy),
		expect("the resource", p.text("resourceUri"), want.Resource),
	); err != nil {
		return err
	}
	if err := want.checkLevels(p.list("verifiedLevels")); err != nil {
		return err
	}
	if err := want.checkGates(about.list("gates")); err != nil || want.Now.IsZero() {
		return err
	}
	made, err := p.time("timeVerified")
	if err != nil {
		return err
	}
	return checkAge(made, want.Now, want.MaxAge)
}

func (w *PromotionWant) checkLevels(levels []any) error {
	if slices.Contains(levels, any(failed)) {
		return notMet("the result is %s, and the level %s", passed, failed)
	}
	for _, l := range w.Levels {
		if !slices.Contains(levels, any(l)) {
			return notMet("level %s is not among the verified ones", quoted(l))
		}
	}
	return nil
}

func (w *PromotionWant) checkGates(gates []any) error {
	passing := map[string]bool{}
	for _, v := range gates {
		m, _ := v.(map[string]any)
		g := object(m)
		name, override := g.text("gate"), g.text("override")
		switch {
		case override != "" && w.NoOverride:
			return notMet("the verdict of gate %s was overruled: %s", quoted(name), quoted(override))
		case override == "" && g.text("verdict") != "pass":
			return notMet("the result is %s, and the verdict of gate %s %s", passed, quoted(name), quoted(g.text("verdict")))
		}
		if before, twice := passing[name]; !twice || before {
			passing[name] = override == ""
		}
	}
	for _, name := range w.Gates {
		if !passing[name] {
			return notMet("gate %s did not pass", quoted(name))
		}
	}
	return nil
}
