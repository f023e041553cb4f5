//go:build unix

package helm

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// program is a shell script in the place of a program.
func program(t *testing.T, name, text string) *Program {
	t.Helper()
	at := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(at, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return At(at)
}

func demo() Request {
	return Request{Dir: "apps/web", Release: "web", Namespace: "shop", Files: map[string][]byte{"Chart.yaml": []byte("name: demo"), "templates/a.yaml": []byte("a: {{ .Values.a }}")},
		Values: []Values{{Name: "apps/web/values-prod.yaml", Data: []byte("a: b\n")}}}
}

// What a program says becomes an error about a file of the repository, with what to do; one
// that says nothing, or too much, or does not end, is an error as well.
func TestRender(t *testing.T) {
	for name, tc := range map[string]struct {
		program, text, want string
	}{
		"ours":            {"promote-helm", `printf '{"manifests": "x: y"}'`, "x: y"},
		"it changes":      {"promote-helm", `printf '{"manifests": "x", "changing": ["demo/templates/a.yaml"]}'`, "error apps/web/templates/a.yaml: gives something else each time it is rendered: a random value, or the time (hint: set what it makes up in a values file, as an existing Secret or a fixed value)"},
		"a missing value": {"promote-helm", `printf '{"error": "execution error at (demo/templates/a.yaml:1:6): tell me a"}'`, "error apps/web/templates/a.yaml:1: tell me a (hint: set it in apps/web/values-prod.yaml)"},
		"a dependency":    {"promote-helm", `printf '{"error": "found in Chart.yaml, but missing in charts/ directory: db"}'`, "error apps/web/Chart.yaml: found in Chart.yaml, but missing in charts/ directory: db: nothing is fetched to render (hint: helm dependency build apps/web, and commit apps/web/charts)"},
		"too much memory": {"promote-helm", `printf '{"error": "rendering takes more than 1024 MiB of memory"}'`, "error apps/web: rendering takes more than 1024 MiB of memory (hint: look for a template in it that calls itself, or that counts far)"},
		// Which of a chart's templates it was nobody knew, nor how long it had.
		"too long":      {"promote-helm", `printf '{"error": "rendering takes more than 27s", "at": "demo/charts/sub/templates/b.yaml"}'`, "error apps/web/charts/sub/templates/b.yaml: rendering takes more than 27s (hint: look for a template in it that calls itself, or that counts far)"},
		"its own place": {"promote-helm", `printf '{"error": "demo/templates/a.yaml:1:17\\n  executing \"demo/templates/a.yaml\" at <.Values.a.b>:\\n    nil pointer"}'`, "error apps/web/templates/a.yaml:1: <.Values.a.b>: nil pointer"},
		"a loop":        {"promote-helm", `printf '{"error": "template: demo/templates/a.yaml:1:3: executing: rendering template has a nested reference name: l: unable to execute template"}'`, "error apps/web/templates/a.yaml:1: includes a template that includes itself without an end"},
		"no answer":     {"promote-helm", `printf nothing`, "error apps/web: promote-helm gives no answer (hint: install the promote-helm of the same release)"},
		"it ends":       {"promote-helm", `exit 7`, "error apps/web: promote-helm has failed: exit status 7 (hint: look for a template in it that takes a lot of memory)"},
		"helm":          {"helm", `printf '%s\n' "$*"; printf '%s\n' "$HOME$KUBECONFIG$PATH" | while read x; do case $x in */promote-helm-*/dev/null) echo clean;; esac; done`, "template web chart --namespace shop --include-crds --skip-tests --values values-0.yaml\nclean\n"},
		"helm fails":    {"helm", `echo 'Error: execution error at (demo/charts/sub/templates/b.yaml:3:6): tell me' >&2; exit 1`, "error apps/web/charts/sub/templates/b.yaml:3: tell me (hint: set it in apps/web/values-prod.yaml)"},
		"helm changes":  {"helm", `printf '%s' $$`, "error apps/web/templates: gives something else each time it is rendered: a random value, or the time (hint: set what it makes up in a values file, as an existing Secret or a fixed value)"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := program(t, tc.program, tc.text).Render(t.Context(), demo())
			if err != nil {
				got = "error " + err.Error()
				if hint := fault.HintOf(err); hint != "" {
					got += " (hint: " + hint + ")"
				}
			}
			if tc.program == "helm" { // flags come in any order
				got = sorted(got)
				tc.want = sorted(tc.want)
			}
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func sorted(s string) string {
	for _, pair := range [][2]string{{"--skip-tests --include-crds", "--include-crds --skip-tests"}} {
		s = strings.ReplaceAll(s, pair[0], pair[1])
	}
	return s
}

// What no program should see is refused before.
func TestCheck(t *testing.T) {
	for want, change := range map[string]func(*Request){
		`apps/web: "-x" is no name of a release`:                                    func(q *Request) { q.Release = "-x" },
		"apps/web has no Chart.yaml":                                                func(q *Request) { delete(q.Files, "Chart.yaml") },
		"apps/web/values-prod.yaml:2: is a template, and values of charts are none": func(q *Request) { q.Values[0].Data = []byte("a: 1\nb: {{ .Environment.Name }}\n") },
		"apps/web/values-prod.yaml: yaml:":                                          func(q *Request) { q.Values[0].Data = []byte("a: [\n") },
		"apps/web/values-prod.yaml:1: has no values: they are a mapping":            func(q *Request) { q.Values[0].Data = []byte("[a]\n") },
		"apps/web/values.yaml:1: is a template":                                     func(q *Request) { q.Files["values.yaml"] = []byte("b: {{ x }}\n") },
		"apps/web/values.schema.json: refers to (URL), and nothing is fetched to render": func(q *Request) {
			q.Files["values.schema.json"] = []byte(`{"properties": {"a": [{"$ref": "https://example.com/a.json"}]}}`)
		},
		"apps/web/charts/x/values.schema.json: refers to (URL)": func(q *Request) { q.Files["charts/x/values.schema.json"] = []byte(`{"$schema": "file:///etc/passwd"}`) },
	} {
		q := demo()
		change(&q)
		if _, err := program(t, "promote-helm", "exit 9").Render(t.Context(), q); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	q := demo()
	q.Files["values.schema.json"] = []byte(`{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"$ref": "#/$defs/x"}, "b": {"xRef": "y"}}}`)
	q.Values = append(q.Values, Values{Name: "b.yaml", Data: []byte("# nothing\n")}, Values{Name: "c.yaml", Data: []byte("a: \"{{ .Release.Name }}\"\n")})
	if _, err := program(t, "promote-helm", `printf '{}'`).Render(t.Context(), q); err != nil {
		t.Error(err)
	}
}

// Values at a path stand in their order among the others. Helm has them count more than all
// of those, so that what follows them cannot be rendered by it.
func TestPath(t *testing.T) {
	q := demo()
	q.Values = append(q.Values, Values{Name: "s.yaml", Data: []byte("5"), Path: "a.b"}, Values{Name: "s.yaml", Data: []byte("6"), Path: "c", String: true})
	got, err := program(t, "helm", `printf '%s' "$*"`).Render(t.Context(), q)
	if err != nil || !strings.HasSuffix(got, " --values values-0.yaml --set a.b=5 --set-string c=6") {
		t.Error(got, err)
	}
	q.Values = append(q.Values, Values{Name: "c.yaml", Data: []byte("a: {b: 7}\n")})
	_, err = program(t, "helm", "exit 9").Render(t.Context(), q)
	if err == nil || err.Error() != "apps/web: helm has the value at c count more than the values that follow it" || fault.HintOf(err) != "go install github.com/kubepromote/kubepromote/cmd/promote-helm@latest" {
		t.Error(err)
	}
	got, err = program(t, "promote-helm", `read all; case $all in *'"name":"s.yaml","data":"NQ==","path":"a.b"},{"name":"s.yaml","data":"Ng==","path":"c","string":true},{"name":"c.yaml"'*) printf '{"manifests": "x"}';; esac`).Render(t.Context(), q)
	if err != nil || got != "x" {
		t.Error(got, err)
	}
}

// A program that does not end is ended.
func TestTime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := program(t, "promote-helm", "while :; do :; done").Render(ctx, demo())
	if err == nil || err.Error() != "apps/web: the chart was not rendered in time" || time.Since(start) > 10*time.Second {
		t.Error(err, time.Since(start))
	}
}

// Ours is taken before helm, and where there is neither it is said how to get one.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if _, err := Find(); err == nil || fault.HintOf(err) != "go install github.com/kubepromote/kubepromote/cmd/promote-helm@latest" {
		t.Error(err)
	}
	for _, name := range []string{"helm", "promote-helm"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if p, err := Find(); err != nil || filepath.Base(p.Path()) != name {
			t.Error(p, err)
		}
	}
}
