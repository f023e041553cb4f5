package review

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
)

// State says whether an approval counts, or why not.
type State string

// The states.
const (
	Counts   State = "counts"
	Again    State = "again"    // whoever gave it has given another one that counts
	Stale    State = "stale"    // of what the pull request was before
	Expired  State = "expired"  // its time is over
	Foreign  State = "foreign"  // of somebody who is not among those who may
	Author   State = "author"   // of whoever has made the change
	Builder  State = "builder"  // of whoever has built the image
	Other    State = "other"    // for another environment, service or commit
	Objects  State = "objects"  // no approval: changes are asked for
	Nameless State = "nameless" // of whom it cannot be told whether they are author or builder
)

// Given is one approval.
type Given struct {
	// Who is the user of the forge, or the signer: the subject of the certificate, or the
	// name that the approval has and the key's fingerprint.
	Who   string `json:"who"`
	State State  `json:"state"`
	// Reason says more of why it does not count.
	Reason string `json:"reason,omitempty"`
	// At is when it was given, Until when it ends; zero where nobody says.
	At    time.Time `json:"at,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Commit is what was reviewed, where the forge says so.
	Commit string `json:"commit,omitempty"`
	Note   string `json:"note,omitempty"`

	person string // the same for all of one
}

// Count is how far approvals have come: reviews of one pull request, or signed approvals
// of one image.
type Count struct {
	// Type is pullRequest or attestation.
	Type string `json:"type"`
	// Image is that of signed approvals: repository@digest.
	Image string `json:"image,omitempty"`
	// Number, URL and Commit are those of the pull request, and the commit that it ends
	// with.
	Number int    `json:"number,omitempty"`
	URL    string `json:"url,omitempty"`
	Commit string `json:"commit,omitempty"`
	// Least is how many people have to approve, Have how many have.
	Least int     `json:"least"`
	Have  int     `json:"have"`
	Given []Given `json:"given,omitempty"`
	// May are those who may approve and have not, as far as they are known by name.
	May []string `json:"may,omitempty"`
	// Verdict is what the gate says of it.
	Verdict promote.Verdict `json:"verdict"`
}

// settle counts people, and says what that comes to.
func (c *Count) settle(advice promote.Advice) {
	slices.SortStableFunc(c.Given, func(a, b Given) int { return a.At.Compare(b.At) })
	seen := make(map[string]bool)
	var who []string
	for n := range c.Given {
		g := &c.Given[n]
		if g.State != Counts {
			continue
		}
		if seen[g.person] {
			g.State = Again
			continue
		}
		seen[g.person] = true
		who = append(who, g.Who)
	}
	c.Have = len(who)
	objects := slices.ContainsFunc(c.Given, func(g Given) bool { return g.State == Objects })
	what := "approved"
	if c.Number > 0 {
		what = fmt.Sprintf("pull request %d is approved", c.Number)
	}
	if c.Have >= c.Least && !objects {
		c.Verdict = say(promote.Pass, "%s by %s; %s asked for", what, names(who), plural(c.Least))
		return
	}
	reasons := []string{fmt.Sprintf("%s by %s, %d of %d", what, cmp.Or(names(who), "nobody"), c.Have, c.Least)}
	reasons = append(reasons, c.lacking(seen)...)
	if len(c.May) > 0 && c.Have < c.Least {
		reasons = append(reasons, "may approve: "+names(c.May))
	}
	c.Verdict = say(promote.Wait, "%s", strings.Join(reasons, "; "))
	c.Verdict.Advice = advice
	if c.URL != "" {
		c.Verdict.Hint = "review " + c.URL
	}
	if c.Have < c.Least && !objects {
		c.nameless()
	}
}

func plural(n int) string {
	if n == 1 {
		return "1 is"
	}
	return fmt.Sprintf("%d are", n)
}

// lacking says why those approvals do not count that might have been meant to.
func (c *Count) lacking(counted map[string]bool) []string {
	var out []string
	for _, g := range c.Given {
		said := ""
		switch g.State {
		case Stale:
			said = g.Who + " has approved an older commit"
		case Expired:
			said = "the approval of " + g.Who + " has expired"
			if !g.Until.IsZero() {
				said = "the approval of " + g.Who + " expired at " + g.Until.UTC().Format("2006-01-02 15:04 MST")
			}
		case Foreign:
			said = "that of " + g.Who + " does not count, who is not among those who may approve"
		case Author:
			said = "that of " + g.Who + " does not count, who has made the change"
		case Builder:
			said = "that of " + g.Who + " does not count, who has built the image"
		case Objects:
			said = g.Who + " asks for changes"
		case Other:
			said = "that of " + g.Who + " is for something else: " + g.Reason
		}
		if said != "" && (!counted[g.person] || g.State == Objects) && !slices.Contains(out, said) {
			out = append(out, said)
		}
	}
	const most = 5
	if more := len(out) - most; more > 0 {
		out = append(out[:most], fmt.Sprintf("%d more do not count", more))
	}
	return out
}

// nameless makes a wait unknown where enough have approved and it cannot be told of some
// whether they are kept apart.
func (c *Count) nameless() {
	people := make(map[string]bool)
	first := Given{}
	for _, g := range c.Given {
		if g.State == Nameless {
			if first.Who == "" {
				first = g
			}
			people[g.person] = true
		}
	}
	if first.Who == "" || c.Have+len(people) < c.Least {
		return
	}
	c.Verdict = say(promote.Unknown, "nobody can say whether %s is kept apart: %s", first.Who, first.Reason)
	if c.Number > 0 {
		c.Verdict.Hint = "people: {" + first.Who + ": [ADDRESS]} in the gate"
	}
}

// of begins a count for a pull request.
func of(pr *forge.PullRequest, least int) *Count {
	return &Count{Type: "pullRequest", Number: pr.Number, URL: pr.URL, Commit: pr.HeadCommit, Least: least}
}
