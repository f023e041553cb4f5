package kubectl

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// usageTemplate is cobra's, but that the flags which all commands have are left
// to `options`, as kubectl does it.
func usageTemplate(standard string) string {
	before, rest, found := strings.Cut(standard, "{{if .HasAvailableInheritedFlags}}")
	_, after, closed := strings.Cut(rest, "{{end}}")
	if !found || !closed {
		return standard
	}
	const pointer = `{{if and .HasParent (ne .Name "options")}}

Use "{{.Root.CommandPath}} options" for the flags that every command has.{{end}}`
	return before + pointer + after
}

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
