package promote

import (
	"strings"
	"time"
)

// Answer is the outcome of a gate or of a whole plan.
type Answer string

// The answers. Unknown means that it could not be told; it is never taken for one
// of the others.
const (
	Pass    Answer = "pass"
	Fail    Answer = "fail"
	Wait    Answer = "wait"
	Unknown Answer = "unknown"
)

// Verdict is what a gate says about one service's promotion, and why.
type Verdict struct {
	Gate   string `json:"gate"`
	Answer Answer `json:"answer"`
	Reason string `json:"reason,omitempty"`
	// Until is when a wait is expected to end; zero where nobody can tell.
	Until time.Time `json:"until,omitzero"`
	// Rule is who asked where a policy did, as in Verification.
	Rule string `json:"rule,omitempty"`
	// Override, if not empty, says why the answer is pass although the gate's
	// condition is not met. Such a verdict is recorded as overridden.
	Override string `json:"override,omitempty"`
	// OverrideUntil and OverrideBy are those of Request, where it is overridden by that.
	OverrideUntil time.Time `json:"overrideUntil,omitzero"`
	OverrideBy    string    `json:"overrideBy,omitempty"`
	// Hint, if any, can be typed or done.
	Hint string `json:"hint,omitempty"`
	// Advice, if any, is what to ask for instead.
	Advice Advice `json:"advice,omitzero"`
}

// Text is the reason behind the rule that asked.
func (v Verdict) Text() string {
	return strings.TrimPrefix(v.Rule+": "+v.Reason, ": ")
}

// Worst gives the answer that decides: a no stands even where something else is
// unknown, and what is unknown comes before what only has to wait.
func Worst(answers ...Answer) Answer {
	for _, a := range []Answer{Fail, Unknown, Wait} {
		for _, b := range answers {
			if a == b {
				return a
			}
		}
	}
	return Pass
}
