package record

import (
	"strings"
	"time"
)

// Override is a gate that somebody went past. In a record it is "gate; by NAME; until TIME;
// reason", or without the time.
type Override struct {
	Gate string `json:"gate"`
	By   string `json:"by,omitempty"`
	// Until is when it ended by itself; zero where it was for that promotion alone.
	Until  time.Time `json:"until,omitzero"`
	Reason string    `json:"reason,omitempty"`
}

// String is the override as records have it. A semicolon in the name is left out: it would
// begin another part.
func (o Override) String() string {
	text := o.Gate + "; by " + strings.ReplaceAll(o.By, ";", "")
	if !o.Until.IsZero() {
		text += "; until " + o.Until.UTC().Format(time.RFC3339)
	}
	return text + "; " + o.Reason
}

// parseOverride reads one. What is not of that form is a reason: anybody may have written
// it.
func parseOverride(text string) Override {
	gate, rest, _ := strings.Cut(text, "; by ")
	by, rest, ok := strings.Cut(rest, "; ")
	if !ok {
		return Override{Reason: text}
	}
	o := Override{Gate: gate, By: by, Reason: rest}
	if after, found := strings.CutPrefix(rest, "until "); found {
		until, reason, _ := strings.Cut(after, "; ")
		if t, err := time.Parse(time.RFC3339, until); err == nil {
			o.Until, o.Reason = t, reason
		}
	}
	return o
}
