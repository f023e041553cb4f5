package overlay_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/overlay"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what the cases in testdata give now")

// TestSet runs the cases of testdata/set. Each archive's comment says what it
// is about and holds lines of two forms:
//
//	set ARGUMENT            as in `kustomize edit set image`
//	pin NAME TAG DIGEST     tag and digest alone; "-" removes one
//
// Its first file is edited; the file "want" is the text afterwards, or "error"
// is what is said instead.
func TestSet(t *testing.T) {
	for _, path := range cases(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in := ar.Files[0]
			got := txtar.File{Name: "want"}
			edit, err := setAll(in, string(ar.Comment))
			if err != nil {
				got = txtar.File{Name: "error", Data: []byte(message(err))}
			} else {
				got.Data = edit.After.Bytes()
				checkTwice(t, edit, string(ar.Comment))
			}
			if *update {
				ar.Files = []txtar.File{in, got}
				if err := os.WriteFile(path, txtar.Format(ar), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(ar.Files[1].Name, got.Name) + cmp.Diff(string(ar.Files[1].Data), string(got.Data)); d != "" {
				t.Error(d)
			}
		})
	}
}

func cases(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/set/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	return paths
}

func setAll(in txtar.File, script string) (*overlay.Edit, error) {
	changes, err := parseScript(script)
	if err != nil {
		return nil, err
	}
	f, err := overlay.Parse(in.Name, in.Data)
	if err != nil {
		return nil, err
	}
	return f.Set(changes...)
}

func parseScript(script string) ([]overlay.Change, error) {
	var changes []overlay.Change
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "set":
			c, err := overlay.ParseArgument(words[1])
			if err != nil {
				return nil, err
			}
			changes = append(changes, c)
		case len(words) == 4 && words[0] == "pin":
			changes = append(changes, overlay.Change{
				Name: words[1],
				Tag:  overlay.To(strings.TrimPrefix(words[2], "-")), Digest: overlay.To(strings.TrimPrefix(words[3], "-")),
			})
		}
	}
	return changes, nil
}

// checkTwice makes the same changes again: nothing may differ any more.
func checkTwice(t *testing.T, edit *overlay.Edit, script string) {
	t.Helper()
	changes, err := parseScript(script)
	if err != nil {
		t.Fatal(err)
	}
	again, err := edit.After.Set(changes...)
	if err != nil {
		t.Fatalf("second time: %v", err)
	}
	if again.Changed() || len(again.Changes) > 0 {
		t.Errorf("a second time changes something:\n%s%v", again.Diff(), again.Changes)
	}
}

// message prints an error as a command does: a line each, hints behind them.
func message(err error) string {
	if multi, ok := err.(interface{ Unwrap() []error }); ok {
		var b strings.Builder
		for _, e := range multi.Unwrap() {
			b.WriteString(message(e))
		}
		return b.String()
	}
	text := err.Error() + "\n"
	var e *overlay.Error
	if errors.As(err, &e) && e.Hint != "" {
		text += "hint: " + e.Hint + "\n"
	}
	return text
}
