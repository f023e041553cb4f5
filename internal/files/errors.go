package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"unicode"
)

// Error is what every function of this package fails with.
type Error struct {
	// Op is what was being done; empty where Msg says it all.
	Op string
	// Msg is one line in lower case.
	Msg string
	// Hint is what to do next, or empty.
	Hint string
	// Err is the cause, or nil.
	Err error
}

// Error gives the operation and the message.
func (e *Error) Error() string {
	if e.Op == "" {
		return e.Msg
	}
	return e.Op + ": " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// HintText gives the hint, or "".
func (e *Error) HintText() string { return e.Hint }

// Reason gives the innermost text of an error about a file or of a context's end,
// without the system call and the path that the standard library puts into it.
func Reason(err error) string {
	var inPath *fs.PathError
	var inLink *os.LinkError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "took too long"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &inPath):
		err = inPath.Err
	case errors.As(err, &inLink):
		err = inLink.Err
	}
	return shown(err.Error())
}

// fileError words an error about a file; no error stays none.
func fileError(op, name string, err error) error {
	var known *Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case escapes(err):
		return leadsOut(name)
	}
	return &Error{Op: op + " " + shown(name), Msg: Reason(err), Err: err}
}

func interrupted(op string, err error) error { return &Error{Op: op, Msg: Reason(err), Err: err} }

// errLeadsOut is the cause where a path or a link leads out of the directory.
var errLeadsOut = errors.New("path leads out of the directory")

func leadsOut(name string) error {
	return &Error{Msg: shown(name) + " leads out of the directory", Err: errLeadsOut}
}

// LeadsOut tells whether an error of this package, or of an [os.Root], says that a
// path leads out of the directory.
func LeadsOut(err error) bool { return errors.Is(err, errLeadsOut) || escapes(err) }

// escapes tells whether os.Root refused a path. The standard library does not
// export that error.
func escapes(err error) bool {
	var inPath *fs.PathError
	return errors.As(err, &inPath) && inPath.Err.Error() == "path escapes from parent"
}

func notRegular(name string) error { return &Error{Msg: shown(name) + " is not a regular file"} }

func tooLarge(name string) error { return &Error{Msg: shown(name) + " is larger than 64 MiB"} }

// shown makes a path fit to be shown: one line without control characters.
func shown(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t' || c == '\r':
			return ' '
		case unicode.IsControl(c) || unicode.Is(unicode.Cf, c):
			return -1
		}
		return c
	}, s)
}

// quote makes a path safe to paste into a shell.
func quote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" && !strings.HasPrefix(s, "-") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
