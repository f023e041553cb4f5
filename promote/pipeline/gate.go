package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/expression"
	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/promote/internal/condition"
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"github.com/kubepromote/kubepromote/promote/pipeline/span"
)

// Gate is one condition on what comes to an environment. Just one field is set of those
// that say what it asks; the others say how it is asked.
type Gate struct {
	// Promoted demands a signed record of an earlier promotion.
	Promoted *PromotedGate `yaml:"promoted" json:"promoted,omitempty"`
	// Freeze demands that it is no time at which nothing may change.
	Freeze *FreezeGate `yaml:"freeze" json:"freeze,omitempty"`
	// Soak demands that the images have been in another environment for some time.
	Soak *SoakGate `yaml:"soak" json:"soak,omitempty"`
	// Health demands that what is promoted is healthy where it runs.
	Health *Health `yaml:"health" json:"health,omitempty"`
	// HTTP demands an answer of a server.
	HTTP *HTTPGate `yaml:"http" json:"http,omitempty"`
	// Metric demands a value of a metric.
	Metric *MetricGate `yaml:"metric" json:"metric,omitempty"`
	// Exec demands that a command ends well.
	Exec *ExecGate `yaml:"exec" json:"exec,omitempty"`
	// Manual demands that a person says yes.
	Manual *ManualGate `yaml:"manual" json:"manual,omitempty"`
	// Rendered demands that nothing else changes in the objects that are applied.
	Rendered *RenderedGate `yaml:"rendered" json:"rendered,omitempty"`
	// References demands that what workloads name is there.
	References *ReferencesGate `yaml:"references" json:"references,omitempty"`
	// Resources demands that no limit, probe or the like is lost.
	Resources *ResourcesGate `yaml:"resources" json:"resources,omitempty"`
	// Policy demands that rules have nothing against the objects.
	Policy *PolicyGate `yaml:"policy" json:"policy,omitempty"`
	// Schema demands that an API server would know the objects' fields.
	Schema *SchemaGate `yaml:"schema" json:"schema,omitempty"`
	// Approvals demands that people have approved it.
	Approvals *ApprovalsGate `yaml:"approvals" json:"approvals,omitempty"`
	// CommitStatus demands that checks of the forge are good.
	CommitStatus *CommitStatusGate `yaml:"commitStatus" json:"commitStatus,omitempty"`
	// AnyOf demands that one of several gates passes.
	AnyOf []Gate `yaml:"anyOf" json:"anyOf,omitempty"`
	// Template stands for gates of spec.gateTemplates. A pipeline that was parsed has
	// those in its place.
	Template string `yaml:"template" json:"template,omitempty"`

	// Name is what verdicts call the gate; by default what it asks: soak.
	Name string `yaml:"name" json:"name,omitempty"`
	// When, if not empty, is an expression in CEL over service, environment, from,
	// images and labels: where it is false the gate is not asked.
	When string `yaml:"when" json:"when,omitempty"`
	// WarnOnly has the gate stop nothing. What it says is a warning.
	WarnOnly bool `yaml:"warnOnly" json:"warnOnly,omitempty"`
	// Overridable lets whoever promotes go past the gate with a reason, which is
	// recorded.
	Overridable bool `yaml:"overridable" json:"overridable,omitempty"`
	// Timeout is how long the gate may take to be asked; by default 30s.
	Timeout Duration `yaml:"timeout" json:"timeout,omitempty"`

	// At is where the gate stands in the pipeline file that was parsed:
	// spec.environments[1].gates[0].
	At string `yaml:"-" json:"-"`
}

// DefaultTimeout is how long a gate may take to be asked, MaxTimeout how long it may be
// given.
const (
	DefaultTimeout = 30 * time.Second
	MaxTimeout     = 10 * time.Minute
)

// Duration is a time as Go has it: 90s, 10m, 64h.
type Duration = span.Duration

// Title is what verdicts call the gate: its name, or what it asks.
func (g Gate) Title() string {
	if kinds := g.kinds(); g.Name == "" && len(kinds) > 0 {
		return kinds[0]
	}
	return g.Name
}

// kinds are the fields that say what the gate asks.
func (g Gate) kinds() []string {
	var kinds []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"promoted", g.Promoted != nil}, {"freeze", g.Freeze != nil}, {"soak", g.Soak != nil}, {"health", g.Health != nil}, {"http", g.HTTP != nil},
		{"metric", g.Metric != nil}, {"exec", g.Exec != nil}, {"manual", g.Manual != nil}, {"rendered", g.Rendered != nil},
		{"references", g.References != nil}, {"resources", g.Resources != nil}, {"policy", g.Policy != nil}, {"schema", g.Schema != nil}, {"anyOf", g.AnyOf != nil},
		{"approvals", g.Approvals != nil}, {"commitStatus", g.CommitStatus != nil},
	} {
		if k.set {
			kinds = append(kinds, k.name)
		}
	}
	return kinds
}

// PromotedGate lets those digests pass for which somebody whom the policy names
// has attested that they were promoted to another environment. It stands beside
// the proof from the repository's history: whoever can write to the repository
// can write its history, but cannot sign.
type PromotedGate struct {
	// Environment is where the digest must have been promoted to.
	Environment string `yaml:"environment" json:"environment"`
	// Policy is the path of a VerificationPolicy file in the repository. Its
	// authorities are those whose attestations count.
	Policy string `yaml:"policy" json:"policy"`
}

