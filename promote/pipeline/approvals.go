package pipeline

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/promote/internal/location"
)

// ApprovalsGate lets pass what enough people have approved: by reviews of the pull request
// that brings it, or by signed approvals of its digests. Whoever approves twice is one.
type ApprovalsGate struct {
	// Min is how many people; by default one.
	Min int `yaml:"min" json:"min,omitempty"`
	// From is pullRequest, by default, or attestation.
	From string `yaml:"from" json:"from,omitempty"`
	// By are those whose reviews count: users as the forge names them, teams as ORG/TEAM,
	// or codeowners, by default: whom the base's file CODEOWNERS names for what changes.
	By []string `yaml:"by" json:"by,omitempty"`
	// Policy is the path of a VerificationPolicy file in the repository, whose authorities
	// are those whose signed approvals count.
	Policy string `yaml:"policy" json:"policy,omitempty"`
	// Separate are whose approvals do not count, though they were among those that may give
	// them: author, who has made the change, and builder, who has signed the image. The
	// author of a pull request never counts.
	Separate []string `yaml:"separate" json:"separate,omitempty"`
	// People says for users of the forge by what they are known elsewhere: addresses,
	// subjects of certificates, and fingerprints of keys (sha256:…).
	People map[string][]string `yaml:"people" json:"people,omitempty"`
}

// The values of ApprovalsGate.From and Separate.
const (
	FromPullRequest  = "pullRequest"
	FromAttestation  = "attestation"
	SeparateAuthor   = "author"
	SeparateBuilder  = "builder"
	mostApprovers    = 20
	mostStatusChecks = 50
)

// Least is how many people have to approve.
func (g *ApprovalsGate) Least() int { return max(g.Min, 1) }

// Signed tells whether signed approvals are asked for, and not reviews.
func (g *ApprovalsGate) Signed() bool { return g.From == FromAttestation }

// Approvers are those whose reviews count, as By has them.
func (g *ApprovalsGate) Approvers() []string {
	if len(g.By) == 0 {
		return []string{CodeOwners}
	}
	return g.By
}

// accountName is how forges call users and teams; {uuid} is Bitbucket's.
var accountName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^@?[A-Za-z0-9_.+@{-][A-Za-z0-9_. +@:{}/-]*$`) })

func (g *ApprovalsGate) check(c gateCheck, at string) {
	// What says 0 was taken for what says nothing, which asks for one.
	if g.Min < 0 || g.Min > mostApprovers || g.Min == 0 && c.Has(at+".min") {
		c.At(at+".min", "min: 2", "min is %d, and may be 1 to %d", g.Min, mostApprovers)
	}
	if from := []string{FromPullRequest, FromAttestation}; g.From != "" && !slices.Contains(from, g.From) {
		c.At(at+".from", spelling.Hint(g.From, from), "from is %q", g.From)
	}
	who := []string{SeparateAuthor, SeparateBuilder}
	for i, name := range g.Separate {
		if !slices.Contains(who, name) {
			c.At(fmt.Sprintf("%s.separate[%d]", at, i), spelling.Hint(name, who), "nobody is kept apart as %q", name)
		}
	}
	switch {
	case g.Signed() && g.Policy == "":
		c.At(at, "policy: policies/approvals.yaml", "signed approvals are asked for, and no policy says whose count")
	case g.Signed() && len(g.By) > 0:
		c.At(at+".by", "policy: policies/approvals.yaml", "by is for reviews, and the policy says whose signed approvals count")
	case g.Signed() && len(g.People) > 0:
		c.At(at+".people", "", "people are users of a forge, and signed approvals name nobody there")
	case !g.Signed() && g.Policy != "":
		c.At(at+".policy", "from: attestation", "policy is for signed approvals, and reviews are asked for")
	}
	if g.Policy != "" && (!fs.ValidPath(g.Policy) || g.Policy == ".") {
		c.At(at+".policy", "policy: policies/approvals.yaml", "%q is not a path inside the repository", g.Policy)
	}
	for i, name := range g.By {
		if !accountName().MatchString(name) {
			c.At(fmt.Sprintf("%s.by[%d]", at, i), "NAME, ORG/TEAM or codeowners", "nobody is called %q", name)
		}
	}
	for name, known := range g.People {
		if len(known) == 0 || slices.Contains(known, "") {
			c.At(at+".people."+name, name+": [ada@example.com]", "%q is known by nothing elsewhere", name)
		}
	}
}

// CommitStatusGate lets pass what checks of the forge have called good.
type CommitStatusGate struct {
	// Contexts are the checks, by name or glob. {service}, {environment} and {from} stand
	// for what is promoted.
	Contexts []string `yaml:"contexts" json:"contexts"`
	// On is the commit: source, by default, which has brought the images to where they are
	// promoted from; head, that the promotion is made on, or that a pull request ends with;
	// or pullRequest, that the open pull request of the promotion ends with.
	On string `yaml:"on" json:"on,omitempty"`
	// Missing is what a check means that is not there: wait, by default, or unknown.
	Missing string `yaml:"missing" json:"missing,omitempty"`
}

// The values of CommitStatusGate.On and Missing.
const (
	OnSource       = "source"
	OnHead         = "head"
	OnPullRequest  = "pullRequest"
	MissingWait    = "wait"
	MissingUnknown = "unknown"
)

func (g *CommitStatusGate) check(c gateCheck, at string) {
	if len(g.Contexts) == 0 || len(g.Contexts) > mostStatusChecks {
		c.At(at, "contexts: [ci/test]", "the gate has %d contexts, and may have 1 to %d", len(g.Contexts), mostStatusChecks)
	}
	for i, glob := range g.Contexts {
		where := fmt.Sprintf("%s.contexts[%d]", at, i)
		if _, err := path.Match(glob, ""); err != nil || strings.TrimSpace(glob) == "" {
			c.At(where, "ci/test, or ci/*", "context %q is malformed", glob)
		}
		for _, name := range location.Names(glob) {
			if known := []string{location.Service, location.Environment, holeFrom}; !slices.Contains(known, name) {
				c.At(where, spelling.Hint(name, known), "context has the hole {%s}", name)
			}
		}
	}
	for _, one := range []struct {
		field, value string
		known        []string
	}{{"on", g.On, []string{OnSource, OnHead, OnPullRequest}}, {"missing", g.Missing, []string{MissingWait, MissingUnknown}}} {
		if one.value != "" && !slices.Contains(one.known, one.value) {
			c.At(at+"."+one.field, spelling.Hint(one.value, one.known), "%s is %q", one.field, one.value)
		}
	}
}

// AsksForge tells whether a forge says what the gate asks, whatever the delivery is.
func (g Gate) AsksForge() bool {
	return g.CommitStatus != nil || g.Approvals != nil && !g.Approvals.Signed() || slices.ContainsFunc(g.AnyOf, Gate.AsksForge)
}
