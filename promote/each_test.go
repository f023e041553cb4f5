package promote

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
)

// The errors are in the order of the numbers, whatever order they come in.
func TestEach(t *testing.T) {
	const n = 100
	errs := each(context.Background(), n, func(i int) error {
		if i%3 == 0 {
			return fmt.Errorf("%d", i)
		}
		return nil
	})
	for i, err := range errs {
		if (err != nil) != (i%3 == 0) || err != nil && err.Error() != fmt.Sprint(i) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if errs := each(context.Background(), 0, nil); len(errs) != 0 {
		t.Errorf("of nothing: %v", errs)
	}
}

// At the end of the context nothing more is begun.
func TestEachEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var begun atomic.Int64
	each(ctx, 1<<20, func(int) error {
		begun.Add(1)
		cancel()
		return nil
	})
	if n := begun.Load(); n == 0 || n > 1000 {
		t.Errorf("%d begun", n)
	}
}

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
