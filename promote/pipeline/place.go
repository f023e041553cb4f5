package pipeline

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/promote/internal/gitname"
	"github.com/kubepromote/kubepromote/promote/internal/location"
)

// Paths are slash-separated and relative to the repository's root everywhere in
// this package.

// Tree reads files. An implementation never follows a path or a symbolic link
// out of the repository: that is an error, not fs.ErrNotExist.
type Tree interface {
	// ReadFile gives a file's bytes, or an error that is fs.ErrNotExist.
	ReadFile(path string) ([]byte, error)
	// ReadAny reads the first of the names that is a file of the directory. The
	// error is fs.ErrNotExist where none is; Found.Have is set beside an error too.
	ReadAny(dir string, names []string) (Found, error)
	// ReadDir lists a directory, or gives an error that is fs.ErrNotExist.
	ReadDir(path string) ([]fs.DirEntry, error)
}

// Found is what a directory has of some names.
type Found struct {
	// Have are the names that it has, whatever they stand for.
	Have []string
	// Name is the one that was read, with its Data.
	Name string
	Data []byte
}

// Place is where the files of an environment are: a branch of a repository. The zero
// value is the home, which is the branch that has the pipeline file.
type Place struct {
	// Repository is a URL, or a path from the root of the home to another clone; empty
	// for the repository of the home.
	Repository string
	// Branch is empty for the branch of the home, or of another repository for the one
	// that is its default.
	Branch string
	// Tag, if not empty, is the template of the names of tags with {version} in it: the place
	// is the commit that one of them names.
	Tag string
	// Remote, if not empty, is the remote that has it, of the clone of Repository or of the
	// home, where that is another one than the one which the branch follows.
	Remote string
}

// String names a place for people.
func (p Place) String() string {
	if p.Remote != "" {
		remote := p.Remote
		p.Remote = ""
		return p.String() + " at remote " + remote
	}
	switch {
	case p == Place{}:
		return "this branch"
	case p.Tag != "":
		return strings.TrimSuffix("tags "+p.Tag+" of "+p.Repository, " of ")
	case p.Repository == "":
		return "branch " + p.Branch
	case p.Branch == "":
		return p.Repository
	}
	return "branch " + p.Branch + " of " + p.Repository
}

// Place is where the environment's files are.
func (e *Environment) Place() Place {
	holes := location.Holes{location.Environment: e.folder()}
	at := Place{Repository: location.Fill(e.Repository, holes), Branch: location.Fill(e.Branch, holes)}
	if at != (Place{}) { // home itself is whatever is at hand
		at.Remote = e.Deliver.Remote
	}
	if t := e.Tagging(); t != nil {
		at.Tag = location.Fill(cmp.Or(t.Name, defaultTag), holes)
	}
	return at
}

// Places is a Tree, that of the home, which has the trees of other places as well.
type Places interface {
	Tree
	// At gives the files of a place. Its error is [*Unreached] where nobody can tell what
	// is there.
	At(Place) (Tree, error)
}

// Everywhere is a tree that has the files of all places: the one at hand of a version of
// an environment's files, wherever that is kept.
type Everywhere struct{ Tree }

// At implements [Places].
func (e Everywhere) At(Place) (Tree, error) { return e.Tree, nil }

// Unreached is the error of a place of which nobody can tell what is there.
type Unreached struct {
	Place
	Err error
}

// Error names the place, and the cause.
func (u *Unreached) Error() string { return u.String() + " could not be read: " + u.Err.Error() }

// Unwrap gives the cause.
func (u *Unreached) Unwrap() error { return u.Err }

// errHomeAlone is the cause where a place is asked for of a tree that has but itself.
var errHomeAlone = errors.New("only one branch is looked at here")

// TreeOf gives the files of an environment; home are those of the home.
func (e *Environment) TreeOf(home Tree) (Tree, error) {
	places, ok := home.(Places)
	switch at := e.Place(); {
	case e.EachService():
		return nil, &Unreached{at, errEachService}
	case ok:
		return places.At(at)
	case at != Place{}:
		return nil, &Unreached{at, errHomeAlone}
	}
	return home, nil
}

// Elsewhere tells whether an environment's files are in another place than the home.
func (e *Environment) Elsewhere() bool { return e.Branch+e.Repository != "" || e.Tagging() != nil }

// apart tells whether each environment has a place of its own, so that its files need no
// name of it in their paths.
func (s *Spec) apart() bool {
	seen := make(map[Place]bool)
	for _, at := range s.Places() {
		seen[at] = true
	}
	return len(seen) == len(s.Environments) && len(seen) > 1
}

// Places are where the environments are, one for each.
func (s *Spec) Places() []Place {
	var out []Place
	for i := range s.Environments {
		out = append(out, s.Environments[i].Place())
	}
	return out
}

// checkPlace finds what is wrong with where an environment lives.
func (e *Environment) checkPlace(f *yamlfile.File, at string) {
	for _, one := range []struct{ field, text string }{{"branch", e.Branch}, {"repository", e.Repository}} {
		for _, hole := range location.Names(one.text) {
			if hole != location.Environment && hole != location.Service {
				f.At(at+"."+one.field, one.field+": env/{environment}, or release/{service}", "%s has the hole {%s}, and only {environment} and {service} may stand there", one.field, hole)
				return
			}
		}
	}
	place := e.of("service").Place()
	if place.Branch != "" && !gitname.IsBranch(place.Branch) {
		f.At(at+".branch", "branch: env/{environment}", "%q is no name of a branch", place.Branch)
	}
	if place.Repository == "" {
		return
	}
	const example = "repository: https://git.example.com/infra-production.git, or ../infra-production"
	switch isURL, why, hint := gitname.Repository(place.Repository); {
	case why != "":
		f.At(at+".repository", cmp.Or(hint, example), "repository %s", why)
	case !isURL && (strings.HasPrefix(place.Repository, "-") || strings.ContainsAny(place.Repository, ":\\\x00\n\r") || path.IsAbs(place.Repository) || path.Clean(place.Repository) == "."):
		f.At(at+".repository", example, "%q is neither a URL of a repository nor a path to one beside this", place.Repository)
	}
}

// Replacing is a home in which one place has other files.
func Replacing(home Tree, at Place, files Tree) Tree { return &replaced{home, at, files} }

type replaced struct {
	Tree
	place Place
	files Tree
}

// At implements [Places].
func (r *replaced) At(at Place) (Tree, error) {
	if at == r.place {
		return r.files, nil
	}
	if places, ok := r.Tree.(Places); ok {
		return places.At(at)
	}
	return r.Tree, nil
}
