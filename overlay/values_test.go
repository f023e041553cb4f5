package overlay_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/overlay"
	"golang.org/x/tools/txtar"
)

// TestGolden compares what is listed in real files with what their reader sees.
// The lists were written by reading the files; the files are not here.
func TestGolden(t *testing.T) {
	if _, err := os.Stat(corpusDir); err != nil {
		t.Skipf("no corpus here: %v", err)
	}
	ar, err := txtar.ParseFile("testdata/values/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range ar.Files {
		src := readValues(t, filepath.Join(corpusDir, want.Name))
		f, err := overlay.Parse("values.yaml", src)
		if err != nil {
			t.Errorf("%s: %v", want.Name, err)
			continue
		}
		var got strings.Builder
		for _, p := range f.Images() {
			tag, digest := p.Tag, strings.TrimPrefix(p.Digest, "sha256:")
			fmt.Fprintln(&got, strings.TrimRight(fmt.Sprintf("%s %s %.8s", p.Name, tag, digest), " "))
		}
		if d := cmp.Diff(string(want.Data), got.String()); d != "" {
			t.Errorf("%s: %s", want.Name, d)
		}
	}
}

var specValues = regexp.MustCompile(`(?m)^  values:\n((?:    .*\n|\n)+)`)

// readValues reads a values file, or the values of a HelmRelease as a text of
// their own. Some of them use anchors of the text around them, which are added.
func readValues(t *testing.T, path string) []byte {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := specValues.FindSubmatch(src)
	if m == nil {
		return src
	}
	values := regexp.MustCompile(`(?m)^    `).ReplaceAll(m[1], nil)
	for i, alias := range regexp.MustCompile(`\*(\w+)\n`).FindAllSubmatch(values, -1) {
		if !bytes.Contains(values, append([]byte("&"), alias[1]...)) {
			values = append(fmt.Appendf(nil, "outside%d: &%s x\n", i, alias[1]), values...)
		}
	}
	return values
}

// TestCorpusPins sets the tag of every image in every real file, a pin at a time:
// only bytes of the value may differ, and setting it back gives the file, but for
// quotes around what a tag written as a number gets.
func TestCorpusPins(t *testing.T) {
	if _, err := os.Stat(corpusDir); err != nil {
		t.Skipf("no corpus here: %v", err)
	}
	files, refused, images := 0, 0, 0
	err := filepath.WalkDir(corpusDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") || strings.Contains(path, "/kustomization/") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		texts := [][]byte{src}
		if specValues.Match(src) {
			texts = append(texts, readValues(t, path))
		}
		for _, src := range texts {
			files++
			f, err := overlay.Parse(path, src)
			if err != nil {
				refused++
				t.Logf("refused: %v", err)
				continue
			}
			for _, p := range f.Images() {
				images++
				checkPin(t, f, p)
			}
		}
		return nil
	})
	t.Logf("%d files, %d images set and set back, %d files refused", files, images, refused)
	if err != nil || images == 0 {
		t.Errorf("%d images: %v", images, err)
	}
}

func checkPin(t *testing.T, f *overlay.File, p overlay.Pin) {
	t.Helper()
	const tag = "v98.76.54-corpus"
	if p.Tag == "" {
		return
	}
	edit, err := f.Set(overlay.Change{Path: p.Path, Tag: overlay.To(tag)})
	if err != nil {
		t.Errorf("set: %v", err)
		return
	}
	before, after := f.Bytes(), edit.After.Bytes()
	n := commonPrefix(before, after)
	s := commonPrefix(reverse(before[n:]), reverse(after[n:]))
	old, now := string(before[n:len(before)-s]), string(after[n:len(after)-s])
	if !strings.Contains(p.Tag, old) || !strings.Contains(tag, now) {
		t.Errorf("%s: %s: %q became %q", f.Name(), p.Path, old, now)
	}
	back, err := edit.After.Set(overlay.Change{Path: p.Path, Tag: overlay.To(p.Tag)})
	if err != nil {
		t.Errorf("back: %v", err)
		return
	}
	if got := back.After.Bytes(); !bytes.Equal(got, before) {
		quoted := bytes.Replace(got, []byte(`"`+p.Tag+`"`), []byte(p.Tag), 1)
		if !bytes.Equal(quoted, before) {
			t.Errorf("%s: %s: setting the tag back gives another file:\n%s", f.Name(), p.Path, back.Diff())
		}
	}
}

