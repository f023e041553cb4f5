package branch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/git/internal/stored"
)

var _ promote.Repo = (*Branch)(nil)

// Branch is a branch of a repository. Its methods may be called concurrently, but for
// Fetch and Close.
type Branch struct {
	ctx     context.Context // of its reads
	dir     string          // git's own directory, or the clone's root
	gitDir  string
	remote  string               // the remote's name; empty for a branch of this repository
	address string               // its URL, where it is known by that alone
	makes   map[string]Committer // by environments
	fork    string               // the remote, or the URL, that has the branches of proposals; empty for the same
	name    string
	objects *stored.Objects
	hooks   bool // of the clone's user

	env     []string // for the calls that reach the remote
	user    string   // Cache.User
	release func()   // gives back what it was opened with, or nil

	tip, root string
	whole     string // the commit of which all was fetched
	far       *far   // of a repository that is known by its URL
}

// OfRemote gives a branch of a remote of a clone, as the remote has it now.
func OfRemote(ctx context.Context, r *git.Repo, remote, name string) (*Branch, error) {
	return open(ctx, &Branch{ctx: ctx, dir: r.Root(), gitDir: r.GitDir(), remote: remote, name: name, hooks: true, objects: &stored.Objects{Dir: r.Root()}})
}

// OfClone gives another branch of the repository itself.
func OfClone(ctx context.Context, r *git.Repo, name string) (*Branch, error) {
	return open(ctx, &Branch{ctx: ctx, dir: r.Root(), gitDir: r.GitDir(), name: name, hooks: true, objects: &stored.Objects{Dir: r.Root()}})
}

// Other gives another branch of the same repository; where that is known by its URL, an
// empty name is that of its default. It is of use as long as this one is not closed.
func (b *Branch) Other(ctx context.Context, name string) (_ *Branch, err error) {
	other := &Branch{ctx: ctx, dir: b.dir, gitDir: b.gitDir, remote: b.remote, address: b.address, name: name, hooks: b.hooks, env: b.env, user: b.user, objects: &stored.Objects{Dir: b.dir}}
	if b.objects.Fetch != nil {
		other.objects.Fetch, other.far = other.fetchObjects, &far{}
	}
	if name == "" {
		if other.name, err = defaultBranch(ctx, other, b.remote); err != nil {
			return nil, err
		}
	}
	return open(ctx, other)
}

func open(ctx context.Context, b *Branch) (*Branch, error) {
	if err := checkName(ctx, b.dir, b.name); err != nil {
		return nil, err
	}
	if err := b.Fetch(ctx); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// checkName refuses what git takes for no branch, or for an option.
func checkName(ctx context.Context, dir, name string) error {
	_, err := gitcmd.Run(ctx, dir, gitcmd.Call{Op: "git check-ref-format", Args: []string{"check-ref-format", "refs/heads/" + name}, Reads: true})
	if err != nil && ctx.Err() == nil || strings.HasPrefix(name, "-") {
		return &gitcmd.Error{Msg: "branch name \"" + gitcmd.Clean(name) + "\" is malformed", Hint: "git check-ref-format --branch NAME", Err: err}
	}
	return err
}

// Close ends what still runs.
func (b *Branch) Close() {
	b.objects.Close()
	if b.release != nil {
		b.release()
	}
}

// Name is the branch's name.
func (b *Branch) Name() string { return b.name }

// Tip is the newest commit, as Fetch has found it.
func (b *Branch) Tip() string { return b.tip }

// Remote is the remote's name or URL, without credentials; empty for a branch of the
// clone itself.
func (b *Branch) Remote() string { return gitcmd.Clean(cmp.Or(b.address, b.remote)) }

// reach runs git where it talks to the remote.
func (b *Branch) reach(ctx context.Context, op string, args ...string) ([]byte, error) {
	return gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: op, Args: args, Env: append([]string{gitcmd.InEnglish}, b.env...)})
}

// Where names the branch for people: REMOTE/NAME.
func (b *Branch) Where() string {
	if b.remote == "" {
		return b.name
	}
	return strings.TrimSuffix(b.Remote(), "/") + "/" + b.name
}

