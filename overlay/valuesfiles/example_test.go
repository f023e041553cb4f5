package valuesfiles_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/overlay/valuesfiles"
)

// A kustomization names the file in which the images of its chart stand.
func ExampleIn() {
	f, err := overlay.Parse("kustomization.yaml", []byte("helmCharts:\n- name: web\n  valuesFile: ../values.yaml\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range valuesfiles.In(f) {
		fmt.Println(n.Path, n.File, n.Position.Line)
	}
	// Output: helmCharts[web ].valuesFile ../values.yaml 3
}
