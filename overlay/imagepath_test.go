package overlay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/overlay"
	"go.yaml.in/yaml/v3"
)

// shown are the images of a file, in one line each: name, reference, path, and why
// the repository is not known.
func shown(f *overlay.File) []string {
	var out []string
	for _, p := range f.Images() {
		line := fmt.Sprintf("%s %s %s", p.Path, p.Name, p.Ref())
		if !p.Known() {
			line += "; " + p.Unknown
		}
		out = append(out, line)
	}
	return out
}

const (
	oneDigest = "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
	twoDigest = "sha256:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
	notInFile = "its repository is not in this file (a repository declared with its path would name it)"
)

func TestImagePaths(t *testing.T) {
	at := func(path, name, repository string) []overlay.ImagePath {
		return []overlay.ImagePath{{Path: path, Name: name, Repository: repository}}
	}
	for _, tc := range []struct {
		name, src string
		images    []overlay.ImagePath
		want      []string
		edited    string // with tag v9
	}{
		{"a tag of a repository", "web: {tag: v1} # keep\n", at("web.tag", "", "r.io/a/web"), []string{"web.tag r.io/a/web r.io/a/web:v1"}, "web: {tag: v9} # keep\n"},
		{"with a name", "V: v1\n", at("V", "web", "r.io/a/web"), []string{"V web r.io/a/web:v1"}, "V: v9\n"},
		{"a name alone", "V: v1\n", at("V", "web", ""), []string{"V web web:v1; " + notInFile}, "V: v9\n"},
		{"a number", "V: 1.20\n", at("V", "", "r.io/web"), []string{"V r.io/web r.io/web:1.20"}, "V: v9\n"},
		{"tag and digest", "V: v1@" + oneDigest + "\n", at("V", "", "r.io/web"), []string{"V r.io/web r.io/web:v1@" + oneDigest}, ""},
		{"a digest", "V: " + oneDigest + "\n", at("V", "", "r.io/web"), []string{"V r.io/web r.io/web@" + oneDigest}, ""},
		{"a whole reference", "V: q.io/web:v1\n", at("V", "", "r.io/web"), []string{"V q.io/web q.io/web:v1"}, "V: q.io/web:v9\n"},
		{"a variable", "V: ${TAG}\n", at("V", "", "r.io/web"), nil, ""},
		{"a mapping", "services:\n  cart: {tag: v1}\n", at("services.cart", "", "r.io/cart"), []string{"services.cart r.io/cart r.io/cart:v1"}, "services:\n  cart: {tag: v9}\n"},
		{"all items", "s: [{n: a, v: v1}, {n: b, v: v1}]\n", at("s[*].v", "", "r.io/x"), []string{"s[0].v r.io/x r.io/x:v1", "s[1].v r.io/x r.io/x:v1"}, "s: [{n: a, v: v9}, {n: b, v: v9}]\n"},
		{"a block that is found without its name", "image:\n  tag: v1\n", at("image.tag", "web", "r.io/web"), []string{"image web r.io/web:v1"}, "image:\n  tag: v9\n"},
		{"the block itself", "image:\n  tag: v1\n", at("image", "", "r.io/web"), []string{"image r.io/web r.io/web:v1"}, "image:\n  tag: v9\n"},
		{"what the file knows by itself", "image: {repository: q.io/web, tag: v1}\n", at("image.tag", "x", "r.io/web"), []string{"image q.io/web q.io/web:v1"}, ""},
		{"a tag of a block is no image", "image: {repository: q.io/web, tag: v1}\n", at("image.tag", "", ""), []string{"image q.io/web q.io/web:v1"}, ""},
		{"a marker", "kind: X\nV: v1 # {\"$imagepolicy\": \"a:b:tag\"}\n", at("V", "", "r.io/web"), []string{"V r.io/web r.io/web:v1"}, ""},
		{"a path alone", "a: {image: q.io/web:v1}\n", at("a.image", "", ""), []string{"a.image q.io/web q.io/web:v1"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, err := overlay.Options{Images: tc.images}.Parse("values.yaml", []byte(tc.src))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, shown(f)); d != "" {
				t.Error(d)
			}
			if tc.edited == "" {
				return
			}
			var changes []overlay.Change
			for _, p := range f.Images() {
				changes = append(changes, overlay.Change{Path: p.Path, Tag: overlay.To("v9")})
			}
			edit, err := f.Set(changes...)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(edit.After.Bytes()); got != tc.edited {
				t.Errorf("got %q, want %q", got, tc.edited)
			}
		})
	}
}

func TestImagePathForms(t *testing.T) {
	var got []overlay.ImagePath
	if err := yaml.Unmarshal([]byte("[spec.image, {path: V, name: web, repository: r.io/web}]"), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]overlay.ImagePath{{Path: "spec.image"}, {Path: "V", Name: "web", Repository: "r.io/web"}}, got); d != "" {
		t.Error(d)
	}
}

func TestImagePathFaults(t *testing.T) {
	for _, tc := range []struct {
		image overlay.ImagePath
		want  string
	}{
		{overlay.ImagePath{}, `path "" names nothing`},
		{overlay.ImagePath{Path: "V", Name: "a b"}, `name "a b" of an image is malformed`},
		{overlay.ImagePath{Path: "V", Repository: "r.io/web:v1"}, `repository "r.io/web:v1" of an image is malformed`},
		{overlay.ImagePath{Path: "V", Repository: "https://u:secret@r.io/web"}, "is malformed"},
	} {
		_, err := overlay.Options{Images: []overlay.ImagePath{tc.image}}.Parse("x.yaml", []byte("V: v1\n"))
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v", tc.image, err)
		}
	}
}
