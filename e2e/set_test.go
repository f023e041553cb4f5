package e2e

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/kustomize/api/types"
)

var (
	seed         = flag.Int64("seed", 1, "seed of the random files and arguments; 0 takes the clock")
	combinations = flag.Int("combinations", 400, "how many random files and arguments are tried")
)

// meaning is what kustomize itself reads in the images field, without the order.
// twice is a name that has two entries.
func meaning(file string) (images map[string]types.Image, twice string, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, "", err
	}
	var k types.Kustomization
	if err := k.Unmarshal(data); err != nil {
		return nil, "", fmt.Errorf("%w in\n%s", err, data)
	}
	images = make(map[string]types.Image)
	for _, i := range k.Images {
		if _, ok := images[i.Name]; ok {
			twice = i.Name
		}
		images[i.Name] = i
	}
	return images, twice, nil
}

// deviation tells why `set` refuses arguments that kustomize takes: it is more
// careful there on purpose, and its documentation says so. Empty when it may not
// refuse.
func deviation(text string, args []string, twice string) string {
	if strings.TrimSpace(comments.ReplaceAllString(text, "")) == "" {
		return "an empty file"
	}
	for _, a := range args {
		name, value, renamed := strings.Cut(a, "=")
		if renamed && name == "" {
			return "no name before ="
		}
		if !renamed {
			value = a
		}
		if reason := malformed(value); reason != "" {
			return reason
		}
	}
	if twice != "" {
		return "a name stands twice in the file"
	}
	return ""
}

