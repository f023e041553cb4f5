// Package history reads from a repository's commits which pins have changed, when, and
// by whom. The content of the files is the truth; the records that promotions leave in
// their commits explain it.
//
// [Read] follows the first-parent history of the files that a pipeline's layout names,
// and of named services also under the paths that their files had before, newest first: a
// merge is one change, with the record of the commit that it brought.
// A file whose version nobody can read is passed over; a clone that has only the newer
// part of the history says so with [Truncated], and is never taken for a young repository.
//
// The package reads commits and blobs through [Log], which promote/git implements.
package history

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/promote/internal/kustomization"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/record"
)

// Request restricts a history.
type Request struct {
	// Services and Environment restrict it; empty means all.
	Services    []string
	Environment string
	// Files, if not empty, are those that are read: what is asked for stands in no other
	// now, and where it stood before is not asked.
	Files []string
	// Named, if not nil, are the sites of all files of values that others name, see
	// [pipeline.Sites.Named]. They are looked for where it is nil.
	Named []pipeline.Site
	// Wants, if set, tells whether a service's changes are asked for yet. What is not is
	// read no further.
	Wants func(service, environment string) bool
}

// Read visits the changes of pins in the first-parent history, newest first, until
// visit returns false. The tree is what the repository has now: it tells services apart
// that have the same name. Versions of a file that cannot be parsed are passed
// over: the next that can is compared with the last that could. Where the repository
// has the newer part of the history alone, or the newest version of a file cannot be
// parsed, the error is *Truncated, after what could be read has been visited. Environments that are in other places are read there, as the tree and
// the log have them: see [pipeline.Places] and [Places]. Where nobody can tell what some of
// these have, the others are visited, and the error is a [*pipeline.Unreached] for each.
func Read(ctx context.Context, p *pipeline.Pipeline, tree pipeline.Tree, log Log, req Request, visit func(Change) bool) error {
	if req.Environment != "" {
		if _, err := p.Environment(req.Environment); err != nil {
			return err
		}
	}
	parts, lost := partsOf(p, tree, log, req)
	if len(parts) == 0 {
		return lost
	}
	read := parts[0].read
	if len(parts) > 1 {
		read = func(ctx context.Context, p *pipeline.Pipeline, req Request, visit func(Change) bool) error {
			return merge(ctx, p, parts, req, visit)
		}
	}
	err := read(ctx, p, req, visit)
	if lost == nil {
		return err
	}
	return errors.Join(lost, err)
}

// read is Read for one place.
func (o *part) read(ctx context.Context, p *pipeline.Pipeline, req Request, visit func(Change) bool) error {
	if o.service != "" {
		p, req.Services = p.Of(o.service), []string{o.service}
	}
	h := &historian{pipeline: p, sites: p.Sites(pipeline.Everywhere{Tree: o.tree}), ctx: ctx, log: o.log, req: req, environments: o.environments, visit: visit, wanted: make(map[string]bool), held: make(map[pendingKey]*pendingChange), met: make(map[siteKey]bool), failed: make(map[string]error), equal: make(map[alikeKey]string), last: make(map[siteKey]readVersion), batch: firstBatch}
	for _, s := range req.Services {
		h.wanted[s] = true
	}
	h.keys, h.cheap = keysOf(p)
	specs := append(p.Pathspecs(req.Services, o.environments...), h.named()...)
	if len(req.Files) > 0 {
		specs = nil
		for _, file := range req.Files {
			for _, name := range kustomization.Same(file) {
				specs = append(specs, literal(name))
			}
		}
	}
	err := h.walk(narrow(specs, req.Services))
	var truncated *Truncated
	if err != nil && !errors.As(err, &truncated) {
		return err
	}
	if ferr := h.flush(); ferr != nil {
		return ferr
	}
	if h.stopped {
		return h.unread
	}
	if err == nil && h.unread != nil {
		err = h.unread
	}
	if err != nil {
		return err // what is held yet may have an older version
	}
	// What is held yet has no older version that can be read.
	held := slices.Collect(maps.Values(h.held))
	slices.SortFunc(held, func(a, b *pendingChange) int {
		return cmp.Or(b.change.Time.Compare(a.change.Time), strings.Compare(a.file.Path, b.file.Path))
	})
	for _, p := range held {
		c, err := h.change(p, pins{}, p.pins)
		if err != nil || c != nil && !h.visit(*c) {
			return err
		}
	}
	return nil
}

