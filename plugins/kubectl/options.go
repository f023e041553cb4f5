package kubectl

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newOptionsCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "options",
		Short:   "List the flags that every command has",
		Long:    "List the flags that every command has. The help of a command leaves them out.",
		Example: "  # the flags that every command has\n  kubectl promote options",
		GroupID: groupOther,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(s.Out, "The following flags can be given to any command:\n\n%s", cmd.InheritedFlags().FlagUsages())
			return err
		},
	}
}
