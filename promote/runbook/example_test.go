package runbook_test

import (
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/runbook"
)

func ExampleWrite() {
	p, err := pipeline.Parse("promotion.yaml", []byte(`
apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
  - name: staging
  - {name: production, from: [staging], gates: [{soak: {for: 10m}}, {approvals: {min: 2}}], deliver: {mode: pullRequest}}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(string(runbook.Write(p))) {
		if strings.HasPrefix(line, "- ") {
			fmt.Print(line)
		}
	}
	// Output:
	// - `soak`: the image has stood in `staging` for `10m`
	// - `approvals`: 2 of `codeowners` have approved the pull request
}
