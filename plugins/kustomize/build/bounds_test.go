package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"

// bomb is YAML whose aliases stand for 10^10 values.
func bomb() string {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nx0: &x0 [x]\n"
	for i := 1; i <= 10; i++ {
		text += fmt.Sprintf("x%d: &x%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d, ", i-1), 10), ", "))
	}
	return text
}

// Every build ends, and says what it is that would not. Cycles of components and
// aliases of aliases did not end.
func TestRunEnds(t *testing.T) {
	deep, twice := map[string]string{}, map[string]string{}
	for i := range 21 {
		twice[fmt.Sprintf("/a%d/kustomization.yaml", i)] = fmt.Sprintf("resources: [../b%d, ../c%d]\n", i, i)
		for _, side := range []string{"b", "c"} {
			twice[fmt.Sprintf("/%s%d/kustomization.yaml", side, i)] = fmt.Sprintf("resources: [../a%d]\nnamePrefix: %s-\n", i+1, side)
		}
		if i == 20 {
			twice[fmt.Sprintf("/a%d/kustomization.yaml", i)] = "resources: [pod.yaml]\n"
			twice[fmt.Sprintf("/a%d/pod.yaml", i)] = pod
		}
	}
	for i := range 80 {
		deep[fmt.Sprintf("/a%d/kustomization.yaml", i)] = fmt.Sprintf("resources: [../a%d]\n", i+1)
	}
	deep["/a80/kustomization.yaml"], deep["/a80/pod.yaml"] = "resources: [pod.yaml]\n", pod
	patch := "patches:\n- patch: |-\n    " + strings.ReplaceAll(bomb(), "\n", "\n    ") + "\n"
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"component of itself", map[string]string{"/a0/kustomization.yaml": "resources: [pod.yaml]\ncomponents: [../c]\n", "/a0/pod.yaml": pod, "/c/kustomization.yaml": component + "components: [../c]\n"},
			"/c: ../c is a component of itself: a cycle"},
		{"cycle of components", map[string]string{"/a0/kustomization.yaml": "resources: [pod.yaml]\ncomponents: [../c]\n", "/a0/pod.yaml": pod, "/c/kustomization.yaml": component + "components: [../d]\n", "/d/kustomization.yaml": component + "components: [../c]\n"},
			"/d: ../c is a component of itself: a cycle"},
		{"functions in itself", map[string]string{"/a0/kustomization.yaml": "resources: [pod.yaml]\ntransformers: [../a0]\n", "/a0/pod.yaml": pod},
			"/a0: ../a0 has itself as its functions: a cycle"},
		{"cycle of bases", map[string]string{"/a0/kustomization.yaml": "resources: [../b]\n", "/b/kustomization.yaml": "resources: [../a0]\n"}, "cycle"},
		{"deep", deep, "lies in more than 64 kustomizations"},
		{"twice and twice", twice, "is built from more than 10000 kustomizations"},
		{"aliases", map[string]string{"/a0/kustomization.yaml": "resources: [a.yaml]\n", "/a0/a.yaml": bomb()}, "/a0/a.yaml: its aliases stand for more than 2 million values"},
		{"aliases in a base", map[string]string{"/a0/kustomization.yaml": "resources: [../b]\n", "/b/kustomization.yaml": "resources: [a.yaml]\n", "/b/a.yaml": bomb()}, "/b/a.yaml: its aliases stand for more than 2 million values"},
		{"aliases in a kustomization", map[string]string{"/a0/kustomization.yaml": bomb()}, "/a0/kustomization.yaml: its aliases stand for more than 2 million values"},
		{"aliases in a patch", map[string]string{"/a0/kustomization.yaml": "resources: [pod.yaml]\n" + patch, "/a0/pod.yaml": pod}, "/a0/kustomization.yaml:3: its aliases stand for more than 2 million values"},
		{"a cycle in a patch on a line", map[string]string{"/a0/kustomization.yaml": "resources: [pod.yaml]\npatches: [{patch: '{a: &a [*a]}'}]\n", "/a0/pod.yaml": pod}, "/a0/kustomization.yaml:2: its aliases"},
		{"a cycle in a function", map[string]string{"/a0/kustomization.yaml": "resources: [pod.yaml]\ntransformers: [t.yaml]\n", "/a0/pod.yaml": pod, "/a0/t.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npatch: '{a: &a [*a]}'\n"}, "/a0/t.yaml:4: its aliases"},
		{"many values", map[string]string{"/a0/kustomization.yaml": "resources: [a.yaml]\n", "/a0/a.yaml": strings.Repeat("- a\n", 3<<20)}, "/a0/a.yaml: has more than 2 million values"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Run(t.Context(), "/a0", Options{FS: files(t, tc.files)})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
}

// A build is stopped when its context is: kustomize knows none.
func TestRunStopped(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	_, err := Run(ctx, "/a0", Options{FS: files(t, map[string]string{"/a0/kustomization.yaml": "resources: [pod.yaml]\n", "/a0/pod.yaml": pod})})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// Bases lie in the repository, whatever leads to them, unless that is asked for.
// They were read from wherever a path or a link led.
func TestRunOutside(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"outside/kustomization.yaml":                 "resources: [pod.yaml]\n",
		"outside/pod.yaml":                           pod,
		"repo/.git/HEAD":                             "",
		"repo/base/kustomization.yaml":               "resources: [pod.yaml]\n",
		"repo/base/pod.yaml":                         pod,
		"repo/inside/kustomization.yaml":             "resources: [../base]\n",
		"repo/up/kustomization.yaml":                 "resources: [../../outside]\n",
		"repo/link/kustomization.yaml":               "resources: [base]\n",
		"repo/deep/kustomization.yaml":               "resources: [../up]\n",
		"repo/component/kustomization.yaml":          "resources: [../base]\ncomponents: [../../outside]\n",
		"repo/functions/kustomization.yaml":          "resources: [../base]\ntransformers: [../../outside]\n",
		"repo/absolute/kustomization.yaml":           "resources: [" + dir + "/outside]\n",
		"loose/overlay/kustomization.yaml":           "resources: [../../outside]\n",
		"repo/nested/promotion.yaml":                 "",
		"repo/nested/overlay/kustomization.yaml":     "resources: [../../base]\n",
		"pipeline/promotion.yaml":                    "",
		"pipeline/overlay/prod/kustomization.yaml":   "resources: [../../../outside]\n",
		"pipeline/overlay/inside/kustomization.yaml": "resources: [../base]\n",
		"pipeline/overlay/base/kustomization.yaml":   "resources: [pod.yaml]\n",
		"pipeline/overlay/base/pod.yaml":             pod,
	} {
		path = filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../../outside", filepath.Join(dir, "repo/link/base")); err != nil {
		t.Skip(err)
	}
	for path, refused := range map[string]bool{
		"repo/inside": false, "repo/up": true, "repo/link": true, "repo/deep": true, "repo/component": true, "repo/functions": true,
		"repo/absolute": true, "loose/overlay": false, "repo/nested/overlay": false, "pipeline/overlay/prod": true, "pipeline/overlay/inside": false,
	} {
		_, err := Run(t.Context(), filepath.Join(dir, path), Options{})
		if got := err != nil && strings.Contains(err.Error(), "is outside of the repository"); got != refused || !refused && err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"repo/up", "repo/link"} {
		if _, err := Run(t.Context(), filepath.Join(dir, path), Options{LoadAnywhere: true}); err != nil {
			t.Errorf("%s, allowed: %v", path, err)
		}
	}
}
