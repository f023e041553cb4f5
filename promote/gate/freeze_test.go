package gate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

func TestFreeze(t *testing.T) {
	const weekend = `- freeze: {timeZone: Europe/Zurich, deny: [{schedule: "0 16 * * 5", duration: 64h, reason: weekend}]}`
	for _, tc := range []struct{ name, list, at, want string }{
		{"denied", weekend, "", "wait: frozen (weekend) until 2026-11-30 08:00 CET [11-30 07:00]"},
		{"not yet", weekend, "2026-11-27T14:59:59Z", "pass: nothing is frozen until 2026-11-27 16:00 CET"},
		{"from the minute", weekend, "2026-11-27T15:00:00Z", "wait: frozen (weekend) until 2026-11-30 08:00 CET [11-30 07:00]"},
		{"to the minute", weekend, "2026-11-30T06:59:59Z", "wait: frozen (weekend) until 2026-11-30 08:00 CET [11-30 07:00]; await"},
		{"over", weekend, "2026-11-30T07:00:00Z", "pass: nothing is frozen until 2026-12-04 16:00 CET"},
		{"an hour less in spring", weekend, "2026-03-28T12:00:00Z", "wait: frozen (weekend) until 2026-03-30 09:00 CEST [03-30 07:00]"},
		{"no reason", `- freeze: {deny: [{schedule: "0 15 * * 5", duration: 1h}]}`, "", "wait: frozen until 2026-11-27 16:00 UTC [11-27 16:00]; await"},
		{"another service's", `- freeze: {deny: [{schedule: "0 15 * * 5", duration: 1h, services: [web, "pay*"]}]}`, "", "pass: nothing is frozen"},
		{"this service's", `- freeze: {deny: [{schedule: "0 15 * * 5", duration: 1h, services: [web, "c*"]}]}`, "", "wait: frozen until 2026-11-27 16:00 UTC [11-27 16:00]; await"},
		{"two that follow each other", `- freeze: {deny: [{schedule: "0 15 * * 5", duration: 1h}, {schedule: "0 16 * * 5", duration: 1h}]}`, "",
			"wait: frozen until 2026-11-27 17:00 UTC [11-27 17:00]"},
		{"allowed", `- freeze: {allow: [{schedule: "0 9 * * 1-5", duration: 8h}]}`, "", "pass: nothing is frozen until 2026-11-27 17:00 UTC"},
		{"not allowed", `- freeze: {allow: [{schedule: "0 9 * * 1-5", duration: 4h, timeZone: America/New_York}]}`, "2026-11-28T12:00:00Z",
			"wait: outside of the windows that allow promotions until 2026-11-30 09:00 EST [11-30 14:00]"},
		{"allowed for others alone", `- freeze: {allow: [{schedule: "0 9 * * 1-5", duration: 4h, services: [web]}]}`, "2026-11-28T12:00:00Z", "pass: nothing is frozen"},
		{"deny wins", `- freeze: {allow: [{schedule: "0 9 * * *", duration: 8h}], deny: [{schedule: "0 15 * * 5", duration: 24h}]}`, "",
			"wait: frozen until 2026-11-28 15:00 UTC [11-28 15:00]"},
		{"the opening is in an allowed time", `- freeze: {allow: [{schedule: "0 9 * * *", duration: 2h}], deny: [{schedule: "0 15 * * 5", duration: 24h}]}`, "",
			"wait: frozen until 2026-11-29 09:00 UTC [11-29 09:00]"},
		{"never", `- freeze: {deny: [{schedule: "0 * * * *", duration: 2h}]}`, "", "wait: frozen, and no opening is in sight"},
		{"nothing is ever allowed", `- freeze: {allow: [{schedule: "0 9 * * *", duration: 1h}], deny: [{schedule: "30 8 * * *", duration: 2h}]}`, "",
			"wait: outside of the windows that allow promotions, and no opening is in sight"},
		{"a leap day", `- freeze: {deny: [{schedule: "0 0 29 2 *", duration: 24h}]}`, "2028-02-29T23:00:00Z", "wait: frozen until 2028-03-01 00:00 UTC [03-01 00:00]; await"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := cart()
			if tc.at != "" {
				q.Now = moment0(t, tc.at)
			}
			want(t, ask(t, tc.list, Deps{}, q), tc.want)
		})
	}
}

