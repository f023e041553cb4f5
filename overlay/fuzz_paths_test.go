package overlay_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
	"golang.org/x/tools/txtar"
)

// FuzzPaths asks whatever parses for what stands at any path. A scalar that is found
// is found again alone by the path that it is given; images within a path are images
// of the file; what is declared there, over any base, is edited like all others.
func FuzzPaths(f *testing.F) {
	for _, path := range formatCases(f, "testdata/values") {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(ar.Files[0].Data, []byte("image: {registry: r.io, repository: a, tag: x}\n"), "*", "r.io/x")
		f.Add(ar.Files[0].Data, ar.Files[0].Data, "image.tag", "")
	}
	f.Add([]byte(oneForAll), []byte(oneForAll), "services.*", "r.io/x")
	f.Add([]byte(applicationSet), []byte(applicationSet), "spec.generators[*].list.elements[env=*]", "")
	f.Add([]byte(envFile), []byte(""), `API_IMAGE_TAG`, "r.io/x")
	f.Add([]byte("a: {\"*\": x, \".\": y}\n"), []byte(""), `.`, "")
	f.Fuzz(func(t *testing.T, src, below []byte, path, repository string) {
		base, err := overlay.Parse("values.yaml", below)
		if err != nil {
			base = nil
		}
		for _, name := range []string{"x", ".env", "x.yaml"} {
			file, err := overlay.Parse(name, src)
			if err != nil {
				continue
			}
			fuzzAt(t, file, path)
			o := overlay.Options{Base: base, Images: []overlay.ImagePath{{Path: path, Name: "n", Repository: repository}}}
			if file, err = o.Parse(name, src); err != nil {
				continue
			}
			if same, err := file.Set(); err != nil || !bytes.Equal(same.After.Bytes(), src) {
				t.Fatalf("no change is no identity: %v", err)
			}
			for i, p := range file.Images() {
				if p.Repository() == "" || i < 10 && p.Name == "" {
					t.Fatalf("%+v", p)
				}
				if i < 10 {
					fuzzFormatPin(t, file, p)
				}
			}
		}
	})
}

func fuzzAt(t *testing.T, file *overlay.File, path string) {
	for i, s := range file.Scalars(path) {
		if i == 10 {
			break
		}
		again := file.Scalars(s.Path)
		if overlay.CheckPath(s.Path) == nil && (len(again) != 1 || again[0] != s) {
			t.Fatalf("%+v is found again as %+v", s, again)
		}
	}
	pins, err := file.ImagesWithin(path)
	var at *overlay.Error
	if err != nil && !errors.As(err, &at) {
		t.Fatalf("%v has no place", err)
	}
	for _, p := range pins {
		if got, ok := file.ImageAt(p.Path); !ok || got != p {
			t.Fatalf("%+v is no image of the file", p)
		}
	}
	file.KeysAt(path)
}
