package unlisted_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/overlay/unlisted"
)

// What may be an image is judged by its key and its text, in objects of kinds that have
// nothing to do with Kubernetes' own; what is known to be one is not listed.
func TestIn(t *testing.T) {
	for name, tc := range map[string]struct {
		file, doc string
		want      []string
	}{
		"keys":   {"", "apiVersion: e.test/v1\nkind: Shop\nspec: {image: 'a/b:v1', webImage: 'c:v2', imageName: r.test/d, images: ['e:v1', {x: 'f/g:v3'}]}\n", []string{"spec.image a/b:v1", "spec.webImage c:v2", "spec.imageName r.test/d", "spec.images[0] e:v1"}},
		"digest": {"", "apiVersion: e.test/v1\nkind: Shop\nspec: {bundle: 'a/b@sha256:0123456789012345678901234567890123456789012345678901234567890123'}\n", []string{"spec.bundle a/b@sha256:0123456789012345678901234567890123456789012345678901234567890123"}},
		"blocks": {"", "apiVersion: e.test/v1\nkind: Shop\nspec: {image: {registry: r.test, repository: a, tag: v1}}\n", []string{"spec.image r.test/a:v1"}},
		"others": {"", "apiVersion: e.test/v1\nkind: Shop\nmetadata: {annotations: {image: 'a:v1'}}\nspec: {image: ubuntu, heroImage: photo.png, imageUrl: 'https://x.test/a:v1', version: 'a:v1', port: 'localhost:80'}\nstatus: {image: 'a:v1'}\n", nil},
		"known":  {"", "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nspec: {imageName: 'a/pg:16'}\n", nil},
		"pods":   {"", "apiVersion: e.test/v1\nkind: Shop\nspec: {containers: [{image: 'a:v1'}]}\n", nil},
		"core":   {"", "apiVersion: v1\nkind: ConfigMap\ndata: {image: 'a:v1'}\n---\napiVersion: apps/v1\nkind: X\nspec: {image: 'a:v1'}\n", nil},
		"values": {"values.yaml", "image: 'a:v1'\n", nil},
		"second": {"", "apiVersion: v1\nkind: X\n---\napiVersion: v1\nkind: List\nitems: [{apiVersion: e.test/v1, kind: Shop, spec: {image: 'a:v1'}}]\n", []string{"doc:1:items[0].spec.image a:v1"}},
	} {
		f, err := overlay.Parse(tc.file+"x.yaml", []byte(tc.doc))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, u := range unlisted.In(f) {
			got = append(got, u.Path+" "+u.Ref)
			if u.Position.Line == 0 {
				t.Errorf("%s: %s has no place", name, u.Path)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func ExampleIn() {
	f, err := overlay.Parse("shop.yaml", []byte("apiVersion: example.com/v1\nkind: Shop\nspec:\n  image: registry.example.com/shop:v1\n"))
	if err != nil {
		panic(err)
	}
	for _, u := range unlisted.In(f) {
		fmt.Println(u.Position.Line, u.Path, u.Ref, u.Pinned())
	}
	// Output: 4 spec.image registry.example.com/shop:v1 true
}
