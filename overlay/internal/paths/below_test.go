package paths

import (
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A file of many parts is asked for each of them: the answer is that of looking at every path.
func TestTree(t *testing.T) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte("list: [{name: a, tag: v1}, {name: b, tag: v2}]\n"), &doc); err != nil {
		t.Fatal(err)
	}
	all := []string{"a.image.tag", "a.image", "ab.image", "list[0].tag", "list[name=b].tag", `a\.b.tag`, "a|c.tag", "top", "doc:1:a.tag", "."}
	tree := NewTree([]*yaml.Node{&doc}, all, func(path string) string { return path })
	for _, root := range []string{"a", "a.image", "a.image.tag", "ab", "b", "list", "list[0]", "list[1]", "list[1].tag", `a\.b`, `a\`, "a|c", ".", "doc:1:.", "doc:1:a", "", "top", "x."} {
		var want []int
		for i, path := range all {
			if IsBelow(Indexed([]*yaml.Node{&doc}, path), root) {
				want = append(want, i)
			}
		}
		if got := tree.Below(root); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", root, got, want)
		}
	}
}
