// Package status reads what services are pinned to in each environment: from the files,
// and from the history since when, and by whom.
//
// A [Listing] is what the directories of a tree have of a pipeline's layout. Its Status
// reads the overlays; one that cannot be read is in the result with its error.
// [AddHistory] finds the newest change of each pin, in one pass over the history that ends
// as soon as all are found.
package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/internal/parallel"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/record"
)

// Service is what one service is pinned to in each environment.
type Service struct {
	Service      string        `json:"service"`
	Environments []Environment `json:"environments"`
}

// Environment is what a service is pinned to in one environment.
type Environment struct {
	Environment string `json:"environment"`
	// Exists is false where the service has no overlay here.
	Exists bool `json:"exists"`
	// Files are those in which its pins stand.
	Files  []string `json:"files,omitempty"`
	Images []Image  `json:"images,omitempty"`
	// Along is what moves beside the images: charts and revisions, where the pipeline
	// promotes them.
	Along []Along `json:"along,omitempty"`
	// Warnings are what is probably a mistake in the file.
	Warnings []string `json:"warnings,omitempty"`
	// Unread are the images of containers that are no references.
	Unread []UnreadImage `json:"unread,omitempty"`
	// Error says why the overlay could not be read.
	Error string `json:"error,omitempty"`
	// Differs tells that an image, or what moves along, differs from every environment it may come
	// from: there is something to promote.
	Differs bool `json:"differs,omitempty"`
	// UnknownFrom are those that it may come from and whose overlay cannot be read: whether
	// there is something to promote, nobody can tell.
	UnknownFrom []string `json:"unknownFrom,omitempty"`
	// Pending are the open pull requests that would change it, where they were asked for.
	Pending []Pending `json:"pending,omitempty"`
	// Live is how it is where it runs, where that was asked for and the pipeline says where
	// it is seen.
	Live *Live `json:"live,omitempty"`
	// Held is what keeps the service at its pins, where something does.
	Held *hold.Hold `json:"held,omitempty"`

	err error
	// named are the sites of the files of values that its files name.
	named []pipeline.Site
}

