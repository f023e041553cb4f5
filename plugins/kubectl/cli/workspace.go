package cli

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/git/places"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/merging"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Workspace is where one promotion is planned and carried out: the working tree, or a
// branch that others have.
type Workspace struct {
	*promote.Promoter
	// Repo is the clone; nil where the repository is known by its URL alone.
	Repo *git.Repo
	// Branch is the branch that is worked on in place of the working tree, or nil.
	Branch *branch.Branch
	// Home is either of them, with the places of environments that are elsewhere.
	Home *places.Home
}

// Close lets go of the repository.
func (w *Workspace) Close() error {
	if w.Branch != nil {
		w.Branch.Close()
	}
	if w.Repo != nil {
		return w.Repo.Close()
	}
	return nil
}

// OpenFor opens the repository for what is done to environments: the working tree, or
// the branch that others have, as it is now. The mode takes the place of the pipeline's
// where it is not empty. The caller closes it.
func (s *Session) OpenFor(ctx context.Context, targets []string, mode pipeline.DeliverMode) (*Workspace, error) {
	if branch.IsURL(s.Repo) {
		w, err := s.openURL(ctx)
		if err == nil {
			s.warnOfRemotes(w, targets)
		}
		return w, err
	}
	p, repo, err := s.Open(ctx)
	if err != nil {
		return nil, err
	}
	w := &Workspace{Promoter: p, Repo: repo, Home: p.Repo.(*places.Home)}
	environments, err := p.Pipeline.Targets(targets)
	if err != nil || len(environments) == 0 {
		return w, nil // which planning says better
	}
	var shared []*pipeline.Environment
	for _, e := range environments {
		if m := cmp.Or(mode, e.Deliver.Mode); m.Shared() {
			shared = append(shared, e)
		}
	}
	switch {
	case len(shared) == 0:
		return w, nil
	case len(shared) < len(environments) || slices.ContainsFunc(shared, func(e *pipeline.Environment) bool { return homeRemote(e) != homeRemote(shared[0]) }):
		err = &UsageError{Msg: "the environments are delivered in different ways", Hint: "promote to one after the other, or --deliver MODE for all"}
	default:
		err = s.useBranch(ctx, w, shared[0])
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// warnOfRemotes says what is pushed to another repository than the one that the pipeline means:
// its name of a remote is one of a clone, and who gives a URL has said where to.
func (s *Session) warnOfRemotes(w *Workspace, targets []string) {
	environments, err := w.Pipeline.Targets(targets)
	if err != nil {
		return // which planning says better
	}
	for _, e := range environments {
		if remote := homeRemote(e); remote != "" && remote != "origin" {
			s.Warn("%s is delivered to remote %s, which only a clone knows: it goes to %s", e.Name, remote, w.Branch.Remote())
		}
	}
}

// OpenToRead opens the repository for what asks no registry about its images: the working
// tree, or, by its URL, the branch that others have. The caller closes it.
func (s *Session) OpenToRead(ctx context.Context) (*Workspace, error) {
	if branch.IsURL(s.Repo) {
		s.Offline = true
		return s.openURL(ctx)
	}
	p, repo, err := s.OpenOffline(ctx)
	if err != nil {
		return nil, err
	}
	return &Workspace{Promoter: p, Repo: repo, Home: p.Repo.(*places.Home)}, nil
}

// Whole has all that the newest commit has fetched, where the repository is known by its
// URL: for who is going to look at most of it.
func (w *Workspace) Whole(ctx context.Context) error {
	if w.Repo != nil {
		return nil
	}
	return w.Branch.FetchAll(ctx)
}

// useBranch goes on with a branch of the remote, and the rules that stand there.
func (s *Session) useBranch(ctx context.Context, w *Workspace, e *pipeline.Environment) error {
	remote, name, err := s.remoteName(ctx, w.Repo, e)
	if err != nil {
		return err
	}
	if w.Branch, err = branch.OfRemote(ctx, w.Repo, remote, name); err != nil {
		return err
	}
	return s.promoterOf(ctx, w)
}

// homeRemote is the remote of home that an environment names. What one of another repository
// says is of that one's remotes: home may have one that is called like it.
func homeRemote(e *pipeline.Environment) string {
	if e.Repository != "" {
		return ""
	}
	return e.Deliver.Remote
}

// remoteName says which branch of which remote of home is that of an environment.
func (s *Session) remoteName(ctx context.Context, repo *git.Repo, e *pipeline.Environment) (remote, name string, err error) {
	state, err := repo.State(ctx, nil)
	if err != nil {
		return "", "", err
	}
	remote, name, err = branch.Upstream(ctx, repo, homeRemote(e), state.Branch)
	return remote, cmp.Or(s.Branch, name), err
}

// RemoteOf gives the branches of remotes that the home is, and that the pull requests of an
// environment are merged into: one branch where that is at home. For an environment that is
// elsewhere the home is nil if it has no remote. Where the environment has a fork, the
// branches of proposals are that's, and its alone.
func (s *Session) RemoteOf(ctx context.Context, w *Workspace, e *pipeline.Environment) (home, at *branch.Branch, err error) {
	home, at, err = s.remotesOf(ctx, w, e)
	if err == nil && e.Deliver.Fork != "" {
		at, err = at.ProposeIn(ctx, e.Deliver.Fork)
	}
	return home, at, err
}

func (s *Session) remotesOf(ctx context.Context, w *Workspace, e *pipeline.Environment) (home, at *branch.Branch, err error) {
	elsewhere := e.Place() != pipeline.Place{}
	if home = w.Branch; home == nil || home.Remote() == "" {
		remote, name, err := s.remoteName(ctx, w.Repo, e)
		switch {
		case err == nil:
			home = branch.Named(ctx, w.Repo, remote, name)
			s.closeLater(home.Close)
		case elsewhere:
			home = nil
		default:
			return nil, nil, err
		}
	}
	if !elsewhere {
		return home, home, nil
	}
	at, err = w.Home.RemoteAt(e.Place())
	return home, at, err
}

// OpenAt opens the repository for what is judged by the rules of one commit, whatever the
// working tree has. The caller closes it.
func (s *Session) OpenAt(ctx context.Context, repo *git.Repo, commit string) (*Workspace, error) {
	s.root = repo.Root()
	b, err := branch.OfCommit(ctx, repo, commit)
	if err != nil {
		return nil, err
	}
	w := &Workspace{Repo: repo, Branch: b}
	if err := s.promoterOf(ctx, w); err != nil {
		b.Close()
		return nil, err
	}
	return w, nil
}

func (s *Session) openURL(ctx context.Context) (*Workspace, error) {
	b, err := branch.OfURL(ctx, s.Repo, s.Branch, s.gitCache())
	if err != nil {
		return nil, s.unreached(ctx, err)
	}
	w := &Workspace{Branch: b}
	if err := s.promoterOf(ctx, w); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// promoterOf makes a promoter for the workspace's branch.
func (s *Session) promoterOf(ctx context.Context, w *Workspace) error {
	w.Home = s.home(places.OfBranch(ctx, w.Repo, w.Branch, s.gitCache()))
	w.Promoter = &promote.Promoter{Repo: w.Home, Carriers: merging.Carriers, Progress: s.NewProgress().Show}
	at := w.Branch.Remote()
	if at == "" && w.Repo != nil {
		at = w.Repo.Root()
	}
	err := s.readRulesOf(ctx, w.Promoter, w.Branch, at)
	if err == nil {
		err = w.Home.Settle(w.Pipeline)
	}
	if err == nil && !s.Offline {
		err = s.reachRegistries(w.Promoter)
	}
	if err == nil {
		s.reachGates(w)
	}
	return err
}

// Again has the workspace's branch looked for anew, with its rules.
func (s *Session) Again(ctx context.Context, w *Workspace) error {
	w.Home.Forget()
	if w.Branch == nil {
		return nil
	}
	if err := w.Branch.Fetch(ctx); err != nil {
		return err
	}
	return s.promoterOf(ctx, w)
}

// AwaitIn is Await with the workspace's branch looked for anew each time.
func (s *Session) AwaitIn(ctx context.Context, clock Clock, w *Workspace, plan func(context.Context) (*promote.Plans, error)) (*promote.Plans, error) {
	first := true
	return s.Await(ctx, clock, func(ctx context.Context) (*promote.Plans, error) {
		if !first {
			if err := s.Again(ctx, w); err != nil {
				return nil, err
			}
		}
		first = false
		return plan(ctx)
	})
}

// Log is the history of all places that the workspace's environments are in.
func (w *Workspace) Log() history.Log { return w.Home }

// LogAt is the history that ends with a commit which a user has named, and that commit.
func (w *Workspace) LogAt(ctx context.Context, revision string) (history.Log, string, error) {
	if w.Repo == nil {
		return w.Branch.LogAt(ctx, revision)
	}
	commit, err := w.Repo.Revision(ctx, revision)
	if err != nil {
		return nil, "", err
	}
	return w.Repo.LogOf(commit), commit, nil
}

// Who gives the name and the address that a commit would name.
func (w *Workspace) Who(ctx context.Context) (string, error) {
	if w.Repo == nil {
		return w.Branch.Who(ctx)
	}
	return w.Repo.Who(ctx)
}

// Holds is the file of holds: what is committed, what stands there, and where that differs
// how. Either is nil where there is no file.
type Holds struct {
	Committed, There []byte
	How              string
}

// ReadHolds reads the file of holds of a repository.
func ReadHolds(ctx context.Context, repo promote.Repo) (Holds, error) {
	state, err := repo.State(ctx, []string{hold.FileName})
	if err != nil {
		return Holds{}, err
	}
	h := Holds{How: state.Dirty[hold.FileName]}
	if h.There, err = repo.ReadFile(hold.FileName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return h, err
	}
	if h.Committed = h.There; h.How != "" {
		committed, err := repo.Committed(ctx, []string{hold.FileName})
		h.Committed = committed[hold.FileName]
		return h, err
	}
	return h, nil
}

// File is the file with other bytes, on top of what is committed or, where there is to be
// no commit, of what stands there. Where these differ a commit would take up what somebody
// has written and not committed, which is an error.
func (h Holds) File(data []byte, commits bool) (*promote.File, error) {
	before := h.There
	if commits {
		before = h.Committed
		if h.How != "" {
			return nil, &promote.Error{Msg: hold.FileName + ": has uncommitted changes (" + h.How + ")", Hint: "git add " + hold.FileName + " && git commit " + hold.FileName}
		}
	}
	return &promote.File{Path: hold.FileName, Data: data, Old: before, New: before == nil}, nil
}
