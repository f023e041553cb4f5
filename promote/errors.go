package promote

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// ErrUsage marks errors in what was asked for, such as the name of a service
// that does not exist. Test with errors.Is.
var ErrUsage = pipeline.ErrUsage

// ErrNoPipeline marks the error of a repository that has no pipeline file and no
// layout that is known. Test with errors.Is.
var ErrNoPipeline = pipeline.ErrNone

// Error says what went wrong and what to do about it.
type Error struct {
	// Msg is one line, lower case, no full stop. It may be empty where Err says all.
	Msg string
	// Hint, if any, can be typed or done.
	Hint string
	// Advice, if any, is what to ask for instead.
	Advice Advice
	// Err is the cause, or ErrUsage or ErrNoPipeline.
	Err error
}

// Error is the message and its cause, without the hint.
func (e *Error) Error() string {
	if e.Err == nil || e.Err == ErrUsage || e.Err == ErrNoPipeline {
		return e.Msg
	}
	if e.Msg == "" {
		return e.Err.Error()
	}
	return e.Msg + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// HintText gives the hint, or "".
func (e *Error) HintText() string { return e.Hint }

// AdviceData gives the advice as plain values, so that one who words advice need
// not know which library it comes from; do is "" where there is none.
func (e *Error) AdviceData() (do string, with map[string]string) {
	return string(e.Advice.Do), e.Advice.With
}

// advising gives the error with advice beside its hint.
func (e *Error) advising(a Advice) *Error {
	e.Advice = a
	return e
}

func usage(hint, format string, args ...any) *Error {
	return &Error{Msg: fmt.Sprintf(format, args...), Hint: hint, Err: ErrUsage}
}

func failure(hint, format string, args ...any) *Error {
	return &Error{Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// Moved is the error of a commit on a branch that has another newest commit now than
// the one that the plan was made on. Nothing has happened, and the plan is to be made
// again.
type Moved struct {
	Branch string
	// Err is how it showed, or nil.
	Err error
}

// Error names the branch.
func (e *Moved) Error() string { return "somebody else has moved " + e.Branch + " in the meantime" }

// Unwrap gives the cause.
func (e *Moved) Unwrap() error { return e.Err }
