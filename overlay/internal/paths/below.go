package paths

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Tree finds those of many paths that are below another one.
type Tree struct {
	all   []string
	below map[string][]int
}

// NewTree makes one of what has the paths of values in the documents of a file.
func NewTree[T any](docs []*yaml.Node, all []T, path func(T) string) *Tree {
	t := &Tree{below: make(map[string][]int)}
	for i, one := range all {
		at := Indexed(docs, path(one))
		t.all = append(t.all, at)
		for end := range at {
			if strings.IndexByte(".[|", at[end]) >= 0 {
				t.below[at[:end]] = append(t.below[at[:end]], i)
			}
		}
		t.below[at] = append(t.below[at], i)
	}
	return t
}

// Below gives the numbers of the paths that are a path, or lead on from it. Whoever asks
// changes none of what is given.
func (t *Tree) Below(root string) []int {
	if !strings.HasSuffix(root, ".") || strings.HasSuffix(root, `\.`) {
		return t.below[root]
	}
	var out []int // of a document
	for i, at := range t.all {
		if IsBelow(at, root) {
			out = append(out, i)
		}
	}
	return out
}
