package mergeplan_test

import (
	"encoding/json"
	"fmt"

	"github.com/kubepromote/kubepromote/promote/mergeplan"
)

// A conflict is told by its file and its lines.
func ExampleConflict() {
	out, err := json.Marshal(mergeplan.Conflict{File: "cart/kustomization.yaml", Why: "both have changed it", Hunks: []mergeplan.Hunk{{Line: 3, Ours: "newTag: v9\n", Theirs: "newTag: v6\n"}}})
	fmt.Println(string(out), err)
	// Output: {"file":"cart/kustomization.yaml","why":"both have changed it","hunks":[{"line":3,"ours":"newTag: v9\n","theirs":"newTag: v6\n"}]} <nil>
}
