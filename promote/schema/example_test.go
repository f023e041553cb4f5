package schema_test

import (
	"context"
	"fmt"

	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/schema"
)

func ExampleSet_Check() {
	set, err := schema.Load(nil, schema.Options{Version: "1.36"})
	if err != nil {
		fmt.Println(err)
		return
	}
	settings := objects.Object{APIVersion: "v1", Kind: "ConfigMap", Name: "settings", Fields: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "settings"}, "date": map[string]any{"LOG_LEVEL": "info"},
	}}
	r, err := set.Check(context.Background(), []objects.Object{settings})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range r.Findings {
		fmt.Println(f)
	}
	// Output: ConfigMap settings: date is no field that is known there, did you mean data?
}
