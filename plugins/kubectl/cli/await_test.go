package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// scripted is a clock that nobody waits for, and the pauses that it was asked for.
type scripted struct {
	now    time.Time
	end    time.Time // when the time limit is over
	pauses []string
}

func (c *scripted) clock() Clock {
	return Clock{Now: func() time.Time { return c.now }, Sleep: func(ctx context.Context, d time.Duration) error {
		c.pauses = append(c.pauses, d.String())
		if c.now = c.now.Add(d); !c.end.IsZero() && c.now.After(c.end) {
			return context.DeadlineExceeded
		}
		return ctx.Err()
	}}
}

func planOf(verdicts ...promote.Verdict) *promote.Plan {
	p := &promote.Plan{To: "production", Answer: promote.Pass, Services: []*promote.ServicePlan{{Service: "cart", Verdicts: verdicts}}}
	for _, v := range verdicts {
		if v.Answer != promote.Pass {
			p.Answer = v.Answer
		}
	}
	return p
}

func TestAwait(t *testing.T) {
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	soak := promote.Verdict{Gate: "soak", Answer: promote.Wait, Reason: "until 12:01", Until: noon.Add(70 * time.Second)}
	near := promote.Verdict{Gate: "soak", Answer: promote.Wait, Reason: "until 12:00:10", Until: noon.Add(10 * time.Second)}
	metric := promote.Verdict{Gate: "metric", Answer: promote.Wait, Reason: "no value"}
	ask := promote.Verdict{Gate: "manual", Answer: promote.Wait, Advice: promote.Advice{Do: promote.DoConfirm}}
	pass, fail := promote.Verdict{Gate: "soak", Answer: promote.Pass}, promote.Verdict{Gate: "http", Answer: promote.Fail}
	for _, tc := range []struct {
		name   string
		plans  []*promote.Plan
		limit  time.Duration
		want   promote.Answer
		pauses []string
		said   string
	}{
		{"nothing to wait for", []*promote.Plan{planOf(pass)}, 0, promote.Pass, nil, ""},
		{"until it is expected, and looked at now and then", []*promote.Plan{planOf(soak), planOf(soak), planOf(soak), planOf(pass)}, 0, promote.Pass,
			[]string{"30s", "30s", "10s"}, "waiting for cart: soak: until 12:01\n"},
		{"the first that ends", []*promote.Plan{planOf(soak, near), planOf(soak, pass), planOf(pass)}, 0, promote.Pass, []string{"10s", "30s"},
			"waiting for cart: soak: until 12:01; cart: soak: until 12:00:10\nwaiting for cart: soak: until 12:01\n"},
		{"nobody knows when", []*promote.Plan{planOf(metric), planOf(pass)}, 0, promote.Pass, []string{"30s"}, "waiting for cart: metric: no value\n"},
		{"it was expected to be over", []*promote.Plan{planOf(promote.Verdict{Gate: "exec", Answer: promote.Wait, Reason: "x", Until: noon.Add(-time.Hour)}), planOf(pass)}, 0, promote.Pass,
			[]string{"1s"}, "waiting for cart: exec: x\n"},
		{"a no ends it", []*promote.Plan{planOf(metric), planOf(fail)}, 0, promote.Fail, []string{"30s"}, "waiting for cart: metric: no value\n"},
		{"a person is not waited for", []*promote.Plan{planOf(metric), planOf(ask)}, 0, promote.Wait, []string{"30s"}, "waiting for cart: metric: no value\n"},
		{"a person beside another wait", []*promote.Plan{planOf(ask, metric), planOf(ask)}, 0, promote.Wait, []string{"30s"}, "waiting for cart: manual: ; cart: metric: no value\n"},
		{"no time is left", []*promote.Plan{planOf(soak), planOf(soak), planOf(pass)}, 45 * time.Second, promote.Wait, []string{"30s", "30s"}, "waiting for cart: soak: until 12:01\n"},
		{"many", []*promote.Plan{planOf(metric, metric, metric, metric, metric), planOf(pass)}, 0, promote.Pass, []string{"30s"},
			"waiting for cart: metric: no value; cart: metric: no value; cart: metric: no value; and 2 more\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var said bytes.Buffer
			s := NewSession(genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: &said})
			c := &scripted{now: noon}
			if tc.limit > 0 {
				c.end = noon.Add(tc.limit)
			}
			n := 0
			got, err := s.Await(t.Context(), c.clock(), func(context.Context) (*promote.Plans, error) {
				n++
				return plansOf(tc.plans[n-1]), nil
			})
			if err != nil || answer(got) != tc.want || !slices.Equal(c.pauses, tc.pauses) || said.String() != tc.said {
				t.Errorf("%v, %v, pauses %q, said\n%s", got, err, c.pauses, said.String())
			}
		})
	}
}

