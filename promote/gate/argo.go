package gate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"time"

	"github.com/gobwas/glob"
	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/cluster"
	"github.com/kubepromote/kubepromote/promote/internal/kinds"
	"github.com/kubepromote/kubepromote/promote/internal/schedule"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/robfig/cron/v3"
	"go.yaml.in/yaml/v3"
)

// argoWindows are the sync windows of AppProjects of Argo CD, evaluated as Argo CD does:
// what it would not sync is not promoted.
type argoWindows struct {
	cfg      *pipeline.ArgoWindows
	tree     promote.Tree
	clusters *cluster.Clusters
	projects []string // the AppProjects that there are
	all      []syncWindow
}

// syncWindow is one of an AppProject's.
type syncWindow struct {
	project, place string

	kind       string
	cron       cron.Schedule
	duration   time.Duration
	always     bool // it never closes
	zone       *time.Location
	manual     bool
	and        bool
	apps       []*glob.Pattern
	clusters   []*glob.Pattern
	namespaces []*glob.Pattern
	reason     string
}

// windowEntry is a sync window as an AppProject has it.
type windowEntry struct {
	Kind         string   `yaml:"kind"`
	Schedule     string   `yaml:"schedule"`
	Duration     string   `yaml:"duration"`
	TimeZone     string   `yaml:"timeZone"`
	Applications []string `yaml:"applications"`
	Namespaces   []string `yaml:"namespaces"`
	Clusters     []string `yaml:"clusters"`
	ManualSync   bool     `yaml:"manualSync"`
	AndOperator  bool     `yaml:"andOperator"`
	Description  string   `yaml:"description"`
}

// argoApp is the application that windows are for.
type argoApp struct{ name, project, server, cluster, namespace string }

// manifest is what is read of the objects of Argo CD.
type manifest struct {
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
	Spec struct {
		SyncWindows []yaml.Node `yaml:"syncWindows"`
		Project     string      `yaml:"project"`
		Destination struct {
			Server    string `yaml:"server"`
			Name      string `yaml:"name"`
			Namespace string `yaml:"namespace"`
		} `yaml:"destination"`
	} `yaml:"spec"`
}

// mostManifests bounds the documents of one file.
const mostManifests = 100

// manifests reads a file with objects of Argo CD, of which some other than those that are
// asked for may have any shape.
func manifests(tree promote.Tree, name string, visit func(*yamlfile.File, *yaml.Node, manifest)) error {
	if tree == nil {
		return &promote.Error{Msg: name + ": there is no repository to read it from"}
	}
	data, err := tree.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &promote.Error{Msg: name + " is not there", Hint: "git add " + shell.Pathspecs(name) + " && git commit " + shell.Pathspecs(name)}
	}
	if err != nil {
		return &promote.Error{Msg: name + " cannot be read", Err: err}
	}
	return objectsIn(name, data, visit)
}

func objectsIn(name string, data []byte, visit func(*yamlfile.File, *yaml.Node, manifest)) error {
	f := yamlfile.Parse(name, data, yamlfile.Options{Documents: mostManifests, Aliases: mostManifests})
	for _, doc := range f.Documents() {
		var m manifest
		if err := doc.Decode(&m); err != nil && (m.Kind == kinds.AppProject || m.Kind == kinds.Application) {
			f.Add(doc, "", "the %s is malformed", m.Kind)
			continue
		}
		visit(f, doc, m)
	}
	return f.Err(faultOf)
}

func newArgoWindows(cfg *pipeline.ArgoWindows, d Deps) (*argoWindows, error) {
	out := &argoWindows{cfg: cfg, tree: d.Tree, clusters: d.Clusters}
	if cfg.Live != nil { // the cluster is asked when the gate is
		return out, nil
	}
	err := manifests(d.Tree, cfg.Project, func(f *yamlfile.File, _ *yaml.Node, m manifest) {
		out.add(f, m, func(n *yaml.Node) string { return fmt.Sprintf("%s:%d:%d", cfg.Project, n.Line, n.Column) })
	})
	if err == nil && len(out.projects) == 0 {
		err = &promote.Error{Msg: cfg.Project + " has no AppProject"}
	}
	return out, err
}

// add takes the windows of an AppProject, each with where it stands.
func (a *argoWindows) add(f *yamlfile.File, m manifest, place func(*yaml.Node) string) {
	if m.Kind != kinds.AppProject {
		return
	}
	a.projects = append(a.projects, m.Metadata.Name)
	for i := range m.Spec.SyncWindows {
		n := &m.Spec.SyncWindows[i]
		var e windowEntry
		if err := n.Decode(&e); err != nil {
			f.Add(n, "", "the sync window is malformed")
			continue
		}
		w, ok := e.window(f, n)
		w.project, w.place = m.Metadata.Name, place(n)
		if ok {
			a.all = append(a.all, w)
		}
	}
}

