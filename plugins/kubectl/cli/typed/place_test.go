package typed

import (
	"testing"

	"github.com/spf13/cobra"
)

func commands(t *testing.T) *cobra.Command {
	root := &cobra.Command{Use: "kubectl-promote", Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl promote"}}
	for _, name := range []string{"status", "plan", "lint", "demo", "completion", "approve"} {
		c := &cobra.Command{Use: name}
		mark := map[string]func(*cobra.Command) error{"status": Reads, "plan": Delivers}[name]
		if c.Flags().String("branch", "", ""); mark != nil {
			if err := mark(c); err != nil {
				t.Fatal(err)
			}
		}
		root.AddCommand(c)
	}
	return root
}

// A hint is typed where the command before it was: without the flags that had chosen the
// repository it was about another, or about none.
func TestHintsAreHere(t *testing.T) {
	root := commands(t)
	any := func(*cobra.Command) bool { return true }
	folder := Place{Repository: "../infra", Pipeline: "p.yaml", Branch: "eu", Root: root, TakesURL: any}
	url := Place{Repository: "https://ada:s3cret@git.example.com/infra.git", Branch: "eu", File: "deploy/p.yaml", Root: root, TakesURL: any}
	// What needs a clone has none where the repository is known by its URL alone.
	status := func(cmd *cobra.Command) bool { return cmd.Name() == "status" }
	remote := Place{Repository: "https://git.example.com/infra.git", File: "deploy/p.yaml", Root: root, TakesURL: status}
	for _, tc := range []struct {
		place      Place
		hint, want string
	}{
		{folder, "kubectl promote status", "kubectl promote status -C ../infra --pipeline p.yaml"},
		{folder, "kubectl promote lint --fix, or kubectl promote plan --all --to dev", "kubectl promote lint -C ../infra --pipeline p.yaml --fix, or kubectl promote plan -C ../infra --branch eu --pipeline p.yaml --all --to dev"},
		{folder, "did you mean kubectl promote status?", "did you mean kubectl promote status -C ../infra --pipeline p.yaml?"},
		{folder, "kubectl promote cart --to dev", "kubectl promote -C ../infra --pipeline p.yaml cart --to dev"},
		{folder, "kubectl promote status -C ../other", "kubectl promote status -C ../other"},
		{folder, "kubectl promote status --help", "kubectl promote status --help"},
		{folder, "kubectl promote demo, then kubectl promote status", "kubectl promote demo, then kubectl promote status -C ../infra --pipeline p.yaml"},
		{folder, "write environment: dev", "write environment: dev"},
		{folder, "kubectl promote", "kubectl promote"},
		{url, "kubectl promote status", "kubectl promote status -C https://git.example.com/infra.git --branch eu --pipeline HEAD:deploy/p.yaml"},
		{remote, "kubectl promote lint --fix, or kubectl promote status", "git clone https://git.example.com/infra.git && kubectl promote lint -C infra --pipeline infra/deploy/p.yaml --fix, or kubectl promote status -C https://git.example.com/infra.git --pipeline HEAD:deploy/p.yaml"},
		{remote, "kubectl promote demo", "kubectl promote demo"},
		{Place{Repository: "git@git.example.com:infra.git", Branch: "eu", Root: root, TakesURL: status}, "kubectl promote lint", "git clone --branch eu git@git.example.com:infra.git && kubectl promote lint -C infra"},
		{Place{Repository: ".", Root: root}, "kubectl promote status", "kubectl promote status"},
		{Place{Repository: "../infra"}, "kubectl promote status", "kubectl promote status"},
	} {
		got := tc.place.In(tc.hint)
		if got != tc.want {
			t.Errorf("%s:\n%s, want\n%s", tc.hint, got, tc.want)
		}
		if again := tc.place.In(got); again != got {
			t.Errorf("twice: %s", again)
		}
	}
	words, shown := url.Words([]string{"plan", "cart"})
	if len(words) != 3 || words[0] != "--repo=https://ada:s3cret@git.example.com/infra.git" || shown[1] != "https://git.example.com/infra.git" {
		t.Errorf("%q %q", words, shown)
	}
}

// A command of git that has its folder is left alone, however often it is asked for.
func TestGitIn(t *testing.T) {
	once := GitIn("git add a && git commit, or git clone x, or git config --global a b", "..")
	if want := "git -C .. add a && git -C .. commit, or git clone x, or git config --global a b"; once != want || GitIn(once, "..") != want {
		t.Errorf("%s, then %s", once, GitIn(once, ".."))
	}
}

// A service that is called like a flag is none.
func TestLineOfDash(t *testing.T) {
	if got := (&Line{Command: "kubectl promote", Args: []string{"-x"}}).Set("to", "dev").Set("repo", "a b").String(); got != "kubectl promote --to dev -C 'a b' -- -x" {
		t.Error(got)
	}
}
