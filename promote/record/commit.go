package record

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// Branch is the name of a branch that proposes what a verb does to services in an
// environment: verb/ENVIRONMENT/SERVICE; for several services a number that stands for
// them.
func Branch(verb, to string, services []string) string {
	if len(services) == 1 {
		return verb + "/" + to + "/" + services[0]
	}
	names := slices.Sorted(slices.Values(services))
	return fmt.Sprintf("%s/%s/%d-services-%.4x", verb, to, len(names), sha256.Sum256([]byte(strings.Join(names, "\n"))))
}

// Table sets rows of values in columns, each escaped.
func Table(rows [][]string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for n, cell := range row {
			cells[n] = Escape(cell)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	_ = w.Flush() // a strings.Builder does not fail
	return b.String()
}

// Differs tells by an error in what the record of a message is another than that of the one
// that it was made of.
func Differs(made, message string) error {
	want, got := Lines(made), Lines(message)
	for i := 0; i < len(want) || i < len(got); i++ {
		switch {
		case i >= len(got):
			return fmt.Errorf("%q is missing", want[i])
		case i >= len(want):
			return fmt.Errorf("%q was added", got[i])
		case got[i] != want[i]:
			return fmt.Errorf("%q stands in place of %q", got[i], want[i])
		}
	}
	return nil
}
