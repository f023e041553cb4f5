package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/typed"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/gate"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/git/places"
	"github.com/kubepromote/kubepromote/promote/images"
	"github.com/kubepromote/kubepromote/promote/merging"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/review"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// Session is what all commands of one run share.
type Session struct {
	genericiooptions.IOStreams
	// Stdin is In for as long as the command is not stopped.
	Stdin io.Reader

	// Repo is the directory of the infrastructure repository, or one inside it.
	Repo string
	// Branch is the branch of the remote that is worked on; empty for what git and the
	// pipeline say.
	Branch string
	// PullRequest is the number of the one that a queue of the forge is about to merge; or 0.
	PullRequest int
	// Pipeline is the pipeline file named; empty for the repository's own.
	Pipeline string
	// VerifyPolicy is the policy named in place of the pipeline's.
	VerifyPolicy string
	// Quiet asks for neither progress nor warnings.
	Quiet bool
	// kubeconfig and kubeContext are the flags of [Session.AddCluster].
	kubeconfig, kubeContext string
	// Offline keeps [Session.Open] from asking any registry.
	Offline bool
	// Live lets clusters be asked although no registry is.
	Live bool
	// Reviews is what the gates of the promoter that was opened last ask others.
	Reviews *review.Gates

	// Part is the shard that lists are printed of.
	Part Part

	// Renderer renders services, once a repository is open.
	Renderer *Renderer

	cmd        *cobra.Command // that is run
	homes      []*places.Home
	takeURL    []*cobra.Command
	root       string // of the repository, once it is open
	verbose    bool
	color      string // --color
	timeout    time.Duration
	registries *registryOptions
	policies   sync.Map // whose warnings have been shown
	rules      rules
	confirming sync.Mutex
	confirmed  map[string]string // by service and environment, see isConfirmed
	cancel     context.CancelFunc
	closing    sync.Mutex
	closers    []func() // of what was opened on the way
	gates      gate.Deps
	file       string       // the pipeline file's path in the repository, where it is not the usual one
	member     bool         // see Member
	filled     *atomic.Bool // tells that something was fetched into the cache of repositories
}

// NewSession makes the session of one command line.
func NewSession(streams genericiooptions.IOStreams) *Session {
	streams.Out = &stdout{w: streams.Out}
	return &Session{IOStreams: streams, registries: &registryOptions{}, filled: &atomic.Bool{}}
}

// Member gives the session of one repository of several that a command is about, with a
// branch and the path of its pipeline file where these are not the usual ones. It reaches
// registries as this one does; what it says is written to errOut. The caller closes it.
func (s *Session) Member(repo, branch, file string, errOut io.Writer) *Session {
	m := &Session{IOStreams: s.IOStreams, Stdin: s.Stdin, Repo: repo, Branch: branch, VerifyPolicy: s.VerifyPolicy, Quiet: s.Quiet, Offline: s.Offline, Live: s.Live,
		cmd: s.cmd, kubeconfig: s.kubeconfig, kubeContext: s.kubeContext, verbose: s.verbose, color: s.color, timeout: s.timeout, registries: s.registries, filled: s.filled, file: file, member: true, takeURL: s.takeURL}
	m.ErrOut = errOut
	return m
}

// unreached makes the error of a repository that is one of several that of a place of which
// nobody can tell what is there.
func (s *Session) unreached(ctx context.Context, err error) error {
	if !s.member || ctx.Err() != nil {
		return err
	}
	return &pipeline.Unreached{Place: pipeline.Place{Repository: branch.WithoutCredentials(s.Repo)}, Err: err}
}

// Close lets go of what the commands have opened.
func (s *Session) Close() {
	for _, h := range s.homes {
		h.Close()
	}
	for _, end := range s.closers {
		end()
	}
	if s.member {
		return
	}
	s.registries.close()
	if s.filled.Load() {
		s.gitCache().Prune(time.Now(), gitBounds)
	}
}

// gitBounds are those of what is kept on disk of repositories that are known by their URL.
var gitBounds = branch.Bounds{Unused: 30 * 24 * time.Hour, Repositories: 4000, Bytes: 4 << 30}

// closeLater has something closed with the session.
func (s *Session) closeLater(done func()) {
	s.closing.Lock()
	defer s.closing.Unlock()
	s.closers = append(s.closers, done)
}

