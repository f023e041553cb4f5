package overlay

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
)

// edited gives an Edit between two texts, whatever they are.
func edited(t *testing.T, before, after string) *Edit {
	t.Helper()
	parse := func(text string) *File {
		f, err := Parse("f.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	return &Edit{Before: parse(before), After: parse(after)}
}

// The diff is the one of the whole texts, wherever they differ.
func TestDiffIsThatOfTheWhole(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var lines, others []string
		for i := range random.IntN(30) {
			lines = append(lines, fmt.Sprintf("k%d: v", i))
		}
		// Each line is unlike the others, so that there is one shortest diff.
		at := random.IntN(len(lines) + 1)
		to := at + random.IntN(len(lines)-at+1)
		others = append(others, lines[:at]...)
		for i := range random.IntN(3) {
			others = append(others, fmt.Sprintf("n%d: v", i))
		}
		others = append(others, lines[to:]...)
		if len(lines) == 0 || len(others) == 0 {
			continue // an empty file is not parsed
		}
		end := []string{"", "\n"}[random.IntN(2)]
		before, after := strings.Join(lines, "\n")+end, strings.Join(others, "\n")+end
		want := diff.Diff("a/f.yaml", []byte(before), "b/f.yaml", []byte(after))
		want = want[bytes.IndexByte(want, '\n')+1:]
		if got := edited(t, before, after).Diff(); got != string(want) {
			t.Fatalf("%q\n%q\ngot\n%s\nwant\n%s", before, after, got, want)
		}
	}
}
