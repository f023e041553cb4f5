package schedule

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := Zone(name)
	if err != nil {
		t.Skipf("this machine does not know %s: %v", name, err)
	}
	return z
}

// naive says what a window is minute by minute, by nothing but what the wall clock shows:
// each minute whose wall-clock time fits is a start, unless the same time was there an
// instant ago already; where the clock leaves times out, the minute after has them all.
type naive struct {
	fits     func(wall time.Time) bool
	duration time.Duration
	zone     *time.Location

	latest time.Time // the highest wall-clock time that was there
	until  time.Time
}

func (n *naive) open(t time.Time) bool {
	now := wall(t, n.zone)
	if n.latest.IsZero() {
		n.latest = now.Add(-time.Minute)
	}
	for left := n.latest.Add(time.Minute); !left.After(now); left = left.Add(time.Minute) {
		if n.fits(left) {
			n.until = t.Add(n.duration)
		}
	}
	if now.After(n.latest) {
		n.latest = now
	}
	return t.Before(n.until)
}

// What has no gap is known without looking at each start.
func TestEndless(t *testing.T) {
	for _, tc := range []struct {
		cron, zone string
		duration   time.Duration
		endless    bool
	}{
		{"* * * * *", "UTC", 2 * time.Minute, true},
		{"* * * * *", "UTC", time.Minute, false}, // each ends as the next begins
		{"0 * * * *", "UTC", time.Hour + time.Minute, true},
		{"0 0-22 * * *", "UTC", time.Hour + time.Minute, false},
		{"0 12 * * *", "UTC", 25 * time.Hour, true},
		{"* * * * 1-5", "UTC", time.Hour, false},
		{"* * 1 * *", "UTC", time.Hour, false},
		{"* * * 1-11 *", "UTC", time.Hour, false},
		{"* * * * *", "Europe/Zurich", 2 * time.Minute, false}, // not while the clock is set back
		{"* * * * *", "Europe/Zurich", 48 * time.Hour, true},
	} {
		z := zone(t, tc.zone)
		c, err := Parse(tc.cron, z)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Window{c, tc.duration}).Endless(); got != tc.endless {
			t.Errorf("%s for %s in %s: %v", tc.cron, tc.duration, tc.zone, got)
		}
	}
}

// Two years, minute by minute, in zones with a gap in the night, at midnight, of half an
// hour, and in the south.
func TestWindowMinuteByMinute(t *testing.T) {
	type hm = func(time.Time) bool
	for _, tc := range []struct {
		zone, cron string
		duration   time.Duration
		fits       hm
	}{
		{"Europe/Zurich", "30 2 * * *", 45 * time.Minute, func(w time.Time) bool { return w.Hour() == 2 && w.Minute() == 30 }},
		{"America/New_York", "0 16 * * 5", 64 * time.Hour, func(w time.Time) bool { return w.Weekday() == time.Friday && w.Hour() == 16 && w.Minute() == 0 }},
		{"Australia/Lord_Howe", "*/20 1-2 * * *", 5 * time.Minute, func(w time.Time) bool { return (w.Hour() == 1 || w.Hour() == 2) && w.Minute()%20 == 0 }},
		{"America/Santiago", "15 0 1-7 * 0", 3 * time.Hour, func(w time.Time) bool {
			return (w.Day() <= 7 || w.Weekday() == time.Sunday) && w.Hour() == 0 && w.Minute() == 15
		}},
	} {
		t.Run(tc.zone, func(t *testing.T) {
			t.Parallel()
			z := zone(t, tc.zone)
			c, err := Parse(tc.cron, z)
			if err != nil {
				t.Fatal(err)
			}
			w, n := Window{c, tc.duration}, &naive{fits: tc.fits, duration: tc.duration, zone: z}
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, z)
			opened, was, next := 0, false, time.Time{}
			for at := begin.Add(-5 * 24 * time.Hour); at.Before(begin.AddDate(2, 0, 0)); at = at.Add(time.Minute) {
				want := n.open(at)
				// Between two minutes at which nothing changes, each half an hour is enough.
				if at.Before(begin) || want == was && at.Minute()%30 != 0 {
					continue
				}
				if until, open := w.At(at); open != want || open && !until.Equal(n.until) {
					t.Fatalf("%s: open %v until %s, want %v until %s", at, open, until, want, n.until.In(z))
				}
				if want == was {
					continue
				}
				if before, open := w.At(at.Add(-time.Nanosecond)); open != was {
					t.Fatalf("just before %s: open %v until %s", at, open, before)
				}
				if want {
					opened++
					if !next.IsZero() && !next.Equal(at) {
						t.Fatalf("it opened at %s, and was said to at %s", at, next)
					}
				} else {
					next = c.Next(at.Add(-time.Second))
				}
				was = want
			}
			if opened < 100 {
				t.Errorf("it opened %d times", opened)
			}
		})
	}
}

