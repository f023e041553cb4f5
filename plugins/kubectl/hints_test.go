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
			if !endsInCommand(m[1]) && !isAnswer(m[1]) {
				t.Errorf("%s: %s: ends in no command, and is no answer that is on the list", filepath.Base(script), m[0])
			}
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

// programs are those whose commands hints may have beside this one's.
var programs = []string{"git", "cosign", "openssl", "kustomize", "cp", "rm", "chmod", "split", "go"}

// endsInCommand tells whether the last of what a hint gives to choose from is a command.
func endsInCommand(hint string) bool {
	hint = strings.NewReplacer("$'", "", `\`, "", "?", "").Replace(hint)
	choices := strings.Split(hint, ", or ")
	steps := strings.Split(choices[len(choices)-1], ", then ")
	words := strings.Fields(strings.TrimPrefix(steps[len(steps)-1], "did you mean "))
	return len(words) > 1 && (slices.Contains(programs, words[0]) || words[0] == "kubectl" && words[1] == "promote")
}

// answers are the hints that are no command, and why: no command does it.
var answers = []struct{ why, pattern string }{
	{"the word to type in place of the one that the message quotes", `(?:did you mean .*\?|known (?:are|here).*|letters, digits, .*|a time, for example .*|tag\+digest, digest, tag or source|--push, or --pr|--commit, or --push)`},
	{"a flag of the command that was typed, or its values", `(?:git pull, or |run the command with )?-(?:k|f|o|-[a-z-]+)\b.*|- once, .*|one of the two|one of them at a time|an unset variable\?|name the file with the private key, .*`},
	{"what to write at the place that the message names", `(?:- )?[\w.-]+: .*|write .*|list it in .*|(?:keep|remove) (?:one|the) .*|keep a copy of it in the repository|spec\.replicas, .*|VerifyImages .*|change the value at the anchor.*|promote the values that the template is rendered with|a line for it|the same order in both|remove \w+, or \w+|set it in \S+`},
	{"what asks the cluster itself, or where a person has to say it", `kubectl --context .* (?:auth can-i .*|cluster-info)|(?:review|merge) https://.*`},
	{"what a path or a file has to be", `(?:give|it is|a public key begins) .*`},
	{"what is set on the forge's pages alone", `the token needs the permission .*|protect it at http.*`},
	{"what to set outside", `(?:(?:set|export) (?:COSIGN_PASSWORD|KUBECONFIG|PROMOTE_\w+)|git's credential helpers keep it).*`},
}

func isAnswer(hint string) bool {
	hint = strings.NewReplacer("$'", "", `\`, "").Replace(hint)
	return slices.ContainsFunc(answers, func(a struct{ why, pattern string }) bool {
		return regexp.MustCompile("^(?:" + a.pattern + ")$").MatchString(hint)
	})
}

func TestEndsInCommand(t *testing.T) {
	for hint, ends := range map[string]bool{
		"kubectl promote status":                                        true,
		"git switch BRANCH, or promote with --commit=false":             false,
		"promote without --offline":                                     false,
		"move the comment":                                              false,
		"mend it and promote again, or git checkout -- a/b.yaml":        true,
		"kubectl promote history web, then git revert COMMIT":           true,
		"did you mean kubectl promote status?":                          true,
		"did you mean cart?":                                            false,
		"kubectl promote build apps, or environment: NAME in spec":      false,
		"git add promotion.yaml && git commit":                          true,
		"kubectl promote --all --to production, or the services alone":  false,
		"kubectl is the program that calls kubectl promote for kubectl": false,
	} {
		if endsInCommand(hint) != ends {
			t.Errorf("%s: %v", hint, !ends)
		}
		if !ends && hint != "did you mean cart?" && isAnswer(hint) {
			t.Errorf("%s is taken for an answer", hint)
		}
	}
}

// commandsIn takes the commands of this program out of a hint, without its name.
func commandsIn(hint string) []string {
	hint = strings.NewReplacer("$'", "", `\`, "").Replace(hint)
	var found []string
	for _, part := range regexp.MustCompile(`, | shows `).Split(hint, -1) {
		_, line, ok := strings.Cut(part, "kubectl promote")
		line, _, _ = strings.Cut(line, " > ") // which is the shell's
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
