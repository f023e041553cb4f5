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
