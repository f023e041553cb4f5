package promote

import (
	"context"
	"errors"
	"slices"
	"sort"
	"time"

	"github.com/kubepromote/kubepromote/overlay"
)

// ServiceStatus is what one service is pinned to in each environment.
type ServiceStatus struct {
	Service      string              `json:"service"`
	Environments []EnvironmentStatus `json:"environments"`
}

// EnvironmentStatus is what a service is pinned to in one environment.
type EnvironmentStatus struct {
	Environment string `json:"environment"`
	// Exists is false where the service has no overlay here.
	Exists bool          `json:"exists"`
	File   string        `json:"file,omitempty"`
	Images []ImageStatus `json:"images,omitempty"`
	// Warnings are what is probably a mistake in the file.
	Warnings []string `json:"warnings,omitempty"`
	// Unread are the images of containers that are no references.
	Unread []overlay.Unread `json:"unread,omitempty"`
	// Error says why the overlay could not be read.
	Error string `json:"error,omitempty"`
	// Differs tells that an image differs from every environment it may come
	// from: there is something to promote.
	Differs bool `json:"differs,omitempty"`

	err error
}

// ImageStatus is one image's pin.
type ImageStatus struct {
	Name       string `json:"name"`
	Repository string `json:"repository"`
	// Unknown says why the repository is not known; then Name and Repository are
	// where the pin stands. It is empty where the repository is known.
	Unknown string `json:"unknown,omitempty"`
	Pin
	// Last is the newest change of this pin, where history was asked for.
	Last *LastChange `json:"last,omitempty"`

	// Where several pins have the name and differ, path tells them apart in
	// versions of the file, and key in the files of two environments.
	path, key string
}

// LastChange tells since when a pin is what it is, and by whom.
type LastChange struct {
	Commit string    `json:"commit"`
	Time   time.Time `json:"time"`
	Author string    `json:"author"`
	Email  string    `json:"email"`
	// From is the environment that it was promoted from, by a record that agrees
	// with the content.
	From string `json:"from,omitempty"`
	// SourceCommit is the commit that the promotion was planned on, as that record has
	// it.
	SourceCommit string `json:"sourceCommit,omitempty"`
	// Gates are the verdicts under which it came, as that record has them.
	Gates []string `json:"gates,omitempty"`
}

// Status reads the working tree: for each service, in alphabetical order, what
// stands in each environment. No service named means all. Overlays that cannot
// be read are in the result, and their errors are returned beside it, joined.
func (p *Promoter) Status(ctx context.Context, services []string) ([]ServiceStatus, error) {
	overlays, err := p.Pipeline.Spec.Overlays(p.Repo)
	if err != nil {
		return nil, err
	}
	names := services
	if len(names) == 0 {
		for s := range overlays {
			names = append(names, s)
		}
	}
	if err := known(names, overlays); err != nil {
		return nil, err
	}
	names = append([]string(nil), names...)
	sort.Strings(names)
	names = slices.Compact(names)
	out := make([]ServiceStatus, len(names))
	each(ctx, len(names), func(i int) error {
		out[i] = p.serviceStatus(names[i], overlays[names[i]])
		return nil
	})
	if err := ctx.Err(); err != nil {
		return nil, &Error{Msg: "reading the overlays was interrupted", Err: context.Cause(ctx)}
	}
	var errs []error
	for _, s := range out {
		for _, e := range s.Environments {
			errs = append(errs, e.err)
		}
	}
	return out, errors.Join(errs...)
}

// CheckServices gives an error for the first name that is no service of the
// repository.
func (p *Promoter) CheckServices(names []string) error {
	if len(names) == 0 {
		return nil
	}
	overlays, err := p.Pipeline.Spec.Overlays(p.Repo)
	if err != nil {
		return err
	}
	return known(names, overlays)
}

func known(names []string, overlays map[string]map[string]bool) error {
	var all []string
	for s := range overlays {
		all = append(all, s)
	}
	sort.Strings(all)
	for _, n := range names {
		if overlays[n] == nil {
			return usage(didYouMean(n, all), "unknown service %q", n)
		}
	}
	return nil
}

