package gitcmd

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kubepromote/kubepromote/internal/files"
)

// Error is what every function of this package fails with: Op is what was being done, Msg
// one line, Hint a command to type next, Err the cause.
type Error = files.Error

// maxMessage bounds what is quoted of git's output.
const maxMessage = 300

// FileError words an error about a file, of the standard library or of package
// files. No error stays none.
func FileError(op, path string, err error) error {
	var known *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		if msg, of := strings.CutSuffix(known.Msg, " leads out of the directory"); of {
			return &Error{Op: known.Op, Msg: msg + " leads out of the repository", Hint: known.Hint, Err: known.Err}
		}
		return err
	case files.LeadsOut(err):
		return LeadsOut(path)
	}
	return &Error{Op: op + " " + Clean(path), Msg: files.Reason(err), Err: err}
}

// Interrupted is the error of what was ended by its context.
func Interrupted(op string, err error) error {
	return &Error{Op: Clean(op), Msg: files.Reason(err), Err: err}
}

// LeadsOut is the error of a path that is not in the repository.
func LeadsOut(path string) error {
	return &Error{Msg: Clean(path) + " leads out of the repository"}
}

// lastLine picks the line of git's error output that says why. Git's own last
// "fatal:" or "error:" line wins over the usage notes that may follow; where
// "fatal:", or git commit's "error:", only repeats that the step failed, the "error:"
// before it is added.
func lastLine(output string) string {
	var last, reported, before string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if Clean(line) == "" || strings.HasPrefix(line, "hint:") || strings.HasPrefix(line, "warning:") {
			continue
		}
		last = line
		text, fatal := strings.CutPrefix(line, "fatal: ")
		text, failed := strings.CutPrefix(text, "error: ")
		switch {
		case (fatal || text == "Error building trees") && before != "":
			reported, before = text+": "+before, ""
		case fatal || failed:
			reported = text
		}
		if failed {
			before = text
		}
	}
	if reported != "" {
		return Clean(reported)
	}
	return Clean(last)
}

// Clean makes foreign text fit to be shown: one line, no control characters, no
// credentials, not long.
func Clean(s string) string {
	// Long input is cut early: the result is short anyway.
	if len(s) > 8*maxMessage {
		s = s[:8*maxMessage]
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if n := escapeSequence(s[i:]); n > 0 {
			i += n
			continue
		}
		c, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case c == '\n' || c == '\t' || c == '\r':
			b.WriteByte(' ')
		case unicode.IsControl(c) || unicode.Is(unicode.Cf, c):
		default:
			b.WriteRune(c)
		}
	}
	out := strings.TrimSpace(withoutUserinfo(b.String()))
	out = strings.ReplaceAll(out, Literal, "")
	if len(out) <= maxMessage {
		return out
	}
	cut := maxMessage - len("…")
	for !utf8.RuneStart(out[cut]) {
		cut--
	}
	return out[:cut] + "…"
}

// escapeSequence gives the length of the terminal colour sequence at the
// beginning of s; hooks like to print them.
func escapeSequence(s string) int {
	if !strings.HasPrefix(s, "\x1b[") {
		return 0
	}
	for i := 2; i < len(s); i++ {
		if s[i] >= 0x40 && s[i] <= 0x7e {
			return i + 1
		}
	}
	return len(s)
}

// withoutUserinfo removes user and password from every URL in s.
func withoutUserinfo(s string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "://")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		i += len("://")
		b.WriteString(s[:i])
		s = s[i:]
		end := strings.IndexAny(s, "/ '\"")
		if end < 0 {
			end = len(s)
		}
		s = s[strings.LastIndexByte(s[:end], '@')+1:]
	}
}

// Hinted gives an error of git with another hint.
func Hinted(err error, hint string) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	return &Error{Op: e.Op, Msg: e.Msg, Hint: hint, Err: err}
}