// Fetch finds out what the branch is now.
func (b *Branch) Fetch(ctx context.Context) error {
	var tip string
	var err error
	if b.remote == "" {
		tip, err = b.revision(ctx, "refs/heads/"+b.name)
		if err == nil && tip == "" {
			err = b.noBranch(ctx, "git branch "+shell.Quote(b.name))
		}
	} else {
		tip, err = b.fetch(ctx)
	}
	if err != nil {
		return err
	}
	b.objects.Changed()
	root, err := b.objects.RootOf(ctx, tip)
	if err != nil {
		return err
	}
	b.tip, b.root = tip, root
	if b.whole != "" {
		b.whole = tip
	}
	return nil
}

// ErrNoBranch is the cause of the error where a repository was asked for a branch that it
// does not have. Test with errors.Is.
var ErrNoBranch = fmt.Errorf("no such branch: %w", fs.ErrNotExist)

// noBranch says so, and which one was probably meant; else hint says how to make it.
func (b *Branch) noBranch(ctx context.Context, hint string) error {
	if names, err := b.names(ctx); err == nil {
		if near := spelling.Nearest(b.name, names); near != "" {
			hint = "did you mean " + gitcmd.Clean(near) + "?"
		}
	}
	return &gitcmd.Error{Msg: "there is no branch " + gitcmd.Clean(b.Where()), Hint: hint, Err: ErrNoBranch}
}

// names are the branches that the repository has.
func (b *Branch) names(ctx context.Context) ([]string, error) {
	var out []byte
	var err error
	if b.remote == "" {
		out, err = gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git for-each-ref", Args: []string{"for-each-ref", "--format=%(objectname)%09%(refname)", "refs/heads"}, Reads: true})
	} else {
		out, err = b.reach(ctx, "ask "+b.Remote()+" for its branches", "ls-remote", "--heads", "--end-of-options", b.remote)
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		if _, ref, ok := strings.Cut(strings.TrimSpace(line), "\trefs/heads/"); ok {
			names = append(names, ref)
		}
	}
	return names, err
}

// revision gives the commit that a reference names; empty where there is none.
func (b *Branch) revision(ctx context.Context, ref string) (string, error) {
	out, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git rev-parse", Args: []string{"rev-parse", "--verify", "--quiet", "--end-of-options", ref + "^{commit}"}, Reads: true, Env: []string{gitcmd.AsStored}})
	if gitcmd.ExitCode(err) == 1 {
		return "", nil
	}
	return strings.TrimSpace(string(out)), err
}

// State tells that the newest commit is the head, and that nothing differs from it.
func (b *Branch) State(context.Context, []string) (promote.State, error) {
	return promote.State{Head: b.tip, Branch: b.name, Remote: b.Remote(), Index: b.tip, Dirty: map[string]string{}}, nil
}

// Committed gives the bytes of the files that the newest commit has.
func (b *Branch) Committed(_ context.Context, paths []string) (map[string][]byte, error) {
	found := make(map[string][]byte, len(paths))
	for _, p := range paths {
		data, err := b.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[p] = data
	}
	return found, nil
}

// Write is an error: there is no working tree.
func (b *Branch) Write(context.Context, []promote.File) error {
	return &gitcmd.Error{Msg: gitcmd.Clean(b.Where()) + " has no working tree to write to", Hint: "--deliver push"}
}

// fetch asks the remote for its branch, and keeps what it has found where git looks for
// it, as git fetch does.
func (b *Branch) fetch(ctx context.Context) (string, error) {
	ref := b.tracking()
	args := []string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"}
	args = append(args, b.partial()...)
	args = append(args, "--end-of-options", b.remote, "+refs/heads/"+b.name+":"+ref)
	for try := 1; ; try++ {
		_, err := b.reach(ctx, "fetch "+gitcmd.Clean(b.Where()), args...)
		if err == nil {
			return b.revision(ctx, ref)
		}
		if !strings.Contains(err.Error(), "cannot lock ref") || try == mostFetches {
			return "", b.notFetched(ctx, err)
		}
		// Another of ours fetches into the same clone just now.
		select {
		case <-ctx.Done():
			return "", gitcmd.Interrupted("fetch "+gitcmd.Clean(b.Where()), ctx.Err())
		case <-time.After(time.Duration(try) * 50 * time.Millisecond):
		}
	}
}

// mostFetches is how often a fetch is tried that another one gets in the way of.
const mostFetches = 10

