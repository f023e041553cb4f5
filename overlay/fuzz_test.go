package overlay_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
	"golang.org/x/tools/txtar"
)

// FuzzSet edits whatever parses. Whatever the text: setting nothing gives the
// same bytes; an edit that is not refused leaves every other image alone, keeps
// its promise about this one, and changes nothing when it is made again.
func FuzzSet(f *testing.F) {
	for _, path := range cases(f) {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range ar.Files {
			f.Add(file.Data, "web", "v2")
			f.Add(bytes.ReplaceAll(file.Data, []byte("\n"), []byte("\r\n")), "api", "1.20")
			f.Add(append([]byte("\ufeff"), bytes.TrimRight(file.Data, "\n")...), "zoo", "0123")
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, name, tag string) {
		file, err := overlay.Parse("kustomization.yaml", src)
		if err != nil {
			return
		}
		if same, err := file.Set(); err != nil || !bytes.Equal(same.After.Bytes(), src) {
			t.Fatalf("no change is no identity: %v", err)
		}
		for _, c := range []overlay.Change{
			{Name: name, Tag: overlay.To(tag), Create: true},
			{Name: name, NewName: overlay.To(""), TagSuffix: overlay.To(""), Tag: overlay.To(""),
				Digest: overlay.To("sha256:" + strings.Repeat("0a", 32)), Create: true},
		} {
			checkEdit(t, file, c)
		}
	})
}

func checkEdit(t *testing.T, file *overlay.File, c overlay.Change) {
	edit, err := file.Set(c)
	if err != nil {
		return
	}
	reread, err := overlay.Parse(file.Name(), edit.After.Bytes())
	if err != nil {
		t.Fatalf("%v in\n%q", err, edit.After.Bytes())
	}
	if len(edit.Warnings) > 0 {
		return // the aliases of an anchor follow: other images may change
	}
	before := map[string]overlay.Pin{}
	for _, i := range file.Images() {
		i.Position = overlay.Position{}
		before[i.Name] = i
	}
	for _, i := range reread.Images() {
		i.Position = overlay.Position{}
		if i.Name != c.Name && i != before[i.Name] {
			t.Fatalf("%v became %v", before[i.Name], i)
		}
	}
	again, err := reread.Set(c)
	if err != nil || again.Changed() {
		t.Fatalf("a second time: %v", err)
	}
}

// FuzzParseArgument: no panic, and what is accepted can be applied.
func FuzzParseArgument(f *testing.F) {
	for _, path := range cases(f) {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(ar.Comment)) {
			if arg, ok := strings.CutPrefix(strings.TrimSpace(line), "set "); ok {
				f.Add(arg)
			}
		}
	}
	file, err := overlay.Parse("kustomization.yaml", []byte("images:\n- name: web\n  newName: x\n  newTag: v1\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		c, err := overlay.ParseArgument(arg)
		if err != nil {
			return
		}
		if _, err := file.Set(c); err != nil {
			t.Fatalf("%q is accepted and cannot be applied: %v", arg, err)
		}
	})
}