func moment0(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// A gate says wait at exactly the times that are denied or not allowed, and its opening
// is the next that is neither, against the windows themselves and around both changes of the
// clock. The windows are tested minute by minute where they are.
func TestFreezeOpening(t *testing.T) {
	const list = `- freeze: {timeZone: America/New_York, deny: [{schedule: "0 16 * * 5", duration: 64h}, {schedule: "30 2 * * *", duration: 30m}], allow: [{schedule: "0 9 * * 1-5", duration: 8h}, {schedule: "0 2 * * *", duration: 2h}]}`
	g := gates(t, list, Deps{})[0]
	f := g.(*rule).asks.(*freeze)
	closedAt := func(at time.Time) bool {
		open := false
		for _, w := range f.allow {
			_, is := w.At(at)
			open = open || is
		}
		for _, w := range f.deny {
			if _, is := w.At(at); is {
				open = false
			}
		}
		return !open
	}
	q := cart()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var waiting []promote.Verdict
	for at := begin; at.Before(begin.AddDate(1, 0, 0)); at = at.Add(30 * time.Minute) {
		if at.Month() != time.March && at.Month() != time.November {
			waiting = nil
			continue
		}
		q.Now = at
		v := g.Check(t.Context(), q)
		if (v.Answer == promote.Wait) != closedAt(at) {
			t.Fatalf("%s: %s", at, outline(v))
		}
		if v.Answer == promote.Wait {
			waiting = append(waiting, v)
			continue
		}
		for _, w := range waiting {
			if !w.Until.Equal(at) {
				t.Fatalf("it opened at %s; %s", at, outline(w))
			}
		}
		waiting = nil
	}
}

const calendar = `
- {from: 2026-11-27, to: 2026-11-29, reason: black friday}
- {from: 2026-12-24 18:00, to: 2027-01-04T08:00:00Z, services: ["pay*"], environments: [prod*], reason: year end}
- {from: 2026-12-01 12:00, to: 2026-12-01 13:00, timeZone: Asia/Tokyo}
`

func TestCalendar(t *testing.T) {
	const list = "- freeze: {calendar: freeze.yaml, timeZone: Europe/Zurich}"
	for _, tc := range []struct{ at, service, to, want string }{
		{"2026-11-26T22:59:59Z", "cart", "production", "pass: nothing is frozen until 2026-11-27 00:00 CET"},
		{"2026-11-26T23:00:00Z", "cart", "production", "wait: freeze.yaml:2:3: frozen (black friday) until 2026-11-30 00:00 CET [11-29 23:00]"},
		{"2026-11-29T22:59:00Z", "cart", "production", "wait: freeze.yaml:2:3: frozen (black friday) until 2026-11-30 00:00 CET [11-29 23:00]; await"},
		{"2026-11-29T23:00:00Z", "cart", "production", "pass: nothing is frozen until 2026-12-01 12:00 JST"},
		{"2026-12-01T03:30:00Z", "cart", "production", "wait: freeze.yaml:4:3: frozen until 2026-12-01 13:00 JST [12-01 04:00]; await"},
		{"2026-12-25T00:00:00Z", "cart", "production", "pass: nothing is frozen"},
		{"2026-12-25T00:00:00Z", "payments", "staging", "pass: nothing is frozen"},
		{"2026-12-25T00:00:00Z", "payments", "production", "wait: freeze.yaml:3:3: frozen (year end) until 2027-01-04 08:00 UTC [01-04 08:00]"},
	} {
		q := cart()
		q.Now, q.Service, q.To = moment0(t, tc.at), tc.service, tc.to
		want(t, ask(t, list, Deps{Tree: tree("freeze.yaml", strings.TrimPrefix(calendar, ""))}, q), tc.want)
	}
}

func TestCalendarFaults(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []string
	}{
		{"", []string{"freeze.yaml: is empty"}},
		{"freezes: []\n", []string{"freeze.yaml:1:1: the document is a mapping, not a list"}},
		{"- {form: 2026-12-24, to: 2026-12-25}\n", []string{`freeze.yaml:1:4: unknown field "[0].form"`}},
		{"- {from: 2026-12-24}\n", []string{`freeze.yaml:1:3: to is "", and must be a day or a time`}},
		{"- {from: 24.12.2026, to: 2026-12-25}\n", []string{`freeze.yaml:1:10: from is "24.12.2026", and must be a day or a time`}},
		{"- {from: 2026-02-30, to: 2026-12-25}\n", []string{`freeze.yaml:1:10: from is "2026-02-30", and must be a day or a time`}},
		{"- {from: 2026-12-24, to: 2026-12-23}\n- {from: 2026-12-24, to: 2026-12-25, timeZone: Mars}\n- {from: 2026-12-24, to: 2026-12-24, services: ['[']}\n", []string{
			"freeze.yaml:1:26: to is not after from", `freeze.yaml:2:48: time zone "Mars" is not known`, `freeze.yaml:3:3: "[" is malformed`}},
	} {
		_, err := New(pipeline.Gate{Freeze: &pipeline.FreezeGate{Calendar: "freeze.yaml"}}, Deps{Tree: tree("freeze.yaml", tc.text)})
		if got := lines(err); !slices.Equal(got, tc.want) {
			t.Errorf("%q\n\tgot  %q\n\twant %q", tc.text, got, tc.want)
		}
	}
	_, err := New(pipeline.Gate{Freeze: &pipeline.FreezeGate{Calendar: "freeze.yaml"}}, Deps{Tree: tree()})
	if got := lines(err); !slices.Equal(got, []string{"the calendar freeze.yaml is not there"}) {
		t.Errorf("got %q", got)
	}
}

