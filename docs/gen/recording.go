package main

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kubepromote/kubepromote/plugins/kubectl"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// recording is the demo on a terminal, as the README begins with.
const recording = "docs/demo.svg"

// recordingFor is how long the demo may take.
const recordingFor = 5 * time.Minute

// record runs the demo, and draws what it says: a scene for each of its steps.
func record() ([]byte, error) {
	dir, err := os.MkdirTemp("", "recording-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithTimeout(context.Background(), recordingFor)
	defer stop()
	var out, failed bytes.Buffer
	shop := filepath.Join(dir, "shop")
	if status := kubectl.Run(ctx, []string{"demo", "--services", "3", "--dir", shop}, genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &failed}); status != 0 {
		return nil, fmt.Errorf("the demo ends with exit status %d: %s", status, failed.Bytes())
	}
	return drawScenes(scenes(steady(out.String(), shop)))
}

// changing is what is another one at each run: ports, commits, blobs and ages.
var changing = []struct {
	is   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:5000"},
	{regexp.MustCompile(`(?m)^\[main [0-9a-f]+\]`), "[main 4f2a9c1d0]"},
	{regexp.MustCompile(`(?m)^index .*\n`), ""},
	{regexp.MustCompile(`(?m)^diff --git .*\n`), ""},
	{regexp.MustCompile(`(sha256:[0-9a-f]{12})[0-9a-f]{52}`), "$1…"},
}

// steady is what the demo says, without what is another one at each run.
func steady(text, dir string) string {
	text = strings.ReplaceAll(text, dir+"/", "")
	for _, c := range changing {
		text = c.is.ReplaceAllString(text, c.with)
	}
	return text
}

// aside are the steps that have no scene: what comes before the first command of the
// program, one that is only a longer table, and where the demo has left what it made.
var aside = regexp.MustCompile(`^(A registry runs|What runs where now|The repository is in)`)

// scene is a step: what the demo says of it, and its lines.
type scene struct{ lines []string }

const (
	columns = 104
	// mostLines is how many a scene has room for.
	mostLines = 21
)

// scenes splits the text by its headings.
func scenes(text string) []scene {
	var all []scene
	for _, part := range strings.Split("\n"+text, "\n# ")[1:] {
		if aside.MatchString(part) {
			continue
		}
		var s scene
		for line := range strings.Lines("# " + strings.TrimSpace(part) + "\n") {
			line = strings.TrimRight(line, "\n")
			if strings.HasPrefix(line, "$ git ") && !strings.Contains(line, "show") {
				continue // the making of the repository
			}
			s.lines = append(s.lines, wrap(line)...)
		}
		all = append(all, s)
	}
	return all
}

// wrap breaks a line between its words.
func wrap(line string) (out []string) {
	for utf8.RuneCountInString(line) > columns {
		head := string([]rune(line)[:columns])
		if at := strings.LastIndexByte(head, ' '); at > 0 {
			head = head[:at+1]
		}
		out, line = append(out, head), line[len(head):]
	}
	return append(out, line)
}

// kinds are the looks of a line, by how it begins or what is in it.
var kinds = []struct {
	is *regexp.Regexp
	of string
}{
	{regexp.MustCompile(`^# `), "say"},
	{regexp.MustCompile(`^\$ `), "do"},
	{regexp.MustCompile(`^(\+\+\+|---) `), "dim"},
	{regexp.MustCompile(`^\+`), "yes"},
	{regexp.MustCompile(`^-`), "no"},
	{regexp.MustCompile(`^@@|^\(exit`), "dim"},
	{regexp.MustCompile(`refused`), "no"},
	{regexp.MustCompile(`unknown`), "maybe"},
	{regexp.MustCompile(`committed$| pass `), "yes"},
}

func lookOf(line string) string {
	for _, k := range kinds {
		if k.is.MatchString(line) {
			return k.of
		}
	}
	return "out"
}

const (
	lineTall  = 19
	charWide  = 783 // hundredths
	marginAll = 18
	topBar    = 34
	// each is how many seconds a scene is there.
	each = 7
)

// drawScenes draws scenes that follow each other for ever; where nothing shall move, it is the
// second one, the first promotion.
func drawScenes(all []scene) ([]byte, error) {
	var b strings.Builder
	width, height := columns*charWide/100+2*marginAll, topBar+mostLines*lineTall+marginAll
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title">`+"\n", width, height)
	b.WriteString("<title id=\"title\">kubectl promote demo, step by step</title>\n<!-- Written by docs/gen from what the demo says: do not edit. -->\n")
	b.WriteString(looks(len(all)))
	fmt.Fprintf(&b, `<rect class="back" width="%d" height="%d" rx="8"/><circle class="dot" cx="18" cy="17" r="5"/><circle class="dot" cx="36" cy="17" r="5"/><circle class="dot" cx="54" cy="17" r="5"/>`+"\n", width, height)
	for n, s := range all {
		if len(s.lines) > mostLines {
			return nil, fmt.Errorf("the recording has no room for the %d lines of %q", len(s.lines), s.lines[0])
		}
		fmt.Fprintf(&b, `<g class="scene" style="animation-delay:%ds">`+"\n", n*each)
		for i, line := range s.lines {
			if !utf8.ValidString(line) {
				return nil, fmt.Errorf("no text: %q", line)
			}
			fmt.Fprintf(&b, `<text class="%s" x="%d" y="%d" xml:space="preserve">%s</text>`+"\n", lookOf(line), marginAll, topBar+(i+1)*lineTall-5, html.EscapeString(line))
		}
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return []byte(b.String()), nil
}

func looks(scenes int) string {
	whole, part := scenes*each, 100/float64(scenes)
	return fmt.Sprintf(`<style>
svg{--back:#f6f8fa;--out:#1f2933;--say:#0a5bc4;--do:#111;--dim:#5b6675;--yes:#11692f;--no:#a3123a;--maybe:#7a3fb0}
@media (prefers-color-scheme:dark){svg{--back:#12161c;--out:#d5dce6;--say:#6cb0ff;--do:#fff;--dim:#98a4b3;--yes:#63cf85;--no:#ff8aa8;--maybe:#c9a2ff}}
text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--out)}
.back{fill:var(--back);stroke:var(--dim);stroke-opacity:.4}.dot{fill:var(--dim);opacity:.5}
.say{fill:var(--say)}.do{fill:var(--do);font-weight:700}.dim{fill:var(--dim)}.yes{fill:var(--yes)}.no{fill:var(--no)}.maybe{fill:var(--maybe)}
.scene{opacity:0;animation:turn %ds linear infinite backwards}
.scene:nth-of-type(2){opacity:1}
@keyframes turn{0%%{opacity:0}1%%{opacity:1}%.2f%%{opacity:1}%.2f%%{opacity:0}100%%{opacity:0}}
@media (prefers-reduced-motion:reduce){.scene{animation:none}}
</style>
`, whole, part-.5, part)
}
