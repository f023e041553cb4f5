package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/overlay/valuesfiles"
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"github.com/kubepromote/kubepromote/promote/internal/parallel"
)

// Named gives a site for each file of Helm values that the file of a site names: what
// stands there is the service's as well. What cannot be followed, and what is no business
// of this environment alone, is told in a line for each and has no site.
func (s *Sites) Named(one Site, f *overlay.File) (sites []Site, notes []string) {
	names := s.follow(one, f)
	for i, n := range names {
		switch {
		case n.left != "" && n.said:
			notes = append(notes, n.at(f)+": "+n.left)
		case n.left != "":
		case slices.ContainsFunc(names[:i], func(o namedFile) bool { return o.site.Path == n.site.Path }):
		default:
			others, listed := s.users(n.site)
			if listed {
				continue // it is a site by itself
			}
			if others == "" {
				sites = append(sites, n.site)
			} else if pins, err := s.Read(n.site, false); err == nil && slices.ContainsFunc(pins.Images(), pinned) && !overruled(s, pins, names[i+1:]) {
				notes = append(notes, fmt.Sprintf("%s: %s is also that of %s: what it pins is changed for neither alone, and stays as it is", n.at(f), n.site.Path, others))
			}
		}
	}
	return sites, notes
}

// WithNamed gives sites, and behind each those of the files that its own names.
func (s *Sites) WithNamed(all []Site) []Site {
	var out []Site
	for _, one := range all {
		out = append(out, one)
		if f, err := s.Read(one, false); err == nil {
			more, _ := s.Named(one, f)
			out = append(out, more...)
		}
	}
	return out
}

func pinned(p overlay.Pin) bool { return p.Tag+p.Digest != "" }

// overruled tells whether each pin of a file has another one laid over it by a later file.
func overruled(s *Sites, f *overlay.File, later []namedFile) bool {
	over := make(map[string]bool)
	for _, n := range later {
		if n.left != "" {
			continue
		}
		if file, err := s.Read(n.site, false); err == nil {
			for _, p := range file.Images() {
				over[p.Path] = over[p.Path] || pinned(p)
			}
		}
	}
	return !slices.ContainsFunc(f.Images(), func(p overlay.Pin) bool { return pinned(p) && !over[p.Path] })
}

// namedFile is the name of a file, and the site that the file is.
type namedFile struct {
	valuesfiles.Named
	site Site
	left string // why it is not followed
	said bool   // that is worth telling
}

func (n namedFile) at(f *overlay.File) string {
	return fmt.Sprintf("%s:%d:%d", f.Name(), n.Position.Line, n.Position.Col)
}

// follow finds the files that a file names. The part of a file is read for what stands in
// it, and names none.
func (s *Sites) follow(one Site, f *overlay.File) []namedFile {
	if one.named != "" || one.Within != "" {
		return nil
	}
	var out []namedFile
	under := make(map[string][]string)
	for _, n := range valuesfiles.In(f) {
		found := namedFile{Named: n, site: one}
		found.site.named = n.Path
		found.site.Path, found.left, found.said = s.pathOf(one, n, f)
		if found.left == "" {
			found.left, found.said = s.unreadable(found)
		}
		if found.left == "" {
			if n.Chart != "" && under[n.Group] == nil {
				under[n.Group] = []string{path.Join(n.Chart, "values.yaml")}
			}
			found.site.under = slices.Clone(under[n.Group])
			under[n.Group] = append([]string{found.site.Path}, under[n.Group]...)
		}
		out = append(out, found)
	}
	return out
}

// unreadable says why a file cannot be read; nothing where it can.
func (s *Sites) unreadable(n namedFile) (left string, said bool) {
	tree, err := s.treeOf(n.site)
	if err == nil {
		_, err = tree.ReadFile(n.site.Path)
	}
	switch {
	case err == nil:
		return "", false
	case errors.Is(err, fs.ErrNotExist):
		return n.File + " is not there", !n.Optional
	}
	return fmt.Sprintf("%s is not followed: %v", n.File, err), true
}

