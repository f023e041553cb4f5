package kubectl

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubepromote/kubepromote/plugins/kubectl/completioncmd"
)

// Every command says what it is for, in a group, with examples in kubectl's form.
func TestHelpOfEveryCommand(t *testing.T) {
	root := NewCommand(genericiooptions.NewTestIOStreamsDiscard())
	n := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		n++
		checkHelp(t, c)
		if c.HasParent() && !c.Parent().HasParent() && c.GroupID == "" {
			t.Errorf("%s: in no group", c.CommandPath())
		}
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	walk(root)
	if n < 15 {
		t.Errorf("only %d commands were found", n)
	}
}

func checkHelp(t *testing.T, c *cobra.Command) {
	t.Helper()
	name := c.CommandPath()
	if c.Short == "" || strings.HasSuffix(c.Short, ".") || strings.Contains(c.Short, "\n") {
		t.Errorf("%s: Short is %q, not one line without a full stop", name, c.Short)
	}
	if c.Long == "" {
		t.Errorf("%s: no Long", name)
	}
	comment := false
	commands := 0
	for line := range strings.Lines(c.Example) {
		line = strings.TrimRight(line, "\n")
		switch text := strings.TrimPrefix(line, "  "); {
		case line == "":
			comment = false
		case text == line:
			t.Errorf("%s: the example %q is not indented by two blanks", name, line)
		case strings.HasPrefix(text, "# "):
			comment = true
		case !comment:
			t.Errorf("%s: the example %q has no comment above it", name, line)
		default:
			commands++
			if !strings.Contains(text, completioncmd.Plugin) && !strings.Contains(text, "kubectl promote") && !strings.HasPrefix(text, " ") {
				t.Errorf("%s: the example %q does not run this program", name, line)
			}
		}
	}
	if commands == 0 {
		t.Errorf("%s: no example", name)
	}
}
