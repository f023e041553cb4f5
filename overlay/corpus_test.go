package overlay_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
)

// corpusDir holds real files of public repositories. They are not part of this
// project; the folder stands beside a checkout where they have been fetched.
const corpusDir = "../../shared/corpus"

// TestCorpus sets every tag of every real kustomization file to another value.
// Exactly the value's bytes may differ, and setting it back gives the file.
func TestCorpus(t *testing.T) {
	root := filepath.Join(corpusDir, "kustomization")
	if _, err := os.Stat(root); err != nil {
		t.Skipf("no corpus here: %v", err)
	}
	files, tags, refused := 0, 0, 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		f, err := overlay.Parse(path, src)
		if err != nil {
			refused++
			t.Logf("refused: %v", err)
			return nil
		}
		for _, img := range f.Images() {
			if img.Tag != "" {
				tags++
				checkOneTag(t, f, img)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d tags set and set back, %d files refused", files, tags, refused)
	if files == 0 || tags == 0 {
		t.Error("the corpus folder holds no kustomization with a tag")
	}
}

func checkOneTag(t *testing.T, f *overlay.File, img overlay.Pin) {
	t.Helper()
	const tag = "v98.76.54-corpus"
	edit, err := f.Set(overlay.Change{Name: img.Name, Tag: overlay.To(tag)})
	if err != nil {
		t.Errorf("set: %v", err)
		return
	}
	before, after := f.Bytes(), edit.After.Bytes()
	p := commonPrefix(before, after)
	s := commonPrefix(reverse(before[p:]), reverse(after[p:]))
	old, now := string(before[p:len(before)-s]), string(after[p:len(after)-s])
	if !strings.Contains(img.Tag, old) || !strings.Contains(tag, now) {
		t.Errorf("%s: image %q: %q became %q", f.Name(), img.Name, old, now)
	}
	back, err := edit.After.Set(overlay.Change{Name: img.Name, Tag: overlay.To(img.Tag)})
	if err != nil {
		t.Errorf("set back: %v", err)
		return
	}
	if !bytes.Equal(back.After.Bytes(), before) {
		t.Errorf("%s: image %q: setting the tag back gives another file:\n%s", f.Name(), img.Name, back.Diff())
	}
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func reverse(b []byte) []byte {
	r := make([]byte, len(b))
	for i, c := range b {
		r[len(b)-1-i] = c
	}
	return r
}
