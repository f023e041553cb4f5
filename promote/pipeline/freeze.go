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
	// ArgoCD has the sync windows of an AppProject count as well.
	ArgoCD *ArgoWindows `yaml:"argocd" json:"argocd,omitempty"`
	// TimeZone is that of windows and of a calendar's days that name none, by its name
	// in the IANA database; by default UTC.
	TimeZone string `yaml:"timeZone" json:"timeZone,omitempty"`
}

// ArgoWindows are the sync windows of an AppProject of Argo CD, as far as they concern the
// application of a service. In all but Project {service}, {environment} and {from} stand
// for what is promoted.
type ArgoWindows struct {
	// Live has the cluster asked for the Application, and for the AppProject that it is of.
	Live *ArgoCD `yaml:"live" json:"live,omitempty"`
	// Project is the path of the file with the AppProject.
	Project string `yaml:"project" json:"project,omitempty"`
	// Application is the path of the file with the service's Application, whose name,
	// cluster and namespace windows choose by.
	Application string `yaml:"application" json:"application,omitempty"`
	// Name, Cluster and Namespace are those of an application that no file has.
	Name string `yaml:"name" json:"name,omitempty"`
	// Cluster is the name or the server of its destination.
	Cluster string `yaml:"cluster" json:"cluster,omitempty"`
	// Namespace is that of its destination.
	Namespace string `yaml:"namespace" json:"namespace,omitempty"`
	// Manual has windows with manualSync let pass: the application is synced by hand.
	Manual bool `yaml:"manual" json:"manual,omitempty"`
}

func (a *ArgoWindows) check(c gateCheck, at string) {
	if a.Live != nil {
		a.Live.check(c, at+".live")
		if a.Project+a.Application+a.Name+a.Cluster+a.Namespace != "" {
			c.At(at+".live", "remove it, or what says it by files", "the cluster itself says which project and application there are")
		}
		return
	}
	if !fs.ValidPath(a.Project) || a.Project == "." || a.Project == "" {
		c.At(at, "project: argocd/project.yaml", "argocd names no file of the repository with an AppProject")
	}
	said := a.Name + a.Cluster + a.Namespace
	switch {
	case a.Application == "" && said == "":
		c.At(at, `application: "argocd/{service}-{environment}.yaml"`, "argocd does not say which application windows are for")
	case a.Application != "" && said != "":
		c.At(at+".application", "", "application has name, cluster and namespace itself")
	case a.Application != "" && !fs.ValidPath(a.Application):
		c.At(at+".application", `application: "argocd/{service}-{environment}.yaml"`, "%q is not a path inside the repository", a.Application)
	}
	for name, text := range map[string]string{".application": a.Application, ".name": a.Name, ".cluster": a.Cluster, ".namespace": a.Namespace} {
		c.objectName(at+name, text)
	}
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
	if g.ArgoCD != nil {
		g.ArgoCD.check(c, at+".argocd")
	}
	if len(g.Deny)+len(g.Allow) == 0 && g.Calendar == "" && g.ArgoCD == nil {
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
	w.Duration.Check(c.File, at+".duration", "64h", schedule.MaxDuration)
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
