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

// TestManifest and TestHelmValues run the cases of testdata/manifest and
// testdata/values. Each archive's comment says what it is about and holds lines
// of these forms:
//
//	pin NAME TAG DIGEST     tag and digest alone; "-" removes one, "=" keeps it
//	path PATH TAG DIGEST    the same for a pin by its path
//	name NAME NEW           another repository
//	declare PATH            a path of Options.Images
//	follow                  with FollowAliases
//	crlf                    the file's lines end in CRLF
//	normalises              setting the values back gives other bytes, but the
//	                        same pins; the comment says why
//
// Its first file is edited. The file "pins" is what is listed before; "want" is
// the text afterwards, or "error" is what is said instead. In every other case
// setting the old values again gives the old bytes.
func TestManifest(t *testing.T) { runCases(t, "manifest") }

func TestHelmValues(t *testing.T) { runCases(t, "values") }

func runCases(t *testing.T, folder string) {
	for _, path := range casesIn(t, folder) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := runCase(t, ar.Files[0], string(ar.Comment))
			if *update {
				ar.Files = append(ar.Files[:1:1], got...)
				if err := os.WriteFile(path, txtar.Format(ar), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(files(ar.Files[1:]), files(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func files(fs []txtar.File) map[string]string {
	m := make(map[string]string)
	for _, f := range fs {
		m[f.Name] = string(f.Data)
	}
	return m
}

func casesIn(t testing.TB, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	return paths
}

// script is a case's comment, read.
type script struct {
	request          overlay.Request
	options          overlay.Options
	crlf, normalises bool
	renames          bool
}

func readScript(t *testing.T, text string) script {
	var s script
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		var c overlay.Change
		switch {
		case len(w) == 4 && (w[0] == "pin" || w[0] == "path"):
			c.Name = w[1]
			if w[0] == "path" {
				c.Name, c.Path = "", w[1]
			}
			c.Tag, c.Digest = wish(w[2]), wish(w[3])
		case len(w) == 3 && w[0] == "name":
			c.Name, c.NewName, s.renames = w[1], overlay.To(w[2]), true
		case len(w) == 2 && w[0] == "declare":
			s.options.Images = append(s.options.Images, overlay.ImagePath{Path: w[1]})
			continue
		case len(w) == 1:
			s.request.FollowAliases = s.request.FollowAliases || w[0] == "follow"
			s.crlf = s.crlf || w[0] == "crlf"
			s.normalises = s.normalises || w[0] == "normalises"
			continue
		default:
			continue
		}
		s.request.Changes = append(s.request.Changes, c)
	}
	return s
}

func wish(word string) overlay.Value {
	switch word {
	case "=":
		return overlay.Value{}
	case "-":
		return overlay.To("")
	case "d1", "d2":
		return overlay.To("sha256:" + strings.Repeat(strings.TrimPrefix(word, "d"), 64))
	}
	return overlay.To(word)
}

func runCase(t *testing.T, in txtar.File, comment string) []txtar.File {
	s := readScript(t, comment)
	if s.crlf {
		in.Data = bytes.ReplaceAll(in.Data, []byte("\n"), []byte("\r\n"))
	}
	f, err := s.options.Parse(in.Name, in.Data)
	if err != nil {
		return []txtar.File{{Name: "error", Data: []byte(message(err))}}
	}
	pins := txtar.File{Name: "pins", Data: []byte(list(f))}
	edit, err := f.Edit(s.request)
	if err != nil {
		return []txtar.File{pins, {Name: "error", Data: []byte(message(err))}}
	}
	again, err := edit.After.Edit(s.request)
	if s.renames {
		again, err = edit.After.Set() // the old name is gone
	}
	if err != nil || again.Changed() || len(again.Changes) > 0 {
		t.Errorf("a second time: %v\n%v", err, again)
	}
	back, err := setBack(edit, s.request.FollowAliases)
	switch {
	case err != nil:
		t.Errorf("back: %v", err)
	case s.normalises == bytes.Equal(back.After.Bytes(), in.Data):
		t.Errorf("normalises: %v, but back gives\n%s", s.normalises, back.Diff())
	case list(back.After) != list(f):
		t.Errorf("back gives other pins:\n%s", cmp.Diff(list(f), list(back.After)))
	}
	after := edit.After.Bytes()
	if s.crlf {
		if bytes.Count(after, []byte("\n")) != bytes.Count(after, []byte("\r\n")) {
			t.Error("a line lost its CR")
		}
		after = bytes.ReplaceAll(after, []byte("\r\n"), []byte("\n"))
	}
	out := []txtar.File{pins, {Name: "want", Data: after}}
	if len(edit.Warnings) > 0 {
		out = append(out, txtar.File{Name: "warnings", Data: []byte(strings.Join(edit.Warnings, "\n") + "\n")})
	}
	return out
}

// setBack gives every pin that an edit changed the values that it had.
func setBack(edit *overlay.Edit, follow bool) (*overlay.Edit, error) {
	now := make(map[string]overlay.Pin)
	for _, p := range edit.After.Pins() {
		now[p.Path] = p
	}
	r := overlay.Request{FollowAliases: follow}
	for _, p := range edit.Before.Pins() {
		n := now[p.Path]
		c := overlay.Change{Path: p.Path, Tag: overlay.To(p.Tag), Digest: overlay.To(p.Digest)}
		if n.Name != p.Name && p.Name != p.Path {
			c.NewName = overlay.To(p.Name)
		}
		if n.Ref() != p.Ref() {
			r.Changes = append(r.Changes, c)
		}
	}
	return edit.After.Edit(r)
}

// list gives a file's pins, a line each, without their places.
func list(f *overlay.File) string {
	var b strings.Builder
	for _, p := range f.Pins() {
		fmt.Fprintf(&b, "%s %s: name %s", p.Format, p.Path, p.Name)
		if p.Tag != "" {
			fmt.Fprintf(&b, ", tag %s", p.Tag)
		}
		if p.Digest != "" {
			fmt.Fprintf(&b, ", digest %.10s…%s", p.Digest, p.Digest[max(0, len(p.Digest)-3):])
		}
		b.WriteString("\n")
	}
	return b.String()
}
