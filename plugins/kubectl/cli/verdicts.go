package cli

import (
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/images"
	"github.com/kubepromote/kubepromote/verify"
)

// Evidence says who has signed, and how: one after the other, "-" where nobody has.
func Evidence(all []promote.Evidence) string {
	if len(all) == 0 {
		return "-"
	}
	var out []string
	for _, e := range all {
		who := ShortDigest(e.KeyID)
		if e.Subject != "" {
			who = e.Subject + " (" + e.Issuer + ")"
		}
		out = append(out, fmt.Sprintf("%s %s %s", e.Kind, e.Authority, who))
	}
	return strings.Join(out, ", ")
}

// Worse gives the exit status for one more result: a no stands even where
// something else is unknown.
func Worse(status int, r verify.Result) int {
	switch {
	case r.Outcome == verify.Verified || r.Warned:
		return status
	case r.Outcome == verify.Rejected || status == ExitRefused:
		return ExitRefused
	}
	return ExitUnknown
}

// Verified gives results as a table; what is the heading of that which was verified.
func Verified(what string, out *Output, results []verify.Result) [][]string {
	rows := [][]string{{what, "RESULT", "REASON"}}
	if out.Wide() {
		rows[0] = append(rows[0], "EVIDENCE", "LOCATION")
	}
	for _, r := range results {
		outcome := string(r.Outcome)
		if r.Warned {
			outcome = "warned"
		}
		row := []string{digest.Redact(r.Image), outcome, Dash(r.Reason)}
		if out.Wide() {
			var locations []string
			for _, e := range r.Evidence {
				locations = append(locations, e.Location)
			}
			row = append(row, Evidence(images.Verification(r).Evidence), Dash(strings.Join(locations, ", ")))
		}
		rows = append(rows, row)
	}
	return rows
}

// AnswerStatus gives the exit status that an answer means.
func AnswerStatus(a promote.Answer) int {
	switch a {
	case promote.Fail:
		return ExitRefused
	case promote.Wait:
		return ExitWaiting
	case promote.Unknown:
		return ExitUnknown
	}
	return ExitDone
}
