package credentials

import (
	"errors"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// Error is a source of credentials that failed, as opposed to one that has none.
type Error struct {
	// Source names it: "docker config", "pull secret FILE".
	Source string
	// Err is the cause. Only a text of this module's own is fit for printing: a
	// helper or another's keychain may say anything.
	Err error
}

// Error has the cause where it is fit for printing: which file or helper it was, and
// nothing of what is in the one or came from the other.
func (e *Error) Error() string {
	text := "credentials could not be read from " + e.Source
	if own, ok := errors.AsType[fault.Text](e.Err); ok {
		text += ": " + own.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
