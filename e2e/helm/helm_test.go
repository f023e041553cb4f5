// Package helm compares promote-helm with the program of Helm itself.
package helm

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/render/helm"
)

// programs builds both.
func programs(t *testing.T) (ours, theirs *helm.Program) {
	t.Helper()
	bin := t.TempDir()
	for _, one := range [][]string{{"../../cmd/promote-helm", "."}, {".", "helm.sh/helm/v4/cmd/helm"}} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin+string(filepath.Separator), one[1])
		cmd.Dir = one[0]
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	find := func(name string) *helm.Program {
		found, err := exec.LookPath(filepath.Join(bin, name))
		if err != nil {
			t.Fatal(err)
		}
		return helm.At(found)
	}
	return find("promote-helm"), find("helm")
}

// request is a chart of testdata, with values of production.
func request(t *testing.T, name string) helm.Request {
	t.Helper()
	q := helm.Request{Dir: name, Files: make(map[string][]byte), Release: "web", Namespace: "shop"}
	root := os.DirFS(filepath.Join("testdata", name))
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			q.Files[path], err = fs.ReadFile(root, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	q.Values = []helm.Values{{Name: name + "/values-production.yaml", Data: q.Files["values-production.yaml"]}}
	return q
}

// What promote-helm gives is what helm template gives, byte for byte; and what it refuses
// has the file and what to do.
func TestEqual(t *testing.T) {
	ours, theirs := programs(t)
	for _, name := range []string{"plain", "parts", "schema"} {
		for variant, change := range map[string]func(*helm.Request){
			"": func(*helm.Request) {},
			"defaults": func(q *helm.Request) {
				q.Values = nil
				q.Set = []helm.Setting{{Name: "big", Value: "1"}, {Name: "float", Value: "2", String: true}}
			},
			"no extras": func(q *helm.Request) { q.SkipCRDs, q.SkipHooks = true, true },
			"tests":     func(q *helm.Request) { q.Tests, q.KubeVersion, q.APIVersions = true, "1.30.0", []string{"a/v1"} },
		} {
			q := request(t, name)
			change(&q)
			got, err := ours.Render(t.Context(), q)
			want, err2 := theirs.Render(t.Context(), q)
			if err != nil || err2 != nil || got != want || len(got) < 100 {
				t.Errorf("%s %s: %v, %v\n%s\n----\n%s", name, variant, err, err2, got, want)
			}
		}
	}
	for want, change := range map[string]func(*helm.Request){
		"plain/templates/ingress.yaml:6: ingress.host is needed (set it in plain/values-production.yaml)": func(q *helm.Request) { q.Values[0].Data = []byte("ingress: {enabled: true}") },
		"plain/Chart.yaml: found in Chart.yaml, but missing in charts/ directory: db: nothing is fetched to render (helm dependency build plain, and commit plain/charts)": func(q *helm.Request) {
			q.Files["Chart.yaml"] = append(q.Files["Chart.yaml"], "dependencies: [{name: db, version: 1.0.0, repository: 'https://charts.example.com'}]\n"...)
		},
		"plain/templates/service.yaml:2: ": func(q *helm.Request) { q.Files["templates/service.yaml"] = []byte("a: b\n{{ if }}\n") },
		"plain/templates/service.yaml: gives something else each time it is rendered": func(q *helm.Request) {
			q.Files["templates/service.yaml"] = []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {a: {{ now | date \"2006\" }}}\n")
		},
		"plain/templates/service.yaml: rendering takes more than 1024 MiB of memory (look for a template in it that calls itself, or that counts far)": func(q *helm.Request) {
			q.Files["templates/service.yaml"] = []byte(`{{ repeat 2000000000 "xxxxxxxx" }}`)
		},
		"plain/templates/service.yaml:1: includes a template that includes itself without an end": func(q *helm.Request) {
			q.Files["templates/_loop.tpl"] = []byte(`{{ define "loop" }}{{ include "loop" . }}{{ end }}`)
			q.Files["templates/service.yaml"] = []byte(`{{ include "loop" . }}`)
		},
		"schema/values-production.yaml: values don't meet the specifications": func(q *helm.Request) {
			*q = request(t, "schema")
			q.Values[0].Data = []byte("replicas: 0")
		},
	} {
		q := request(t, "plain")
		change(&q)
		start := time.Now()
		_, err := ours.Render(t.Context(), q)
		if err == nil || !strings.HasPrefix(err.Error()+" ("+hint(err)+")", want) || time.Since(start) > 40*time.Second {
			t.Errorf("want %s\ngot  %v (%s)", want, err, hint(err))
		}
	}
}

// hint is what to do about an error.
func hint(err error) string {
	var with interface{ HintText() string }
	if errors.As(err, &with) {
		return with.HintText()
	}
	return ""
}
