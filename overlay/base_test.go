package overlay_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/overlay"
)

// What a file leaves to the chart's values is known from there, as Helm lays one over
// the other.
func TestBase(t *testing.T) {
	const chart = `image:
  registry: r.io
  repository: shop/web # the shop
  tag: ""
sidecar:
  image: {repository: q.io/side}
services:
  cart: {repository: q.io/cart, tag: v0}
imageRepository: q.io/flat
imageTag: v0
plain: {tag: x}
joined: {image: {org: a, repository: b, tag: x}}
list:
- image: {repository: q.io/item}
`
	for _, tc := range []struct{ name, base, src, want, edited string }{
		{"a tag alone", chart, "image: {tag: v1}\n", "image r.io/shop/web r.io/shop/web:v1 values.yaml:3:15", "image: {tag: v9}\n"},
		{"a registry of its own", chart, "image: {registry: e.io, tag: v1}\n", "image e.io/shop/web e.io/shop/web:v1 values.yaml:3:15", "image: {registry: e.io, tag: v9}\n"},
		{"a repository of its own", chart, "image: {repository: mine, tag: v1}\n", "image r.io/mine r.io/mine:v1", "image: {repository: mine, tag: v9}\n"},
		{"an empty registry", chart, "image: {registry: \"\", tag: v1}\n", "image shop/web shop/web:v1 values.yaml:3:15", ""},
		{"deeper", chart, "sidecar: {image: {tag: v1}}\n", "sidecar.image q.io/side q.io/side:v1 values.yaml:6:23", "sidecar: {image: {tag: v9}}\n"},
		{"a block under any key", chart, "services:\n  cart: {tag: v1}\n", "services.cart q.io/cart q.io/cart:v1 values.yaml:8:22", "services:\n  cart: {tag: v9}\n"},
		{"keys beside one another", chart, "imageTag: v1\n", "imageTag q.io/flat q.io/flat:v1 values.yaml:9:18", "imageTag: v9\n"},
		{"a list", chart, "list:\n- image: {tag: v1}\n", "list[0].image q.io/item q.io/item:v1 values.yaml:14:23", ""},
		{"no image", chart, "plain: {tag: v1}\n", "", ""},
		{"a name that the chart joins", chart, "joined: {image: {tag: v1}}\n", "joined.image joined.image joined.image:v1; its repository is not in this file (joined.image.repository would name it)", ""},
		{"not in the base", chart, "other: {image: {tag: v1}}\n", "other.image other.image other.image:v1; its repository is not in this file (other.image.repository would name it)", ""},
		{"a registry for all", "global: {imageRegistry: g.io}\nimage: {repository: web, tag: x}\n", "image: {tag: v1}\n", "image g.io/web g.io/web:v1 values.yaml:2:21", ""},
		{"and one of the file", "global: {imageRegistry: g.io}\nimage: {repository: web, tag: x}\n", "global: {imageRegistry: e.io}\nimage: {tag: v1}\n", "image e.io/web e.io/web:v1 values.yaml:2:21", ""},
		{
			"a release", "kind: X\n---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web}\nspec: {values: {image: {repository: q.io/web, tag: x}}}\n",
			"apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web}\nspec: {values: {image: {tag: v1}}}\n", "spec.values.image q.io/web q.io/web:v1 values.yaml:6:37", "",
		},
		{
			"another release", "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: api}\nspec: {values: {image: {repository: q.io/web, tag: x}}}\n",
			"apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web}\nspec: {values: {image: {tag: v1}}}\n",
			"spec.values.image spec.values.image spec.values.image:v1; its repository is not in this file (spec.values.image.repository would name it)", "",
		},
		{"an empty base", "", "image: {tag: v1}\n", "image image image:v1; its repository is not in this file (image.repository would name it)", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base, err := overlay.Parse("values.yaml", []byte(tc.base))
			if err != nil {
				t.Fatal(err)
			}
			f, err := overlay.Options{Base: base}.Parse("values-production.yaml", []byte(tc.src))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for i, line := range shown(f) {
				got += line
				if from := f.Images()[i].RepositoryFrom; from.File != "" {
					got += fmt.Sprintf(" %s:%d:%d", from.File, from.Line, from.Col)
				}
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
			if tc.edited == "" {
				return
			}
			edit, err := f.Set(overlay.Change{Path: f.Images()[0].Path, Tag: overlay.To("v9")})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.edited, string(edit.After.Bytes())); d != "" {
				t.Error(d)
			}
			for _, name := range []string{"r.io/x/web", "x.io/other"} {
				edit, err = f.Set(overlay.Change{Path: f.Images()[0].Path, NewName: overlay.To(name)})
				if err == nil && edit.After.Images()[0].Repository() != name {
					t.Errorf("%s becomes %s", name, edit.After.Images()[0].Ref())
				}
			}
		})
	}
}
