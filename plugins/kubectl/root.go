package kubectl

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// Run carries out one command line, without the program's name, and returns its
// exit status; see exitStatus for what it means. Cancelling the context stops it.
func Run(ctx context.Context, args []string, streams genericiooptions.IOStreams) int {
	s := &session{IOStreams: streams}
	defer s.registries.close()
	root := newRoot(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	return s.fail(err)
}

// RunAs is Run for a whole argument vector, the program's name included. Under
// the name that kubectl calls for completion it prints what could follow the
// arguments on the standard output, a choice a line and a directive last, and no
// messages: they would end up in the user's prompt.
func RunAs(ctx context.Context, argv []string, streams genericiooptions.IOStreams) int {
	if len(argv) == 0 {
		return Run(ctx, nil, streams)
	}
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(argv[0])), ".exe")
	if name != completer {
		return Run(ctx, argv[1:], streams)
	}
	streams.ErrOut = io.Discard
	return Run(ctx, append([]string{cobra.ShellCompRequestCmd}, argv[1:]...), streams)
}

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

// NewCommand gives the command tree for documentation and embedding.
func NewCommand(streams genericiooptions.IOStreams) *cobra.Command {
	return newRoot(&session{IOStreams: streams})
}

func newRoot(s *session) *cobra.Command {
	root := newPromoteCommand(s)
	root.Use = "kubectl-promote SERVICE... --to ENVIRONMENT"
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl promote"}
	root.Long = rootLong
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.ErrOut)
	root.SetFlagErrorFunc(flagError)
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
	root.AddCommand(newRunCommand(s), newPlanCommand(s), newStatusCommand(s), newHistoryCommand(s),
		newSetCommand(s), newImagesCommand(s), newResolveCommand(s), newVerifyCommand(s), newVerifyBundleCommand(s), newCopyCommand(s),
		newAttestCommand(s), newApproveCommand(s),
		newBuildCommand(s), newLintCommand(s), newDemoCommand(s), newOptionsCommand(s), newVersionCommand(s))
	addStandardCommands(root, s)
	root.SetUsageTemplate(usageTemplate(root.UsageTemplate()))
	for _, c := range root.Commands() {
		checkArgs(c)
	}
	return root
}

// addStandardCommands adds the commands that cobra brings, so that they have
// examples, a group and a page in the reference like the others.
func addStandardCommands(root *cobra.Command, s *session) {
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = cobra.ArbitraryArgs
			c.Run, c.RunE = nil, helpOn
			c.Example = "  # what set does\n  kubectl promote help set"
		case "completion":
			completeCompletion(c, s)
		}
	}
}

// helpOn prints the help of a command. The root takes any argument for a service,
// so cobra's own help would print the root's for a name that is no command.
func helpOn(cmd *cobra.Command, names []string) error {
	about := cmd.Root()
	for n, name := range names {
		next := -1
		var known []string
		for i, c := range about.Commands() {
			known = append(known, c.Name())
			if c.Name() == name || c.HasAlias(name) {
				next = i
			}
		}
		if next < 0 {
			hint := about.CommandPath() + " --help"
			if near := spelling.Nearest(name, known); near != "" {
				hint = strings.Join(append([]string{cmd.CommandPath()}, append(names[:n:n], near)...), " ")
			}
			return &usageError{msg: fmt.Sprintf("%q is no command of %s", name, about.CommandPath()), hint: hint, command: cmd.CommandPath()}
		}
		about = about.Commands()[next]
	}
	about.InitDefaultHelpFlag()
	return about.Help()
}

// The groups that help lists commands in.
const (
	groupPromote = "promote"
	groupKnow    = "know"
	groupEdit    = "edit"
	groupOther   = "other"
)

const rootLong = `Move container images between the environments of a GitOps repository.

The image that stands in one environment's overlay is written into the next
one's: the same digest, and no other byte of the file. A tag is resolved to its
digest once; that digest is verified, written and recorded.

Overlays are looked for in apps/SERVICE/overlays/ENVIRONMENT, or where the
repository's promotion.yaml says.

Exit status: 0 done or nothing to do, 1 failed, 2 usage error, 3 refused,
4 waiting, 5 could not be decided.`

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