// FuzzManifest and FuzzValues edit whatever parses: setting nothing gives the
// same bytes; an edit that is not refused keeps its promise, leaves other pins
// alone, changes nothing a second time, and can be taken back.
func FuzzManifest(f *testing.F) { fuzzPins(f, "manifest", "pod.yaml") }

func FuzzValues(f *testing.F) { fuzzPins(f, "values", "values.yaml") }

func fuzzPins(f *testing.F, folder, name string) {
	for _, path := range casesIn(f, folder) {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		src := ar.Files[0].Data
		f.Add(src, uint8(0), "v2", true)
		f.Add(bytes.ReplaceAll(src, []byte("\n"), []byte("\r\n")), uint8(1), "1.20", false)
		f.Add(append([]byte("\ufeff"), bytes.TrimRight(src, "\n")...), uint8(2), "0123", true)
	}
	f.Fuzz(func(t *testing.T, src []byte, index uint8, tag string, digest bool) {
		file, err := overlay.Options{Images: overlay.ImagePaths("spec.image", "image")}.Parse(name, src)
		if err != nil {
			return
		}
		if same, err := file.Set(); err != nil || !bytes.Equal(same.After.Bytes(), src) {
			t.Fatalf("no change is no identity: %v", err)
		}
		seen := make(map[string]bool)
		for _, p := range file.Pins() {
			if seen[p.Path] {
				t.Fatalf("two pins at %s", p.Path)
			}
			seen[p.Path] = true
		}
		if len(file.Images()) == 0 {
			return
		}
		p := file.Images()[int(index)%len(file.Images())]
		c := overlay.Change{Path: p.Path, Tag: overlay.To(tag)}
		if digest {
			c.Digest = overlay.To("sha256:" + strings.Repeat("0a", 32))
		}
		fuzzPin(t, file, p, c)
		c.Name, c.Path = p.Name, ""
		fuzzPin(t, file, p, c)
	})
}

// fuzzPin makes a change that concerns a pin, again, and back.
func fuzzPin(t *testing.T, file *overlay.File, p overlay.Pin, c overlay.Change) {
	edit, err := file.Set(c)
	if err != nil {
		return
	}
	again, err := edit.After.Set(c)
	if err != nil || again.Changed() {
		t.Fatalf("a second time: %v", err)
	}
	if len(edit.Warnings) > 0 {
		return // the aliases of an anchor follow: other pins may change
	}
	before := make(map[string]overlay.Pin)
	for _, q := range file.Pins() {
		before[q.Path] = q
	}
	for _, q := range edit.After.Pins() {
		b := before[q.Path]
		b.Position = q.Position
		if asked := q.Path == c.Path || c.Path == "" && b.Name == c.Name && b.Type == overlay.TypeImage; !asked && q != b {
			t.Fatalf("%v became %v", b, q)
		}
	}
	back, err := setBack(edit, false)
	if err != nil {
		return // what was malformed for a change, or a merged value, stays as set
	}
	if list(back.After) != list(file) {
		t.Fatalf("%v and back: %s", c, cmp.Diff(list(file), list(back.After)))
	}
	if p.Tag == "" || bytes.Equal(back.After.Bytes(), file.Bytes()) {
		return
	}
	// What may differ is the style of a value alone.
	bare := strings.NewReplacer(`"`, "", "'", "", "\r", "", "\n", "", " ", "")
	if a, b := bare.Replace(string(file.Bytes())), bare.Replace(string(back.After.Bytes())); len(a) == len(b) && a != b {
		t.Fatalf("%v and back gives\n%s", c, back.Diff())
	}
}
