package discovery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// contents are what made-up files hold, by a word; * is the last element of an image.
var contents = map[string]string{
	"kustomization": "images:\n- name: quay.io/acme/*\n  newTag: v1\n",
	"resources":     "resources: [../base]\n",
	"block":         "image:\n  repository: quay.io/acme/*\n  tag: v1\n",
	"image":         "image: quay.io/acme/*:v1\n",
	"tag":           "image:\n  tag: v1\n",
	"replicas":      "replicas: 2\n",
	"patch":         "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: *}\nspec: {values: {image: {repository: quay.io/acme/*, tag: v1}}}\n",
	"chart":         "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: *}\nspec: {chart: {spec: {chart: *, version: 1.2.3}}}\n",
	"deployment":    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: *}\nspec: {template: {spec: {containers: [{name: *, image: \"quay.io/acme/*:v1\"}]}}}\n",
	"configmap":     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: *}\ndata: {A: b}\n",
	"marker":        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: *}\nspec:\n  postBuild:\n    substitute:\n      WEB_VERSION: 1.1.0 # {\"$imagepolicy\": \"flux-system:*:tag\"}\n",
	"substitute":    "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: *}\nspec:\n  postBuild:\n    substitute:\n      WEB_VERSION: 1.1.0\n",
	"app":           "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: *}\nspec: {source: {repoURL: https://git.example.com/*, targetRevision: v1.2.3}}\n",
	"line":          "v1.2.3\n",
	"env":           "API_TAG=v1.2.3\nLOG=debug\n",
	"terraform":     "{\"region\": \"eu\", \"size\": 3}\n",
	"workflow":      "jobs:\n  build:\n    container: {image: \"quay.io/acme/builder:v1\"}\n",
	"compose":       "services:\n  web: {image: \"quay.io/acme/web:v1\"}\n",
	"template":      "image: {{ .Values.image }}:v1\n",
	"empty":         "",
}

// made makes a tree of lines "PATH WORD[:NAME…]"; {a,b} in a path means both. A word
// with = in front is the content itself, with \n for ends of lines.
func made(t testing.TB, lines string) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	for line := range strings.Lines(lines) {
		at, what, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		for _, p := range expand(at) {
			out[p] = &fstest.MapFile{Data: []byte(content(t, what))}
		}
	}
	return out
}

func expand(p string) []string {
	i := strings.IndexByte(p, '{')
	if i < 0 {
		return []string{p}
	}
	j := i + strings.IndexByte(p[i:], '}')
	var out []string
	for text := range strings.SplitSeq(p[i+1:j], ",") {
		for _, rest := range expand(p[j+1:]) {
			out = append(out, p[:i]+text+rest)
		}
	}
	return out
}

func content(t testing.TB, what string) string {
	if text, ok := strings.CutPrefix(what, "="); ok {
		return strings.ReplaceAll(text, `\n`, "\n")
	}
	word, names, _ := strings.Cut(what, ":")
	text, ok := contents[word]
	if !ok {
		t.Fatalf("no content is called %q", word)
	}
	if word == "kustomization" {
		var b strings.Builder
		b.WriteString("images:\n")
		for name := range strings.SplitSeq(names, ",") {
			b.WriteString(strings.ReplaceAll(strings.TrimPrefix(text, "images:\n"), "*", name))
		}
		return b.String()
	}
	return strings.ReplaceAll(text, "*", names)
}

// told writes a result as lines, to compare.
func told(r Result) string {
	var b strings.Builder
	for _, s := range r.Shapes {
		b.WriteString(s.Path)
		for _, part := range [][2]string{{" within ", s.Within}, {" service ", s.Service}, {" images ", strings.Join(s.Images, ",")}} {
			if part[1] != "" {
				b.WriteString(part[0] + part[1])
			}
		}
		fmt.Fprintf(&b, " (%d, %d)\n", s.Services, s.Pins)
	}
	for i, e := range r.Environments {
		b.WriteString([]string{" ", "= "}[min(1, max(0, 1-i))] + e.Name)
		if e.Path != "" {
			b.WriteString("@" + e.Path)
		}
		if len(e.From) > 0 {
			b.WriteString("<" + strings.Join(e.From, "+"))
		}
	}
	if len(r.Environments) > 0 {
		b.WriteString("\n")
	}
	for _, l := range r.Left {
		b.WriteString("- " + l.Path + ": " + l.Reason + "\n")
	}
	return b.String()
}

type shapeTest struct {
	name string
	tree string
	want string
}

func trimLines(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

func TestDiscover(t *testing.T) {
	for _, tt := range slices.Concat(shapeTests, trapTests) {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Discover(context.Background(), made(t, tt.tree))
			if (err != nil) != (len(r.Shapes) == 0) || err != nil && !errors.Is(err, ErrNone) {
				t.Errorf("error %v for %d shapes", err, len(r.Shapes))
			}
			if got, want := trimLines(told(r)), trimLines(tt.want); got != want {
				t.Errorf("got\n%s\n\nwant\n%s", got, want)
			}
		})
	}
}

// listed is a tree that lists its files at once.
type listed struct{ fstest.MapFS }

func (l listed) Files(context.Context) ([]string, error) {
	var out []string
	for name := range l.MapFS {
		out = append(out, name)
	}
	return out, nil
}

func TestDiscoverListed(t *testing.T) {
	for _, tt := range slices.Concat(shapeTests, trapTests) {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := Discover(context.Background(), listed{made(t, tt.tree)})
			if got, want := trimLines(told(r)), trimLines(tt.want); got != want {
				t.Errorf("got\n%s\n\nwant\n%s", got, want)
			}
		})
	}
}

func TestDiscoverReadsNoLinks(t *testing.T) {
	tree := made(t, "apps/web/overlays/{staging,production}/kustomization.yaml kustomization:web")
	tree["loop"] = &fstest.MapFile{Data: []byte("."), Mode: fs.ModeSymlink | 0o777}
	r, err := Discover(context.Background(), tree)
	if err != nil || len(r.Shapes) != 1 {
		t.Errorf("%v, %v", r, err)
	}
}

func TestDiscoverIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Discover(ctx, made(t, "apps/web/overlays/{staging,production}/kustomization.yaml kustomization:web")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestDiscoverToldIsBounded(t *testing.T) {
	var lines strings.Builder
	for i := range 60 {
		fmt.Fprintf(&lines, "%s/production/web.yaml block:web\n", path.Join(strings.Split(strings.Repeat("x", i+1), "")...))
	}
	r, err := Discover(context.Background(), made(t, lines.String()))
	if !errors.Is(err, ErrNone) || len(r.Left) > mostLeft+1 {
		t.Errorf("%d left, %v", len(r.Left), err)
	}
}