func TestInstant(t *testing.T) {
	for _, tc := range []struct{ zone, wall, want string }{
		{"Europe/Zurich", "2026-03-29 02:30", "2026-03-29T03:00:00+02:00"}, // in the gap
		{"Europe/Zurich", "2026-10-25 02:30", "2026-10-25T02:30:00+02:00"}, // there twice
		{"Europe/Zurich", "2026-10-25 03:00", "2026-10-25T03:00:00+01:00"},
		{"America/Santiago", "2026-09-06 00:15", "2026-09-06T01:00:00-03:00"}, // midnight is left out
		{"Pacific/Apia", "2011-12-30 12:00", "2011-12-31T00:00:00+14:00"},     // a day is left out
		{"", "2026-03-29 02:30", "2026-03-29T02:30:00Z"},
	} {
		naive, err := time.Parse("2006-01-02 15:04", tc.wall)
		if err != nil {
			t.Fatal(err)
		}
		if got := Instant(naive, zone(t, tc.zone)).Format(time.RFC3339); got != tc.want {
			t.Errorf("%s in %s: %s, want %s", tc.wall, tc.zone, got, tc.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "has 0 fields, and five are wanted",
		"0 16 * *":                     "has 4 fields",
		"0 0 16 * * 5":                 "has 6 fields",
		"0 16 31 2 *":                  "names a date that there is not",
		"0 16 30 2 *":                  "names a date that there is not",
		"0 16 * * 7":                   "is malformed",
		"0 25 * * *":                   "is malformed",
		"0 16 L * *":                   "is malformed",
		"@every 5m":                    "has no times of day",
		"@sometimes":                   "is malformed",
		"CRON_TZ=Asia/Tokyo 0 1 * * *": "names a time zone",
		"TZ=Asia/Tokyo @daily":         "names a time zone",
		strings.Repeat("*", 300):       "is longer than",
	} {
		_, err := Parse(text, time.UTC)
		if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(e.Msg, want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := Parse("0 16 * * 7", time.UTC); err.(*Error).Hint != "Sunday is 0" {
		t.Errorf("hint %q", err.(*Error).Hint)
	}
	for _, name := range []string{"Local", "Europe/Nowhere", "../etc/passwd", `a\b`} {
		if z, err := Zone(name); err == nil {
			t.Errorf("%s: %v", name, z)
		}
	}
}

// A leap day is found although it is years away.
func TestNext(t *testing.T) {
	c, err := Parse("0 12 29 2 *", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); !got.Equal(time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("next %s", got)
	}
}

// FuzzParse: no panic, and what is accepted has a next start.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"0 16 * * 5", "@weekly", "*/5 1,2 1-31/3 JAN-DEC MON", "0 0 31 2 *", "0 0 29 2 *"} {
		f.Add(s, int64(1767225600))
	}
	f.Fuzz(func(t *testing.T, text string, at int64) {
		c, err := Parse(text, time.UTC)
		if err != nil {
			return
		}
		now := time.Unix(at%4102444800, 0)
		if next := c.Next(now); !next.IsZero() && !next.After(now) {
			t.Fatalf("%q: next after %s is %s", text, now, next)
		}
		Window{c, time.Hour}.At(now)
	})
}
