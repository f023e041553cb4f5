package cluster_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/schema"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// refused tells whether the server refuses an object, which it does not keep either way.
func refused(t *testing.T, fields map[string]any) error {
	t.Helper()
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(data, &u.Object); err != nil {
		t.Fatal(err)
	}
	return admin.Create(t.Context(), u, client.DryRunAll, client.FieldValidation("Strict"))
}

// free are the maps whose keys are anybody's.
var free = []string{"labels", "annotations", "matchLabels", "selector", "data", "stringData", "binaryData", "nodeSelector", "parameters",
	"limits", "requests", "hard", "capacity", "min", "max", "default", "defaultRequest", "maxLimitRequestRatio", "overhead", "podFixed", "metadata"}

// broken calls visit with an object that is wrong in one place after the other: a map where
// a word stood, or a field that nobody knows beside the others.
func broken(root, here map[string]any, path string, visit func(what string)) {
	for _, key := range slices.Sorted(func(yield func(string) bool) {
		for k := range here {
			if !yield(k) {
				return
			}
		}
	}) {
		at := path + "." + key
		switch was := here[key].(type) {
		case map[string]any:
			if at == ".metadata" {
				continue
			}
			broken(root, was, at, visit)
			if !slices.Contains(free, key) && len(was) > 0 {
				was["nobodyKnows"] = "x"
				visit(at + ".nobodyKnows")
				delete(was, "nobodyKnows")
			}
		case []any:
			for n, one := range was {
				if m, ok := one.(map[string]any); ok {
					broken(root, m, fmt.Sprintf("%s[%d]", at, n), visit)
				}
			}
			here[key] = "x"
			visit(at + " is no list")
			here[key] = was
		default:
			if path == "" && (key == "apiVersion" || key == "kind") {
				continue
			}
			here[key] = map[string]any{"a": map[string]any{"b": "c"}}
			visit(at + " is a map")
			here[key] = was
		}
	}
}

// The gate schema says of objects of all kinds what the server says of them: of those that
// are well, and of those that are wrong in any one place.
func TestSchemaAgrees(t *testing.T) {
	ns := namespace(t, "schema")
	_, all := kinds(t, ns)
	set, err := schema.Load(nil, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	seen, wrong, differ := make(map[string]bool), 0, 0
	for n := range all {
		o := &all[n]
		if strings.Contains(o.APIVersion, "example.com") || strings.Contains(o.APIVersion, "argoproj.io") || o.Kind == "CustomResourceDefinition" {
			continue // the definitions of others are not given here, and one that is none is an error of its own
		}
		seen[o.Kind] = true
		judge := func(what string) {
			found, err := set.Check(t.Context(), []objects.Object{*o})
			if err != nil {
				t.Fatal(err)
			}
			says := refused(t, o.Fields)
			if what != "" {
				wrong++
			}
			if (len(found.Findings) > 0) != (says != nil) {
				differ++
				t.Errorf("%s%s: the gate says %v, unknown %v, and the server %v", o, what, found.Findings, found.Unknown, says)
			}
		}
		judge("")
		broken(o.Fields, o.Fields, "", judge)
	}
	t.Logf("%d kinds, %d objects that are wrong, %d differences", len(seen), wrong, differ)
	if len(seen) < 30 || wrong < 300 {
		t.Errorf("%d kinds and %d objects are too few", len(seen), wrong)
	}
}