// Live is how a service is in an environment where it runs.
type Live struct {
	// Answer is pass where what stands in the files is healthy and is what runs, wait where
	// that may come, fail where it has failed, unknown where it cannot be told.
	Answer string `json:"answer"`
	Reason string `json:"reason,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// Along is the version of a chart, or the revision of a repository.
type Along struct {
	// Kind is chart or revision.
	Kind string `json:"kind"`
	// Name is the chart's or the repository's.
	Name    string `json:"name"`
	Version string `json:"version"`
	// File is the one that it stands in.
	File string `json:"file"`
	// Last is the newest change of it, where history was asked for.
	Last *LastChange `json:"last,omitempty"`

	site string
}

// Pending is an open pull request.
type Pending struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
	Title  string `json:"title"`
	Author string `json:"author,omitempty"`
	Draft  bool   `json:"draft,omitempty"`
	// Rollback tells that it takes pins back.
	Rollback bool `json:"rollback,omitempty"`
}

// UnreadImage is an image of a container that is no reference.
type UnreadImage struct {
	File string `json:"file"`
	overlay.Unread
}

// UnreadIn gives the images of a file that cannot be read.
func UnreadIn(f *overlay.File) []UnreadImage {
	var out []UnreadImage
	for _, u := range f.Unread() {
		out = append(out, UnreadImage{f.Name(), u})
	}
	return out
}

// TagCheck is whether a tag stands for the digest that is pinned beside it.
type TagCheck struct {
	// Answer is pass where it does, fail where it has moved, unknown where it cannot be told.
	Answer string `json:"answer"`
	// Digest is what the tag stands for now, as far as that is known.
	Digest string `json:"digest,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Image is one image's pin.
type Image struct {
	Name       string `json:"name"`
	Repository string `json:"repository"`
	// Unknown says why the repository is not known; then Name and Repository are
	// where the pin stands. It is empty where the repository is known.
	Unknown string `json:"unknown,omitempty"`
	history.Pin
	Misread overlay.Misread `json:"misread,omitzero"`
	// TagCheck is what the tag stands for now, where that was asked for.
	TagCheck *TagCheck `json:"tagCheck,omitempty"`
	// File is the one that it stands in.
	File string `json:"file"`
	// Last is the newest change of this pin, where history was asked for.
	Last *LastChange `json:"last,omitempty"`

	// At is where the pin stands in its file, as [overlay.Pin] has it.
	At string `json:"-"`

	// Where several pins have the name and differ, path tells them apart in
	// versions of the file, and key in the files of two environments. site is the path of
	// the site that it was read for.
	path, key, site string
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
	// Entry is what it came in by from outside, by such a record.
	Entry string `json:"entry,omitempty"`
	// SourceCommit is the commit that the promotion was planned on, as that record has
	// it.
	SourceCommit string `json:"sourceCommit,omitempty"`
	// Gates are the verdicts under which it came, as that record has them.
	Gates []string `json:"gates,omitempty"`
	// Overrides are the gates that somebody went past, as that record has them.
	Overrides []record.Override `json:"overrides,omitempty"`
}

// Listing is what the directories of the working tree have of a layout.
type Listing struct {
	pipeline *pipeline.Pipeline
	tree     pipeline.Tree
	overlays pipeline.ByService
	// unreached are environments of which nobody can tell what is there, and why.
	unreached map[string]error
}

// List looks for what fits the layout. Of an environment whose place cannot be read all
// is unknown, which is no error here: Status has it.
func List(p *pipeline.Pipeline, tree pipeline.Tree) (*Listing, error) {
	sites := p.Sites(tree)
	overlays, err := sites.All()
	l := &Listing{p, tree, overlays, make(map[string]error)}
	var unreached *pipeline.Unreached
	if !errors.As(err, &unreached) {
		return l, err
	}
	for i := range p.Spec.Environments {
		e := &p.Spec.Environments[i]
		if _, err := e.TreeOf(tree); !e.EachService() && errors.As(err, &unreached) {
			l.unreached[e.Name] = err
		}
	}
	return l, nil
}

// Misfits says what of the pipeline's layout fits nothing in the repository: one line for
// all of it, or one for each environment or location; and which locations have the same
// pins.
func (l *Listing) Misfits() []string {
	return l.pipeline.Misfits(l.overlays, slices.Collect(maps.Keys(l.unreached))...)
}

// Read is the status of a new listing.
func Read(ctx context.Context, p *pipeline.Pipeline, tree pipeline.Tree, services []string) ([]Service, error) {
	l, err := List(p, tree)
	if err != nil {
		return nil, err
	}
	return l.Status(ctx, services)
}

// Services are all services there are, in alphabetical order.
func (l *Listing) Services() []string { return slices.Sorted(maps.Keys(l.overlays)) }

// Status reads the working tree: for each service, in alphabetical order, what
// stands in each environment. No service named means all. Overlays that cannot
// be read are in the result, and their errors are returned beside it, joined.
func (l *Listing) Status(ctx context.Context, services []string) ([]Service, error) {
	overlays := l.overlays
	sites := l.pipeline.Sites(l.tree) // without the directories that were listed
	every := len(services) == 0
	if every {
		services = slices.Collect(maps.Keys(overlays))
	}
	if err := overlays.Check(services); err != nil {
		return nil, err
	}
	names := slices.Compact(slices.Sorted(slices.Values(services)))
	out := make([]Service, len(names))
	parallel.Each(ctx, len(names), func(i int) error {
		out[i] = l.serviceStatus(sites, names[i], overlays[names[i]])
		return nil
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading the overlays was interrupted: %w", context.Cause(ctx))
	}
	if every {
		out = slices.DeleteFunc(out, Service.isNone)
	}
	var errs []error
	for _, s := range out {
		for _, e := range s.Environments {
			if l.unreached[e.Environment] == nil {
				errs = append(errs, e.err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.unreached)) {
		errs = append(errs, l.unreached[name])
	}
	return out, errors.Join(errs...)
}

// Pinned tells whether there is anything in any environment that a promotion moves, or
// may be, as its overlay cannot be read.
func (s Service) Pinned() bool {
	return slices.ContainsFunc(s.Environments, func(e Environment) bool { return len(e.Images)+len(e.Along)+len(e.Unread) > 0 || e.Error != "" })
}

// isNone tells that a folder is no service: nothing is in it in any environment.
func (s Service) isNone() bool {
	return !slices.ContainsFunc(s.Environments, func(e Environment) bool { return e.Exists })
}

// CheckServices gives an error for the first name that is no service of the
// repository.
func CheckServices(p *pipeline.Pipeline, tree pipeline.Tree, names []string) error {
	if len(names) == 0 {
		return nil
	}
	overlays, err := p.Sites(tree).All()
	var unreached *pipeline.Unreached
	if err != nil && !errors.As(err, &unreached) {
		return err
	}
	if cerr := overlays.Check(names); cerr != nil {
		return cmp.Or(err, cerr) // it may be a service of the place that could not be read
	}
	return nil
}

func (l *Listing) serviceStatus(all *pipeline.Sites, name string, has map[string][]pipeline.Site) Service {
	s, p := Service{Service: name}, l.pipeline
	at := make(map[string]Environment)
	for _, env := range p.Spec.Environments {
		e := Environment{Environment: env.Name}
		if err := l.unreached[env.Name]; err != nil {
			e.Exists, e.err, e.Error = true, err, err.Error()
		}
		for _, one := range has[env.Name] {
			e.read(p, all, one)
		}
		at[env.Name] = e
		s.Environments = append(s.Environments, e)
	}
	for i, env := range p.Spec.Environments {
		if e := &s.Environments[i]; e.Exists && e.err == nil {
			e.compare(env.From, at)
		}
	}
	return s
}

// compare tells whether an environment differs from all that it may come from.
func (e *Environment) compare(from []string, at map[string]Environment) {
	for _, name := range from {
		src := at[name]
		other := differs(src.Images, e.Images) || differsAlong(src.Along, e.Along)
		switch {
		case src.err != nil:
			e.UnknownFrom = append(e.UnknownFrom, name)
		case len(src.Images)+len(src.Along) > 0 && !other:
			e.Differs, e.UnknownFrom = false, nil
			return
		}
		e.Differs = e.Differs || other
	}
}

// Of reads what stands at the sites of one service in an environment.
func Of(p *pipeline.Pipeline, sites *pipeline.Sites, environment string, at []pipeline.Site) (Environment, error) {
	e := Environment{Environment: environment}
	for _, one := range at {
		e.read(p, sites, one)
	}
	return e, e.err
}

// read adds what stands at a site, and in the files of values that its own names, of the kinds that are promoted.
func (e *Environment) read(p *pipeline.Pipeline, all *pipeline.Sites, one pipeline.Site) {
	f, pins, err := all.ReadPins(one, false)
	if errors.Is(err, pipeline.ErrNoOverlay) {
		return
	}
	e.Exists = true
	if err != nil {
		e.err = errors.Join(e.err, err)
		e.Error = e.err.Error()
		return
	}
	if !slices.Contains(e.Files, f.Name()) {
		e.Files = append(e.Files, f.Name())
	}
	e.Images = append(e.Images, imagesOf(f, one, pins)...)
	for _, pin := range p.Along(one, f) {
		e.Along = append(e.Along, Along{Kind: string(pin.Type), Name: pin.Name, Version: pin.Tag, File: f.Name(), site: one.Path})
	}
	more, notes := all.Named(one, f)
	e.Warnings, e.Unread = append(append(e.Warnings, f.Misreadings()...), notes...), append(e.Unread, UnreadIn(f)...)
	e.named = append(e.named, more...)
	for _, named := range more {
		e.read(p, all, named)
	}
}

func imagesOf(f *overlay.File, one pipeline.Site, images []overlay.Pin) []Image {
	apart := history.PinnedApart(images)
	out := make([]Image, 0, len(images))
	for _, i := range images {
		path, key := "", ""
		if apart[i.Name] {
			path, key = i.Path, f.NamedPath(i)
		}
		out = append(out, Image{path: path, key: key, site: one.Path, At: i.Path, Name: i.Name, File: f.Name(), Repository: i.Repository(), Unknown: i.Unknown, Pin: history.Pin{Tag: i.Tag, Digest: i.Digest}, Misread: i.Misread})
	}
	return out
}

// differs tells whether an image that the source pins is pinned otherwise in the
// target. Digests decide where both sides have one; else the tags do.
func differs(source, target []Image) bool {
	at := make(map[string]history.Pin, len(target))
	for _, i := range target {
		at[i.Name], at[i.Name+"\n"+i.key] = i.Pin, i.Pin
	}
	for _, i := range source {
		if i.Pin == (history.Pin{}) {
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
		} else if i.Tag != there.Tag || there == (history.Pin{}) {
			return true
		}
	}
	return false
}

// differsAlong tells whether what the source has besides images is another version in the
// target. What is not there does not come by a promotion.
func differsAlong(source, target []Along) bool {
	return slices.ContainsFunc(source, func(s Along) bool {
		i := slices.IndexFunc(target, func(t Along) bool { return t.Kind == s.Kind && t.Name == s.Name })
		return i >= 0 && target[i].Version != s.Version
	})
}

// AddHolds fills in Held, as of a moment.
func AddHolds(p *pipeline.Pipeline, list *hold.List, now time.Time, statuses []Service) {
	for i := range statuses {
		for j := range statuses[i].Environments {
			e := &statuses[i].Environments[j]
			if env, err := p.Environment(e.Environment); err == nil && e.Exists {
				if h, held := list.For(statuses[i].Service, env, now); held {
					e.Held = &h
				}
			}
		}
	}
}