// fixed is a revision of Git that stays what it is: whatever is edited here, it has not.
var fixed = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([0-9a-f]{7,64}|(refs/tags/.*)|v?[0-9]+(\.[0-9]+)*([-+].*)?)$`)
})

// pathOf gives the path of a file by its name, or why there is none. It never leads out of
// the repository.
func (s *Sites) pathOf(one Site, n valuesfiles.Named, f *overlay.File) (at, left string, said bool) {
	dir := path.Dir(f.Name())
	switch {
	case strings.Contains(n.File, "://"):
		return "", n.File + " is not followed: it is no file of this repository", true
	case strings.ContainsAny(n.File, "$*?[{\\\x00"):
		return "", n.File + " is not followed: it is no name of one file", true
	case n.Of.Repository != "":
		e, err := s.pipeline.Environment(one.Environment)
		if err == nil && !s.pipeline.isOf(e, n.Of.Repository) {
			return "", fmt.Sprintf("%s is not followed: nothing says that it is this repository which %s is", n.File, n.Of.Repository), true
		}
		if fixed().MatchString(n.Of.Revision) {
			return "", fmt.Sprintf("%s is not followed: what is used is that of revision %s", n.File, n.Of.Revision), true
		}
		dir = cmp.Or(n.Of.Folder, ".")
	case path.IsAbs(n.File):
		return "", n.File + " is not followed: it is no path inside the repository", true
	}
	if path.IsAbs(n.File) {
		dir = "."
	}
	at = path.Join(dir, n.File)
	if !fs.ValidPath(at) || at == "." {
		return "", n.File + " is not followed: it leads out of the repository", true
	}
	return at, "", false
}

// isOf tells whether a URL is that of the repository that an environment's files are in.
func (p *Pipeline) isOf(e *Environment, url string) bool {
	var all []string
	if at := e.Place().Repository; at != "" {
		all = []string{at}
	} else if p.Remotes != nil {
		all = p.Remotes()
	}
	return slices.ContainsFunc(all, func(one string) bool { return location.PlainURL(one) == location.PlainURL(url) })
}

// user is a service that a file is of in an environment.
type user struct{ environment, service string }

// standing is a file in a place.
type standing struct {
	Place
	path string
}

// users says of whom a file is beside the one that has named it: whoever else names it,
// and who has it by the layout. It is empty where that is nobody. listed tells that the
// layout leads to the file for the same service.
func (s *Sites) users(one Site) (of string, listed bool) {
	s.namers.Do(s.findNamers)
	own := user{one.Environment, path.Base(one.Service)}
	var others []user
	note := func(u user) {
		if u != own && (u.environment != own.environment || u.service != "") && !slices.Contains(others, u) {
			others = append(others, u)
		}
	}
	e, err := s.pipeline.Environment(one.Environment)
	if err != nil {
		return "", false
	}
	for _, u := range s.namedBy[standing{e.Place(), one.Path}] {
		note(u)
	}
	for _, m := range s.pipeline.Match(one.Path) {
		if there, err := s.pipeline.Environment(m.Environment); err == nil && there.Place() == e.Place() {
			listed = listed || m.Environment == own.environment && (m.Service == "" || m.Service == own.service)
			note(user{m.Environment, m.Service})
		}
	}
	var names []string
	for _, u := range others[:min(len(others), 5)] {
		names = append(names, strings.TrimSpace(u.service+" in "+u.environment))
	}
	slices.Sort(names)
	return strings.Join(names, " and "), listed
}

// findNamers looks at all that name files, once: only who knows them all can tell whose a
// file is.
func (s *Sites) findNamers() {
	s.namedBy = make(map[standing][]user)
	all, _ := s.Reached() // what cannot be listed is told by whoever lists it
	var sites []Site
	for _, environments := range all {
		for _, here := range environments {
			sites = append(sites, here...)
		}
	}
	var lock sync.Mutex
	parallel.Each(context.Background(), len(sites), func(i int) error {
		one := sites[i]
		name, data, err := s.open(one, false)
		if err != nil || !valuesfiles.May(data) {
			return err
		}
		f, err := overlay.Parse(name, data)
		e, eerr := s.pipeline.Environment(one.Environment)
		if err != nil || eerr != nil {
			return err
		}
		lock.Lock()
		defer lock.Unlock()
		for _, n := range s.follow(one, f) {
			if n.left == "" {
				at := standing{e.Place(), n.site.Path}
				s.namedBy[at] = append(s.namedBy[at], user{one.Environment, path.Base(one.Service)})
			}
		}
		return nil
	})
}
