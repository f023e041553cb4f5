package render

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/objects"
)

// fleet is a repository of overlays on shared bases, ten on each.
func fleet(bases int) map[string]string {
	files := make(map[string]string)
	for b := range bases {
		name := fmt.Sprintf("svc%02d", b)
		base := "apps/" + name + "/base/"
		files[base+"kustomization.yaml"] = "resources: [deployment.yaml, service.yaml, config.yaml, scaler.yaml]\nlabels:\n- {pairs: {app: " + name + "}, includeSelectors: true}\n"
		files[base+"deployment.yaml"] = strings.ReplaceAll(web, "web", name)
		files[base+"service.yaml"] = "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec: {ports: [{port: 80}]}\n"
		files[base+"config.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {a: b}\n"
		files[base+"scaler.yaml"] = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: " + name + "}\nspec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: " + name + "}}\n"
		for e := range 10 {
			dir := fmt.Sprintf("apps/%s/overlays/env%d/", name, e)
			files[dir+"kustomization.yaml"] = fmt.Sprintf("resources: [../../base]\nnamespace: env%d\nimages:\n- {name: shop/%s, newTag: v%d}\npatches:\n- path: limits.yaml\n", e, name, e)
			files[dir+"limits.yaml"] = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + "}\nspec:\n  template:\n    spec:\n      containers:\n      - name: " + name + "\n        resources: {limits: {cpu: 2}}\n"
		}
	}
	return files
}

// BenchmarkFleet renders 500 overlays on 50 bases before and after a promotion, and
// compares them. With KUSTOMIZE it starts that program for each in place of it.
func BenchmarkFleet(b *testing.B) {
	files := fleet(50)
	program := os.Getenv("KUSTOMIZE")
	root := b.TempDir()
	if program != "" {
		write(b, root, files)
	}
	for b.Loop() {
		r := New(of(files), Options{})
		for s := range 50 {
			for e := range 10 {
				dir := fmt.Sprintf("apps/svc%02d/overlays/env%d", s, e)
				if program != "" {
					if err := exec.Command(program, "build", filepath.Join(root, dir)).Run(); err != nil {
						b.Fatal(err)
					}
					continue
				}
				file := dir + "/kustomization.yaml"
				before, err := r.Dir(b.Context(), dir)
				if err != nil {
					b.Fatal(err)
				}
				after, err := r.With(map[string][]byte{file: bytes.ReplaceAll([]byte(files[file]), []byte("newTag: v"), []byte("newTag: w"))}).Dir(b.Context(), dir)
				if err != nil {
					b.Fatal(err)
				}
				if all := objects.Compare(before.Objects, after.Objects, objects.ByName); len(all) != 1 || len(all[0].Changes) != 1 {
					b.Fatal(all)
				}
			}
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.Sys>>20), "MiB")
	}
}

func write(t testing.TB, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var managedBy = regexp.MustCompile(`managed-by: kustomize\S+`)

// TestSameProgram compares with the program that KUSTOMIZE names, as e2e has it built.
func TestSameProgram(t *testing.T) {
	program := os.Getenv("KUSTOMIZE")
	if program == "" {
		t.Skip("KUSTOMIZE names no program to compare with")
	}
	files := fleet(5)
	for dir, text := range features {
		files["features/"+dir+"/kustomization.yaml"] = text
	}
	for name, text := range featureFiles {
		if rest, ok := strings.CutPrefix(name, "o/"); ok {
			for dir := range features {
				files["features/"+dir+"/"+rest] = text
			}
		} else {
			files["features/"+name] = text
		}
	}
	root := t.TempDir()
	write(t, root, files)
	r, same := New(of(files), Options{}), 0
	for name := range files {
		dir := filepath.ToSlash(filepath.Dir(name))
		if filepath.Base(name) != "kustomization.yaml" || strings.Contains(files[name], "kind: Component") {
			continue
		}
		want, werr := exec.Command(program, "build", filepath.Join(root, dir)).Output()
		got, err := r.Dir(t.Context(), dir)
		if (err != nil) != (werr != nil) {
			t.Errorf("%s: %v, and %s: %v", dir, err, program, werr)
		}
		if err != nil || werr != nil {
			continue
		}
		// A label has the program's own version.
		if text, err := got.YAML(); err != nil || !bytes.Equal(managedBy.ReplaceAll(text, nil), managedBy.ReplaceAll(want, nil)) {
			t.Errorf("%s: %v\ngot\n%s\nwant\n%s", dir, err, text, want)
		}
		same++
	}
	if same < 60 {
		t.Errorf("%d were compared", same)
	}
}