var (
	comments   = regexp.MustCompile(`(?m)^#.*$`)
	goodName   = regexp.MustCompile(`^(\*|[A-Za-z0-9]([A-Za-z0-9._:/-]*[A-Za-z0-9])?)?$`)
	goodTag    = regexp.MustCompile(`^(\*|[A-Za-z0-9_][A-Za-z0-9._-]{0,127})$`)
	goodDigest = regexp.MustCompile(`^(\*|sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)
	// pinned cuts a tag and a digest off a reference; a registry's port is no tag.
	pinned = regexp.MustCompile(`^([^/]*/[^:@]*|[^/:@]*)(:[^@]*)?(@.*)?$`)
)

func malformed(ref string) string {
	parts := pinned.FindStringSubmatch(ref)
	switch {
	case parts == nil || !goodName.MatchString(parts[1]):
		return "malformed name"
	case parts[2] != "" && !goodTag.MatchString(parts[2][1:]):
		return "malformed tag"
	case parts[3] != "" && !goodDigest.MatchString(parts[3][1:]):
		return "malformed digest"
	}
	return ""
}

// differential carries out one edit with both programs on copies of one file.
type differential struct {
	*shell
	refused map[string]int // deviations seen, by reason
}

// compare sets args in a kustomization with both programs and demands that both
// results mean the same.
func (d *differential) compare(text string, args ...string) {
	d.Helper()
	ours, theirs := filepath.Join(d.dir, "ours", "kustomization.yaml"), filepath.Join(d.dir, "theirs", "kustomization.yaml")
	write(d.T, ours, text)
	write(d.T, theirs, text)
	_, twice, err := meaning(ours)
	if err != nil {
		d.Fatal(err)
	}
	their := d.in(filepath.Dir(theirs))
	theirStatus, _, theirErr := their.try("kustomize", append([]string{"edit", "set", "image"}, args...)...)
	status, _, stderr := d.try("kubectl-promote", append([]string{"set", "-f", ours}, args...)...)

	input := fmt.Sprintf("set %q in\n%s", args, text)
	reason := deviation(text, args, twice)
	switch {
	case reason != "":
		d.refused[reason]++
		if status != 1 && status != 2 {
			d.Errorf("exit status %d for what is to be refused (%s): %s", status, reason, input)
		}
		if got := read(d.T, ours); got != text {
			d.Errorf("refused, and the file is changed: %s\nto\n%s", input, got)
		}
	case theirStatus != 0 && status != 0:
		d.refused["by both"]++
	case theirStatus == 0 && status == 1 && d.besideComment(text, stderr, theirs):
		d.refused["a comment beside what goes"]++
		if got := read(d.T, ours); got != text {
			d.Errorf("refused, and the file is changed: %s\nto\n%s", input, got)
		}
		d.compare(trailing.ReplaceAllString(text, ""), args...)
	case theirStatus != 0 || status != 0:
		d.Errorf("exit status %d, of kustomize %d: %s\n%s%s", status, theirStatus, input, stderr, theirErr)
	default:
		d.same(ours, theirs, input)
	}
}

var (
	besideRemoved = regexp.MustCompile(`kustomization\.yaml:(\d+):\d+: cannot remove "(newName|newTag|tagSuffix|digest)": a comment beside it`)
	trailing      = regexp.MustCompile(`(?m) +# .*$`)
)

// besideComment tells whether a refusal is of a field that has a comment on its line
// and that kustomize has removed together with the comment: it would be lost.
func (d *differential) besideComment(text, stderr, theirs string) bool {
	d.Helper()
	m := besideRemoved.FindStringSubmatch(stderr)
	if m == nil {
		return false
	}
	line, lines := 0, strings.Split(text, "\n")
	if _, err := fmt.Sscan(m[1], &line); err != nil || line > len(lines) || !strings.Contains(lines[line-1], m[2]+":") || !trailing.MatchString(lines[line-1]) {
		return false
	}
	before := filepath.Join(d.dir, "before.yaml")
	write(d.T, before, text)
	old, _, err := meaning(before)
	if err != nil {
		d.Fatal(err)
	}
	now, _, err := meaning(theirs)
	if err != nil {
		d.Fatal(err)
	}
	field := map[string]func(types.Image) string{
		"newName":   func(i types.Image) string { return i.NewName },
		"newTag":    func(i types.Image) string { return i.NewTag },
		"tagSuffix": func(i types.Image) string { return i.TagSuffix },
		"digest":    func(i types.Image) string { return i.Digest },
	}[m[2]]
	for name, i := range old {
		if field(i) != "" && field(now[name]) == "" {
			return true
		}
	}
	return false
}

func (d *differential) same(ours, theirs, input string) {
	d.Helper()
	want, _, err := meaning(theirs)
	if err != nil {
		d.Fatal(err)
	}
	got, twice, err := meaning(ours)
	if err != nil {
		d.Errorf("kustomize cannot read the result: %v: %s", err, input)
		return
	}
	if !maps.Equal(got, want) || twice != "" {
		d.Errorf("%s\nours:\n%s\nkustomize's:\n%s", input, read(d.T, ours), read(d.T, theirs))
	}
}

func newDifferential(t *testing.T) *differential {
	return &differential{newShell(t, t.TempDir()), make(map[string]int)}
}

// TestSetForms tries every form of argument on every form of entry.
func TestSetForms(t *testing.T) {
	t.Parallel()
	d := newDifferential(t)
	values := []string{"new", "*", "", "reg.example.com:5000/team/new"}
	pins := []string{"", ":v9", ":*", "@" + digestOf('9'), "@*", ":v9@" + digestOf('9'), ":*@*", ":v9@*", ":*@" + digestOf('9')}
	for _, entry := range entryForms {
		text := "resources:\n- web.yaml\nimages:\n- name: before\n  newTag: v0\n" + entry + "- name: zuletzt\n  newTag: v0\n"
		for _, pin := range pins {
			for _, value := range values {
				d.compare(text, "a/web="+value+pin)
			}
			d.compare(text, "a/web"+pin)
			d.compare(text, "new"+pin)
			d.compare(text, "reg.example.com:5000/x/new"+pin)
		}
	}
	t.Logf("refused: %v", d.refused)
}

// entryForms are the entries of a/web that TestSetForms begins with.
var entryForms = []string{
	"",
	"- name: a/web\n",
	"- name: a/web\n  newName: reg:5000/web\n",
	"- name: a/web\n  newTag: v1\n",
	"- name: a/web\n  digest: " + digestOf('1') + "\n",
	"- name: a/web\n  newName: web2\n  newTag: v1\n  digest: " + digestOf('1') + "\n",
	"- name: a/web\n  newTag: v1\n  tagSuffix: -arm\n",
	"- {name: a/web, newName: 'web2', newTag: \"v1\"} # one line\n",
}

const plain = "images:\n- name: web\n  newName: x\n  newTag: v1\n"

// TestSetTags tries tags that YAML takes for something else, and malformed ones.
func TestSetTags(t *testing.T) {
	t.Parallel()
	d := newDifferential(t)
	for _, tag := range []string{
		"12e4567", "1e3", "1.20", "0123", "0x1F", "0o17", "0b11", "on", "No", "y", "null", "true", "1_000", "2024-01-02", "latest",
		"_x", "1.2.3", "12345678901234567890", "00", "-x", ".x", "a+b", strings.Repeat("a", 128), strings.Repeat("a", 129),
	} {
		d.compare(plain, "web=*:"+tag)
		d.compare("images:\n- {name: web, newTag: v1}\n", "web:"+tag)
		d.compare("images: []\n", "web:"+tag)
	}
	t.Logf("refused: %v", d.refused)
}

// TestSetArguments tries odd arguments and several at once.
func TestSetArguments(t *testing.T) {
	t.Parallel()
	d := newDifferential(t)
	for _, args := range [][]string{
		{"=b"}, {"=b:v1"}, {"web:"}, {"web=:"}, {"web@"}, {"web@sha256:12"}, {"web:v1:v2"}, {"web=a=b:v1"}, {"web"}, {"*"}, {"web=:v3"},
		{"web:v2", "web:v3"}, {"web:v2", "web=y"}, {"web=*:v2", "web=*:v3"}, {"web@*", "web:*"}, {"a:v1", "b:v1", "a:v2"},
		{"localhost:5000/web:v2"}, {"reg:5000/a/b=reg:5000/c/d"}, {"reg:5000/a"}, {"localhost:5000/web=web"}, {"WEB:v1"}, {"web=WEB:v1"},
	} {
		d.compare(plain, args...)
		d.compare("images:\n- name: web\n  newTag: v1\n- name: web\n  newTag: v2\n- name: a\n", args...)
	}
	t.Logf("refused: %v", d.refused)
}

// TestSetFiles tries files of unusual shapes.
func TestSetFiles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":         "",
		"comment":       "# only a comment\n",
		"braces":        "{}\n",
		"no images":     "resources: []\n",
		"images empty":  "images:\n",
		"images null":   "images: null # none\n",
		"images []":     "images: [] # none\n",
		"flow entries":  "images: [{name: web}, {name: b, newTag: v1}]\n",
		"all flow":      "{images: [{name: web, newTag: v1}]}\n",
		"json":          "{\"images\": [\n  {\"name\": \"web\", \"newTag\": \"v1\"}\n]}\n",
		"no final line": "kind: Kustomization",
		"comments":      "images:\n  - name: web\n    newTag: 'v1'\n\n  # a comment\n  - name: b\n",
		"crlf":          "resources: [a.yaml]\r\nimages:\r\n- name: web\r\n  newTag: v1\r\n",
		"document":      "---\nimages:\n- name: web\n  newTag: v1\n",
		"bom":           "\ufeffimages:\n- name: web\n  newTag: v1\n",
		"anchor":        "images:\n- name: web\n  newTag: &t v1\n- name: b\n  newTag: v1\n",
		"block scalar":  "images:\n- name: web\n  newTag: >-\n    v1\n- name: b\n",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDifferential(t)
			for _, args := range [][]string{{"web:v2"}, {"other=x:v2"}, {"web=*:v2"}, {"web=y", "z:v1"}, {"web="}, {"b:*"}} {
				d.compare(text, args...)
			}
		})
	}
}

// TestSetRandom tries random arguments on random files.
func TestSetRandom(t *testing.T) {
	t.Parallel()
	if *seed == 0 {
		*seed = time.Now().UnixNano()
	}
	t.Logf("seed %d", *seed)
	d, g := newDifferential(t), newGenerator(*seed)
	for range *combinations {
		d.compare(g.file(), g.arguments()...)
	}
	t.Logf("refused: %v", d.refused)
}
