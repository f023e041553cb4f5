package main

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The listing has what importers can name, and nothing that they cannot.
func TestListAPI(t *testing.T) {
	t.Chdir(t.TempDir())
	files := map[string]string{
		"overlay/a.go": `// Package overlay is documented.
package overlay

// T is documented.
type T struct {
	Shown  int // behind the field
	hidden int
}

// New is documented.
func New() *T { return &T{hidden: helper()} }

func (t *T) Method(n int) error { return nil }
func (t *T) private()           {}
func helper() int               { return 1 }

const Answer = 42
const secret = 43
`,
		"overlay/a_windows.go":      "package overlay\n\nfunc OnlyThere() {}\n",
		"overlay/a_test.go":         "package overlay\n\nfunc Tested() {}\n",
		"overlay/internal/in.go":    "package internal\n\nfunc Inside() {}\n",
		"overlay/testdata/bad/x.go": "no Go",
	}
	for _, lib := range libraries[1:] {
		files[lib+"/x.go"] = "package x\n"
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	packages, err := publicPackages(".")
	if err != nil || strings.Join(packages, " ") != strings.Join(libraries, " ") {
		t.Errorf("%v, %v", packages, err)
	}
	got, err := listAPI("overlay")
	const want = `package overlay // import "github.com/kubepromote/kubepromote/overlay"

const Answer = 42

type T struct {
	Shown int
	// contains filtered or unexported fields
}

    func New() *T

    func (t *T) Method(n int) error
`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
}

// There is a page for each command, without a date and without anything of the
// machine, and a second run gives the same.
func TestManual(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	first, second := t.TempDir(), t.TempDir()
	for _, dir := range []string{first, second} {
		if err := writeManual(dir); err != nil {
			t.Fatal(err)
		}
	}
	pages, err := os.ReadDir(first)
	if err != nil || len(pages) < 15 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, p := range pages {
		a, err := os.ReadFile(filepath.Join(first, p.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(second, p.Name()))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: two runs differ: %v", p.Name(), err)
		}
		if !bytes.Contains(a, []byte(`" "1" "" "kubepromote" "kubectl promote"`)) || bytes.Contains(a, []byte("1970")) || bytes.Contains(a, []byte("2023")) {
			t.Errorf("%s has a date:\n%.200s", p.Name(), a)
		}
		if home, err := os.UserHomeDir(); err == nil && bytes.Contains(a, []byte(home+"/")) {
			t.Errorf("%s names %s", p.Name(), home)
		}
	}
}

// A step that the planner gets, or loses, is one that the picture has to show, or must not.
func TestPlannedSteps(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.go")
	text := "package promote\n\nfunc (p *P) Plan() {\n\tfor _, step := range []func(){w.read, w.guess} {\n\t\tstep()\n\t}\n\tfor _, x := range []func(){w.other} {\n\t\tx()\n\t}\n}\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := plannedSteps(file); err != nil || strings.Join(got, " ") != "read guess" {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.WriteFile(file, []byte("package promote\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := plannedSteps(file); err == nil {
		t.Errorf("without a list: %q", got)
	}
	t.Chdir("../..")
	svg, err := drawSteps()
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(svg, new(struct{ XMLName xml.Name })); err != nil {
		t.Error(err)
	}
}

func TestCompare(t *testing.T) {
	kept, fresh := t.TempDir(), t.TempDir()
	for _, f := range []struct{ dir, name, text string }{
		{kept, "same", "x"}, {fresh, "same", "x"}, {kept, "changed", "x"}, {fresh, "changed", "y"}, {kept, "gone", "x"}, {fresh, "new", "x"},
	} {
		if err := os.WriteFile(filepath.Join(f.dir, f.name), []byte(f.text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := compare(kept, fresh); err == nil || !strings.Contains(err.Error(), ": changed, gone, new\nhint: make generate") {
		t.Errorf("%v", err)
	}
	if err := compare(fresh, fresh); err != nil {
		t.Error(err)
	}
}

// What is another one at each run is not in the recording, and a scene fits it.
func TestRecording(t *testing.T) {
	text := "\n# A registry runs on 127.0.0.1:1.\n\n# One.\n$ git init\n$ kubectl promote <b>\n[main 0efe31962] promote(x)\nindex 1..2 100644\n" + strings.Repeat("word ", 30) + "\n"
	all := scenes(steady(text+"at 127.0.0.1:4711/shop /tmp/x/shop/apps\n", "/tmp/x/shop"))
	if len(all) != 1 {
		t.Fatalf("%d scenes", len(all))
	}
	svg, err := drawScenes(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, not := range []string{"git init", "0efe31962", "index 1", "4711", "/tmp/x", "<b>", "A registry"} {
		if bytes.Contains(svg, []byte(not)) {
			t.Errorf("%q is in it:\n%s", not, svg)
		}
	}
	if err := xml.Unmarshal(svg, new(struct{})); err != nil {
		t.Error(err)
	}
	if _, err := drawScenes([]scene{{lines: make([]string, mostLines+1)}}); err == nil {
		t.Error("a scene without room is drawn")
	}
}
