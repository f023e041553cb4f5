package kubectl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubepromote/kubepromote/internal/unbroken"
	"github.com/kubepromote/kubepromote/plugins/kubectl/boardcmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/completioncmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/promotecmd"
)

// Run carries out one command line, without the program's name, and returns its
// exit status: 0 done or nothing to do, 1 failed, 2 usage error, 3 refused,
// 4 waiting, 5 could not be decided, 130 interrupted. Cancelling the context stops it.
func Run(ctx context.Context, args []string, streams genericiooptions.IOStreams) int {
	s := cli.NewSession(streams)
	defer s.Close()
	root := newRoot(s)
	if len(args) == 1 && args[0] == "--version" {
		args = []string{"version"} // what people try first
	}
	root.SetArgs(asKubectl(args))
	err := s.Ended(root.ExecuteContext(ctx))
	if err == nil {
		return cli.ExitDone
	}
	status := s.Fail(err)
	if errors.Is(ctx.Err(), context.Canceled) {
		return cli.ExitInterrupted
	}
	return status
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
	if name != completioncmd.Completer {
		return Run(ctx, argv[1:], streams)
	}
	streams.ErrOut = io.Discard
	return Run(ctx, append([]string{cobra.ShellCompRequestCmd}, argv[1:]...), streams)
}

// RunToSignal is RunAs for a program that a signal ends by ending ctx. What does not notice,
// such as the reading of a large file, is given up; what is being written is not.
func RunToSignal(ctx context.Context, argv []string, streams genericiooptions.IOStreams) int {
	status, ok := unbroken.Run(ctx, func() int { return RunAs(ctx, argv, streams) })
	if !ok {
		fmt.Fprintln(streams.ErrOut, "interrupted")
		return cli.ExitInterrupted
	}
	return status
}

// NewCommand gives the command tree for documentation and embedding.
func NewCommand(streams genericiooptions.IOStreams) *cobra.Command {
	return newRoot(cli.NewSession(streams))
}

func newRoot(s *cli.Session) *cobra.Command {
	root := promotecmd.New(s)
	help := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		alone := len(args) == 0
		cmd.Flags().Visit(func(f *pflag.Flag) { alone = alone && cmd.PersistentFlags().Lookup(f.Name) != nil })
		if alone {
			if shown, err := boardcmd.Alone(s, cmd); shown {
				return err
			}
		}
		return help(cmd, args)
	}
	root.Use = "kubectl-promote SERVICE... --to ENVIRONMENT"
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl promote"}
	root.Long = rootLong
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.ErrOut)
	root.SetFlagErrorFunc(flagError)
	s.Attach(root)
	root.AddCommand(subcommands(s)...)
	addStandardCommands(root, s)
	root.SetUsageTemplate(usageTemplate(root.UsageTemplate()))
	for _, c := range root.Commands() {
		checkArgs(c)
	}
	return root
}

const rootLong = `Move container images between the environments of a GitOps repository.

The image that stands in one environment's overlay is written into the next
one's: the same digest, and no other byte of the file. A tag is resolved to its
digest once; that digest is verified, written and recorded.

Where they stand is found in the repository, by folders and files that bear names
of environments, or said in its promotion.yaml, which init writes.

Alone on a terminal, kubectl promote shows the board of the repository there.

Exit status: 0 done or nothing to do, 1 failed, 2 usage error, 3 refused,
4 waiting, 5 could not be decided.`
