package gitcmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOlder(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{"2.37.9": true, "1.9": true, "2.38.0": false, "3.0": false, "2.45.1.windows.1": false, "?": false} {
		if got := older(version) != ""; got != want {
			t.Errorf("%s: %v", version, got)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"\x1b[31mred\x1b[0m\x07 a\tb\u202e":               "red a b",
		"fetch https://ann:se/cret@host/x: no":            "fetch https://ann:se/cret@host/x: no",
		"fetch https://ann:secret@host/x and ssh://t@o@h": "fetch https://host/x and ssh://h",
		"pathspec ':(top,literal)x' did not match":        "pathspec 'x' did not match",
		strings.Repeat("ä", 300):                          strings.Repeat("ä", 148) + "…",
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	for in, want := range map[string]string{
		"error: gpg failed\nfatal: failed to write commit\n": "failed to write commit: gpg failed",
		"fatal: bad thing\nUse '--' to separate\n":           "bad thing",
		"checking\nimages must be pinned\n\n":                "images must be pinned",
		"hint: x\n":                                          "",
	} {
		if got := lastLine(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// Keys and tokens stay with this program: git runs hooks, and they are other
// people's programs.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	wd, _ := os.Getwd()
	got := environment([]string{
		"GIT_INDEX_FILE=.git/index", "GIT_GLOB_PATHSPECS=1", "PATH=/bin", "LC_TIME=C", "https_proxy=http://p", "GIT_ASKPASS=ask", "SSH_AUTH_SOCK=/s",
		"XDG_CONFIG_HOME=/c", "Path=C:", "COSIGN_PASSWORD=x", "SIGSTORE_ID_TOKEN=x", "GITHUB_TOKEN=x", "AWS_SECRET_ACCESS_KEY=x", "HOMEX=1", "A=b", "=C:=C:",
	})
	want := []string{"GIT_INDEX_FILE=" + filepath.Join(wd, ".git", "index"), "PATH=/bin", "LC_TIME=C", "https_proxy=http://p", "GIT_ASKPASS=ask",
		"SSH_AUTH_SOCK=/s", "XDG_CONFIG_HOME=/c", "Path=C:"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%q", got)
	}
}