func (b *Branch) notFetched(ctx context.Context, err error) error {
	var e *gitcmd.Error
	if !errors.As(err, &e) || ctx.Err() != nil {
		return err
	}
	switch {
	case strings.Contains(e.Msg, "couldn't find remote ref"):
		return b.noBranch(ctx, "git push "+shell.Quote(b.Remote())+" HEAD:refs/heads/"+shell.Quote(b.name))
	case strings.Contains(e.Msg, "could not read Username"), strings.Contains(e.Msg, "Authentication failed"), strings.Contains(e.Msg, "terminal prompts disabled"):
		e.Hint = "git fetch " + shell.Quote(b.Remote()) + ", which asks for credentials and keeps them where git is set up to"
	}
	return err
}

// tracking is where the remote's branch is kept.
func (b *Branch) tracking() string {
	if b.address != "" {
		return "refs/promote/remote/" + b.name
	}
	return "refs/remotes/" + b.remote + "/" + b.name
}

// partial are the options of a clone that has no more than what was read.
func (b *Branch) partial() []string {
	if b.objects.Fetch == nil {
		return nil
	}
	if b.whole != "" { // what is new comes whole as well
		return []string{"--filter=" + allOfIt, "--depth=1"}
	}
	return []string{"--filter=tree:0", "--depth=1"}
}

// Upstream gives the remote and the branch there that a branch of a clone follows; for
// a branch that follows none, or an empty name, the remote origin, or the only one, and the
// same name or the branch that the remote has as its default. A remote that is named takes
// the place of the one that it follows; it is an error where the clone has no such remote.
func Upstream(ctx context.Context, r *git.Repo, named, name string) (remote, branch string, err error) {
	ask := func(args ...string) string {
		out, err := gitcmd.Run(ctx, r.Root(), gitcmd.Call{Op: "git " + args[0], Args: args, Reads: true})
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	remotes := strings.Fields(ask("remote"))
	if named != "" && !slices.Contains(remotes, named) {
		return "", "", &gitcmd.Error{Msg: gitcmd.Clean(r.Root()) + " has no remote " + gitcmd.Clean(named), Hint: "git -C " + shell.Quote(r.Root()) + " remote add " + shell.Quote(named) + " URL"}
	}
	if name != "" {
		remote, branch = follows(ask("config", "-z", "--get-regexp", "^branch[.]"), name)
		if remote != "" && remote != "." && branch != "" {
			return cmp.Or(named, remote), branch, nil
		}
	}
	switch {
	case named != "":
		remote = named
	case slices.Contains(remotes, "origin"):
		remote = "origin"
	case len(remotes) == 1:
		remote = remotes[0]
	default:
		return "", "", &gitcmd.Error{Msg: "the repository has no remote to push to", Hint: "git remote add origin URL"}
	}
	if name == "" {
		name = strings.TrimPrefix(ask("symbolic-ref", "--quiet", "refs/remotes/"+remote+"/HEAD"), "refs/remotes/"+remote+"/")
	}
	if name == "" { // a clone made by a CI system does not know
		name, err = defaultBranch(ctx, &Branch{dir: r.Root()}, remote)
	}
	return remote, name, err
}

// follows finds in git's list of settings, keys and values with a newline between and a zero
// byte behind, which branch of which remote a branch follows. The last setting counts.
func follows(settings, name string) (remote, branch string) {
	for setting := range strings.SplitSeq(settings, "\x00") {
		switch key, value, _ := strings.Cut(setting, "\n"); key {
		case "branch." + name + ".remote":
			remote = value
		case "branch." + name + ".merge":
			branch = strings.TrimPrefix(value, "refs/heads/")
		}
	}
	return remote, branch
}

// defaultBranch asks a remote.
func defaultBranch(ctx context.Context, b *Branch, remote string) (string, error) {
	shown := gitcmd.Clean(cmp.Or(b.address, remote))
	out, err := b.reach(ctx, "ask "+shown+" for its default branch", "ls-remote", "--symref", "--end-of-options", remote, "HEAD")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if to, ok := strings.CutPrefix(line, "ref: refs/heads/"); ok {
			name, _, _ := strings.Cut(to, "\t")
			return name, nil
		}
	}
	return "", &gitcmd.Error{Msg: shown + " has no default branch", Hint: "--branch NAME"}
}