// ManualGate lets pass what a person who is shown the plan says yes to, on a terminal.
type ManualGate struct {
	// Question, if not empty, is what is asked.
	Question string `yaml:"question" json:"question,omitempty"`
}

// gateCheck is what gates of one environment are checked with.
type gateCheck struct {
	*yamlfile.File
	environment string
	names       []string        // of all environments
	from        []string        // those that are promoted from
	seen        map[string]bool // environments that say where their health is seen
}

// reserved are the names of verdicts that no gate of a pipeline gives.
var reserved = []string{"plan", "pin", "resolve", "verify", "promoted", "source"}

// gates checks all gates of an environment. Verdicts and overrides name gates, so no two
// have one name.
func (c gateCheck) gates(gates []Gate) {
	seen := make(map[string]bool)
	for _, g := range gates {
		at := g.At
		c.gate(at, g)
		title := g.Title()
		if title != "" && seen[title] && g.Promoted == nil {
			c.At(at, "name: "+title+"-2", "two gates are called %q", title)
		}
		seen[title] = true
		if g.Soak != nil && g.Soak.Healthy && !slices.ContainsFunc(gates, func(g Gate) bool { return g.Health != nil }) {
			c.At(at+".soak.healthy", "health: {}", "there is no health gate beside it that would tell")
		}
	}
}

func (c gateCheck) gate(at string, g Gate) {
	switch kinds := g.kinds(); {
	case len(kinds) == 0:
		c.At(at, "soak: {for: 10m}", "the gate says nothing")
		return
	case len(kinds) > 1:
		c.At(at, "write a gate for each", "the gate is %s", strings.Join(kinds, " and "))
		return
	}
	switch {
	case g.Name != "" && !location.IsName(g.Name):
		c.At(at+".name", "letters, digits, '.', '_' and '-'", "gate name %q is malformed", g.Name)
	case slices.Contains(reserved, g.Name):
		c.At(at+".name", "", "%q is the name of what is asked without a gate", g.Name)
	}
	if g.When != "" {
		_, err := condition.When(g.When)
		c.expression(at+".when", "when", err)
	}
	g.Timeout.Check(c.File, at+".timeout", "30s", MaxTimeout)
	switch {
	case g.Promoted != nil:
		c.promoted(at, g)
	case g.Freeze != nil:
		g.Freeze.check(c, at+".freeze")
	case g.Soak != nil:
		g.Soak.check(c, at+".soak")
	case g.Health != nil:
		c.health(at+".health", g.Health)
	case g.HTTP != nil:
		g.HTTP.check(c, at+".http")
	case g.Metric != nil:
		g.Metric.check(c, at+".metric")
	case g.Exec != nil:
		g.Exec.check(c, at+".exec")
	case g.Rendered != nil:
		g.Rendered.check(c, at+".rendered")
	case g.References != nil:
		g.References.check(c, at+".references")
	case g.Resources != nil:
		g.Resources.check(c, at+".resources")
	case g.Policy != nil:
		g.Policy.check(c, at+".policy")
	case g.Schema != nil:
		g.Schema.check(c, at+".schema")
	case g.Approvals != nil:
		g.Approvals.check(c, at+".approvals")
	case g.CommitStatus != nil:
		g.CommitStatus.check(c, at+".commitStatus")
	case g.AnyOf != nil:
		c.anyOf(at, g)
	}
}

// anyOf checks the gates of which one must pass. How the one is asked that they are
// together is said of that one alone.
func (c gateCheck) anyOf(at string, g Gate) {
	if len(g.AnyOf) < 2 {
		c.At(at+".anyOf", "anyOf: [{soak: {for: 24h}}, {manual: {}}]", "anyOf has %d gates, of which one must pass", len(g.AnyOf))
	}
	for i, one := range g.AnyOf {
		below := fmt.Sprintf("%s.anyOf[%d]", at, i)
		switch {
		case one.Promoted != nil:
			c.At(below, "", "promoted stands alone, not under anyOf")
		case one.AnyOf != nil:
			c.At(below, "list its gates here", "anyOf stands in anyOf")
		case one.Template != "":
			c.At(below, "list its gates here", "template stands in anyOf")
		case one.WarnOnly || one.Overridable:
			c.At(below, "write it beside anyOf", "warnOnly and overridable are said of all of anyOf")
		default:
			c.gate(below, one)
		}
	}
}

func (c gateCheck) promoted(at string, g Gate) {
	if g.Name != "" || g.When != "" || g.WarnOnly || g.Overridable || g.Timeout != "" {
		c.At(at, "", "promoted has neither name, when, warnOnly, overridable nor timeout")
	}
	p := g.Promoted
	c.otherEnvironment(at+".promoted", p.Environment, true)
	if p.Policy == "" {
		c.At(at+".promoted", "policy: policies/promotions.yaml", "the gate names no policy")
	}
}

// otherEnvironment checks the environment that a gate looks at.
func (c gateCheck) otherEnvironment(at, name string, required bool) {
	switch {
	case name == "" && required:
		c.At(at, "environment: staging", "the gate names no environment")
	case name == "":
	case !slices.Contains(c.names, name):
		c.At(at+".environment", spelling.Hint(name, c.names), "environment %q is not listed", name)
	case name == c.environment:
		c.At(at+".environment", "", "environment %q waits for a promotion to itself", name)
	}
}

// expression notes what is wrong with an expression.
func (c gateCheck) expression(at, what string, err error) {
	if e, ok := errors.AsType[*expression.Error](err); ok {
		c.At(at, cmp.Or(e.Hint, what+": a condition in CEL"), "%s: %v", what, e)
	}
}