// home notes where the environments of a pipeline are looked for from.
func (s *Session) home(h *places.Home) *places.Home {
	s.homes = append(s.homes, h)
	return h
}

// gitCache is where parts of repositories are kept that are known by their URL alone.
func (s *Session) gitCache() branch.Cache {
	cache := branch.Cache{Filled: s.filled}
	if dir, err := os.UserCacheDir(); err == nil && !s.registries.noCache {
		cache.Dir = filepath.Join(dir, "kubepromote", "git")
	}
	return cache
}

// Attach gives a root command the flags and the groups that all commands share,
// and has the session started before a command is run.
func (s *Session) Attach(root *cobra.Command) {
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return s.start(cmd) }
	root.PersistentPostRun = func(*cobra.Command, []string) { s.cancel() }

	flags := root.PersistentFlags()
	flags.StringVarP(&s.Repo, "repo", "C", ".", "directory of the infrastructure repository, or one inside it; or its URL, for what needs no clone")
	flags.StringVar(&s.Pipeline, "pipeline", "", "pipeline file, or HEAD:PATH for one in the repository (default: promotion.yaml at its root, if there is one)")
	flags.StringVar(&s.VerifyPolicy, "verify-policy", "", "verification policy file, in place of the pipeline's")
	flags.DurationVar(&s.timeout, "timeout", 0, "give up after this time, for example 2m (default: no limit)")
	s.registries.addFlags(root)
	flags.BoolVarP(&s.Quiet, "quiet", "q", false, "print no progress and no warnings")
	flags.StringVar(&s.color, "color", colorAuto, "colour the output: auto, which is on a terminal where NO_COLOR is not set, always or never")
	flags.BoolVarP(&s.verbose, "verbose", "v", false, "print what was found out on the way")

	Must(root.MarkPersistentFlagDirname("repo"))
	Must(root.RegisterFlagCompletionFunc("timeout", cobra.NoFileCompletions))
	Must(root.RegisterFlagCompletionFunc("color", cobra.FixedCompletions([]string{colorAuto, colorAlways, colorNever}, cobra.ShellCompDirectiveNoFileComp)))

	root.AddGroup(&cobra.Group{ID: GroupPromote, Title: "Promote:"}, &cobra.Group{ID: GroupKnow, Title: "Know:"},
		&cobra.Group{ID: GroupEdit, Title: "Images:"}, &cobra.Group{ID: GroupOther, Title: "Other:"})
}

// TakesURL has -C of a command name a URL as well.
func (s *Session) TakesURL(cmd *cobra.Command) { s.takeURL = append(s.takeURL, cmd) }

// start prepares a command that has parsed its flags.
func (s *Session) start(cmd *cobra.Command) error {
	s.cmd = cmd
	ctx, cancel := cmd.Context(), context.CancelFunc(func() {})
	if s.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
	}
	s.cancel = cancel
	s.Stdin = &interruptible{ctx, s.In, s.asksTerminal()}
	cmd.SetContext(ctx)
	if cmd.Name() == cobra.ShellCompRequestCmd {
		return nil // the flags are not parsed yet
	}
	if err := checkFlags(cmd); err != nil {
		return err
	}
	if err := checkGroups(cmd); err != nil {
		return err
	}
	if err := s.setStyle(cmd); err != nil {
		return err
	}
	if s.timeout < 0 {
		return &UsageError{Msg: "--timeout is negative", Command: cmd.CommandPath()}
	}
	if err := s.checkPlace(cmd); err != nil {
		return err
	}
	if branch.IsURL(s.Repo) {
		return branch.CheckURL(s.Repo)
	}
	if info, err := os.Stat(s.Repo); err != nil || !info.IsDir() {
		return &UsageError{Msg: "not a directory: " + s.Repo, Hint: "give the directory of the infrastructure repository", Command: cmd.CommandPath()}
	}
	return nil
}

