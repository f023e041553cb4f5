package overlay_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/overlay"
)

// Promote what staging runs: one line of production's file changes.
func Example() {
	staging := []byte(`kind: Kustomization
images:
- {name: cart, newTag: v1.3.0}
`)
	production := []byte(`kind: Kustomization
images:
# the shopping cart; ask the team before you touch it
- {name: cart, newTag: v1.2.9} # promoted
replicas:
- {name: cart, count: 5}
`)
	from, err := overlay.Parse("staging/kustomization.yaml", staging)
	if err != nil {
		fmt.Println(err)
		return
	}
	to, err := overlay.Parse("production/kustomization.yaml", production)
	if err != nil {
		fmt.Println(err)
		return
	}
	cart, _ := from.Image("cart")
	edit, err := to.Set(overlay.Change{Name: "cart", Tag: overlay.To(cart.Tag)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(edit.Diff())
	// Output:
	// --- a/production/kustomization.yaml
	// +++ b/production/kustomization.yaml
	// @@ -1,6 +1,6 @@
	//  kind: Kustomization
	//  images:
	//  # the shopping cart; ask the team before you touch it
	// -- {name: cart, newTag: v1.2.9} # promoted
	// +- {name: cart, newTag: v1.3.0} # promoted
	//  replicas:
	//  - {name: cart, count: 5}
}

// One file has a part for each service.
func ExampleFile_ImagesWithin() {
	f, err := overlay.Parse("values-staging.yaml", []byte(`services:
  cart: {image: {repository: registry.example.com/shop/cart, tag: v2}}
  web: {image: {repository: registry.example.com/shop/web, tag: v7}}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, service := range f.KeysAt("services") {
		images, err := f.ImagesWithin("services." + service)
		fmt.Println(service, images[0].Ref(), err)
	}
	// Output:
	// cart registry.example.com/shop/cart:v2 <nil>
	// web registry.example.com/shop/web:v7 <nil>
}

// A file that holds the tag alone does not say of which image.
func ExampleImagePath() {
	o := overlay.Options{Images: []overlay.ImagePath{{Path: "services.cart.tag", Repository: "registry.example.com/shop/cart"}}}
	f, err := o.Parse("values-staging.yaml", []byte("services:\n  cart: {tag: v2} # ask first\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range f.Images() {
		fmt.Println(p.Path, p.Ref())
	}
	// Output:
	// services.cart.tag registry.example.com/shop/cart:v2
}

// The chart's values know the repository that an environment's values leave out.
func ExampleOptions_base() {
	chart, err := overlay.Parse("values.yaml", []byte("image:\n  repository: registry.example.com/shop/web\n  tag: \"\"\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := overlay.Options{Base: chart}.Parse("values-production.yaml", []byte("image: {tag: v1}\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	web := f.Images()[0]
	fmt.Println(web.Ref(), "by", web.RepositoryFrom.File, "line", web.RepositoryFrom.Line)
	// Output:
	// registry.example.com/shop/web:v1 by values.yaml line 2
}

// Scalars move as text, and the quotes and comments of the target stay.
func ExampleScalar_Change() {
	staging, err := overlay.Parse("staging.env", []byte("VERSION=2\nTHEME=dark\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	production, err := overlay.Parse("production.env", []byte("# shop\nVERSION=\"1\"\nTHEME=light # quiet\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	var values []overlay.ValueChange
	for _, s := range staging.Scalars("*") {
		if v, ok := s.Change(s.Path); ok {
			values = append(values, v)
		}
	}
	edit, err := production.Edit(overlay.Request{Values: values})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(edit.After.Bytes()))
	// Output:
	// # shop
	// VERSION="2"
	// THEME=dark # quiet
}
