package helm_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/promote/render/helm"
)

// Without a program that renders there is an error with a hint, and no empty chart.
func ExampleProgram_Render() {
	program := helm.At("/nowhere/promote-helm")
	_, err := program.Render(context.Background(), helm.Request{
		Dir:     "charts/cart",
		Files:   map[string][]byte{"Chart.yaml": []byte("apiVersion: v2\nname: cart\nversion: 1.0.0\n")},
		Values:  []helm.Values{{Name: "values-production.yaml", Data: []byte("replicas: 3\n")}},
		Release: "cart", Namespace: "shop",
	})
	fmt.Println(errors.Is(err, context.Canceled), err != nil)
	// Output: false true
}
