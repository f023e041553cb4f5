package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/kubepromote/kubepromote/promote/internal/schedule"
)

// FreezeGate lets nothing pass while a deny window is open, nor, where there are allow
// windows for the service, while all of these are closed. Deny windows win over allow
// windows.
type FreezeGate struct {
	// Deny are the windows in which nothing passes.
	Deny []Window `yaml:"deny" json:"deny,omitempty"`
	// Allow are the windows outside of which nothing passes.
	Allow []Window `yaml:"allow" json:"allow,omitempty"`
	// Calendar is the path of a file in the repository with single times that are
	// denied: YAML, or an iCalendar where its name ends in .ics.
	Calendar string `yaml:"calendar" json:"calendar,omitempty"`
	// TimeZone is that of windows and of a calendar's days that name none, by its name
	// in the IANA database; by default UTC.
	TimeZone string `yaml:"timeZone" json:"timeZone,omitempty"`
}

// Window is a time that comes again and again.
type Window struct {
	// Schedule says when it begins: a cron expression of five fields.
	Schedule string `yaml:"schedule" json:"schedule"`
	// Duration is how long it lasts, in hours that pass.
	Duration Duration `yaml:"duration" json:"duration"`
	// TimeZone, if not empty, is that of the schedule.
	TimeZone string `yaml:"timeZone" json:"timeZone,omitempty"`
	// Services, if not empty, are those that it is for, by names or globs.
	Services []string `yaml:"services" json:"services,omitempty"`
	// Reason, if not empty, is told.
	Reason string `yaml:"reason" json:"reason,omitempty"`
}

func (g *FreezeGate) check(c gateCheck, at string) {
	if len(g.Deny)+len(g.Allow) == 0 && g.Calendar == "" {
		c.At(at, `deny: [{schedule: "0 16 * * 5", duration: 64h}]`, "freeze has no windows and no calendar")
	}
	c.zone(at+".timeZone", g.TimeZone)
	if g.Calendar != "" && (!fs.ValidPath(g.Calendar) || g.Calendar == ".") {
		c.At(at+".calendar", "calendar: freeze.yaml", "%q is not a path inside the repository", g.Calendar)
	}
	for i, w := range g.Deny {
		w.check(c, fmt.Sprintf("%s.deny[%d]", at, i))
	}
	for i, w := range g.Allow {
		w.check(c, fmt.Sprintf("%s.allow[%d]", at, i))
	}
}

func (w Window) check(c gateCheck, at string) {
	c.zone(at+".timeZone", w.TimeZone)
	if w.Schedule == "" {
		c.At(at, `schedule: "0 16 * * 5"`, "the window has no schedule")
	} else if _, err := schedule.Parse(w.Schedule, nil); err != nil {
		hint := ""
		if e, ok := errors.AsType[*schedule.Error](err); ok {
			hint = e.Hint
		}
		c.At(at+".schedule", hint, "%v", err)
	}
	if w.Duration == "" {
		c.At(at, "duration: 64h", "the window has no duration")
	}
	w.Duration.check(c.File, at+".duration", "64h", schedule.MaxDuration)
	for i, glob := range w.Services {
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			c.At(fmt.Sprintf("%s.services[%d]", at, i), "cart, or legacy-*", "service %q is malformed", glob)
		}
	}
}

// zone finds a time zone that is none, or that this machine does not know.
func (c gateCheck) zone(at, name string) {
	if _, err := schedule.Zone(name); err != nil {
		c.At(at, "timeZone: Europe/Zurich", "time zone %q is not known", name)
	}
}
