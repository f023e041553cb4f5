package kubectl

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify"
)

// The exit statuses. Refused, waiting and unknown are three different things: a
// script may try the latter two again.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
	exitWaiting = 4
	exitUnknown = 5
)

// usageError is a fault in the command line.
type usageError struct{ msg, hint, command string }

func (e *usageError) Error() string { return e.msg }

// HintText gives what to type.
func (e *usageError) HintText() string {
	if e.hint == "" && e.command != "" {
		return e.command + " --help"
	}
	return e.hint
}

// silentError ends a command whose messages are out already.
type silentError struct{ status int }

func (e *silentError) Error() string { return fmt.Sprintf("exit status %d", e.status) }

// fail prints an error and gives its exit status.
func (s *session) fail(err error) int {
	var silent *silentError
	if errors.As(err, &silent) {
		return silent.status
	}
	s.printError(err)
	return exitStatus(err)
}

func exitStatus(err error) int {
	var usage *usageError
	var refused *promote.Refused
	var missing *missingPlatforms
	var stored *verify.StoreError
	var function *functionError
	switch {
	case errors.As(err, &usage), errors.Is(err, promote.ErrUsage):
		return exitUsage
	case errors.As(err, &refused):
		return answerStatus(refused.Answer)
	case errors.As(err, &stored) && stored.Unknown:
		return exitUnknown
	case errors.As(err, &missing):
		return exitRefused
	case errors.As(err, &function):
		return function.status()
	case errors.Is(err, digest.ErrNotFound), errors.Is(err, digest.ErrMalformed), onDisk(err):
		return exitFailed
	case errors.Is(err, digest.ErrUnknown), errors.Is(err, context.DeadlineExceeded):
		return exitUnknown
	}
	return exitFailed
}

// onDisk tells a failure to read an image in files from a registry that gave no
// answer: trying again later does not help with the former.
func onDisk(err error) bool {
	var e *digest.Error
	return errors.As(err, &e) && e.Registry == "" && digest.IsSource(e.Ref) && errors.Is(e, digest.ErrUnknown) && !errors.Is(e, context.DeadlineExceeded)
}

func answerStatus(a promote.Answer) int {
	switch a {
	case promote.Fail:
		return exitRefused
	case promote.Wait:
		return exitWaiting
	case promote.Unknown:
		return exitUnknown
	}
	return exitDone
}

// printError writes one fact a line, and a hint below where there is one.
func (s *session) printError(err error) {
	if parts := split(err); parts != nil {
		for _, e := range parts {
			s.printError(e)
		}
		return
	}
	if errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "interrupted") {
		err = fmt.Errorf("interrupted: %w", err)
	}
	fmt.Fprintln(s.ErrOut, clean(stopped(err)))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintln(s.ErrOut, "hint: "+clean(hint))
	}
}

// stopped gives an error's message; that it was stopped is said in plain words.
func stopped(err error) string {
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = strings.ReplaceAll(text, context.DeadlineExceeded.Error(), "took too long")
	}
	if text == "interrupted: "+context.Canceled.Error() {
		return "interrupted"
	}
	return strings.TrimSuffix(text, ": "+context.Canceled.Error())
}

// split takes apart what errors.Join has put together, and only that: other
// errors with several causes have a message of their own.
func split(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var texts []string
	for _, e := range joined.Unwrap() {
		texts = append(texts, e.Error())
	}
	if strings.Join(texts, "\n") != err.Error() {
		return nil
	}
	return joined.Unwrap()
}

// hintOf finds the hint of an error or of the nearest cause that has one.
func hintOf(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		hint, do, with := "", "", map[string]string(nil)
		if h, ok := err.(interface{ HintText() string }); ok {
			hint = h.HintText()
		}
		if a, ok := err.(interface {
			AdviceData() (do string, with map[string]string)
		}); ok {
			do, with = a.AdviceData()
		}
		if hint = withAdvice(hint, do, with); hint != "" {
			return hint
		}
	}
	return ""
}

// clean keeps what comes from files and registries from writing more than a line,
// or anything that a terminal would obey.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.TrimSpace(text))
}

// warn tells a fact that stops nothing.
func (s *session) warn(format string, args ...any) {
	if !s.quiet {
		fmt.Fprintln(s.ErrOut, "warning: "+clean(fmt.Sprintf(format, args...)))
	}
}

// note tells what was found out, where asked to.
func (s *session) note(format string, args ...any) {
	if s.verbose {
		fmt.Fprintln(s.ErrOut, clean(fmt.Sprintf(format, args...)))
	}
}
