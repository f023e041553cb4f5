package cluster_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/e2e/internal/peers"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	sigsyaml "sigs.k8s.io/yaml"
)

// workflows is the module with the schema of Argo Workflows.
var workflows = struct{ module, version, sum, file string }{"github.com/argoproj/argo-workflows/v4", "v4.0.5", "h1:/1lru5oXUd+k6KEDUps6rLX5OKfi1jTfabgXTly/VFU=", "manifests/base/crds/full/argoproj.io_workflowtemplates.yaml"}

// The engines' manifests are what an API server takes, without a field that it would drop: a
// misspelt one of a retry or a security context is lost in silence elsewhere.
func TestFleetManifests(t *testing.T) {
	installEngines(t)
	ns := namespace(t, "fleet")
	for _, file := range []string{"rbac.yaml", "job.yaml", "workflowtemplate.yaml", "pipeline.yaml"} {
		for _, o := range objectsOf(t, filepath.Join("../../examples/fleet", file)) {
			o.SetNamespace(ns)
			if err := admin.Create(t.Context(), o, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
				t.Errorf("%s: %s: %v", file, o.GetKind(), err)
			}
		}
	}
	// A misspelt field is told, so the check above is one.
	wrong := objectsOf(t, "../../examples/fleet/workflowtemplate.yaml")[0]
	wrong.SetName("wrong")
	wrong.SetNamespace(ns)
	if err := unstructured.SetNestedField(wrong.Object, "8", "spec", "paralellism"); err != nil {
		t.Fatal(err)
	}
	if err := admin.Create(t.Context(), wrong, client.FieldValidation(metav1.FieldValidationStrict)); err == nil || !strings.Contains(err.Error(), "paralellism") {
		t.Errorf("a misspelt field: %v", err)
	}
	for _, c := range []struct {
		account, verb, group, resource string
		may                            bool
	}{
		{"promotions", "get", "", "pods", false}, {"promotions", "get", "", "secrets", false}, {"promotions", "create", "argoproj.io", "workflowtaskresults", false},
		{"promotions-executor", "create", "argoproj.io", "workflowtaskresults", true}, {"promotions-executor", "patch", "argoproj.io", "workflowtaskresults", true},
		{"promotions-executor", "get", "", "secrets", false}, {"promotions-executor", "patch", "", "pods", false},
	} {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: "system:serviceaccount:" + ns + ":" + c.account,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: ns, Verb: c.verb, Group: c.group, Resource: c.resource}}}
		if err := admin.Create(t.Context(), review); err != nil {
			t.Fatal(err)
		}
		if review.Status.Allowed != c.may {
			t.Errorf("%s may %s %s: %v", c.account, c.verb, c.resource, review.Status.Allowed)
		}
	}
}

// installEngines gives the server the schemas. That of Argo is too large to be stored with its
// descriptions, which check nothing.
func installEngines(t *testing.T) {
	t.Helper()
	dir, err := peers.Module(t.Context(), workflows.module, workflows.version, workflows.sum)
	if err != nil {
		t.Fatal(err)
	}
	crd := objectsOf(t, filepath.Join(dir, filepath.FromSlash(workflows.file)))[0]
	strip(crd.Object)
	text, err := sigsyaml.Marshal(crd.Object)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "workflowtemplates.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := envtest.InstallCRDs(environment.Config, envtest.CRDInstallOptions{Paths: []string{file, "testdata/tekton.yaml"}, ErrorIfPathMissing: true, MaxTime: startLimit}); err != nil {
		t.Fatal(err)
	}
}

// strip removes the descriptions of a schema, and not the fields that are called so.
func strip(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["description"].(string); ok {
			delete(v, "description")
		}
		for _, below := range v {
			strip(below)
		}
	case []any:
		for _, below := range v {
			strip(below)
		}
	}
}

// objectsOf reads the objects of a file.
func objectsOf(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	dec := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		o := &unstructured.Unstructured{}
		switch err := dec.Decode(&o.Object); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%s: %v", file, err)
		case o.Object != nil:
			all = append(all, o)
		}
	}
}