// An error ends it; so does Ctrl-C. What a time limit leaves unfinished is no answer.
func TestAwaitEnds(t *testing.T) {
	s := NewSession(genericiooptions.NewTestIOStreamsDiscard())
	metric := promote.Verdict{Gate: "metric", Answer: promote.Wait}
	broken := errors.New("broken")
	if _, err := s.Await(t.Context(), (&scripted{}).clock(), func(context.Context) (*promote.Plans, error) { return nil, broken }); err != broken {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := s.Await(ctx, (&scripted{}).clock(), func(context.Context) (*promote.Plans, error) { cancel(); return plansOf(planOf(metric)), nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(time.Millisecond))
	defer cancel()
	first := plansOf(planOf(metric))
	n := 0
	got, err := s.Await(ctx, Clock{time.Now, func(context.Context, time.Duration) error { return nil }}, func(context.Context) (*promote.Plans, error) {
		if n++; n == 1 {
			return first, nil
		}
		<-ctx.Done()
		return plansOf(planOf(promote.Verdict{Gate: "metric", Answer: promote.Unknown})), ctx.Err()
	})
	if err != nil || got != first {
		t.Errorf("%v, %v", got, err)
	}
}

func TestParseMoment(t *testing.T) {
	zone := time.FixedZone("X", 3600)
	now := time.Date(2026, 11, 27, 16, 30, 0, 0, zone) // a friday
	for text, want := range map[string]string{
		"2026-12-24T16:00:00Z": "2026-12-24T16:00:00Z", "2026-12-24 16:00": "2026-12-24T16:00:00+01:00", "2026-12-24": "2026-12-24T00:00:00+01:00",
		"17:00": "2026-11-27T17:00:00+01:00", "16:00": "2026-11-28T16:00:00+01:00", "friday 17:00": "2026-11-27T17:00:00+01:00",
		"Fri 16:00": "2026-12-04T16:00:00+01:00", "sun 8:05": "2026-11-29T08:05:00+01:00", "thursday 00:00": "2026-12-03T00:00:00+01:00",
	} {
		if got, err := ParseMoment(text, now); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %s, %v, want %s", text, got.Format(time.RFC3339), err, want)
		}
	}
	for _, text := range []string{"", "tomorrow", "25:00", "frday 17:00", "friday", "2026-13-01", "friday 17:00 UTC"} {
		if got, err := ParseMoment(text, now); exitStatus(err) != ExitUsage {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

func plansOf(plan *promote.Plan) *promote.Plans { return &promote.Plans{All: []*promote.Plan{plan}} }

// What has been is named by when it was, or by how long ago.
func TestParsePast(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"24h": "2026-11-28T12:00:00Z", "90m": "2026-11-29T10:30:00Z", "7d": "2026-11-22T12:00:00Z",
		"2026-11-28": "2026-11-28T00:00:00Z", "2026-11-28 18:00": "2026-11-28T18:00:00Z", "2026-11-28T18:00:00Z": "2026-11-28T18:00:00Z",
		"-24h": "", "0d": "", "d": "", "999999999d": "", "24": "", "yesterday": "", "2026-11-30": "",
	} {
		got, err := ParsePast(text, now)
		if (err != nil) != (want == "") || err == nil && got.Format(time.RFC3339) != want {
			t.Errorf("%q: %v, %v; want %s", text, got, err, want)
		}
	}
}
