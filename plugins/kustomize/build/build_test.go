package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/plugins/kustomize"
	"sigs.k8s.io/kustomize/api/filters/patchjson6902"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// files is a file system with some files.
func files(t testing.TB, texts map[string]string) filesys.FileSystem {
	t.Helper()
	fs := filesys.MakeFsInMemory()
	for path, text := range texts {
		if err := fs.WriteFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: 'web:v1'}]}\n"

func function(kind, spec string) string {
	return "- |-\n  apiVersion: kubepromote.dev/v1alpha1\n  kind: " + kind + "\n  metadata: {name: f}\n  spec: " + spec + "\n"
}

func TestRun(t *testing.T) {
	set, verify := function("SetImages", "{images: [{name: web, newTag: v2}]}"), function("VerifyImages", "{}")
	for name, tc := range map[string]struct {
		root, base string
		image      string // in the result, or
		refused    string // in the error
	}{
		"nothing of ours":          {"resources: [base]\n", "resources: [pod.yaml]\n", "web:v1", ""},
		"in the root":              {"resources: [base]\ntransformers:\n" + set, "resources: [pod.yaml]\n", "web:v2", ""},
		"in a base":                {"resources: [base]\nnameSuffix: -x\n", "resources: [pod.yaml]\nnamePrefix: y-\ntransformers:\n" + set, "web:v2", ""},
		"in both":                  {"resources: [base]\nimages: [{name: web, newName: web2}]\ntransformers:\n" + strings.ReplaceAll(set, "name: web,", "name: web2, newName: web3,"), "resources: [pod.yaml]\ntransformers:\n" + set, "web3:v2", ""},
		"keys in any case":         {"resources: [base]\nTransformers:\n" + set, "resources: [pod.yaml]\n", "web:v2", ""},
		"a validator":              {"resources: [base]\nvalidators:\n" + verify, "resources: [pod.yaml]\n", "", `Pod web: spec.containers[0].image: image "web:v1" is not pinned by digest`},
		"a validator in a base":    {"resources: [base]\nimages: [{name: web, digest: 'sha256:" + strings.Repeat("a", 64) + "'}]\n", "resources: [pod.yaml]\nvalidators:\n" + verify, "", `image "web:v1" is not pinned`},
		"a validator sees changes": {"resources: [base]\ntransformers:\n" + set + "validators:\n" + verify, "resources: [pod.yaml]\n", "", `image "web:v2" is not pinned`},
		"a base without resources": {"resources: [base, pod.yaml]\n", "validators:\n" + verify, "web:v1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			fs := files(t, map[string]string{"/a/kustomization.yaml": tc.root, "/a/pod.yaml": pod, "/a/base/kustomization.yaml": tc.base, "/a/base/pod.yaml": pod})
			result, err := Run(t.Context(), "/a", Options{FS: fs})
			if tc.refused != "" {
				var refused *kustomize.Refused
				if !errors.As(err, &refused) || refused.Answer() != kustomize.No || !strings.Contains(err.Error(), tc.refused) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := result.Resources.AsYaml()
			if err != nil || !strings.Contains(string(text), "image: "+tc.image+"\n") {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}

func TestRunErrors(t *testing.T) {
	fs := files(t, map[string]string{
		"/a/kustomization.yaml": "resources: [pod.yaml]\nvalidators:\n- |-\n  apiVersion: v1\n  kind: Other\n  metadata: {name: o, annotations: {config.kubernetes.io/function: 'exec: {path: x}'}}\n",
		"/a/pod.yaml":           pod,
	})
	_, err := Run(t.Context(), "/a", Options{FS: fs, EnablePlugins: true})
	var skipped *SkippedError
	if !errors.As(err, &skipped) || skipped.Program != "x" || skipped.Function != "Other o" {
		t.Errorf("%v", err)
	}
	if _, err := Run(t.Context(), "/a/pod.yaml", Options{FS: fs}); err == nil {
		t.Error("a file was built")
	}
	fs = files(t, map[string]string{
		"/a/kustomization.yaml":      "resources: [base]\n",
		"/a/base/kustomization.yaml": "resources: [pod.yaml]\ntransformers:\n" + function("SetImages", "{images: [{name: web, newTag: v2}]}"),
		"/a/base/pod.yaml":           pod + "big: 12345678901234567890\n",
	})
	if _, err := Run(t.Context(), "/a", Options{FS: fs}); err == nil || !strings.Contains(err.Error(), "cannot be carried into the build as patches") {
		t.Errorf("%v", err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	fs = files(t, map[string]string{"/a/kustomization.yaml": "resources: [pod.yaml]\n", "/a/pod.yaml": pod})
	if _, err := Run(done, "/a", Options{FS: fs}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A base whose objects have values that a patch, which goes through JSON, would
// write in another way.
func TestRunOddValues(t *testing.T) {
	odd := pod + "odd: {float: 1.0, exp: 1e3, octal: 0o17, old: 017, hex: 0x1F, nothing: null, tilde: ~, date: 2026-01-02, on: on, yes: \"yes\", text: \"1.0\"}\n"
	fs := files(t, map[string]string{
		"/a/kustomization.yaml":      "resources: [base]\nnameSuffix: -x\n",
		"/a/base/kustomization.yaml": "resources: [pod.yaml]\ntransformers:\n" + function("SetImages", "{images: [{name: web, newTag: v2}]}"),
		"/a/base/pod.yaml":           odd,
		"/b/kustomization.yaml":      "resources: [base]\nnameSuffix: -x\n",
		"/b/base/kustomization.yaml": "resources: [pod.yaml]\nimages: [{name: web, newTag: v2}]\n",
		"/b/base/pod.yaml":           odd,
	})
	var texts []string
	for _, dir := range []string{"/a", "/b"} {
		result, err := Run(t.Context(), dir, Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		text, err := result.Resources.AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	if texts[0] != texts[1] {
		t.Errorf("by a function:\n%s\nby kustomize:\n%s", texts[0], texts[1])
	}
}

// Applied to the one, the steps give the other.
func TestDifference(t *testing.T) {
	for _, tc := range []struct{ a, b string }{
		{"{a: 1}", "{a: 1}"},
		{"{a: 1}", "{a: 2}"},
		{"{a: 1}", `{a: "1"}`},
		{"{a: x}", "{a: ''}"},
		{"{a: 1, b: 2}", "{b: 2}"},
		{"{b: 2}", "{a: {x: [1]}, b: 2}"},
		{"{a: [1, 2]}", "{a: [1, 3]}"},
		{"{a: [1, 2]}", "{a: [1]}"},
		{"{a: [{b: 1}, {c: 2}]}", "{a: [{b: 1}, {c: 3, d: 4}]}"},
		{"{'x/y~z': 1}", "{'x/y~z': 2}"},
		{"{a: {b: 1}}", "{a: text}"},
		{"{a: text}", "{a: null}"},
		{"{a: 1.5, b: 1}", "{a: '1.5', b: 1}"},
	} {
		a, b := yaml.MustParse(tc.a), yaml.MustParse(tc.b)
		ops := difference(a.YNode(), b.YNode(), "")
		if same := tc.a == tc.b; same != (len(ops) == 0) {
			t.Errorf("%s, %s: %v", tc.a, tc.b, ops)
			continue
		}
		patch, err := json.Marshal(ops)
		if err != nil {
			t.Fatal(err)
		}
		got, err := patchjson6902.Filter{Patch: string(patch)}.Filter([]*yaml.RNode{a})
		if err != nil {
			t.Errorf("%s, %s: %v", tc.a, tc.b, err)
			continue
		}
		if left := difference(got[0].YNode(), b.YNode(), ""); len(left) > 0 {
			t.Errorf("%s, %s: %s leaves %v", tc.a, tc.b, patch, left)
		}
	}
}

// A base that sets an image, under an overlay that renames what runs it.
func ExampleRun() {
	fs := filesys.MakeFsInMemory()
	for path, text := range map[string]string{
		"/app/kustomization.yaml":      "resources: [base]\nnamePrefix: eu-\n",
		"/app/base/kustomization.yaml": "resources: [pod.yaml]\ntransformers: [set.yaml]\n",
		"/app/base/pod.yaml":           "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{image: 'web:v1'}]}\n",
		"/app/base/set.yaml":           "apiVersion: kubepromote.dev/v1alpha1\nkind: SetImages\nmetadata: {name: set}\nspec: {images: [{name: web, newTag: v2}]}\n",
	} {
		if err := fs.WriteFile(path, []byte(text)); err != nil {
			fmt.Println(err)
		}
	}
	result, err := Run(context.Background(), "/app", Options{FS: fs})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := result.Resources.AsYaml()
	fmt.Print(string(text), err)
	// Output:
	// apiVersion: v1
	// kind: Pod
	// metadata:
	//   name: eu-web
	// spec:
	//   containers:
	//   - image: web:v2
	// <nil>
}