// historian gathers commits, so that the blobs of many are read at once.
type historian struct {
	pipeline *pipeline.Pipeline
	ctx      context.Context
	log      Log
	req      Request
	visit    func(Change) bool
	// environments are those that are read: of one place.
	environments []string

	wanted map[string]bool
	names  pipeline.ByService
	sites  *pipeline.Sites

	pending []*pendingChange
	batch   int
	// seen are the commits so far, and due is at how many the pending ones are looked at,
	// be they few: the last that is wanted may be among them.
	seen, due int
	stopped   bool
	// moved is the commit that gave a file of interest another path; what the file was
	// before stands in followed, by the path that it had.
	moved    string
	moves    int // how many such commits there were
	followed map[string]pipeline.Site
	// keys are those of the pins that the pipeline names, and cheap tells that no other
	// key may have one.
	keys  []string
	cheap bool
	// held are changes whose older version cannot be read: what they changed is
	// told by the next older one that can.
	held map[pendingKey]*pendingChange
	// met are the sites of which a version has come up, failed says by their blobs why
	// versions cannot be read, and unread is the first site whose newest one cannot.
	met    map[siteKey]bool
	failed map[string]error
	unread error
	// equal leads from a version to one with the same pins; last is the one that was read
	// last of a site.
	equal map[alikeKey]string
	last  map[siteKey]readVersion
}

// pendingChange is what a commit has changed in one file of a service.
type pendingChange struct {
	change  Change
	merge   bool
	records func() map[[2]string]record.Trailers // those of the commit, read once
	file    FileVersion
	site    pipeline.Site // without a service where the file is shared
	pins    pins          // of the newer version
	same    bool          // both versions have the same pins, as far as they are of interest
}

// pendingKey tells files apart in which a service has its pins. The three names that a
// kustomization has are one.
type pendingKey struct{ service, environment, path string }

func (p *pendingChange) key() pendingKey {
	return pendingKey{p.change.Service, p.change.Environment, p.site.Path}
}

// Blobs are read for some changes at once: for few at first, because a caller
// that needs only the newest ones should not wait for old ones, then for more.
const (
	firstBatch = 8
	maxBatch   = 512
	// leastSeen is how many commits are passed at least before few changes are read.
	leastSeen = 64
)

func (h *historian) commit(c Commit) (bool, error) {
	records := sync.OnceValue(func() map[[2]string]record.Trailers { return recordsOf(c.Message) })
	here := make(map[pendingKey]*pendingChange)
	for _, f := range c.Files {
		for _, one := range h.match(f.Path) {
			if one.Service != "" && !h.wants(one) || !slices.Contains(h.environments, one.Environment) {
				continue
			}
			one.Service = h.name(one)
			p := &pendingChange{file: f, site: one, merge: len(c.Parents) > 1, records: records, change: Change{
				Service: one.Service, Environment: one.Environment,
				Commit: c.Hash, Time: c.Time, Author: c.Author, Email: c.Email, Subject: firstLine(c.Message),
			}}
			if other := here[p.key()]; other != nil {
				other.rename(f)
				continue
			}
			here[p.key()] = p
			h.pending = append(h.pending, p)
		}
	}
	if err := h.follow(c, here); err != nil {
		return false, err
	}
	h.seen++
	if full := len(h.pending) >= h.batch; full || len(h.pending) > 0 && h.seen >= h.due {
		if full {
			h.batch = min(2*h.batch, maxBatch)
		}
		h.due = h.seen + max(leastSeen, h.seen/4)
		if err := h.flush(); err != nil {
			return false, err
		}
	}
	return !h.stopped && h.moved == "", nil
}

// rename joins the removal of a file and the addition of another for the same
// overlay: kustomization files have three names.
func (p *pendingChange) rename(f FileVersion) {
	if p.file.Old == "" {
		p.file.Old = f.Old
	}
	if p.file.New == "" {
		p.file.New = f.New
	}
}

// name is what a service is called: behind its other holes where two would be alike.
func (h *historian) name(one pipeline.Site) string {
	if len(one.Holes) == 0 || one.Service == "" {
		return one.Service
	}
	if h.names == nil {
		h.names, _ = h.sites.All() // what cannot be listed has its short name
	}
	if full := one.FullName(); h.names[full] != nil {
		return full
	}
	return one.Service
}

// wants tells whether the history of a site is asked for.
func (h *historian) wants(one pipeline.Site) bool {
	return (len(h.wanted) == 0 || h.wanted[one.Service] || h.wanted[one.FullName()]) &&
		(h.asks(one.Service, one.Environment) || h.asks(one.FullName(), one.Environment))
}

