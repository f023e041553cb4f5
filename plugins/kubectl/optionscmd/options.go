// Package optionscmd implements kubectl promote options: a list of the flags that
// every command has. The help of the other commands leaves them out and points here,
// as in kubectl.
package optionscmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
)

// New makes kubectl promote options.
func New(s *cli.Session) *cobra.Command {
	return &cobra.Command{
		Use:     "options",
		Short:   "List the flags that every command has",
		Long:    "List the flags that every command has. The help of a command leaves them out.",
		Example: "  # the flags that every command has\n  kubectl promote options",
		GroupID: cli.GroupOther,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(s.Out, "The following flags can be given to any command:\n\n%s", cmd.InheritedFlags().FlagUsages())
			return err
		},
	}
}
