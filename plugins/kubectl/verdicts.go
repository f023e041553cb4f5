package kubectl

import (
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify"
)

func evidence(all []promote.Evidence) string {
	if len(all) == 0 {
		return "-"
	}
	var out []string
	for _, e := range all {
		who := shortDigest(e.KeyID)
		if e.Subject != "" {
			who = e.Subject + " (" + e.Issuer + ")"
		}
		out = append(out, fmt.Sprintf("%s %s %s", e.Kind, e.Authority, who))
	}
	return strings.Join(out, ", ")
}

// worse gives the exit status for one more result: a no stands even where
// something else is unknown.
func worse(status int, r verify.Result) int {
	switch {
	case r.Outcome == verify.Verified || r.Warned:
		return status
	case r.Outcome == verify.Rejected || status == exitRefused:
		return exitRefused
	}
	return exitUnknown
}

// printVerified prints results; what is the heading of that which was verified.
func (s *session) printVerified(what string, out *output, results []verify.Result) error {
	rows := [][]string{{what, "RESULT", "REASON"}}
	if out.wide() {
		rows[0] = append(rows[0], "EVIDENCE", "LOCATION")
	}
	for _, r := range results {
		outcome := string(r.Outcome)
		if r.Warned {
			outcome = "warned"
		}
		row := []string{digest.Redact(r.Image), outcome, dash(r.Reason)}
		if out.wide() {
			var locations []string
			for _, e := range r.Evidence {
				locations = append(locations, e.Location)
			}
			row = append(row, evidence(verification(r).Evidence), dash(strings.Join(locations, ", ")))
		}
		rows = append(rows, row)
	}
	return table(s.Out, rows)
}

func answerStatus(a promote.Answer) int {
	switch a {
	case promote.Fail:
		return exitRefused
	case promote.Wait:
		return exitWaiting
	case promote.Undecided:
		return exitUnknown
	}
	return exitDone
}
