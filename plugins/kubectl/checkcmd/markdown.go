package checkcmd

import (
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/check"
	"github.com/kubepromote/kubepromote/promote/forge"
)

// markdown is the format of -o for the comment of a pull request.
const markdown = "markdown"

// marker is the first line of a comment, by which a bot finds it again.
const marker = "<!-- kubectl promote check -->"

// The bounds of a comment, beside that of its whole length, which is the forge's.
const (
	mostRows = 100
	mostText = 300
)

var headlines = map[promote.Answer]string{
	promote.Pass: "may be merged", promote.Fail: "is refused", promote.Wait: "has to wait", promote.Unknown: "could not be judged",
}

// comment writes the report for a pull request.
func comment(c change, r *check.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n### Promotion check: this change %s\n\n", marker, headlines[r.Answer()])
	all := rows(r)
	if len(all) > 0 {
		b.WriteString("| service | environment | image | was | becomes | kind | from | answer |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	} else if len(r.Changes) == 0 {
		b.WriteString("No pin changes.\n")
	}
	for _, row := range all[:min(len(all), mostRows)] {
		for _, cell := range row {
			b.WriteString("| " + code(cell) + " ")
		}
		b.WriteString("|\n")
	}
	more(&b, len(all)-mostRows, "change")
	var lines []string
	for _, f := range findings(r) {
		lines = append(lines, code(f.String()))
	}
	list(&b, "", lines)
	if len(r.Rules) > 0 {
		lines = nil
		for _, file := range r.Rules {
			lines = append(lines, code(file))
		}
		list(&b, "The change touches the rules, and is judged by those of the base:", lines)
	}
	lines = nil
	for _, text := range r.Warnings {
		lines = append(lines, code(text))
	}
	list(&b, "Warnings:", lines)
	if listed, left := places(r); len(r.Changes) > 0 && len(listed) > 0 {
		lines = nil
		for _, at := range listed {
			lines = append(lines, code(at))
		}
		list(&b, "It also changes:", lines)
		more(&b, left, "other file")
	}
	return forge.GitHub.FitBody(b.String(), fmt.Sprintf("%s against %s", c.head, c.base))
}

// list writes lines below a heading.
func list(b *strings.Builder, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	b.WriteString("\n")
	if heading != "" {
		b.WriteString(heading + "\n\n")
	}
	for _, line := range lines[:min(len(lines), mostRows)] {
		b.WriteString("- " + line + "\n")
	}
	more(b, len(lines)-mostRows, "line")
}

func more(b *strings.Builder, left int, what string) {
	if left > 0 {
		fmt.Fprintf(b, "\nand %s\n", cli.Plural(left, "more "+what))
	}
}

// code is a text that comes from a file, a registry or a server, as one that a forge shows
// and does not follow: no link, no mention, no HTML, no end of a table's cell.
func code(text string) string {
	runes := []rune(strings.NewReplacer("`", "'", "|", "¦").Replace(cli.Clean(text)))
	if len(runes) > mostText {
		runes = append(runes[:mostText-1], '…')
	}
	if len(runes) == 0 {
		return "-"
	}
	return "`" + string(runes) + "`"
}
