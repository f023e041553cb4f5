package kustomize

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// objects are of the kinds that have pods, and of others that have images.
var objects = map[string]string{
	"Pod": `apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  initContainers: [{name: a, image: "a:1"}]
  containers:
  - {name: b, image: b}
  - name: c # no image
  ephemeralContainers: [{name: d, image: 'reg.example.com:5000/d@sha256:1111111111111111111111111111111111111111111111111111111111111111'}]
  volumes:
  - {name: e, image: {reference: "e:5", pullPolicy: Always}}
  - {name: f, emptyDir: {}}
`,
	"Deployment":            workload("apps/v1", "Deployment"),
	"StatefulSet":           workload("apps/v1", "StatefulSet"),
	"DaemonSet":             workload("apps/v1", "DaemonSet"),
	"ReplicaSet":            workload("apps/v1", "ReplicaSet"),
	"ReplicationController": workload("v1", "ReplicationController"),
	"Job":                   workload("batch/v1", "Job"),
	"Rollout":               workload("argoproj.io/v1alpha1", "Rollout"),
	"CronJob": `apiVersion: batch/v1
kind: CronJob
metadata: {name: web}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: "cron:1"}]}}}}}
`,
	"PodTemplate": `apiVersion: v1
kind: PodTemplate
metadata: {name: web}
template: {spec: {containers: [{name: a, image: "template:1"}]}}
`,
	"DeploymentList": `apiVersion: apps/v1
kind: DeploymentList
items:
- spec: {template: {spec: {containers: [{image: "first:1"}]}}}
- spec: {template: {spec: {containers: [{image: "second:1"}]}}}
`,
	"aliases": `apiVersion: v1
kind: Pod
metadata: {name: web}
x: &base {image: "merged:1"}
y: &list [{image: "listed:1"}]
spec:
  containers:
  - {<<: *base, name: a}
  - &c {name: b, image: "anchored:1"}
  initContainers: *list
  ephemeralContainers: [*c]
`,
	"dots": `apiVersion: example.com/v1
kind: Odd
metadata: {name: web}
spec: {"a.b[c]:d": {containers: [{image: "odd:1"}]}}
`,
	"not pods": `apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {image: "no:1", containers: "image: no:1"}
spec: {volumes: {image: {reference: "no:1"}}, containers: [text, 1, {image: null}]}
`,
}

func workload(apiVersion, kind string) string {
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      initContainers: [{image: 'init:1'}]\n      containers: [{image: 'main:1'}]\n", apiVersion, kind)
}

// Whatever the package overlay finds in an object is found here, at the same path.
func TestFindAgreesWithOverlay(t *testing.T) {
	for name, text := range objects {
		t.Run(name, func(t *testing.T) {
			agree(t, text)
			ours, err := findImages(yaml.MustParse(text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if found := len(ours) > 0; found != (name != "not pods") {
				t.Errorf("%d images", len(ours))
			}
		})
	}
}

func agree(t *testing.T, text string) {
	t.Helper()
	file, err := overlay.Parse("object", []byte(text))
	if err != nil {
		return // not for overlay to judge
	}
	item, err := yaml.Parse(text)
	if err != nil {
		return
	}
	ours, err := findImages(item, nil)
	if err != nil {
		t.Fatal(err)
	}
	aliases := strings.Contains(text, "*")
	var places, texts []string
	for _, i := range ours {
		places, texts = append(places, i.path+" "+i.text), append(texts, i.text)
	}
	for _, p := range file.Images() {
		if p.Format != overlay.Manifest {
			continue
		}
		// What aliases repeat is listed once here, where it is met first.
		if !slices.Contains(texts, p.Ref()) || !aliases && !slices.Contains(places, p.Path+" "+p.Ref()) {
			t.Errorf("overlay has %s %s, not among\n%s\n%s", p.Path, p.Ref(), strings.Join(places, "\n"), text)
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, text := range objects {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "\n---") || strings.Contains(text, "List") {
			return // several objects: a host hands them over one by one
		}
		agree(t, text)
	})
}

func TestMatches(t *testing.T) {
	for _, tc := range []struct {
		repository, pattern string
		want                bool
	}{
		{"nginx", "nginx", true},
		{"nginx", "ngin", false},
		{"reg.example.com/a/b", "reg.example.com/a/*", true},
		{"reg.example.com/a/b/c", "reg.example.com/a/*", false},
		{"reg.example.com/a/b/c", "reg.example.com/a/**", true},
		{"reg.example.com/a", "reg.example.com/a/**", false},
		{"reg.example.com/ab/c", "reg.example.com/a/**", false},
		{"reg.example.com/a/b", "reg.example.com/**", true},
		{"reg.example.com/web-1", "reg.example.com/web-*", true},
		{"reg.example.com/a/web", "*/*/web", true},
		{"reg.example.com/a/x/web", "*/*/web", false},
	} {
		if got := matches(tc.repository, []string{tc.pattern}); got != tc.want {
			t.Errorf("%s by %s: %v", tc.repository, tc.pattern, got)
		}
	}
}

func TestSplitRef(t *testing.T) {
	for text, want := range map[string]ref{
		"nginx":                                {"nginx", "", ""},
		"nginx:1":                              {"nginx", "1", ""},
		"localhost:5000/x":                     {"localhost:5000/x", "", ""},
		"localhost:5000/x:1@sha256:ab":         {"localhost:5000/x", "1", "sha256:ab"},
		"reg.example.com/a/b@sha256:ab":        {"reg.example.com/a/b", "", "sha256:ab"},
		"reg.example.com:443/a/b:v1@sha256:ab": {"reg.example.com:443/a/b", "v1", "sha256:ab"},
	} {
		if got := splitRef(text); got != want || got.String() != text {
			t.Errorf("%s: %+v, %s", text, got, got)
		}
	}
}
