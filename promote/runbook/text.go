package runbook

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// code is a text from the pipeline file as a code span: one line, in which nothing is
// Markdown.
func code(text string) string {
	text = strings.TrimSpace(fault.OneLine(text))
	if text == "" {
		return "` `"
	}
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// codes lists texts as code spans, joined by a word.
func codes(texts []string, word string) string {
	var all []string
	for _, t := range texts {
		all = append(all, code(t))
	}
	return list(all, word)
}

// list joins what is Markdown already: a, b and c.
func list(all []string, word string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " " + word + " " + all[len(all)-1]
}

// labels lists labels in the order of their names.
func labels(all map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, code(name+"="+all[name]))
	}
	return strings.Join(out, ", ")
}
