package rollback_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/rollback"
)

func ExampleWalk() {
	w := rollback.NewWalk(rollback.Target{Steps: 1})
	// as history.Read gives it
	w.Visit(history.Change{Commit: "c0ffee", Images: []history.ImageChange{{
		Name: "cart", Overlay: "apps/cart/overlays/production",
		Old: history.Pin{Tag: "v1", Digest: "sha256:1"}, New: history.Pin{Tag: "v2", Digest: "sha256:2"},
	}}})
	found, err := w.Found()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(found.Of, found.Pins[0].Name, found.Pins[0].Short())
	// Output: c0ffee cart v1
}
