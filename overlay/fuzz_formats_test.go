package overlay_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
	"golang.org/x/tools/txtar"
)

// FuzzFormats sets each pin of whatever parses. Whatever the text: setting
// nothing gives the same bytes; an edit that is not refused changes no other pin,
// changes nothing when it is made again, and the way back gives the bytes again,
// but for the quotes that a value written as a number gets.
func FuzzFormats(f *testing.F) {
	names := []string{"x.yaml", "kustomization.yaml", ".argocd-source-x.yaml"}
	for _, dir := range []string{"testdata/argo", "testdata/flux", "testdata/kustomization-more"} {
		for _, path := range formatCases(f, dir) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				f.Fatal(err)
			}
			src := ar.Files[0].Data
			for i, name := range names {
				if strings.HasSuffix(ar.Files[0].Name, name[1:]) || i == 0 {
					f.Add(src, uint8(i))
					f.Add(bytes.ReplaceAll(src, []byte("\n"), []byte("\r\n")), uint8(i))
					f.Add(append([]byte("\ufeff"), bytes.TrimRight(src, "\n")...), uint8(i))
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, name uint8) {
		file, err := overlay.Parse(names[int(name)%len(names)], src)
		if err != nil {
			return
		}
		if same, err := file.Set(); err != nil || !bytes.Equal(same.After.Bytes(), src) {
			t.Fatalf("no change is no identity: %v", err)
		}
		paths := make(map[string]bool)
		for i, p := range file.Pins() {
			if paths[p.Path] {
				t.Fatalf("two pins at %s", p.Path)
			}
			paths[p.Path] = true
			if i < 20 {
				fuzzFormatPin(t, file, p)
			}
		}
	})
}

func fuzzFormatPin(t *testing.T, file *overlay.File, p overlay.Pin) {
	const digest = "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
	changes := []overlay.Change{{Path: p.Path, Tag: overlay.To("v2")}, {Path: p.Path, Tag: overlay.To("v2"), Digest: overlay.To(digest)}}
	if p.Policy != "" {
		changes = append(changes, overlay.Change{Policy: p.Policy, NewName: overlay.To("new/name"), Tag: overlay.To("v2"), Digest: overlay.To(digest)})
	}
	for i, c := range changes {
		edit, err := file.Set(c)
		if err != nil || len(edit.Warnings) > 0 {
			continue
		}
		again, err := edit.After.Set(c)
		if err != nil || again.Changed() {
			t.Fatalf("a second time: %v\n%s", err, edit.Diff())
		}
		after := pinsByPath(edit.After)
		for path, q := range pinsByPath(file) {
			if r := after[path]; path != p.Path && i < 2 && q != r {
				t.Fatalf("%v became %v\n%s", q, r, edit.Diff())
			}
		}
		if i == 0 && p.Tag != "" {
			fuzzBack(t, file, edit, p)
		}
	}
}

func pinsByPath(f *overlay.File) map[string]overlay.Pin {
	pins := make(map[string]overlay.Pin)
	for _, p := range f.Pins() {
		p.Position, p.Misread = overlay.Position{}, overlay.Misread{}
		pins[p.Path] = p
	}
	return pins
}

func fuzzBack(t *testing.T, file *overlay.File, edit *overlay.Edit, p overlay.Pin) {
	back, err := edit.After.Set(overlay.Change{Path: p.Path, Tag: overlay.To(p.Tag)})
	if err != nil || len(back.Warnings) > 0 {
		return // such as a revision with a space in it, which is not to be written
	}
	if a, b := pinsByPath(file)[p.Path], pinsByPath(back.After)[p.Path]; a != b {
		t.Fatalf("%v came back as %v", a, b)
	}
}
