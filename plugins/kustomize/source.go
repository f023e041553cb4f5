package kustomize

import (
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/digest/lock"
	"github.com/kubepromote/kubepromote/overlay"
)

// sources are the files that know digests.
type sources struct {
	overlay *environment
	lock    *lock.Lock
	files   []string
}

// sources reads an overlay and a lock file; either may be unnamed.
func (r *run) sources(overlayPath, lockPath string) (*sources, error) {
	s := &sources{}
	if overlayPath == "" && lockPath == "" {
		return s, nil
	}
	t, err := r.host.open()
	if err != nil {
		return nil, err
	}
	defer t.close()
	if overlayPath != "" {
		f, err := t.overlay(overlayPath)
		if err != nil {
			return nil, err
		}
		s.overlay = newEnvironment(f)
		s.files = append(s.files, f.Name())
	}
	if lockPath != "" {
		data, err := t.read(lockPath)
		if err != nil {
			return nil, err
		}
		if s.lock, err = lock.ParseLock(lockPath, data); err != nil {
			return nil, err
		}
		s.files = append(s.files, lockPath)
	}
	return s, nil
}

// names lists the files, for messages.
func (s *sources) names() string { return strings.Join(s.files, " or ") }

// locked gives the digest that the lock file has for a tag, or "".
func (s *sources) locked(r ref) string {
	if s.lock == nil {
		return ""
	}
	l, ok := s.lock.Lookup(r.String())
	if !ok {
		return ""
	}
	return l.Digest
}

// environment is the images of an overlay.
type environment struct {
	name    string
	pins    map[string][]overlay.Pin
	digests map[string]bool
}

func newEnvironment(f *overlay.File) *environment {
	e := &environment{name: f.Name(), pins: make(map[string][]overlay.Pin), digests: make(map[string]bool)}
	for _, p := range f.Images() {
		names := []string{p.Name}
		if r := p.Repository(); r != p.Name {
			names = append(names, r) // newName, or a name without the tag in it
		}
		for _, n := range names {
			e.pins[n] = append(e.pins[n], p)
		}
		if p.Digest != "" {
			e.digests[p.Digest] = true
		}
	}
	return e
}

// pinned is an image of an overlay.
type pinned overlay.Pin

// over gives a reference with what the overlay says of it.
func (p *pinned) over(r ref) ref {
	r.repository = overlay.Pin(*p).Repository()
	if p.Tag != "" || p.Digest != "" {
		r.tag, r.digest = p.Tag, p.Digest
	}
	if p.Tag != "" {
		r.tag += p.TagSuffix
	}
	return r
}

// pin finds what an overlay says of an image, by the name that it has there or
// gets there; nil where it says nothing.
func (e *environment) pin(repository string) (*pinned, *finding) {
	pins := e.pins[repository]
	if len(pins) == 0 {
		return nil, nil
	}
	for _, p := range pins[1:] {
		if p.Ref() != pins[0].Ref() {
			return nil, unknown("ambiguous", "name the overlay's file that has one of them",
				"image %s: %s has both %s and %s", quoted(repository), e.name, pins[0].Ref(), p.Ref())
		}
	}
	if pins[0].TagSuffix != "" && pins[0].Tag == "" && pins[0].Digest == "" {
		return nil, unknown("unresolved", "write newTag or digest there",
			"image %s: %s appends %s to a tag that it does not name", quoted(repository), e.name, quoted(pins[0].TagSuffix))
	}
	if m := pins[0].Misread; m.Hides(pins[0].Digest) {
		return nil, unknown("misread", m.Hint(), "image %s: %s:%d:%d: %s", quoted(repository), e.name, m.Position.Line, m.Position.Col, m.Says("it"))
	}
	p := pinned(pins[0])
	return &p, nil
}

// allows tells whether one of the files has the digest of an image.
func (s *sources) allows(r ref) bool {
	if s.overlay != nil && s.overlay.digests[r.digest] {
		return true
	}
	return s.lock != nil && slices.ContainsFunc(s.lock.Refs(), func(known string) bool {
		l, ok := s.lock.Lookup(known)
		return ok && l.Digest == r.digest
	})
}