func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

const ics = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Zurich\r\nBEGIN:DAYLIGHT\r\nDTSTART:19810329T020000\r\nRRULE:FREQ=YEARLY\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n" +
	"BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Black\r\n  Friday\\, all of it\r\nDTSTART;VALUE=DATE:20261127\r\nDTEND;VALUE=DATE:20261128\r\nBEGIN:VALARM\r\nDURATION:PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nDTSTART;TZID=\"America/New_York\":20261201T120000\r\nDURATION:PT1H30M\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nDTSTART:20261202T120000Z\r\nDTEND:20261202T130000Z\r\nSTATUS:CANCELLED\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261203\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func TestICS(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	all, err := parseICS("x.ics", []byte(ics), zone)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range all {
		got = append(got, fmt.Sprintf("%s %s %s %q", d.place, stamp(d.from), stamp(d.to), d.reason))
	}
	want := []string{
		`x.ics:10:1 2026-11-27 00:00 CET 2026-11-28 00:00 CET "Black Friday, all of it"`,
		`x.ics:20:1 2026-12-01 12:00 EST 2026-12-01 13:30 EST ""`,
		`x.ics:29:1 2026-12-03 00:00 CET 2026-12-04 00:00 CET ""`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestICSFaults(t *testing.T) {
	event := func(properties string) string {
		return "BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + properties + "END:VEVENT\nEND:VCALENDAR\n"
	}
	for text, want := range map[string]string{
		"":         "x.ics:1:1: does not begin with BEGIN:VCALENDAR",
		"- a: b\n": "x.ics:1:1: does not begin with BEGIN:VCALENDAR",
		event("DTSTART:20261127T100000Z\nDTEND:20261127T110000Z\nRRULE:FREQ=DAILY\n"): "x.ics:5:1: an event that recurs (RRULE) is not supported",
		event("DTSTART:20261127T100000Z\n"):                                           "x.ics:2:1: the event does not end after its begin",
		event("DTEND:20261127T100000Z\n"):                                             "x.ics:2:1: the event does not say when it begins",
		event("DTSTART:2026\nDTEND:20261127T110000Z\n"):                               "x.ics:3:1: \"2026\" is no day or time\nx.ics:2:1: the event does not say when it begins",
		event("DTSTART;TZID=Mars:20261127T100000\nDTEND:20261127T110000Z\n"):          "x.ics:3:1: time zone \"Mars\" is not known\nx.ics:2:1: the event does not say when it begins",
		event("DTSTART:20261127T100000Z\nDURATION:1h\n"):                              "x.ics:4:1: duration \"1h\" is malformed\nx.ics:2:1: the event does not end after its begin",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261127\n":                           "x.ics:3:1: the event has no end",
	} {
		_, err := parseICS("x.ics", []byte(text), time.UTC)
		if got := strings.Join(lines(err), "\n"); got != want {
			t.Errorf("%q\n\tgot  %q\n\twant %q", text, got, want)
		}
	}
}

// FuzzCalendars: no panic, messages of one line with a place, and times that end.
func FuzzCalendars(f *testing.F) {
	f.Add(calendar, true)
	f.Add(ics, false)
	f.Add("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;TZID=\"a:b\";X=:20261127\nDURATION:P99999W\nEND:VEVENT", false)
	f.Fuzz(func(t *testing.T, text string, yaml bool) {
		parse := parseICS
		if yaml {
			parse = parseCalendar
		}
		all, err := parse("x", []byte(text), time.UTC)
		for _, line := range lines(err) {
			if !strings.HasPrefix(line, "x:") {
				t.Fatalf("%q", line)
			}
		}
		for _, d := range all {
			if err == nil && !d.to.After(d.from) {
				t.Fatalf("%s to %s", d.from, d.to)
			}
		}
	})
}
