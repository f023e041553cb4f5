package overlay_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/overlay"
)

// TestCorpusFormats sets every pin of every real file to another value by its
// path. Only the value's bytes may differ, and setting it back gives the file.
func TestCorpusFormats(t *testing.T) {
	for _, folder := range []string{"argocd", "flux-markers", "helmrelease", "kustomization"} {
		t.Run(folder, func(t *testing.T) {
			files, pins := 0, 0
			walkCorpus(t, folder, func(path string, src []byte) {
				files++
				f, err := overlay.Parse(path, src)
				if err != nil {
					t.Logf("refused: %v", err)
					return
				}
				for _, w := range f.Warnings() {
					t.Logf("warning: %s", w)
				}
				for _, p := range f.Pins() {
					pins++
					checkPinByPath(t, f, p)
				}
			})
			t.Logf("%d files, %d pins set and set back", files, pins)
			if files == 0 || pins == 0 {
				t.Error("the corpus folder holds no pins")
			}
		})
	}
}

func walkCorpus(t *testing.T, folder string, visit func(path string, src []byte)) {
	t.Helper()
	root := filepath.Join(corpusFolder(t), folder)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		src, err := os.ReadFile(path)
		if err == nil {
			visit(path, src)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

var corpusFlag = flag.String("corpus", corpusDir, "where the corpus is")

func corpusFolder(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(*corpusFlag); err != nil {
		t.Skipf("no corpus here: %v", err)
	}
	return *corpusFlag
}

// checkPinByPath sets what the pin has, its tag or else its digest.
func checkPinByPath(t *testing.T, f *overlay.File, p overlay.Pin) {
	t.Helper()
	there, back := overlay.Change{Path: p.Path}, overlay.Change{Path: p.Path}
	old, now := p.Tag, "v98.76.54-corpus"
	if p.Tag != "" {
		there.Tag, back.Tag = overlay.To(now), overlay.To(p.Tag)
	} else if p.Digest != "" {
		old, now = p.Digest, "sha256:"+strings.Repeat("0a", 32)
		there.Digest, back.Digest = overlay.To(now), overlay.To(p.Digest)
	} else {
		return
	}
	edit, err := f.Set(there)
	if err != nil {
		t.Errorf("set: %v", err)
		return
	}
	before, after := f.Bytes(), edit.After.Bytes()
	a := commonPrefix(before, after)
	z := commonPrefix(reverse(before[a:]), reverse(after[a:]))
	if b, n := string(before[a:len(before)-z]), string(after[a:len(after)-z]); !strings.Contains(old, b) || !strings.Contains(now, n) {
		t.Errorf("%s: %s: %q became %q", f.Name(), p.Path, b, n)
	}
	undo, err := edit.After.Set(back)
	if err != nil || !bytes.Equal(undo.After.Bytes(), before) {
		t.Errorf("%s: %s: setting %q back gives another file: %v", f.Name(), p.Path, old, err)
	}
}

// TestGoldenFormats compares the pins of real files with lists made by reading them.
// The lists name the files by their path in the corpus; see testdata/golden.
func TestGoldenFormats(t *testing.T) {
	lists, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	root := corpusFolder(t)
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "\n\n") {
			lines := strings.Split(strings.TrimSpace(block), "\n")
			if strings.HasPrefix(lines[0], "#") {
				continue
			}
			name := lines[0]
			t.Run(name, func(t *testing.T) {
				src, err := os.ReadFile(filepath.Join(root, name))
				if err != nil {
					t.Fatal(err)
				}
				f, err := overlay.Parse(name, src)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(lines[1:], goldenPins(f)); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

func goldenPins(f *overlay.File) []string {
	out := []string{}
	for _, p := range f.Pins() {
		s := fmt.Sprintf("  %d %s %s", p.Position.Line, p.Type, p.Name)
		if p.NewName != "" {
			s += " => " + p.NewName
		}
		s += " " + p.Tag
		if p.Digest != "" {
			s += "@" + p.Digest
		}
		if p.Policy != "" {
			s += " policy " + p.Policy
		}
		out = append(out, strings.TrimRight(s, " "))
	}
	return out
}
