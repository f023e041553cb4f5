// Package texts finds the scalars of a file by their text: a file of many images is asked
// about each, and to walk through all of it each time takes the square of its size.
package texts

import (
	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/paths"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
)

// Text is a scalar; Prefix stands before its path where there are several documents.
type Text struct {
	*nodes.Trail
	Prefix string
}

// Index has the scalars by their text, and by the image that they name with a tag or a
// digest.
type Index struct{ ByText, ByImage map[string][]Text }

// Of makes the index of documents.
func Of(docs []*yaml.Node) Index {
	x := Index{make(map[string][]Text), make(map[string][]Text)}
	for i, root := range docs {
		prefix := paths.Prefix(len(docs), i)
		nodes.EachScalar(nodes.Start(root, ""), func(t *nodes.Trail) {
			if t.Up == nil {
				return // a document of one scalar
			}
			text := t.Node.Value
			x.ByText[text] = append(x.ByText[text], Text{t, prefix})
			if name, _, _, ok := reference.SplitRef(text, true); ok && reference.IsPinned(text) {
				x.ByImage[name] = append(x.ByImage[name], Text{t, prefix})
			}
		})
	}
	return x
}