// argoParser is that of Argo CD: five fields, without @daily and the like.
var argoParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// window checks what stands in the file. Argo CD takes a zone that it does not know for
// UTC; here it is an error.
func (e windowEntry) window(f *yamlfile.File, n *yaml.Node) (w syncWindow, ok bool) {
	w = syncWindow{kind: e.Kind, manual: e.ManualSync, and: e.AndOperator, reason: e.Description}
	var err error
	ok = true
	wrong := func(hint, format string, args ...any) {
		f.Add(n, hint, format, args...)
		ok = false
	}
	if e.Kind != "allow" && e.Kind != "deny" {
		wrong("kind: deny", "the kind of the sync window is %q", e.Kind)
	}
	if w.cron, err = argoParser.Parse(e.Schedule); err != nil || len(e.Schedule) > 256 {
		wrong(`schedule: "0 16 * * 5"`, "schedule %q is malformed", e.Schedule)
	}
	if w.duration, err = time.ParseDuration(e.Duration); err != nil || w.duration <= 0 || w.duration > schedule.MaxDuration {
		wrong("duration: 8h", "duration is %q", e.Duration)
	}
	if w.zone, err = schedule.Zone(e.TimeZone); err != nil {
		wrong("timeZone: Europe/Zurich", "time zone %q is not known: Argo CD takes it for UTC", e.TimeZone)
	}
	for _, list := range []struct {
		texts []string
		into  *[]*glob.Pattern
	}{{e.Applications, &w.apps}, {e.Clusters, &w.clusters}, {e.Namespaces, &w.namespaces}} {
		for _, text := range list.texts {
			g, err := glob.Compile(text)
			if err != nil || len(text) > 256 {
				wrong("", "%q is malformed", text)
				continue
			}
			*list.into = append(*list.into, g)
		}
	}
	w.always = ok && schedule.Endless(w.cron, w.duration)
	return w, ok
}

func matches(globs []*glob.Pattern, names ...string) bool {
	return slices.ContainsFunc(globs, func(g *glob.Pattern) bool {
		return slices.ContainsFunc(names, g.Match)
	})
}

// concerns tells whether the window is for an application, as SyncWindows.Matches of Argo
// CD does: one of the three lists will do, or with andOperator all that there are.
func (w *syncWindow) concerns(a argoApp) bool {
	if a.project != "" && w.project != a.project {
		return false
	}
	var clusters []string
	for _, name := range []string{a.cluster, a.server} {
		if name != "" {
			clusters = append(clusters, name)
		}
	}
	lists := []struct {
		globs []*glob.Pattern
		fits  bool
	}{{w.apps, matches(w.apps, a.name)}, {w.clusters, matches(w.clusters, clusters...)}, {w.namespaces, matches(w.namespaces, a.namespace)}}
	any, all := false, true
	for _, l := range lists {
		any = any || l.fits
		all = all && (l.fits || len(l.globs) == 0)
	}
	if w.and {
		return any && all
	}
	return any
}

// shift is how far the window's clock is ahead of UTC, which Argo CD finds out at the
// moment: a window that began before a change to daylight saving time moves with it.
func (w *syncWindow) shift(t time.Time) time.Duration {
	_, offset := t.In(w.zone).Zone()
	return time.Duration(offset) * time.Second
}

// active tells whether the window is open: after its start and before its end. until is its
// end, as the clock is at t; zero where it has none.
func (w *syncWindow) active(t time.Time) (until time.Time, open bool) {
	if w.always {
		return time.Time{}, true
	}
	clock := t.UTC().Add(w.shift(t))
	first := clock.Add(-w.duration)
	before := func(t time.Time) (start time.Time, ok bool) {
		start = w.cron.Next(t)
		return start, !start.IsZero() && start.Before(clock)
	}
	start, open := before(first)
	if !open {
		return time.Time{}, false
	}
	// Of those that have begun the last one counts. A year may have half a million.
	n := sort.Search(int(w.duration/time.Second)+1, func(n int) bool {
		_, ok := before(first.Add(time.Duration(n) * time.Second))
		return !ok
	})
	if n > 0 {
		start, _ = before(first.Add(time.Duration(n-1) * time.Second))
	}
	return start.Add(w.duration - w.shift(t)).In(w.zone), true
}

// opens is the first moment after t at which the window is open.
func (w *syncWindow) opens(t time.Time) time.Time {
	start := w.cron.Next(t.UTC().Add(w.shift(t)))
	if start.IsZero() {
		return start
	}
	return start.Add(-w.shift(t)).Add(time.Second).In(w.zone)
}

