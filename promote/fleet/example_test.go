package fleet_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote/fleet"
)

func ExampleParse() {
	f, err := fleet.Parse("fleet.yaml", []byte(`apiVersion: kubepromote.dev/v1alpha1
kind: Fleet
spec:
  repositories:
  - https://git.example.com/shop/infra.git
  - {name: payments, repository: https://git.example.com/money/infra.git, branch: main}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range f.Spec.Repositories {
		fmt.Println(r.Name, r.Repository)
	}
	// Output:
	// infra https://git.example.com/shop/infra.git
	// payments https://git.example.com/money/infra.git
}
