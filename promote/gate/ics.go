package gate

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/internal/schedule"
)

// The bounds of an iCalendar file.
const (
	maxICS    = 1 << 20
	maxEvents = 10_000
)

// icsReader reads the events of an iCalendar (RFC 5545): when each begins and ends, and
// what it is called. An event that recurs is an error: what it would deny is not known
// from one of its times.
type icsReader struct {
	name string
	zone *time.Location
	out  []date
	errs []error

	event             *date // nil outside of one
	duration          time.Duration
	cancelled, whole  bool // whole tells that the event begins with a day
	depth, begun, row int
}

func parseICS(name string, data []byte, zone *time.Location) ([]date, error) {
	r := &icsReader{name: name, zone: zone}
	if len(data) > maxICS {
		return nil, &promote.Error{Msg: name + ": is larger than 1 MiB"}
	}
	lines, rows := unfold(data)
	if len(lines) == 0 || !strings.EqualFold(lines[0], "BEGIN:VCALENDAR") {
		return nil, &promote.Error{Msg: name + ":1:1: does not begin with BEGIN:VCALENDAR"}
	}
	for i, line := range lines {
		r.row = rows[i]
		r.line(line)
		if len(r.out) > maxEvents || len(r.errs) > 20 {
			r.fail("", "more than %d events or 20 faults", maxEvents)
			break
		}
	}
	if r.event != nil {
		r.fail("", "the event has no end")
	}
	return r.out, errors.Join(r.errs...)
}

// unfold joins lines that are continued, and gives the numbers of their first lines.
func unfold(data []byte) (lines []string, rows []int) {
	row := 0
	for line := range bytes.Lines(data) {
		row++
		text := strings.TrimRight(string(line), "\r\n")
		if (strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\t")) && len(lines) > 0 {
			lines[len(lines)-1] += text[1:]
			continue
		}
		if text != "" {
			lines, rows = append(lines, text), append(rows, row)
		}
	}
	return lines, rows
}

func (r *icsReader) fail(hint, format string, args ...any) {
	r.errs = append(r.errs, &promote.Error{Msg: fmt.Sprintf("%s:%d:1: ", r.name, r.row) + fmt.Sprintf(format, args...), Hint: hint})
}

func (r *icsReader) line(text string) {
	head, value, _ := strings.Cut(text, ":")
	// A parameter may hold a colon in quotes.
	for strings.Count(head, `"`)%2 == 1 && strings.Contains(value, ":") {
		more, rest, _ := strings.Cut(value, ":")
		head, value = head+":"+more, rest
	}
	property, parameters, _ := strings.Cut(head, ";")
	switch property = strings.ToUpper(property); {
	case property == "BEGIN" && strings.EqualFold(value, "VEVENT") && r.event == nil:
		r.event, r.begun, r.duration, r.cancelled, r.depth = &date{place: fmt.Sprintf("%s:%d:1", r.name, r.row)}, r.row, -1, false, 0
	case r.event == nil:
	case property == "BEGIN":
		r.depth++ // an alarm of the event
	case property == "END" && r.depth > 0:
		r.depth--
	case r.depth > 0:
	case property == "END":
		r.end()
	default:
		r.property(property, strings.ToUpper(parameters), parameters, value)
	}
}

func (r *icsReader) property(name, upper, parameters, value string) {
	switch name {
	case "DTSTART":
		r.event.from, r.whole = r.moment(upper, parameters, value)
	case "DTEND":
		r.event.to, _ = r.moment(upper, parameters, value)
	case "DURATION":
		d, ok := icsDuration(value)
		if !ok {
			r.fail("", "duration %q is malformed", fault.Shorten(value))
		}
		r.duration = d
	case "SUMMARY":
		r.event.reason = fault.OneLine(strings.NewReplacer(`\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\\`, `\`).Replace(value))
	case "STATUS":
		r.cancelled = strings.EqualFold(value, "CANCELLED")
	case "RRULE", "RDATE":
		r.fail("write each time as an event of its own, or a deny window in the pipeline", "an event that recurs (%s) is not supported", name)
	}
}

// moment reads a day or a time: of UTC, of a zone that is named, or of the gate's.
func (r *icsReader) moment(upper, parameters, value string) (t time.Time, whole bool) {
	zone := r.zone
	if _, after, found := strings.Cut(upper, "TZID="); found {
		named := parameters[len(parameters)-len(after):]
		named, _, _ = strings.Cut(named, ";")
		named = strings.Trim(named, `"`)
		var err error
		if zone, err = schedule.Zone(named); err != nil {
			r.fail("a name of the IANA database, such as Europe/Zurich", "time zone %q is not known", fault.Shorten(named))
			return t, false
		}
	}
	if day, err := time.Parse("20060102", value); err == nil {
		return schedule.Instant(day, zone), true
	}
	if t, err := time.Parse("20060102T150405Z", value); err == nil {
		return t, false
	}
	t, err := time.Parse("20060102T150405", value)
	if err != nil {
		r.fail("", "%q is no day or time", fault.Shorten(value))
		return t, false
	}
	return schedule.Instant(t, zone), false
}

// end takes the event. One of a day without an end lasts that day.
func (r *icsReader) end() {
	e := *r.event
	r.event = nil
	switch {
	case r.cancelled:
		return
	case e.from.IsZero():
		r.row = r.begun
		r.fail("", "the event does not say when it begins")
		return
	case e.to.IsZero() && r.duration >= 0:
		e.to = e.from.Add(r.duration)
	case e.to.IsZero() && r.whole:
		e.to = schedule.Instant(time.Date(e.from.Year(), e.from.Month(), e.from.Day()+1, 0, 0, 0, 0, time.UTC), e.from.Location())
	}
	if !e.to.After(e.from) {
		r.row = r.begun
		r.fail("", "the event does not end after its begin")
		return
	}
	r.out = append(r.out, e)
}

// icsDuration reads a duration: P1W, P2DT3H.
func icsDuration(text string) (time.Duration, bool) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(text, "+"), "P")
	if !ok || rest == "" {
		return 0, false
	}
	units := map[byte]time.Duration{'W': 7 * 24 * time.Hour, 'D': 24 * time.Hour, 'H': time.Hour, 'M': time.Minute, 'S': time.Second}
	total, digits := time.Duration(0), ""
	for i := range len(rest) {
		switch c := rest[i]; {
		case c == 'T' && digits == "":
		case c >= '0' && c <= '9' && len(digits) < 6:
			digits += string(c)
		case units[c] > 0 && digits != "":
			n, _ := strconv.Atoi(digits)
			total, digits = total+time.Duration(n)*units[c], ""
		default:
			return 0, false
		}
	}
	return total, digits == "" && total <= schedule.MaxDuration
}
