package promote

import (
	"errors"
	"testing"
)

// An error says its message and its cause once; what was asked for wrongly says the
// message alone.
func TestErrorText(t *testing.T) {
	cause := errors.New("disk full")
	for _, tc := range []struct {
		err  *Error
		want string
	}{
		{&Error{Msg: "bad"}, "bad"},
		{&Error{Msg: "bad", Err: cause}, "bad: disk full"},
		{&Error{Err: cause, Hint: "x"}, "disk full"},
		{usage("x", "no %s", "service"), "no service"},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
	if err := (&NotCommitted{cause}); !errors.Is(err, cause) || err.Error() != "the files are written but not committed: disk full" {
		t.Errorf("got %v", err)
	}
	r := &Refused{Answer: Fail, Verdicts: []Verdict{{Gate: "a", Answer: Fail, Reason: "x"}, {Gate: "b", Answer: Unknown, Reason: "y"}, {Gate: "c", Answer: Fail, Reason: "z"}}}
	if got := r.Error(); got != "a: x; c: z" {
		t.Errorf("what decides is said: got %q", got)
	}
}
