package kubectl

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/kubepromote/kubepromote/plugins/kubectl/internal/loopback"
)

// guideRegistry is the registry of the guides. It is as long as the address of the real one,
// mostly, so that columns stand below one another.
const guideRegistry = "img.example.com"

// TestGuides types what the guides say to type, in the repository that they begin with, and
// holds what is printed against what they show: all but hashes, ages, dates and widths of columns. A
// block "console" has lines that begin with "$ ", and what each prints below it. With -update
// what is printed now is written into them.
func TestGuides(t *testing.T) {
	for _, guide := range []struct{ name, start string }{{"start", "start"}, {"how-it-works", "start"}, {"gates-cookbook", "gates"}, {"troubleshooting", "start"}} {
		t.Run(guide.name, func(t *testing.T) {
			typeGuide(t, filepath.Join("..", "..", "docs", guide.name+".md"), "testdata/guide/"+guide.start+".txtar")
		})
	}
}

func typeGuide(t *testing.T, file, start string) {
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g := newGuide(t, start)
	var out bytes.Buffer
	open, commands := false, 0
	lines := strings.SplitAfter(string(source), "\n")
	for n := 0; n < len(lines); n++ {
		line := lines[n]
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			open = line == "```console\n"
		case open && isCommand:
			commands++
			want := ""
			at := n + 1
			for n+1 < len(lines) && !strings.HasPrefix(lines[n+1], "$ ") && !strings.HasPrefix(lines[n+1], "```") {
				n++
				want += lines[n]
			}
			got := g.types(command)
			if !*update && plain(got) != plain(want) {
				t.Errorf("%s:%d: $ %sprints\n%sand the guide shows\n%s", file, at, command, got, want)
			}
			line += got
		}
		out.WriteString(line)
	}
	if commands == 0 {
		t.Errorf("%s: nothing is typed", file)
	}
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	guideHash = regexp.MustCompile(`\b[0-9a-f]{7,64}\b`)
	guideAge  = regexp.MustCompile(`\b\d+(ms|s|m|h|d)\b|\b\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?( UTC|Z)?)?`)
	blanks    = regexp.MustCompile(` +`)
)

// plain leaves out of a text what differs from run to run.
func plain(text string) string {
	text = guideAge.ReplaceAllString(guideHash.ReplaceAllString(text, "HASH"), "AGE")
	return blanks.ReplaceAllString(text, " ")
}

// guide is where a guide is typed.
type guide struct {
	*testing.T
	dir, host string
	env       []string
}

// newGuide makes the repository that a guide begins with, and the images that it names.
func newGuide(t *testing.T, start string) *guide {
	t.Helper()
	program, err := exec.LookPath("kubectl-promote")
	if err != nil {
		t.Fatal(err)
	}
	r, err := loopback.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	root := t.TempDir()
	g := &guide{T: t, dir: filepath.Join(root, "infra"), host: r.Host}
	home, bin := filepath.Join(root, "home"), filepath.Join(root, "bin")
	archive, err := txtar.ParseFile(start)
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range strings.Fields(string(archive.Comment)) {
		repository, tag, _ := strings.Cut(image, ":")
		if _, err := r.Push(context.Background(), repository, tag, nil); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]string{filepath.Join(bin, "kubectl"): "#!/bin/sh\nshift\nexec '" + program + "' \"$@\"\n"}
	for _, f := range archive.Files {
		files[filepath.Join(g.dir, filepath.FromSlash(f.Name))] = strings.ReplaceAll(string(f.Data), guideRegistry, g.host)
	}
	for name, data := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(data), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cacheBelow(home, func(key, value string) { g.env = append(g.env, key+"="+value) })
	g.env = append(g.env, "HOME="+home, "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "XDG_CONFIG_HOME="+home, "DOCKER_CONFIG="+home,
		"GIT_CONFIG_NOSYSTEM=1", "GORACE=atexit_sleep_ms=0", "LC_ALL=C", "TZ=UTC")
	g.types("git init --quiet --initial-branch=main && git config user.name Ada && git config user.email ada@example.com && git add . && git commit --quiet -m start")
	return g
}

// types types a line in a shell and gives what is printed, as somebody with the guide's
// registry would see it.
func (g *guide) types(line string) string {
	g.Helper()
	cmd := exec.CommandContext(g.Context(), "sh", "-c", line)
	cmd.Dir, cmd.Env = g.dir, g.env
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		g.Fatal(err)
	}
	return strings.ReplaceAll(string(out), g.host, guideRegistry)
}
