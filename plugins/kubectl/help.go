package kubectl

import (
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/completioncmd"
	"github.com/spf13/cobra"
)

// addStandardCommands adds the commands that cobra brings, so that they have
// examples, a group and a page in the reference like the others.
func addStandardCommands(root *cobra.Command, s *cli.Session) {
	root.SetHelpCommandGroupID(cli.GroupOther)
	root.SetCompletionCommandGroupID(cli.GroupOther)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = cobra.ArbitraryArgs
			c.Run, c.RunE = nil, helpOn
			c.Example = "  # what set does\n  kubectl promote help set"
		case "completion":
			completioncmd.Extend(c, s)
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
			return &cli.UsageError{Msg: fmt.Sprintf("%q is no command of %s", name, about.CommandPath()), Hint: hint, Command: cmd.CommandPath()}
		}
		about = about.Commands()[next]
	}
	about.InitDefaultHelpFlag()
	return about.Help()
}

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
