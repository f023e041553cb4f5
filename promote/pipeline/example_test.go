package pipeline_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// A pipeline file is decoded strictly; the environments form a graph.
func ExampleParse() {
	p, err := pipeline.Parse("promotion.yaml", []byte(`
apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments:
  - name: staging
  - name: production
    from: [staging]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	to, err := p.Environment("production")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(to.From, "→", to.Name)
	// Output:
	// [staging] → production
}
