package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/layout"
	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/verify/attest"
)

// The exit statuses. Refused, waiting and unknown are three different things: a
// script may try the latter two again.
const (
	ExitDone    = 0
	ExitFailed  = 1
	ExitUsage   = 2
	ExitRefused = 3
	ExitWaiting = 4
	ExitUnknown = 5
	// ExitInterrupted is that of shells for a program that Ctrl-C has ended.
	ExitInterrupted = 130
)

// UsageError is a fault in the command line.
type UsageError struct{ Msg, Hint, Command string }

// Error is the message, without the hint.
func (e *UsageError) Error() string { return e.Msg }

// HintText gives what to type.
func (e *UsageError) HintText() string {
	if e.Hint == "" && e.Command != "" {
		return e.Command + " --help"
	}
	return e.Hint
}

// silentError ends a command whose messages are out already.
type silentError struct {
	status int
	told   bool // also that the output could not be written
}

// Silent is the error that ends a command with a status and no further message;
// nil where the status is that of success.
func Silent(status int) error {
	if status == ExitDone {
		return nil
	}
	return &silentError{status: status}
}

// Told is Silent for what looks itself whether its output could be written.
func Told(status int) error {
	if status == ExitDone {
		return nil
	}
	return &silentError{status, true}
}

// Error is for a program that has this one built in: nothing prints it here.
func (e *silentError) Error() string { return fmt.Sprintf("exit status %d", e.status) }

// Fail prints an error and gives its exit status.
func (s *Session) Fail(err error) int {
	if silent, ok := errors.AsType[*silentError](err); ok {
		return silent.status
	}
	s.printError(err)
	return exitStatus(err)
}

// FailAs prints an error and ends the command with a status of its own, such as that of
// diff, whose 1 is a difference.
func (s *Session) FailAs(err error, status int) error {
	if silent, ok := errors.AsType[*silentError](err); ok {
		return silent
	}
	s.printError(err)
	return Told(status)
}

// statusError is what the error of a command implements that knows its exit status.
type statusError interface {
	error
	ExitStatus() int
}

func exitStatus(err error) int {
	var usage *UsageError
	var refused *promote.Refused
	var known statusError
	var stored *attest.StoreError
	var unreached *pipeline.Unreached
	var cut *history.Truncated
	switch {
	case errors.As(err, &usage), errors.Is(err, promote.ErrUsage):
		return ExitUsage
	case errors.As(err, &refused):
		return AnswerStatus(refused.Answer)
	case errors.As(err, &stored) && stored.Unknown, errors.As(err, &unreached), errors.As(err, &cut):
		return ExitUnknown
	case errors.As(err, &known):
		return known.ExitStatus()
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.Is(err, digest.ErrNotFound), errors.Is(err, digest.ErrMalformed), onDisk(err):
		return ExitFailed
	case errors.Is(err, digest.ErrUnknown), errors.Is(err, context.DeadlineExceeded):
		return ExitUnknown
	}
	return ExitFailed
}

// onDisk tells a failure to read an image in files from a registry that gave no
// answer: trying again later does not help with the former.
func onDisk(err error) bool {
	var e *digest.Error
	return errors.As(err, &e) && e.Registry == "" && layout.IsRef(e.Ref) && errors.Is(e, digest.ErrUnknown) && !errors.Is(e, context.DeadlineExceeded)
}

// printError writes one fact a line, and a hint below where there is one.
func (s *Session) printError(err error) {
	var facts []Fact
	for _, e := range Split(err) {
		if errors.Is(e, context.Canceled) && !strings.Contains(e.Error(), "interrupted") {
			e = fmt.Errorf("interrupted: %w", e)
		}
		facts = append(facts, Fact{Text: stopped(e), Hint: s.HintOf(e)})
	}
	s.PrintFacts(facts)
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

// Split takes apart what errors.Join has put together, and only that: other
// errors with several causes have a message of their own.
func Split(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var texts []string
	for _, e := range joined.Unwrap() {
		texts = append(texts, e.Error())
	}
	if strings.Join(texts, "\n") != err.Error() {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, Split(e)...)
	}
	return all
}

// HintOf finds the hint of an error or of the nearest cause that has one.
func (s *Session) HintOf(err error) string {
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
		if hint = s.WithAdvice(hint, do, with); hint != "" {
			return hint
		}
	}
	return ""
}

// Clean keeps what comes from files and registries from writing more than a line,
// anything that a terminal would obey, or what turns the direction of the text.
func Clean(text string) string { return fault.Printable(strings.TrimSpace(text)) }

// Warn tells a fact that stops nothing.
func (s *Session) Warn(format string, args ...any) {
	if !s.Quiet {
		fmt.Fprintln(s.ErrOut, warning+Clean(fmt.Sprintf(format, args...)))
	}
}

// WarnTruncated makes a warning of the error of a history that is not all here; it
// gives any other error back.
func (s *Session) WarnTruncated(err error) error {
	if all := Split(err); len(all) > 1 {
		for n := range all {
			all[n] = s.WarnTruncated(all[n])
		}
		return errors.Join(all...)
	}
	var t *history.Truncated
	if !errors.As(err, &t) {
		return err
	}
	text := t.Error()
	if t.File == "" {
		text = "the clone is shallow: " + text
	}
	s.Warn("%s; %s", text, s.HintHere(t.HintText()))
	return nil
}

// Note tells what was found out, where asked to.
func (s *Session) Note(format string, args ...any) {
	if s.verbose {
		fmt.Fprintln(s.ErrOut, Clean(fmt.Sprintf(format, args...)))
	}
}

// PrintWarnings tells the warnings of a plan and of its services.
func (s *Session) PrintWarnings(plan *promote.Plan) {
	all := slices.Clone(plan.Warnings)
	for _, sp := range plan.Services {
		for _, w := range sp.Warnings {
			all = append(all, sp.Service+": "+w)
		}
	}
	s.WarnAll(all)
}

// YAMLError says what is wrong with a file's YAML, and on which line if the parser
// has told.
func YAMLError(file string, err error) error {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if rest, found := strings.CutPrefix(text, "line "); found {
		number, what, _ := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			text, line = what, n
		}
	}
	return &promote.Error{Msg: fmt.Sprintf("%s:%d:1: not valid YAML: %s", file, line, text)}
}
