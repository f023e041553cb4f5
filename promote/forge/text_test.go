package forge_test

import (
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/forge"
)

func TestFitBody(t *testing.T) {
	footer := "Promotion-Service: cart\nPromotion-To: production"
	if got := forge.GitHub.FitBody("a\n\n", footer); got != "a\n\n"+footer+"\n" {
		t.Errorf("%q", got)
	}
	long := "# Plan\n<details>\n\n```diff\n" + strings.Repeat("+ a line of a diff\n", 10_000) + "```\n\n</details>\n"
	for _, kind := range forge.Kinds() {
		got := kind.FitBody(long, footer)
		if kind == forge.GitLab {
			if got != strings.TrimRight(long, "\n")+"\n\n"+footer+"\n" {
				t.Error("GitLab takes it whole")
			}
			continue
		}
		if len(got) > kind.BodyLimit() || len(got) < kind.BodyLimit()-100 {
			t.Errorf("%s: %d bytes of %d", kind, len(got), kind.BodyLimit())
		}
		if !strings.HasSuffix(got, "\n```\n</details>\n\n_The rest is left out: it is longer than the forge takes._\n\n"+footer+"\n") {
			t.Errorf("%s: ends with %q", kind, got[len(got)-200:])
		}
	}
	for name, body := range map[string]string{
		"one line": strings.Repeat("ä", 100_000), "all open": strings.Repeat("<details>\n", 100_000), "fences": strings.Repeat("```\n", 100_000),
		"not UTF-8": "\xff\x00x",
	} {
		got := forge.Azure.FitBody(body, footer)
		if len(got) > 4000 || strings.ToValidUTF8(got, "") != got || !strings.HasSuffix(got, footer+"\n") || strings.Contains(got, "\x00") {
			t.Errorf("%s: %d bytes, %q", name, len(got), got[max(0, len(got)-200):])
		}
	}
}

// GitLab carries out the lines of a description that begin with a slash, as whoever
// opened it. A reason or a message of a commit must not merge or approve anything.
func TestQuickActions(t *testing.T) {
	const body = "reason:\n/merge\n  /approve\n\t/label ~x\r\n/ no\n//x\na /merge\n/opt/app"
	const want = "reason:\n\\/merge\n  \\/approve\n\t\\/label ~x\r\n/ no\n//x\na /merge\n\\/opt/app"
	if got := forge.GitLab.FitBody(body, ""); got != want {
		t.Errorf("%q", got)
	}
	if got := forge.GitHub.FitBody(body, ""); got != body {
		t.Errorf("%q", got)
	}
}