func (p *Promoter) serviceStatus(name string, has map[string]bool) ServiceStatus {
	s := ServiceStatus{Service: name}
	at := make(map[string]EnvironmentStatus)
	for _, env := range p.Pipeline.Spec.Environments {
		e := EnvironmentStatus{Environment: env.Name}
		if has[env.Name] {
			e = p.environmentStatus(name, env.Name)
		}
		at[env.Name] = e
		s.Environments = append(s.Environments, e)
	}
	for i, env := range p.Pipeline.Spec.Environments {
		e := &s.Environments[i]
		for _, from := range env.From {
			if src := at[from]; len(src.Images) > 0 && e.Exists && e.err == nil {
				e.Differs = differs(src.Images, e.Images)
				if !e.Differs {
					break
				}
			}
		}
	}
	return s
}

func (p *Promoter) environmentStatus(service, environment string) EnvironmentStatus {
	e := EnvironmentStatus{Environment: environment}
	f, err := readOverlay(p.Repo, &p.Pipeline.Spec, service, environment, false)
	if errors.Is(err, errNoOverlay) {
		return e
	}
	e.Exists = true
	if err != nil {
		e.Error, e.err = err.Error(), err
		return e
	}
	e.File = f.Name()
	e.Images, e.Warnings, e.Unread = imageStatuses(f), f.Misreadings(), f.Unread()
	return e
}

func imageStatuses(f *overlay.File) []ImageStatus {
	images := f.Images()
	apart := pinnedApart(images)
	out := make([]ImageStatus, 0, len(images))
	for _, i := range images {
		path, key := "", ""
		if apart[i.Name] {
			path, key = i.Path, f.NamedPath(i)
		}
		out = append(out, ImageStatus{path: path, key: key, Name: i.Name, Repository: i.Repository(), Unknown: i.Unknown, Pin: Pin{i.Tag, i.Digest}})
	}
	return out
}

// differs tells whether an image that the source pins is pinned otherwise in the
// target. Digests decide where both sides have one; else the tags do.
func differs(source, target []ImageStatus) bool {
	at := make(map[string]Pin, len(target))
	for _, i := range target {
		at[i.Name], at[i.Name+"\n"+i.key] = i.Pin, i.Pin
	}
	for _, i := range source {
		if i.Pin == (Pin{}) {
			continue
		}
		there, ok := at[i.Name+"\n"+i.key]
		if !ok {
			there = at[i.Name]
		}
		if i.Digest != "" && there.Digest != "" {
			if i.Digest != there.Digest {
				return true
			}
		} else if i.Tag != there.Tag {
			return true
		}
	}
	return false
}

// AddHistory fills in Last from the repository's history, in one pass that ends
// when all have been found. A pin that is not what its newest change made of it
// stands in the working tree alone, and has none.
func (p *Promoter) AddHistory(ctx context.Context, log Log, statuses []ServiceStatus) error {
	open := make(map[[4]string]*ImageStatus)
	var services []string
	for i := range statuses {
		services = append(services, statuses[i].Service)
		for j := range statuses[i].Environments {
			e := &statuses[i].Environments[j]
			for k := range e.Images {
				open[[4]string{statuses[i].Service, e.Environment, e.Images[k].Name, e.Images[k].path}] = &e.Images[k]
			}
		}
	}
	if len(services) > maxPathspecs {
		services = nil
	}
	return p.History(ctx, log, HistoryRequest{Services: services}, func(c Change) bool {
		for _, changed := range c.Images {
			key := [4]string{c.Service, c.Environment, changed.Name, changed.path}
			if open[key] == nil {
				key[3] = "" // one pin has the name
			}
			if i := open[key]; i != nil {
				if changed.New == i.Pin && changed.Repository == i.Repository {
					i.Last = c.last()
				}
				delete(open, key)
			}
		}
		return len(open) > 0
	})
}

func (c Change) last() *LastChange {
	l := &LastChange{Commit: c.Commit, Time: c.Time, Author: c.Author, Email: c.Email}
	if c.Record != nil && c.Mismatch == "" {
		l.From, l.SourceCommit, l.Gates = c.Record.From, c.Record.SourceCommit, c.Record.Gates
	}
	return l
}
