package syntax

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// prove parses the edited text and compares its trees with the expected ones. Of
// a large text it parses only the parts that matter, if they are small.
func (e *Edit) prove(text []byte) (*Source, error) {
	if len(text) >= segmentsFrom && e.src.form == YAML {
		if after := e.proveSegments(text, len(text)/2); after != nil {
			return after, nil
		}
	}
	return e.proveWhole(text)
}

func (e *Edit) proveWhole(text []byte) (*Source, error) {
	after := &Source{Name: e.src.Name, Bytes: text, form: e.src.form, line: e.src.line, col: e.src.col}
	if err := after.parse(); err != nil {
		return nil, e.src.Errorf(nil, "edit this file by hand, or write the entry in block style",
			"refused: the edited text would not parse (%v)", err)
	}
	if len(after.Docs) != len(e.src.Docs) {
		return nil, e.refuse(nil, fmt.Sprintf("%d documents become %d", len(e.src.Docs), len(after.Docs)))
	}
	for i, before := range e.src.Docs {
		if n, why := e.differ(before, after.Docs[i]); why != "" {
			return nil, e.refuse(n, why)
		}
	}
	return after, nil
}

func (e *Edit) refuse(n *yaml.Node, why string) error {
	return e.src.Errorf(n, "edit this file by hand, or write the entry in block style",
		"refused: the edit would change more than was asked for (%s)", why)
}

// differ compares a node of the tree before, as it is expected to be, with its
// counterpart after. It returns the first node that is not as expected, and why;
// nodes that the edit makes have no place, so for them it is their parent.
func (e *Edit) differ(before, after *yaml.Node) (*yaml.Node, string) {
	want := before
	if w := e.want[before]; w != nil {
		want = w
	}
	switch {
	case want.Kind != after.Kind:
		return before, fmt.Sprintf("a %s becomes a %s", KindName(want), KindName(after))
	case want.Value != after.Value:
		return before, fmt.Sprintf("%q becomes %q", want.Value, after.Value)
	case want.Kind != yaml.AliasNode && want.ShortTag() != after.ShortTag(): // an alias has its anchor's
		return before, fmt.Sprintf("%q becomes a %s", want.Value, after.ShortTag())
	case want.Anchor != after.Anchor:
		return before, fmt.Sprintf("anchor %q becomes %q", want.Anchor, after.Anchor)
	case want.Style != after.Style:
		return before, fmt.Sprintf("the style of %q changes", want.Value)
	case len(want.Content) != len(after.Content):
		return before, fmt.Sprintf("a %s of %d becomes one of %d", KindName(want), len(want.Content), len(after.Content))
	case want.Kind == yaml.AliasNode:
		return before, sameAnchor(want.Alias, after.Alias)
	}
	for i, c := range want.Content {
		if n, why := e.differ(c, after.Content[i]); why != "" {
			if n.Line == 0 {
				n = before
			}
			return n, why
		}
	}
	return nil, ""
}

// sameAnchor compares what two aliases stand for by the anchors alone: the
// anchored nodes themselves are compared where they stand.
func sameAnchor(a, b *yaml.Node) string {
	if a.Anchor != b.Anchor {
		return fmt.Sprintf("an alias of %q becomes one of %q", a.Anchor, b.Anchor)
	}
	return ""
}

// KindName names a node's kind as YAML does.
func KindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "mapping"
	case yaml.SequenceNode:
		return "sequence"
	case yaml.AliasNode:
		return "alias"
	case yaml.ScalarNode:
		if n.ShortTag() == "!!null" {
			return "null"
		}
		return "scalar"
	}
	return "document"
}
