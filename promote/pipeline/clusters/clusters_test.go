package clusters_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/pipeline/clusters"
)

func ExampleNames_Contexts() {
	names := clusters.Names{"prod-eu": {"eu-1", "https://10.0.0.1:6443"}, "prod-us": {"us-1"}}
	fmt.Println(names.Contexts("eu-1"), names.Contexts("https://10.0.0.1:6443/"), names.Contexts("prod-eu"))
	// Output: [prod-eu] [prod-eu] []
}

// A name that says nothing, or that is said twice, is an error with its line.
func TestCheck(t *testing.T) {
	const head = "apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  environments: [{name: dev}]\n"
	for text, want := range map[string]string{
		"clusters: {dev: [a, https://dev.example.com]}": "",
		"clusters: {dev: []}":                           `p.yaml:5:13: context "dev" has no name of its cluster`,
		"clusters: {dev: [a, a]}":                       `p.yaml:5:13: a name of the cluster of context "dev" is empty, or listed twice`,
		"clusters: {dev: a}":                            "p.yaml:5:19: spec.clusters.dev is a string, not a list",
	} {
		_, err := pipeline.Parse("p.yaml", []byte(head+"  "+text+"\n"))
		if err == nil && want != "" || err != nil && (want == "" || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
