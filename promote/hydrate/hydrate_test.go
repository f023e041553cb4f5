package hydrate_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/hydrate"
	"github.com/kubepromote/kubepromote/promote/objects"
)

func object(text string) objects.Object {
	var fields map[string]any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&fields); err != nil {
		panic(err)
	}
	return objects.Of(fields)
}

func ExampleFiles() {
	files, err := hydrate.Files("cart", []objects.Object{
		object(`{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "cart", "namespace": "shop"}, "spec": {"replicas": 2}}`),
		object(`{"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "shop:read"}}`),
	}, hydrate.Options{})
	for _, f := range files {
		fmt.Printf("# %s\n%s", f.Path, f.Data)
	}
	fmt.Println(err)
	// Output:
	// # cart/ClusterRole-shop:read.yaml
	// apiVersion: rbac.authorization.k8s.io/v1
	// kind: ClusterRole
	// metadata:
	//   name: shop:read
	// # cart/shop/Deployment-cart.yaml
	// apiVersion: apps/v1
	// kind: Deployment
	// metadata:
	//   name: cart
	//   namespace: shop
	// spec:
	//   replicas: 2
	// <nil>
}

// Two kinds of one name get a file each; what has no file of its own is an error that names it.
func TestFiles(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		all        []string
	}{
		{"groups", "cart/Service-a.yaml cart/Service.serving.knative.dev-a.yaml", []string{`{"kind": "Service", "apiVersion": "v1", "metadata": {"name": "a"}}`, `{"kind": "Service", "apiVersion": "serving.knative.dev/v1", "metadata": {"name": "a"}}`}},
		{"twice", "Service a is rendered twice", []string{`{"kind": "Service", "apiVersion": "v1", "metadata": {"name": "a"}}`, `{"kind": "Service", "apiVersion": "v1", "metadata": {"name": "a"}}`}},
		{"no name", "Job has no name, and so no file: each apply makes another", []string{`{"kind": "Job", "apiVersion": "batch/v1", "metadata": {"generateName": "a-"}}`}},
		{"elsewhere", `"Service ../a/b" makes no name of a file`, []string{`{"kind": "Service", "apiVersion": "v1", "metadata": {"name": "b", "namespace": "../a"}}`}},
		{"secret", "Secret a has values in plain text, which would stand in Git", []string{`{"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}, "stringData": {"a": "b"}}`}},
		{"empty secret", "cart/Secret-a.yaml", []string{`{"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}}`}},
	} {
		var all []objects.Object
		for _, text := range tc.all {
			all = append(all, object(text))
		}
		files, err := hydrate.Files("cart", all, hydrate.Options{})
		var got []string
		for _, f := range files {
			got = append(got, f.Path)
		}
		if err != nil {
			got = []string{err.Error()}
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// BenchmarkFiles is what a large service takes: it was as many comparisons as it has objects,
// for each of them.
func BenchmarkFiles(b *testing.B) {
	var all []objects.Object
	for n := range 20_000 {
		all = append(all, object(fmt.Sprintf(`{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c%d"}}`, n)))
	}
	for b.Loop() {
		if files, err := hydrate.Files("cart", all, hydrate.Options{}); err != nil || len(files) != len(all) {
			b.Fatal(len(files), err)
		}
	}
}
