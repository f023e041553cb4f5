package promotecmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/mergeplan"
)

// printMerge says what is merged, what comes with it beside the services, and what is in
// conflict: what the target has, and what would come.
func (o *options) printMerge(w io.Writer, m *mergeplan.Plan) {
	w = cli.ForTerminal(w)
	switch {
	case m.Tag != "":
		fmt.Fprintf(w, "\ntag %s of %s %.9s\n", m.Tag, m.From, m.Commit)
	case m.From == "":
		fmt.Fprintf(w, "\n%s of commit %.9s\n", m.How, m.Commit)
	default:
		fmt.Fprintf(w, "\nmerge of %s %.9s: %s\n", m.From, m.Commit, m.How)
	}
	for _, file := range m.Beside {
		fmt.Fprintf(w, "  beside the services: %s\n", file)
	}
	for _, c := range m.Conflicts {
		fmt.Fprintf(w, "  conflict in %s: %s\n", c.File, c.Why)
		for _, h := range c.Hunks {
			fmt.Fprintf(w, "@@ line %d @@\n", h.Line)
			printSide(w, "-", h.Ours)
			printSide(w, "+", h.Theirs)
		}
	}
}

// printSide prints one side of a conflict.
func printSide(w io.Writer, mark, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintln(w, mark+strings.TrimRight(line, "\r\n"))
	}
}
