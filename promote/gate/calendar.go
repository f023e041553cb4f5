package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/internal/schedule"
)

// date is a time that comes once and is denied.
type date struct {
	from, to               time.Time // to is the first instant after it
	reason                 string
	services, environments []string
	place                  string // file:line:col
}

func (d date) concerns(q promote.GateRequest) bool {
	return concerns(d.services, q.Service) && concerns(d.environments, q.To)
}

func (d date) denies(t time.Time, q promote.GateRequest) bool {
	return !t.Before(d.from) && t.Before(d.to) && d.concerns(q)
}

// dateEntry is a time in a calendar file.
type dateEntry struct {
	From         string   `yaml:"from"`
	To           string   `yaml:"to"`
	TimeZone     string   `yaml:"timeZone"`
	Reason       string   `yaml:"reason"`
	Services     []string `yaml:"services"`
	Environments []string `yaml:"environments"`
}

// readCalendar reads a calendar of the repository. All that is wrong with it is told.
func readCalendar(tree promote.Tree, name string, zone *time.Location) ([]date, error) {
	if tree == nil {
		return nil, &promote.Error{Msg: name + ": there is no repository to read it from"}
	}
	data, err := tree.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &promote.Error{Msg: "the calendar " + name + " is not there", Hint: "git add " + shell.Pathspecs(name) + " && git commit " + shell.Pathspecs(name)}
	}
	if err != nil {
		return nil, &promote.Error{Msg: "the calendar " + name + " cannot be read", Err: err}
	}
	if strings.EqualFold(path.Ext(name), ".ics") {
		return parseICS(name, data, zone)
	}
	return parseCalendar(name, data, zone)
}

// parseCalendar reads a list of times in YAML.
func parseCalendar(name string, data []byte, zone *time.Location) ([]date, error) {
	f := yamlfile.Parse(name, data, yamlfile.Options{})
	var entries []dateEntry
	var out []date
	if f.Decode(0, &entries) {
		for i, e := range entries {
			out = append(out, e.date(f, i, zone))
		}
	}
	return out, f.Err(faultOf)
}

// faultOf says what is wrong in a file that a gate names.
func faultOf(fault yamlfile.Fault) error {
	place := fault.File
	if fault.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", fault.File, fault.Line, fault.Col)
	}
	return &promote.Error{Msg: place + ": " + fault.Msg, Hint: fault.Hint}
}

func (e dateEntry) date(f *yamlfile.File, i int, zone *time.Location) date {
	at := fmt.Sprintf("[%d]", i)
	d := date{reason: e.Reason, services: e.Services, environments: e.Environments, place: f.Place(at)}
	if e.TimeZone != "" {
		var err error
		if zone, err = schedule.Zone(e.TimeZone); err != nil {
			f.At(at+".timeZone", "timeZone: Europe/Zurich", "time zone %q is not known", e.TimeZone)
			return d
		}
	}
	var ok, ended bool
	if d.from, _, ok = moment(e.From, zone); !ok {
		f.At(at+".from", `from: 2026-12-24, or from: 2026-12-24 18:00`, "from is %q, and must be a day or a time", e.From)
		return d
	}
	if _, d.to, ended = moment(e.To, zone); !ended {
		f.At(at+".to", `to: 2027-01-04, which is the last day, or to: 2027-01-04 08:00`, "to is %q, and must be a day or a time", e.To)
		return d
	}
	if !d.to.After(d.from) {
		f.At(at+".to", "", "to is not after from")
	}
	for _, glob := range append(append([]string{}, e.Services...), e.Environments...) {
		if _, err := path.Match(glob, ""); err != nil {
			f.At(at, "cart, or legacy-*", "%q is malformed", glob)
		}
	}
	return d
}

// moment reads a day, which lasts until the next begins, or a time.
func moment(text string, zone *time.Location) (begin, end time.Time, ok bool) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return schedule.Instant(day, zone), schedule.Instant(day.AddDate(0, 0, 1), zone), true
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, t, true
	}
	for _, form := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(form, text); err == nil {
			t = schedule.Instant(t, zone)
			return t, t, true
		}
	}
	return begin, end, false
}
