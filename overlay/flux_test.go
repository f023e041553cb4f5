package overlay_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/overlay"
	"golang.org/x/tools/txtar"
)

func TestFlux(t *testing.T) { runFormats(t, "testdata/flux") }

func TestKustomizationMore(t *testing.T) { runFormats(t, "testdata/kustomization-more") }

// runFormats runs the cases of a folder. An archive's comment says what it is
// about and holds lines of these forms; "-" removes a value, "*" keeps it:
//
//	set ARGUMENT                     as in `kustomize edit set image`
//	pin NAME TAG DIGEST
//	path PATH TAG DIGEST
//	policy NS:NAME REPO TAG DIGEST
//	chart NAME VERSION
//	revision URL REVISION
//	oneway                           setting back gives other bytes: a new value
//	                                 needed quotes, or a block scalar is none now
//
// Its first file is parsed and edited. The file "pins" is what is found there,
// warnings behind; "want" is the text afterwards, or "error" what is said instead.
func runFormats(t *testing.T, dir string) {
	t.Helper()
	for _, path := range formatCases(t, dir) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := []txtar.File{ar.Files[0]}
			f, err := overlay.Parse(ar.Files[0].Name, ar.Files[0].Data)
			if err != nil {
				got = append(got, txtar.File{Name: "error", Data: []byte(message(err))})
			} else {
				oneWay := strings.Contains(string(ar.Comment), "\noneway\n")
				got = append(got, txtar.File{Name: "pins", Data: []byte(listPins(f))}, editCase(t, f, formatScript(t, string(ar.Comment)), oneWay))
			}
			if *update {
				ar.Files = got
				if err := os.WriteFile(path, txtar.Format(ar), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(string(txtar.Format(&txtar.Archive{Files: ar.Files})), string(txtar.Format(&txtar.Archive{Files: got}))); d != "" {
				t.Error(d)
			}
		})
	}
}

func formatCases(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(dir + "/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	return paths
}

// editCase makes the changes twice: the second time nothing may differ. Then each
// tag and digest that changed is set back, which must give the bytes back.
func editCase(t *testing.T, f *overlay.File, changes []overlay.Change, oneWay bool) txtar.File {
	t.Helper()
	edit, err := f.Set(changes...)
	if err != nil {
		return txtar.File{Name: "error", Data: []byte(message(err))}
	}
	again, err := edit.After.Set(changes...)
	if err != nil || again.Changed() || len(again.Changes) > 0 {
		t.Errorf("a second time: %v", err)
	}
	if !oneWay && len(f.Pins()) == len(edit.After.Pins()) && len(edit.Warnings) == 0 {
		checkBack(t, f, edit)
	}
	return txtar.File{Name: "want", Data: edit.After.Bytes()}
}

func checkBack(t *testing.T, f *overlay.File, edit *overlay.Edit) {
	t.Helper()
	var back []overlay.Change
	for i, p := range f.Pins() {
		if q := edit.After.Pins()[i]; q.Tag != p.Tag || q.Digest != p.Digest || q.Repository() != p.Repository() {
			c := overlay.Change{Path: q.Path, Tag: overlay.To(p.Tag), Digest: overlay.To(p.Digest)}
			if q.Repository() != p.Repository() {
				c.NewName = overlay.To(p.NewName)
				if p.NewName == "" && q.NewName == "" {
					c.NewName = overlay.To(p.Name)
				}
			}
			back = append(back, c)
		}
	}
	e, err := edit.After.Set(back...)
	if err != nil {
		t.Errorf("set back: %v", err)
		return
	}
	if !bytes.Equal(e.After.Bytes(), f.Bytes()) {
		t.Errorf("set back:\n%s", cmp.Diff(string(f.Bytes()), string(e.After.Bytes())))
	}
}

func formatScript(t *testing.T, script string) []overlay.Change {
	t.Helper()
	changes, err := parseScript(script)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(script) {
		switch w := strings.Fields(line); {
		case len(w) == 4 && w[0] == "path":
			changes = append(changes, overlay.Change{Path: w[1], Tag: wordValue(w[2]), Digest: wordValue(w[3])})
		case len(w) == 5 && w[0] == "policy":
			changes = append(changes, overlay.Change{Policy: w[1], NewName: wordValue(w[2]), Tag: wordValue(w[3]), Digest: wordValue(w[4])})
		case len(w) == 3 && w[0] == "chart":
			changes = append(changes, overlay.Change{Name: w[1], Type: overlay.TypeChart, Tag: wordValue(w[2])})
		case len(w) == 3 && w[0] == "revision":
			changes = append(changes, overlay.Change{Name: w[1], Type: overlay.TypeRevision, Tag: wordValue(w[2])})
		}
	}
	return changes
}

func wordValue(word string) overlay.Value {
	switch word {
	case "*":
		return overlay.Value{}
	case "-":
		return overlay.To("")
	case "D1", "D2":
		return overlay.To("sha256:" + strings.Repeat(strings.ToLower(word), 32))
	}
	return overlay.To(word)
}

func listPins(f *overlay.File) string {
	var b strings.Builder
	for _, p := range f.Pins() {
		fmt.Fprintf(&b, "%d:%d %s %s %s", p.Position.Line, p.Position.Col, p.Type, p.Format, p.Name)
		if p.NewName != "" {
			fmt.Fprintf(&b, " newName=%s", p.NewName)
		}
		fmt.Fprintf(&b, " tag=%s", p.Tag)
		if p.Digest != "" {
			fmt.Fprintf(&b, " digest=%s", strings.Replace(p.Digest, strings.Repeat("d1", 32), "D1", 1))
		}
		if p.Policy != "" {
			fmt.Fprintf(&b, " policy=%s", p.Policy)
		}
		fmt.Fprintf(&b, " path=%s\n", p.Path)
	}
	for _, w := range f.Warnings() {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}