// at tells what keeps Argo CD from syncing an application at a moment.
func (a *argoWindows) at(t time.Time, app argoApp) *closed {
	var denied, next *closed
	allowed, manual, manualAllow := false, true, true
	for i := range a.all {
		w := &a.all[i]
		if !w.concerns(app) {
			continue
		}
		until, open := w.active(t)
		switch {
		case open && w.kind == "allow":
			allowed = true
		case open:
			manual = manual && w.manual
			if denied == nil || longer(until, denied.until) {
				denied = &closed{until, w.reason, w.place}
			}
		case w.kind == "allow":
			manualAllow = manualAllow && w.manual
			if begin := w.opens(t); next == nil || !begin.IsZero() && (next.until.IsZero() || begin.Before(next.until)) {
				next = &closed{begin, w.reason, w.place}
			}
		}
	}
	switch {
	case denied != nil && !(a.cfg.Manual && manual):
		denied.reason = cmp.Or(denied.reason, "a sync window of Argo CD")
		return denied
	case denied == nil && !allowed && next != nil && !(a.cfg.Manual && manualAllow):
		next.reason = "" // it says why the window is there, and not why it is closed
		return next
	}
	return nil
}

// changes tells when windows next begin to deny, or end to allow.
func (a *argoWindows) changes(t time.Time, app argoApp, at func(time.Time)) {
	for i := range a.all {
		w := &a.all[i]
		switch until, open := w.active(t); {
		case !w.concerns(app):
		case w.kind == "deny":
			at(w.opens(t))
		case open:
			at(until)
		}
	}
}

// of gives the windows that there are for a service, and its application.
func (a *argoWindows) of(ctx context.Context, q promote.GateRequest) (*argoWindows, argoApp, error) {
	if a.cfg.Live != nil {
		return a.live(ctx, q)
	}
	app, err := a.app(q)
	return a, app, err
}

// live asks the cluster for both. What Argo CD has is what counts there: an AppProject is
// changed by hand, and an Application made by an ApplicationSet.
func (a *argoWindows) live(ctx context.Context, q promote.GateRequest) (*argoWindows, argoApp, error) {
	if a.clusters == nil {
		return nil, argoApp{}, &promote.Error{Msg: "no cluster may be asked"}
	}
	out := &argoWindows{cfg: a.cfg}
	at := cluster.Target{Context: fill(a.cfg.Live.Context, q), Namespace: cmp.Or(fill(a.cfg.Live.Namespace, q), "argocd")}
	read := func(kind, name string, visit func(*yamlfile.File, manifest)) error {
		at.Kind, at.Name = kind, name
		object, err := a.clusters.Object(ctx, at)
		if err != nil {
			return err
		}
		data, err := json.Marshal(object)
		if err != nil {
			return err
		}
		return objectsIn(kind+" "+name, data, func(f *yamlfile.File, _ *yaml.Node, m manifest) { visit(f, m) })
	}
	var app argoApp
	err := read(kinds.Application, fill(a.cfg.Live.Application, q), func(_ *yamlfile.File, m manifest) { app = m.app() })
	if err == nil {
		err = read(kinds.AppProject, app.project, func(f *yamlfile.File, m manifest) {
			out.add(f, m, func(*yaml.Node) string { return "AppProject " + fault.Shorten(app.project) })
		})
	}
	return out, app, err
}

// app is the application that a manifest has.
func (m manifest) app() argoApp {
	d := m.Spec.Destination
	return argoApp{m.Metadata.Name, cmp.Or(m.Spec.Project, "default"), d.Server, d.Name, d.Namespace}
}

// app is the application of a service: what its file says, or what the pipeline does.
func (a *argoWindows) app(q promote.GateRequest) (argoApp, error) {
	if a.cfg.Application == "" {
		cluster := fill(a.cfg.Cluster, q)
		return argoApp{name: fill(a.cfg.Name, q), cluster: cluster, namespace: fill(a.cfg.Namespace, q)}, nil
	}
	var found []argoApp
	name := fill(a.cfg.Application, q)
	err := manifests(a.tree, name, func(_ *yamlfile.File, _ *yaml.Node, m manifest) {
		if m.Kind == kinds.Application {
			found = append(found, m.app())
		}
	})
	if err == nil && len(found) != 1 {
		err = &promote.Error{Msg: fmt.Sprintf("%s has %d Applications, and one is wanted", name, len(found))}
	}
	if err != nil {
		return argoApp{}, err
	}
	if project := found[0].project; !slices.Contains(a.projects, project) {
		return argoApp{}, &promote.Error{Msg: fmt.Sprintf("%s is of project %q, and %s has no AppProject of that name", name, fault.Shorten(project), a.cfg.Project)}
	}
	return found[0], nil
}
