package cli

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

const (
	// maxFacts is how many messages of one kind are printed; of the others, their number.
	maxFacts = 20
	// maxKinds is how many kinds have so many: facts that differ in a number are of two.
	maxKinds = 10
)

// Fact is a message, and what can be typed, if anything.
type Fact struct{ Text, Hint string }

// particular is what differs between messages of one kind: names in quotes, words
// with a slash or a dot, digests, lines. Other numbers do not: 401 is not 503, nor is one
// signature of two the same as none.
var particular = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`"[^"]*"|\S*[/.]\S*|sha\d+:\w+|\b(?:line|byte|column) \d+`)
})

func (f Fact) kind() string {
	text := strings.TrimPrefix(f.Text, warning)
	if len(text) > 1<<10 {
		text = text[:1<<10]
	}
	// What stands before the first colon is a file or a service.
	if _, rest, found := strings.Cut(text, ": "); found {
		text = rest
	}
	return particular().ReplaceAllString(text, "…")
}

const warning = "warning: "

// WarnAll tells facts that stop nothing, as far as there are not too many alike.
func (s *Session) WarnAll(texts []string) {
	if s.Quiet {
		return
	}
	var facts []Fact
	for _, text := range texts {
		facts = append(facts, Fact{Text: warning + text})
	}
	s.PrintFacts(facts)
}

// PrintFacts prints messages, and below each its hint. One hint for several in a row
// stands once, below the last of them.
func (s *Session) PrintFacts(facts []Fact) {
	printed, left := make(map[string]int), make(map[string]int)
	var shown []Fact
	var kinds []string
	for _, f := range facts {
		kind := f.kind()
		if printed[kind]++; printed[kind] <= maxFacts && len(shown) < maxFacts*maxKinds {
			f.Hint = s.HintHere(f.Hint)
			shown = append(shown, f)
			continue
		}
		if left[kind]++; left[kind] == 1 {
			kinds = append(kinds, kind)
		}
	}
	for i, f := range shown {
		fmt.Fprintln(s.ErrOut, Clean(f.Text))
		if f.Hint != "" && (i+1 == len(shown) || shown[i+1].Hint != f.Hint) {
			fmt.Fprintln(s.ErrOut, "hint: "+Clean(f.Hint))
		}
	}
	others := 0
	for i, kind := range kinds {
		if i >= maxFacts {
			others += left[kind]
			continue
		}
		fmt.Fprintf(s.ErrOut, "and %d more like it: %s\n", left[kind], Clean(strings.Join(strings.Fields(kind), " ")))
	}
	if others > 0 {
		fmt.Fprintf(s.ErrOut, "and %d others\n", others)
	}
}
