package kubectl

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// hintLine is a hint in a script: in a file that output is compared with, or in a
// pattern.
var hintLine = regexp.MustCompile(`(?m)^(?:stdout '\^|stderr '\^)?hint: (.*)$`)

// TestHintsCanBeTyped types the commands of all hints that the scripts expect: each
// must be one that there is, with flags that it has and arguments that it takes. Some
// led to another refusal.
func TestHintsCanBeTyped(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	typed := 0
	for _, script := range scripts {
		data, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range hintLine.FindAllStringSubmatch(string(data), -1) {
			for _, line := range commandsIn(m[1]) {
				typed++
				if err := parseOnly(strings.Fields(line)); err != nil {
					t.Errorf("%s: %s: %v", filepath.Base(script), m[0], err)
				}
			}
		}
	}
	if typed < 50 {
		t.Errorf("only %d hints were found", typed)
	}
}

// commandsIn takes the commands of this program out of a hint, without its name.
func commandsIn(hint string) []string {
	hint = strings.NewReplacer("$'", "", `\`, "").Replace(hint)
	var found []string
	for _, part := range regexp.MustCompile(`, | shows `).Split(hint, -1) {
		_, line, ok := strings.Cut(part, "kubectl promote")
		if ok && (line == "" || line[0] == ' ') {
			found = append(found, strings.TrimSuffix(strings.TrimSpace(line), "?"))
		}
	}
	return found
}

// placeholder is a word that stands for an argument.
var placeholder = regexp.MustCompile(`^\[?[A-Z][A-Z:=.*_-]*\]?$`)

// parseOnly has a command line parsed and its arguments counted, and runs nothing.
func parseOnly(args []string) error {
	root := NewCommand(genericiooptions.NewTestIOStreamsDiscard())
	for i, a := range args {
		if placeholder.MatchString(a) {
			args[i] = strings.Trim(a, "[].")
		}
	}
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if help := cmd.Flags().Lookup("help"); help != nil && help.Changed {
		return nil
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	if !cmd.HasParent() && len(cmd.Flags().Args()) > 0 && !cmd.Flags().Changed("to") {
		return &unknownCommand{cmd.Flags().Arg(0)}
	}
	return missingValues(cmd)
}

// unknownCommand is a word that the root takes for a service of no environment.
type unknownCommand struct{ name string }

func (e *unknownCommand) Error() string { return e.name + " is no command" }

// missingValues has flags that were given a value that they do not take.
func missingValues(cmd *cobra.Command) error {
	var wrong error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && strings.HasPrefix(f.Value.String(), "--") && !slices.Contains([]string{"value"}, f.Name) {
			wrong = &unknownCommand{"--" + f.Name + " " + f.Value.String()}
		}
	})
	return wrong
}

// The test itself finds what is wrong.
func TestParseOnly(t *testing.T) {
	for line, ok := range map[string]bool{
		"cart --to production": true, "--all --to dev": true, "resolve REF... --lock none.lock": true, "build [DIR]": true,
		"undo web": false, "status --nope": false, "version extra": false, "copy SOURCE": false, "plan cart --commit": false, "set --help": true,
		"resolve --lock --update": false,
	} {
		if err := parseOnly(strings.Fields(line)); (err == nil) != ok {
			t.Errorf("%s: %v", line, err)
		}
	}
}
