package attest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const (
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
	Verdict string // pass, fail, wait or unknown
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
		if s, err = newStatement(v.Image, statement.VSAType, predicate); err == nil {
			return s, nil
		}
	}
	return Statement{}, fmt.Errorf("verification summary: %w", err)
}

func (v *VSA) predicate() (map[string]any, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	repo, digest, err := statement.ParseImage(v.Image)
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
		"verifier":               verifier,
		"timeVerified":           statement.Stamp(v.Time),
		"resourceUri":            v.Resource,
		"policy":                 policy,
		"verificationResult":     statement.Failed,
		"verifiedLevels":         levels,
		statement.PromotionField: v.promotion(),
	}
	if v.Passed {
		p["verificationResult"] = statement.Passed
	}
	if v.Resource == "" {
		p["resourceUri"] = "oci://" + repo.Name() + "@" + digest.String()
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
		if !slices.Contains([]string{"pass", "fail", "wait", "unknown"}, g.Verdict) {
			return fmt.Errorf("gate %s: verdict %s is not pass, fail, wait or unknown", untrusted.Quoted(g.Gate), untrusted.Quoted(g.Verdict))
		}
		if v.Passed && g.Verdict != "pass" && g.Override == "" {
			return fmt.Errorf("passed, although the verdict of gate %s is %s", untrusted.Quoted(g.Gate), g.Verdict)
		}
	}
	return checkCommit(v.Commit)
}

func (v *VSA) levels() ([]string, error) {
	if !v.Passed {
		if len(v.Levels) > 0 {
			return nil, errors.New("not passed, and levels in spite of it")
		}
		return []string{statement.Failed}, nil
	}
	if len(v.Levels) == 0 {
		return []string{"SLSA_BUILD_LEVEL_UNEVALUATED"}, nil
	}
	tracks := map[string]bool{}
	for _, l := range v.Levels {
		if l == "" || l == statement.Failed || len(l) > maxField {
			return nil, fmt.Errorf("%s is no level", untrusted.Quoted(l))
		}
		track, _, leveled := strings.Cut(l, "_LEVEL_")
		if leveled && tracks[track] {
			return nil, fmt.Errorf("level %s: there is another one of its track", untrusted.Quoted(l))
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
