package e2e

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/types"
)

// corpus holds real kustomization files, beside the project where it is there.
var corpus = filepath.Join("..", "..", "shared", "corpus", "kustomization")

// outcome counts what one editor did to all files.
type outcome struct{ files, added, removed, oneLine int }

func (o *outcome) add(added, removed int) {
	o.files++
	o.added += added
	o.removed += removed
	if added == 1 && removed == 1 {
		o.oneLine++
	}
}

func (o *outcome) row(name string) string {
	n := float64(max(o.files, 1))
	return fmt.Sprintf("%-16s %5d  −%4.1f / +%4.1f   %3.0f %%", name, o.files, float64(o.removed)/n, float64(o.added)/n, 100*float64(o.oneLine)/n)
}

// TestCorpus sets one existing newTag in real files with both programs: the
// results mean the same, and ours differs in one line.
func TestCorpus(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(corpus); err != nil {
		t.Skipf("no files to try: %v", err)
	}
	d := newDifferential(t)
	var ours, theirs outcome
	left := make(map[string]int) // files that do not count, by reason
	tried := 0
	err := filepath.WalkDir(corpus, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		tried++
		images, twice, err := meaning(file)
		image := firstTagged(images, read(t, file))
		switch {
		case err != nil:
			left["kustomize cannot read it"]++
		case twice != "":
			left["a name stands twice"]++
		case image.Name == "":
			left["no newTag"]++
		default:
			d.one(file, image, &ours, &theirs)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if ours.files == 0 || ours.files < tried/2 {
		t.Errorf("%d of %d files were compared", ours.files, tried)
	}
	if ours.oneLine != ours.files {
		t.Errorf("of %d files, %d differ in other than one line", ours.files, ours.files-ours.oneLine)
	}
	t.Logf("setting one existing newTag\n%-16s files  mean lines     one line only\n%s\n%s\nnot compared: %v",
		"", ours.row("kubectl-promote"), theirs.row("kustomize"), left)
}

// firstTagged gives the entry with a tag that stands first in the file.
func firstTagged(images map[string]types.Image, text string) types.Image {
	best, at := types.Image{}, len(text)
	for _, i := range images {
		place := regexp.MustCompile(`name: *["']?` + regexp.QuoteMeta(i.Name) + `["']?\s`).FindStringIndex(text)
		if i.NewTag != "" && place != nil && place[0] < at {
			best, at = i, place[0]
		}
	}
	return best
}

// one sets the tag of one image in one file.
func (d *differential) one(file string, image types.Image, ours, theirs *outcome) {
	d.Helper()
	text := read(d.T, file)
	original := filepath.Join(d.dir, "original")
	our, their := filepath.Join(d.dir, "ours", "kustomization.yaml"), filepath.Join(d.dir, "theirs", "kustomization.yaml")
	for _, f := range []string{original, our, their} {
		write(d.T, f, text)
	}
	arg := image.Name + "=*:e2e-1@*"
	if image.TagSuffix != "" {
		d.Errorf("%s: has a tagSuffix, which the argument drops", file)
	}
	d.in(filepath.Dir(their)).run("kustomize", "edit", "set", "image", arg)
	if status, _, stderr := d.try("kubectl-promote", "set", "-f", our, arg); status != 0 {
		d.Errorf("%s: set %s: exit status %d: %s", file, arg, status, stderr)
		return
	}
	want, _, err := meaning(their)
	if err != nil {
		d.Fatal(err)
	}
	got, _, err := meaning(our)
	if err != nil || !maps.Equal(got, want) || got[image.Name].NewTag != "e2e-1" {
		d.Errorf("%s: set %s: %v\nours:\n%s\nkustomize's:\n%s", file, arg, err, read(d.T, our), read(d.T, their))
	}
	ours.add(d.numstat(original, our))
	theirs.add(d.numstat(original, their))
}

// numstat counts the lines that differ, by git's account.
func (d *differential) numstat(a, b string) (added, removed int) {
	d.Helper()
	_, out, stderr := d.try("git", "diff", "--no-index", "--numstat", "--", a, b)
	if out == "" {
		return 0, 0
	}
	if _, err := fmt.Sscanf(strings.TrimSpace(out), "%d %d", &added, &removed); err != nil {
		d.Fatalf("git diff --numstat: %q %s", out, stderr)
	}
	return added, removed
}
