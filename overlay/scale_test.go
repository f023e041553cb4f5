package overlay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
)

// manyImages makes files of so many images, in the forms whose edit took the square
// of their number: a new field's quotes were looked for in all entries, a key in all
// of a mapping, a column along the whole line, an anchor's aliases in the whole file.
func manyImages(images int) map[string]string {
	form := func(head, entry, tail string) string {
		var b strings.Builder
		b.WriteString(head)
		for i := range images {
			b.WriteString(strings.ReplaceAll(entry, "#", fmt.Sprint(i)))
		}
		return b.String() + tail
	}
	return map[string]string{
		"kustomization.yaml": form("images:\n", "- name: app#\n  newTag: v1\n", ""),
		"flat.yaml":          form("", "app#Image: r.example.com/app#\napp#ImageTag: v1\n", ""),
		"line.json":          form("{", `"app#": {"image": {"repository": "app#", "tag": "v1"}}, `, `"z": 1}`),
		"anchors.yaml":       form("", "app#: {image: {repository: app#, tag: &a# v1}}\n", ""),
		"documents.yaml":     form("", "---\nkind: Pod\nspec: {containers: [{image: \"app#:v1\"}]}\n", ""),
	}
}

// A file of 16,000 images took a minute, one of 100,000 did not end.
func TestSetManyImages(t *testing.T) {
	const images = 16_000
	for name, text := range manyImages(images) {
		f, err := overlay.Parse(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var changes []overlay.Change
		for _, p := range f.Images() {
			changes = append(changes, overlay.Change{Name: p.Name, Tag: overlay.To("v2"), Digest: overlay.To("sha256:" + strings.Repeat("a", 64))})
		}
		edit, err := f.Set(changes...)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(edit.After.Bytes()), "sha256:"); n != images || len(f.Images()) != images {
			t.Errorf("%s: %d images, %d digests", name, len(f.Images()), n)
		}
	}
}

// 60 MB of short values took 8 GB of memory.
func TestTooManyValues(t *testing.T) {
	_, err := overlay.Parse("v.yaml", []byte(strings.Repeat("- a\n", 1_600_000)))
	if err == nil || err.Error() != "v.yaml: is too large: it holds more than 3 million values" {
		t.Error(err)
	}
}

func BenchmarkSetAll(b *testing.B) {
	for _, images := range []int{1000, 16_000} {
		text := []byte(manyImages(images)["kustomization.yaml"])
		b.Run(fmt.Sprintf("images=%d", images), func(b *testing.B) {
			for b.Loop() {
				f, err := overlay.Parse("kustomization.yaml", text)
				if err != nil {
					b.Fatal(err)
				}
				var changes []overlay.Change
				for _, p := range f.Images() {
					changes = append(changes, overlay.Change{Name: p.Name, Digest: overlay.To("sha256:" + strings.Repeat("a", 64))})
				}
				if _, err := f.Set(changes...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