// asks tells whether a service's changes in an environment are asked for yet.
func (h *historian) asks(service, environment string) bool {
	return h.req.Wants == nil || h.req.Wants(service, environment)
}

// flush reads the blobs and visits what is pending.
func (h *historian) flush() error {
	versions, err := h.versions()
	if err != nil {
		return err
	}
	var last *Change // of one commit, service and environment, which several files may have
	say := func() {
		if last != nil && !h.stopped {
			h.stopped = !h.visit(*last)
		}
		last = nil
	}
	for _, p := range h.pending {
		h.meet(p)
		if p.same && len(h.held) > 0 {
			if err := h.reread(p, versions); err != nil {
				return err
			}
		}
		for _, one := range h.shares(p, versions) {
			c, err := h.compare(one, versions)
			if err != nil {
				return err
			}
			if c != nil && last != nil && last.Commit == c.Commit && last.Service == c.Service && last.Environment == c.Environment {
				last.join(c)
			} else if c != nil {
				say()
				last = c
			}
		}
		if h.stopped {
			break
		}
	}
	say()
	h.pending = nil
	return nil
}

// meet notes where the newest version of a site cannot be read: what stands there now
// may be of any time.
func (h *historian) meet(p *pendingChange) {
	if key := keyOf(p.site); !p.same && !h.met[key] {
		h.met[key] = true
		if err := h.failed[h.first(key, p.file.New)]; err != nil && h.unread == nil {
			h.unread = &Truncated{Commit: p.change.Commit, File: p.file.Path, Err: err}
		}
	}
}

// shares gives what is pending for each service that has a part of a file.
func (h *historian) shares(p *pendingChange, versions map[string]map[siteKey]version) []*pendingChange {
	if p.same {
		return nil
	}
	if p.site.Service != "" {
		return []*pendingChange{p}
	}
	services := make(map[string]bool)
	for _, id := range []string{p.file.Old, p.file.New} {
		for service := range versions[h.first(keyOf(p.site), id)][keyOf(p.site)] {
			services[service] = true
		}
	}
	var out []*pendingChange
	for _, service := range slices.Sorted(maps.Keys(services)) {
		one := *p
		one.site.Service, one.change.Service = service, service
		if h.wants(one.site) {
			out = append(out, &one)
		}
	}
	return out
}

// compare gives a change, or holds it where its older version cannot be read.
func (h *historian) compare(p *pendingChange, versions map[string]map[siteKey]version) (*Change, error) {
	at := func(id string) (pins, bool) {
		v, ok := versions[h.first(keyOf(p.site), id)][keyOf(p.site)]
		return v[path.Base(p.change.Service)], ok || id == ""
	}
	now, readable := at(p.file.New)
	old, oldReadable := at(p.file.Old)
	if held := h.held[p.key()]; held != nil {
		p, now, readable = held, held.pins, true // the held change is told in place of this
	}
	if !readable {
		return nil, nil // a version that nobody can read changed no pin that anybody could use
	}
	if !oldReadable {
		p.pins = now
		h.held[p.key()] = p
		return nil, nil
	}
	delete(h.held, p.key())
	return h.change(p, old, now)
}

// change is a change of pins with its record, or nil where none has changed.
func (h *historian) change(p *pendingChange, old, now pins) (*Change, error) {
	images, along := ImageChanges(p.file.Path, old.images, now.images), alongChanges(p.file.Path, old.along, now.along)
	if len(images)+len(along) == 0 {
		return nil, nil
	}
	for i := range images {
		images[i].Overlay = p.site.Path
	}
	for i := range along {
		along[i].Overlay = p.site.Path
	}
	p.change.Images, p.change.Along = images, along
	p.change.addRecord(p.records())
	if p.merge && p.change.Record == nil {
		if err := h.addMerged(&p.change, p.file.Path); err != nil {
			return nil, err
		}
	}
	return &p.change, nil
}

// addMerged takes the record from the commit that a merge has brought, where that
// brings exactly what it names.
func (h *historian) addMerged(c *Change, file string) error {
	return h.log.Merged(h.ctx, c.Commit, []string{literal(file)}, func(brought Commit) (bool, error) {
		found := *c
		found.addRecord(recordsOf(brought.Message))
		if found.Record == nil {
			return true, nil
		}
		if found.Mismatch == "" {
			c.Record, c.RecordCommit = found.Record, brought.Hash
		}
		return false, nil
	})
}

// literal is the pathspec of a file or a directory. With the magic word top git would use no
// filters of a commit graph.
func literal(file string) string { return ":(literal)" + file }
