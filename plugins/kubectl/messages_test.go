package kubectl

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/term"
)

// messagesVariable names the folder where the program of the scripts keeps what it says on
// stderr, a file for each run that fails.
const messagesVariable = "KUBEPROMOTE_TEST_MESSAGES"

// noted runs the program and keeps what it says, where a test asks for that.
func noted(run func(errOut io.Writer) int) int {
	dir := os.Getenv(messagesVariable)
	if dir == "" || term.IsTerminal(int(os.Stderr.Fd())) {
		return run(os.Stderr)
	}
	f, err := os.CreateTemp(dir, "")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer f.Close()
	status := run(io.MultiWriter(os.Stderr, f))
	if status == 0 {
		os.Remove(f.Name())
	}
	return status
}

// noMessages are lines on stderr of runs that fail which tell nobody of a fault, and what
// programs in the scripts say themselves.
var noMessages = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`warning: .*`, `hint: .*`,
	`--- a/.*|\+\+\+ b/.*|@@ .*|[-+]- \{.*| images:|SERVICE .*|.*  waiting`, // the plan above the question of a gate
	`somebody has to say yes on a terminal: .*|yes or no: .*`,
	`[*?]: .*`, `waiting for .*`, `\S+: image "\S+": \S+: highest of .*`, `#\d+ to .*: pull request by .*`, // what is going on
	`(?:\S+: \w+: )?mtls: .*|.*: mtls: .*`, // a command of a gate
}, "|") + `)$`)

// checkMessages is run by TestScript once its scripts have ended: of each message that
// the program has printed there a hint has to follow, or docs/troubleshooting.md has to have it.
// Where all scripts were run, each message there has to be one of the program.
func checkMessages(t *testing.T, dir string, all bool) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	known := troubles(string(page))
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	hinted, listed := make(map[string]bool), make(map[string]bool)
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		for n, line := range lines {
			if line == "" || noMessages.MatchString(line) {
				continue
			}
			there := false
			for i := range known {
				if known[i].pattern.MatchString(line) {
					known[i].seen, there = true, true
				}
			}
			switch {
			case n+1 < len(lines) && strings.HasPrefix(lines[n+1], "hint: "):
				hinted[line] = true
			case there:
				listed[line] = true
			default:
				t.Errorf("no hint follows, and docs/troubleshooting.md has no row for\n%s", line)
			}
		}
	}
	for _, k := range known {
		if all && !k.seen {
			t.Errorf("docs/troubleshooting.md has a message that no script brings about: %s", k.text)
		}
	}
	t.Logf("%d messages: %d with a hint, %d in docs/troubleshooting.md", len(hinted)+len(listed), len(hinted), len(listed))
}

// trouble is a message of the page, and the lines that are it.
type trouble struct {
	text    string
	pattern *regexp.Regexp
	seen    bool
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// troubles reads the messages that begin the rows of a page's tables. A "…" stands for any
// text; a place, or who says it, may stand in front.
func troubles(page string) (all []trouble) {
	for line := range strings.Lines(page) {
		cell, ok := strings.CutPrefix(line, "| ")
		cell, _, _ = strings.Cut(cell, " | ")
		for _, m := range codeSpan.FindAllStringSubmatch(cell, -1) {
			if ok {
				pattern := strings.ReplaceAll(regexp.QuoteMeta(m[1]), "…", ".*")
				all = append(all, trouble{text: m[1], pattern: regexp.MustCompile("^(?:.*?: )?" + pattern + "$")})
			}
		}
	}
	return all
}

func TestTroubles(t *testing.T) {
	got := troubles("| message | what |\n| --- | --- |\n| `tag \"…\" not found`, `it is (not)` | `rm x` |\n\nand `nothing`\n")
	if len(got) != 2 || got[1].text != "it is (not)" || !got[0].pattern.MatchString(`a.yaml:1:2: tag "v1" not found`) || got[0].pattern.MatchString(`tag "v1" not found, or so`) {
		t.Errorf("%+v", got)
	}
}
