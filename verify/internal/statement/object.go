package statement

import (
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// Object is an object of a predicate that is being read. A field of another
// type counts as one that is not there.
type Object map[string]any

// Text is a field that is a string; "" where it is not.
func (o Object) Text(name string) string {
	s, _ := o[name].(string)
	return s
}

// Object is a field that is an object; nil where it is not.
func (o Object) Object(name string) Object {
	m, _ := o[name].(map[string]any)
	return m
}

// List is a field that is a list; nil where it is not.
func (o Object) List(name string) []any {
	l, _ := o[name].([]any)
	return l
}

// Time is a field that is a time in the form of RFC 3339.
func (o Object) Time(name string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, o.Text(name))
	if err != nil {
		return t, mismatch.NotMet("%s %s is no time", name, untrusted.Quoted(o.Text(name)))
	}
	return t, nil
}

// Stamp is a time as statements have it.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// The predicate types that are made and judged here, and what verification
// summaries have in them.
const (
	VSAType      = "https://slsa.dev/verification_summary/v1"
	ApprovalType = "https://kubepromote.dev/approval/v1"
	// PromotionField is where a summary says what SLSA has no field for. The
	// specification lets producers add fields whose names are URIs, and demands
	// of consumers to ignore those they do not know.
	PromotionField = "https://kubepromote.dev/promotion/v1"

	Passed = "PASSED"
	Failed = "FAILED"
)

// ClockSkew is how far ahead the clock of whoever made a statement may be.
const ClockSkew = 5 * time.Minute
