package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// What a flag says is not lost because a variable was not set, and what two flags
// that exclude one another say is not guessed.
func TestFlags(t *testing.T) {
	for _, tc := range []struct{ args, want, hint string }{
		{"--to a --yes --first x --second y", "", ""},
		// The first of two environments was passed over without a word.
		{"--env a --env b", "--env is given several times: a, b", "one of them at a time"},
		{"--env a --env a", "", ""},
		{"--env=", "--env is empty", UnsetHint},
		{"--to=", "--to is empty", UnsetHint},
		{"--image=a --image=", "--image is empty", UnsetHint},
		{"--skip=", "--skip is empty", UnsetHint},
		{"--note= --n=0 --yes=false", "", ""},
		{"--to a --n 1", "--to stands beside --n", "one of the two"},
		{"--skip b --image a --n 1", "--skip stands beside --n", "one of the two"},
		{"--first 1", "if any flags in the group [first second] are set they must all be set; missing [second]", "do --help"},
	} {
		cmd := &cobra.Command{Use: "do"}
		f := cmd.Flags()
		for _, name := range []string{"to", "note", "first", "second"} {
			f.String(name, "", "")
		}
		(&Session{}).EnvironmentVar(cmd, new(string), "env", "")
		f.StringArray("image", nil, "")
		f.StringSlice("skip", nil, "")
		f.Int("n", 0, "")
		f.Bool("yes", true, "")
		MayBeEmpty(cmd, "note")
		cmd.MarkFlagsMutuallyExclusive("to", "n")
		cmd.MarkFlagsMutuallyExclusive("skip", "n", "image")
		cmd.MarkFlagsRequiredTogether("first", "second")
		if err := cmd.ParseFlags(strings.Fields(tc.args)); err != nil {
			t.Fatal(err)
		}
		got, hint := "", ""
		for _, check := range []func(*cobra.Command) error{checkFlags, checkGroups} {
			if err := check(cmd); err != nil {
				got, hint = err.Error(), given(t).HintOf(err)
				break
			}
		}
		if got != tc.want || hint != tc.hint {
			t.Errorf("%s: got %q, %q, want %q, %q", tc.args, got, hint, tc.want, tc.hint)
		}
	}
}
