package typed

import (
	"testing"

	"github.com/spf13/cobra"
)

// A hint repeats the command line. The password in a URL would be printed with it.
func TestLineHasNoPassword(t *testing.T) {
	cmd := &cobra.Command{Use: "plan", Run: func(*cobra.Command, []string) {}}
	cmd.Flags().StringP("repo", "C", "", "")
	cmd.Flags().String("to", "", "")
	cmd.SetArgs([]string{"-C", "https://ada:s3cret@git.example.com/infra.git", "--to", "a b"})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	if got, want := By(cmd).String(), "plan -C https://ada@git.example.com/infra.git --to 'a b'"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
