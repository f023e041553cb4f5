package kubectl

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// session is what all commands of one run share.
type session struct {
	genericiooptions.IOStreams

	repo         string
	pipeline     string
	verifyPolicy string
	timeout      time.Duration
	quiet        bool
	verbose      bool
	offline      bool
	registries   registryOptions
	policies     sync.Map // whose warnings have been shown
	cancel       context.CancelFunc
	stdin        io.Reader // In, until the command is stopped
}

// newSession makes the session of one command line.
func newSession(streams genericiooptions.IOStreams) *session {
	return &session{IOStreams: streams}
}

// close lets go of what the commands have opened.
func (s *session) close() { s.registries.close() }

// attach gives a root command the flags and the groups that all commands share,
// and has the session started before a command is run.
func (s *session) attach(root *cobra.Command) {
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return s.start(cmd) }
	root.PersistentPostRun = func(*cobra.Command, []string) { s.cancel() }

	flags := root.PersistentFlags()
	flags.StringVarP(&s.repo, "repo", "C", ".", "directory of the infrastructure repository, or one inside it")
	flags.StringVar(&s.pipeline, "pipeline", "", "pipeline file (default: promotion.yaml at the repository's root, if there is one)")
	flags.StringVar(&s.verifyPolicy, "verify-policy", "", "verification policy file, in place of the pipeline's")
	flags.DurationVar(&s.timeout, "timeout", 0, "give up after this time, for example 2m (default: no limit)")
	s.registries.addFlags(root)
	flags.BoolVarP(&s.quiet, "quiet", "q", false, "print no progress and no warnings")
	flags.BoolVarP(&s.verbose, "verbose", "v", false, "print what was found out on the way")

	must(root.MarkPersistentFlagDirname("repo"))
	must(root.RegisterFlagCompletionFunc("timeout", cobra.NoFileCompletions))

	root.AddGroup(&cobra.Group{ID: groupPromote, Title: "Promote:"}, &cobra.Group{ID: groupKnow, Title: "Know:"},
		&cobra.Group{ID: groupEdit, Title: "Images:"}, &cobra.Group{ID: groupOther, Title: "Other:"})
}

// start prepares a command that has parsed its flags.
func (s *session) start(cmd *cobra.Command) error {
	ctx, cancel := cmd.Context(), context.CancelFunc(func() {})
	if s.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
	}
	s.cancel = cancel
	s.stdin = &interruptible{ctx, s.In}
	cmd.SetContext(ctx)
	if cmd.Name() == cobra.ShellCompRequestCmd {
		return nil // the flags are not parsed yet
	}
	if err := checkFlags(cmd); err != nil {
		return err
	}
	if s.timeout < 0 {
		return &usageError{msg: "--timeout is negative", command: cmd.CommandPath()}
	}
	if info, err := os.Stat(s.repo); err != nil || !info.IsDir() {
		return &usageError{msg: "not a directory: " + s.repo, hint: "give the directory of the infrastructure repository", command: cmd.CommandPath()}
	}
	return nil
}

// The groups that help lists commands in.
const (
	groupPromote = "promote"
	groupKnow    = "know"
	groupEdit    = "edit"
	groupOther   = "other"
)

// open opens the repository and makes a promoter for it. The caller closes the
// repository.
func (s *session) open(ctx context.Context) (*promote.Promoter, *git.Repo, error) {
	repo, err := git.Open(ctx, s.repo)
	if err != nil {
		return nil, nil, err
	}
	p := &promote.Promoter{Repo: repo, Progress: s.newProgress().show}
	if p.Pipeline, err = s.loadPipeline(repo); err != nil {
		return nil, nil, errors.Join(err, repo.Close())
	}
	if !s.offline {
		if err := s.reachRegistries(p, repo); err != nil {
			return nil, nil, errors.Join(err, repo.Close())
		}
	}
	return p, repo, nil
}

// loadPipeline reads the pipeline file, or discovers what the repository holds.
func (s *session) loadPipeline(repo *git.Repo) (*promote.Pipeline, error) {
	if s.pipeline != "" {
		data, err := readBounded(s.pipeline)
		if err != nil {
			return nil, err
		}
		return promote.ParsePipeline(s.pipeline, data)
	}
	data, err := repo.ReadFile(promote.PipelineFile)
	if errors.Is(err, os.ErrNotExist) {
		return promote.Discover(repo)
	}
	if err != nil {
		return nil, err
	}
	return promote.ParsePipeline(promote.PipelineFile, data)
}

// openOffline opens the repository for a command that asks no registry about
// its images.
func (s *session) openOffline(ctx context.Context) (*promote.Promoter, *git.Repo, error) {
	s.offline = true
	return s.open(ctx)
}