// checkPlace refuses where a command cannot work, and what it would have to ignore.
func (s *Session) checkPlace(cmd *cobra.Command) error {
	url, takes := branch.IsURL(s.Repo), slices.Contains(s.takeURL, cmd)
	if url && !takes {
		hint := "git clone URL, and -C DIR"
		if before, dir := s.place().Clone(cmd); before != "" {
			hint = before + s.Retyped(cmd, "repo", dir)
		}
		return &UsageError{Msg: cmd.CommandPath() + " needs a clone of the repository", Hint: hint, Command: cmd.CommandPath()}
	}
	if !url && s.Branch != "" && typed.OnlyReads(cmd) && !cmd.Flags().Changed("fleet") {
		return &UsageError{Msg: "--branch is for a repository that is known by its URL: a clone is read as it is checked out",
			Hint: "git worktree add DIR " + shell.Quote(s.Branch) + ", then " + cmd.CommandPath() + " -C DIR", Command: cmd.CommandPath()}
	}
	name, inside := strings.CutPrefix(s.Pipeline, typed.InCommit)
	if !inside {
		return nil
	}
	if !takes || !filepath.IsLocal(filepath.FromSlash(name)) || path.Clean(name) != name {
		return &UsageError{Msg: "--pipeline " + s.Pipeline + " is no file", Hint: cmd.CommandPath() + " --pipeline FILE", Command: cmd.CommandPath()}
	}
	s.file, s.Pipeline = name, ""
	return nil
}

// The groups that help lists commands in.
const (
	GroupPromote = "promote"
	GroupKnow    = "know"
	GroupEdit    = "edit"
	GroupOther   = "other"
)

// Open opens the repository and makes a promoter for it. The caller closes the
// repository.
func (s *Session) Open(ctx context.Context) (*promote.Promoter, *git.Repo, error) {
	repo, err := git.Open(ctx, s.Repo)
	if err != nil {
		return nil, nil, s.unreached(ctx, err)
	}
	s.root = repo.Root()
	home := s.home(places.OfClone(ctx, repo, s.gitCache()))
	p := &promote.Promoter{Repo: home, Carriers: merging.Carriers, Progress: s.NewProgress().Show}
	if err = s.readRules(ctx, p, repo); err == nil {
		err = home.Settle(p.Pipeline)
	}
	if err == nil && !s.Offline {
		err = s.reachRegistries(p)
	}
	if err != nil {
		return nil, nil, errors.Join(err, repo.Close())
	}
	s.reachGates(&Workspace{Promoter: p, Repo: repo, Home: home})
	if err := s.warnSparse(ctx, p.Pipeline, repo); err != nil {
		return nil, nil, errors.Join(err, repo.Close())
	}
	return p, repo, nil
}

// warnSparse tells of services that the commit has and a sparse checkout has not: they
// are neither listed nor promoted here.
func (s *Session) warnSparse(ctx context.Context, p *pipeline.Pipeline, repo *git.Repo) error {
	files, err := repo.NotCheckedOut(ctx)
	if err != nil || p == nil || s.Quiet {
		return err
	}
	var left, dirs []string
	for _, file := range files {
		for _, one := range p.Match(file) {
			left = append(left, cmp.Or(one.Service, file)+" in "+one.Environment)
			dirs = append(dirs, path.Dir(file))
		}
	}
	slices.Sort(left)
	slices.Sort(dirs)
	left, dirs = slices.Compact(left), slices.Compact(dirs)
	if len(left) == 0 {
		return nil
	}
	const most = 5
	text := strings.Join(left[:min(most, len(left))], ", ")
	if len(left) > most {
		text += fmt.Sprintf(" and %d more", len(left)-most)
	}
	hint := "git sparse-checkout add " + shell.Pathspecs(dirs...)
	if len(dirs) > most {
		hint = "git sparse-checkout disable"
	}
	s.PrintFacts([]Fact{{Text: warning + "the checkout is sparse, and without " + text + ": left out here", Hint: s.HintHere(hint)}})
	return nil
}

// reachRegistries lets a promoter ask registries, all over one transport.
func (s *Session) reachRegistries(p *promote.Promoter) error {
	client, err := s.Registries()
	if err != nil {
		return err
	}
	v, err := s.NewVerifier("")
	if err != nil {
		return err
	}
	resolver := digest.NewResolver(digest.Options{Client: client})
	p.Resolver, p.Tags = images.NewResolver(resolver), images.NewTags(resolver)
	p.Recorded = images.NewResolver(digest.NewResolver(digest.Options{Client: client.Hurried()}))
	p.Verifier = images.NewVerifier(v, s.LoadPolicy)
	return nil
}

// OpenOffline opens the repository for a command that asks no registry about
// its images.
func (s *Session) OpenOffline(ctx context.Context) (*promote.Promoter, *git.Repo, error) {
	s.Offline = true
	return s.Open(ctx)
}
