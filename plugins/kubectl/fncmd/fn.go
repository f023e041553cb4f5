// Package fncmd implements kubectl promote fn: the KRM functions of package
// kustomize, run as the program promote-fn runs them. Flags and arguments are the
// functions' own, so that cobra parses none of them.
package fncmd

import (
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kustomize"
	"github.com/spf13/cobra"
)

const long = `Run a KRM function on Kubernetes objects, as the program promote-fn does: the
same arguments, standard input, output and exit statuses.

Without arguments, a ResourceList is read from the standard input and written to
the standard output. With arguments, the first is a file with the configuration
and the others are files with objects, - for the standard input; plain objects are
written. --definition KIND prints a function's definition, and --root DIR names the
directory that no path in a configuration may leave. Flags of other commands are
not taken.`

const example = `  # the pins of a rendered overlay
  kubectl promote fn verify-images.yaml rendered.yaml

  # the definition of a function, with the schema of its configuration
  kubectl promote fn --definition VerifyImages`

// New makes kubectl promote fn.
func New(s *cli.Session) *cobra.Command {
	return &cobra.Command{
		Use:     "fn [CONFIG FILE...]",
		Short:   "Run a KRM function on Kubernetes objects, as promote-fn does",
		Long:    long,
		Example: example,
		GroupID: cli.GroupEdit,
		Args:    cobra.ArbitraryArgs,
		// The program parses them, and prints its own help.
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return cli.Told(kustomize.Run(cmd.Context(), args, kustomize.Streams{In: s.Stdin, Out: s.Out, Err: s.ErrOut}))
		},
	}
}
