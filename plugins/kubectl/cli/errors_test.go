package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

func TestExitStatus(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want int
	}{
		{errors.New("disk full"), ExitFailed},
		{&UsageError{Msg: "x"}, ExitUsage},
		{fmt.Errorf("y: %w", &promote.Error{Err: promote.ErrUsage}), ExitUsage},
		{&promote.Refused{Answer: promote.Fail}, ExitRefused},
		{&promote.Refused{Answer: promote.Wait}, ExitWaiting},
		{&promote.Refused{Answer: promote.Unknown}, ExitUnknown},
		{&digest.Error{Kind: digest.ErrUnknown}, ExitUnknown},
		{&digest.Error{Kind: digest.ErrNotFound}, ExitFailed},
		{errors.Join(&digest.Error{Kind: digest.ErrNotFound}, &digest.Error{Kind: digest.ErrUnknown}), ExitFailed},
		{context.DeadlineExceeded, ExitUnknown},
		// A way back that is not in a shallow clone may be there all the same.
		{fmt.Errorf("y: %w", &history.Truncated{Commit: "x"}), ExitUnknown},
	} {
		if got := exitStatus(tc.err); got != tc.want {
			t.Errorf("%v: exit status %d, want %d", tc.err, got, tc.want)
		}
	}
}

// Services that fail alike are told up to twenty and then counted: 110 lines of the same
// hid the one that was different.
func TestPrintManyErrors(t *testing.T) {
	var out strings.Builder
	s := &Session{IOStreams: genericiooptions.IOStreams{ErrOut: &out}}
	var errs []error
	for n := range 110 {
		errs = append(errs, &promote.Error{Msg: fmt.Sprintf("apps/svc-%d/base.yaml:%d:1: image \"shop/svc-%d\" is not pinned", n, n, n), Hint: "pin it"})
	}
	s.printError(errors.Join(append(errs, errors.New("something else"))...))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 23 || lines[20] != "hint: pin it" || lines[21] != "something else" || lines[22] != "and 90 more like it: image … is not pinned" {
		t.Errorf("got %d lines\n%s", len(lines), out.String())
	}
}

// 5,000 referrers that are listed and do not exist were 5,000 lines.
func TestWarnAll(t *testing.T) {
	var out strings.Builder
	s := &Session{IOStreams: genericiooptions.IOStreams{ErrOut: &out}}
	var texts []string
	for n := range 5000 {
		texts = append(texts, fmt.Sprintf("referrer sha256:%064x of sha256:ab is listed and does not exist", n*0xabcde))
	}
	s.WarnAll(texts)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 21 || lines[0] != "warning: "+texts[0] || lines[20] != "and 4980 more like it: referrer … of … is listed and does not exist" {
		t.Errorf("got %d lines\n%s", len(lines), lines[len(lines)-1])
	}
}

// What differs in a number is not the same: services that wait for 401 and for 503 were
// counted as one kind. However much differs, it ends.
func TestFactsThatDiffer(t *testing.T) {
	var out strings.Builder
	s := &Session{IOStreams: genericiooptions.IOStreams{ErrOut: &out}}
	var texts []string
	for n := range 60 {
		texts = append(texts, fmt.Sprintf("svc-%d: server error (%d)", n, 401+n%2))
	}
	s.WarnAll(texts)
	if got := out.String(); !strings.HasSuffix(got, "and 10 more like it: server error (401)\nand 10 more like it: server error (402)\n") {
		t.Error(got)
	}
	out.Reset()
	texts = nil
	for n := range 5000 {
		texts = append(texts, fmt.Sprintf("svc: %d of them", n))
	}
	s.WarnAll(texts)
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 200+20+1 || lines[220] != "and 4780 others" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// A line for each fact, whatever the facts hold; hints below them.
func TestPrintError(t *testing.T) {
	var out strings.Builder
	s := &Session{IOStreams: genericiooptions.IOStreams{ErrOut: &out}}
	s.printError(errors.Join(
		&overlay.Error{File: "a.yaml", Line: 1, Col: 2, Msg: "bad\x1b[31m\nname", Hint: "write\tanother"},
		errors.Join(errors.New("one"), &promote.Error{Msg: "two", Err: errors.New("three")}),
		context.Canceled,
	))
	want := "a.yaml:1:2: bad [31m name\nhint: write another\none\ntwo: three\ninterrupted\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// A name could turn the direction of what follows it, and so show another digest or service.
func TestCleanTurnsNothing(t *testing.T) {
	const hostile = " cart\u202egnp.exe\u2066\u200f\x1b[31m\u2028é "
	if got, want := Clean(hostile), "cart gnp.exe   [31m é"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if got, want := cleanLines("a\u202eb\n\tc\u009b"), "a b\n\tc "; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}
