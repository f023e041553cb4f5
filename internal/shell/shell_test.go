package shell

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// awkward are words and names that mean something to a shell or to git.
var awkward = []string{
	"plain.yaml", "a b", "it's", `"quoted"`, "-n", "--all", "$(touch x)", "`x`", "a;b", "a&&b", "*", "a?b", "[ab]", "~", "#x", ":top", "!x", "back\\slash", "über", "%s", "a\tb",
}

// What is typed is what was meant, whatever a shell makes of such words.
func TestQuote(t *testing.T) {
	for _, word := range append(awkward, "") {
		out, err := exec.Command("sh", "-c", "printf '%s|' "+Quote(word)).Output()
		if err != nil || string(out) != word+"|" {
			t.Errorf("%q: %q, %v", word, out, err)
		}
	}
	if got := Quote("apps/cart/values-dev.yaml"); got != "apps/cart/values-dev.yaml" {
		t.Errorf("quoted for nothing: %s", got)
	}
}

// Git adds the one file that is named, and no other.
func TestPathspecs(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	dir := t.TempDir()
	run := func(line string) string {
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", line, err, out)
		}
		return string(out)
	}
	run("git init -q")
	names := append(awkward, "axb")
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		run("git add " + Pathspecs(name))
		if got := strings.TrimSuffix(run("git ls-files -z"), "\x00"); got != name {
			t.Errorf("git add %s added %q", Pathspecs(name), got)
		}
		run("git rm -q --cached -- " + Pathspecs(name))
	}
}
