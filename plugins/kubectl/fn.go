package kubectl

import (
	"github.com/kubepromote/kubepromote/plugins/kustomize"
	"github.com/spf13/cobra"
)

const fnLong = `Run a KRM function on Kubernetes objects, as the program promote-fn does: the
same arguments, standard input, output and exit statuses.

Without arguments, a ResourceList is read from the standard input and written to
the standard output. With arguments, the first is a file with the configuration
and the others are files with objects, - for the standard input; plain objects are
written. --definition KIND prints a function's definition, and --root DIR names the
directory that no path in a configuration may leave. Flags of other commands are
not taken.`

const fnExample = `  # the pins of a rendered overlay
  kubectl promote fn verify-images.yaml rendered.yaml

  # the definition of a function, with the schema of its configuration
  kubectl promote fn --definition VerifyImages`

func newFnCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "fn [CONFIG FILE...]",
		Short:   "Run a KRM function on Kubernetes objects, as promote-fn does",
		Long:    fnLong,
		Example: fnExample,
		GroupID: groupEdit,
		Args:    cobra.ArbitraryArgs,
		// The program parses them, and prints its own help.
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if status := kustomize.Run(cmd.Context(), args, kustomize.Streams{In: s.stdin, Out: s.Out, Err: s.ErrOut}); status != exitDone {
				return &silentError{status}
			}
			return nil
		},
	}
}
