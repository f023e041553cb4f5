// Package places finds the files and the history of environments that are not on the
// branch which the pipeline file is on: on other branches, and in other repositories.
//
// A [Home] is the repository, or the branch, that has the pipeline. It is a promote.Repo,
// and has those of the other places: it implements pipeline.Places and history.Places.
// Each place is opened when it is first asked for, and kept until [Home.Forget].
//
// Where the home is a working tree, or a commit, a branch is the one of the clone, or what
// was last fetched of a remote's, whichever is newer; one that is checked out at the home is
// the working tree. Where the home is a remote's branch, all branches are the remote's, as
// they are now. Another repository is a clone beside this one, named by a path, or known by
// its URL alone.
package places

import (
	"context"
	"errors"
	"path/filepath"
	"sync"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

var (
	_ promote.Repo    = (*Home)(nil)
	_ pipeline.Places = (*Home)(nil)
	_ history.Places  = (*Home)(nil)
)

// Home is where a pipeline's rules are, with the places of its environments. Its methods
// may be called concurrently, but for Forget and Close.
type Home struct {
	promote.Repo
	ctx    context.Context // of its reads
	clone  *git.Repo       // nil where the repository is known by its URL alone
	branch *branch.Branch  // nil where the home is a working tree
	cache  branch.Cache
	local  bool
	// follows are the files that name the tag which an environment has.
	follows map[pipeline.Place][]string
	all     []pipeline.Place // of the pipeline

	lock   sync.Mutex
	places map[pipeline.Place]*found
	clones []*git.Repo
	opened []*branch.Branch
	first  map[string]*branch.Branch // by URL: the one that holds the cache
}

// found is a place that was looked for.
type found struct {
	repo promote.Repo
	log  func() history.Log
	// branch is what it is where there is no working tree.
	branch *branch.Branch
	clone  *git.Repo // that it is in; nil where it is known by its URL alone
	err    error
}

// OfClone makes the working tree of a clone the home. Reads of other places end with ctx.
func OfClone(ctx context.Context, clone *git.Repo, cache branch.Cache) *Home {
	cache.User = clone.Root()
	return &Home{Repo: clone, ctx: ctx, clone: clone, cache: cache}
}

// OfBranch makes a branch the home, which stands for the working tree of the clone, or is
// of a repository that is known by its URL alone; then the clone is nil.
func OfBranch(ctx context.Context, clone *git.Repo, b *branch.Branch, cache branch.Cache) *Home {
	if clone != nil {
		cache.User = clone.Root()
	}
	return &Home{Repo: b, ctx: ctx, clone: clone, branch: b, cache: cache}
}

// StayLocal has no other machine asked: what is there is unknown.
func (h *Home) StayLocal() { h.local = true }

// Settle has environments that name the home's branch be at home, and the pipeline know
// the URLs of its repository.
func (h *Home) Settle(p *pipeline.Pipeline) error {
	p.Remotes = sync.OnceValue(h.remotes)
	name := ""
	if h.branch != nil {
		name = h.branch.Name()
	} else {
		state, err := h.clone.Opened(h.ctx)
		if err != nil {
			return err
		}
		name = state.Branch
	}
	h.follows = make(map[pipeline.Place][]string)
	for i := range p.Spec.Environments {
		if e := &p.Spec.Environments[i]; e.Tagging() != nil {
			h.follows[e.Place()] = e.FollowedBy()
		} else if name != "" && h.isHome(e.Place(), name) {
			e.Branch = ""
		}
	}
	h.all = p.Spec.Places()
	return nil
}

// isHome tells whether a place is the home's branch, of that name, by another word.
func (h *Home) isHome(at pipeline.Place, name string) bool {
	remote := at.Remote
	at.Remote = ""
	return at == pipeline.Place{Branch: name} && (remote == "" || h.clone == nil || !h.ofRemote() || remote == h.branch.Remote())
}

func (h *Home) remotes() []string {
	if h.clone != nil {
		return h.clone.Remotes(h.ctx)
	}
	if at, err := h.branch.URL(h.ctx); err == nil {
		return []string{at}
	}
	return nil
}

// At gives the files of a place, which is a promote.Repo; see [pipeline.Places].
func (h *Home) At(at pipeline.Place) (pipeline.Tree, error) {
	if at == (pipeline.Place{}) {
		return h, nil
	}
	f := h.find(at)
	return f.repo, f.err
}

// LogAt gives the history of a place; see [history.Places].
func (h *Home) LogAt(at pipeline.Place) (history.Log, error) {
	f := h.find(at)
	if f.err != nil {
		return nil, f.err
	}
	return f.log(), nil
}

// BranchAt gives the branch that a place is; nil where it is a working tree.
func (h *Home) BranchAt(at pipeline.Place) (*branch.Branch, error) {
	f := h.find(at)
	return f.branch, f.err
}

// CloneAt gives the clone that a place is in, beside this one; nil where it is in this one, or
// is known by its URL alone.
func (h *Home) CloneAt(at pipeline.Place) (*git.Repo, error) {
	f := h.find(at)
	if f.err != nil || f.clone == h.clone {
		return nil, f.err
	}
	return f.clone, nil
}

// RemoteAt gives the branch of a remote that pull requests for a place are merged into. Where
// the place is in a clone nobody has looked at it yet.
func (h *Home) RemoteAt(at pipeline.Place) (*branch.Branch, error) {
	f := h.find(at)
	if f.err != nil {
		return nil, f.err
	}
	if f.branch != nil && f.branch.Remote() != "" {
		return f.branch, nil
	}
	name := at.Branch
	if name == "" {
		state, err := f.clone.State(h.ctx, nil)
		if err != nil {
			return nil, err
		}
		name = state.Branch
	}
	remote, name, err := branch.Upstream(h.ctx, f.clone, at.Remote, name)
	if err != nil {
		return nil, err
	}
	b := branch.Named(h.ctx, f.clone, remote, name)
	h.lock.Lock()
	defer h.lock.Unlock()
	h.opened = append(h.opened, b)
	return b, nil
}

func (h *Home) find(at pipeline.Place) *found {
	h.lock.Lock()
	defer h.lock.Unlock()
	f := h.places[at]
	if f == nil {
		f = h.open(at)
		if h.places == nil {
			h.places = make(map[pipeline.Place]*found)
		}
		h.places[at] = f
	}
	return f
}

// open looks for a place. That a repository answers and has no such branch is known; all
// else is not.
func (h *Home) open(at pipeline.Place) *found {
	f, err := h.look(at)
	if err == nil {
		return f
	}
	if !errors.Is(err, branch.ErrNoBranch) {
		err = &pipeline.Unreached{Place: at, Err: err}
	}
	return &found{err: err}
}

// ofRemote tells whether the home is a remote's branch, rather than a working tree or a
// commit: then all places are what others have now.
func (h *Home) ofRemote() bool { return h.branch != nil && h.branch.Name() != "" }

func (h *Home) look(at pipeline.Place) (*found, error) {
	switch {
	case at == pipeline.Place{}:
		if h.branch != nil {
			return h.ofBranch(h.branch, h.clone), nil
		}
		return ofTree(h.clone), nil
	case at.Tag != "":
		return h.lookTag(at)
	case at.Repository == "" && h.ofRemote() && h.clone != nil && at.Remote != "" && at.Remote != h.branch.Remote():
		return h.keep(branch.OfRemote(h.ctx, h.clone, at.Remote, at.Branch))(h.clone)
	case at.Repository == "" && h.ofRemote():
		return h.keep(h.branch.Other(h.ctx, at.Branch))(h.clone)
	case at.Repository == "":
		return h.inClone(h.clone, at)
	case branch.IsURL(at.Repository):
		return h.byURL(at)
	case h.clone == nil:
		return nil, &promote.Error{Msg: "a path leads nowhere from a repository that is known by its URL alone", Hint: "repository: https://HOST/PATH.git"}
	}
	clone, err := git.Open(h.ctx, filepath.Join(h.clone.Root(), filepath.FromSlash(at.Repository)))
	if err != nil {
		return nil, err
	}
	h.clones = append(h.clones, clone)
	if !h.ofRemote() {
		return h.inClone(clone, at)
	}
	remote, name, err := branch.Upstream(h.ctx, clone, at.Remote, at.Branch)
	if err != nil {
		return nil, err
	}
	return h.keep(branch.OfRemote(h.ctx, clone, remote, name))(clone)
}

// keep notes a branch that was opened, to be closed.
func (h *Home) keep(b *branch.Branch, err error) func(*git.Repo) (*found, error) {
	return func(clone *git.Repo) (*found, error) {
		if err != nil {
			return nil, err
		}
		h.opened = append(h.opened, b)
		return h.ofBranch(b, clone), nil
	}
}

// byURL opens a branch of another repository. Several of one share what is fetched.
func (h *Home) byURL(at pipeline.Place) (*found, error) {
	if h.local {
		return nil, &promote.Error{Msg: "nobody is asked"}
	}
	if first := h.first[at.Repository]; first != nil {
		return h.keep(first.Other(h.ctx, at.Branch))(nil)
	}
	b, err := branch.OfURL(h.ctx, at.Repository, at.Branch, h.cache)
	if err == nil {
		if h.first == nil {
			h.first = make(map[string]*branch.Branch)
		}
		h.first[at.Repository] = b
	}
	return h.keep(b, err)(nil)
}

// ofTree is a working tree.
func ofTree(clone *git.Repo) *found {
	return &found{repo: clone, clone: clone, log: func() history.Log { return clone }}
}

// ofBranch is a branch, whose history a clone knows better, if there is one.
func (h *Home) ofBranch(b *branch.Branch, clone *git.Repo) *found {
	log := b.Log
	if clone != nil {
		log = func() history.Log { return clone.LogOf(b.Tip()) }
	}
	return &found{repo: b, branch: b, clone: clone, log: log}
}

// Commits implements [history.Log] for the home.
func (h *Home) Commits(ctx context.Context, pathspecs []string, visit func(history.Commit) (bool, error)) error {
	log, err := h.LogAt(pipeline.Place{})
	if err != nil {
		return err
	}
	return log.Commits(ctx, pathspecs, visit)
}

// Merged implements [history.Log] for the home.
func (h *Home) Merged(ctx context.Context, merge string, pathspecs []string, visit func(history.Commit) (bool, error)) error {
	log, err := h.LogAt(pipeline.Place{})
	if err != nil {
		return err
	}
	return log.Merged(ctx, merge, pathspecs, visit)
}

// Blobs implements [history.Log] for the home.
func (h *Home) Blobs(ctx context.Context, ids []string, visit func(id string, data []byte) error) error {
	log, err := h.LogAt(pipeline.Place{})
	if err != nil {
		return err
	}
	return log.Blobs(ctx, ids, visit)
}

// Forget has every place but the home looked for anew when it is next asked for: others
// move branches as well.
func (h *Home) Forget() {
	for i := len(h.opened) - 1; i >= 0; i-- {
		h.opened[i].Close()
	}
	for _, clone := range h.clones {
		_ = clone.Close()
	}
	h.places, h.clones, h.opened, h.first = nil, nil, nil, nil
}

// Close ends what was opened. The home itself is its owner's.
func (h *Home) Close() { h.Forget() }
