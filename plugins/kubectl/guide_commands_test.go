package kubectl

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// guideLine is a line of a guide that somebody may type: in a block that is indented or
// fenced, or behind "run:" in a workflow.
var guideLine = regexp.MustCompile(`^(?: *-? ?(?:run: )?|\$ )kubectl[ -]promote((?: .*)?)$`)

// oneCommand is a command without what stands behind it in the same line: a comment, another
// command, a file that it writes to.
var oneCommand = regexp.MustCompile(`^(?:'[^']*'|"[^"]*"|[^\s'"|&<>;]|\s+[^\s#'"|&<>;]|\s+'[^']*'|\s+"[^"]*")*`)

// variable is a word that is known when the line is typed.
// numbered are those variables whose values are numbers.
var numbered = regexp.MustCompile(`"?\$\{?CI_MERGE_REQUEST_IID\}?"?`)

var variable = regexp.MustCompile(`\$\{\{.*?\}\}|\$\{?[A-Z_]+(?:#[^}]*)?\}?`)

// TestGuideCommands parses what the guides say to type, each command with its own flags and
// arguments. A flag of another command went unnoticed.
func TestGuideCommands(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../../docs/*.md", "../../*.md", "../../examples/*/README.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: no guides: %v", pattern, err)
		}
		files = append(files, found...)
	}
	parsed := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		fenced := false
		lines := strings.Split(strings.ReplaceAll(string(text), "\\\n", " "), "\n")
		for _, line := range lines {
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
			}
			m := guideLine.FindStringSubmatch(line)
			if m == nil || !fenced && !strings.HasPrefix(line, "    ") {
				continue
			}
			parsed++
			if err := parseOnly(words(t, oneCommand.FindString(m[1]))); err != nil {
				t.Errorf("%s: %s: %v", file, strings.TrimSpace(line), err)
			}
		}
	}
	if parsed < 120 {
		t.Errorf("only %d commands were found", parsed)
	}
}

// words splits a line as a shell does. Nothing in it is carried out.
func words(t *testing.T, line string) (all []string) {
	t.Helper()
	line = numbered.ReplaceAllString(line, "1")
	line = variable.ReplaceAllString(line, "NAME")
	if strings.ContainsAny(line, "`$") {
		t.Fatalf("%s: a shell would have to run something to know this line", line)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-fc", "for w in "+line+"; do printf '%s\\0' \"$w\"; done").Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	for word := range strings.SplitSeq(string(out), "\x00") {
		all = append(all, word)
	}
	return all[:len(all)-1]
}
