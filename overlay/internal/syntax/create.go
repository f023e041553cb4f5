package syntax

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// PlainKind gives the tag that a plain scalar of this text has in every version
// of YAML: !!int for decimal numbers, !!bool for true and false, !!float for
// decimal fractions, and !!str for all else.
func PlainKind(text string) string {
	switch tag := (&yaml.Node{Kind: yaml.ScalarNode, Value: text}).ShortTag(); tag {
	case "!!bool":
		if text == "true" || text == "false" {
			return tag
		}
	case "!!int", "!!float":
		if strings.Trim(text, "-0123456789.") == "" && !(len(text) > 1 && text[0] == '0' && text[1] != '.') {
			return tag
		}
	}
	return "!!str"
}

// SetPlain gives a plain scalar another plain text that is no string, such as a
// number. The caller has checked that PlainKind says so.
func (e *Edit) SetPlain(n *yaml.Node, text string) error {
	sp, err := e.src.scalar(n)
	if err != nil {
		return err
	}
	e.splice(sp.start, sp.end, text)
	w := e.expect(n)
	w.Value, w.Tag = text, PlainKind(text)
	return nil
}

// Create adds a key, with the keys below it, at the end of a mapping. The value
// is a number or a boolean where its text is one and it is not meant literally.
func (e *Edit) Create(m *yaml.Node, keys []string, value string, literal bool) error {
	s := e.src
	scalar := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	text := value
	if kind := PlainKind(value); !literal && kind != "!!str" {
		scalar.Tag = kind
	} else {
		text, scalar.Style = render(value, quotesOf(m))
	}
	if m.Style&yaml.FlowStyle != 0 {
		return e.createFlow(m, keys, text, scalar)
	}
	if len(m.Content) == 0 {
		return s.Errorf(m, "write {} there", "cannot add %q here", keys[0])
	}
	end, err := s.end(m)
	if err != nil {
		return err
	}
	at := s.lineEnd(end)
	eol := s.lineBreak(at)
	var b strings.Builder
	column := m.Content[0].Column - 1
	node := scalar
	for i := len(keys) - 1; i > 0; i-- {
		node = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{keyNode(keys[i], 0), node}}
	}
	for i, k := range keys {
		rendered, _ := render(k, 0)
		b.WriteString(eol + spaces(column+i*s.step(m)) + rendered + ":")
	}
	b.WriteString(" " + text)
	e.splice(at, at, b.String())
	w := e.expect(m)
	w.Content = append(w.Content, keyNode(keys[0], 0), node)
	return nil
}

// createFlow adds {a: {b: value}} to a flow mapping.
func (e *Edit) createFlow(m *yaml.Node, keys []string, text string, scalar *yaml.Node) error {
	s := e.src
	node, quotes := scalar, quotesOf(m)
	for i := len(keys) - 1; i >= 0; i-- {
		key, _ := render(keys[i], quotes)
		text = key + ": " + text
		if i > 0 {
			text = "{" + text + "}"
			node = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle, Content: []*yaml.Node{keyNode(keys[i], quotes), node}}
		}
	}
	at, err := s.lastInFlow(m)
	if err != nil {
		return err
	}
	if len(m.Content) > 0 {
		text = ", " + text
	}
	e.splice(at, at, text)
	w := e.expect(m)
	w.Content = append(w.Content, keyNode(keys[0], quotes), node)
	return nil
}

// keyNode is a key as the parser will see it.
func keyNode(key string, like yaml.Style) *yaml.Node {
	_, style := render(key, like)
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key, Style: style}
}

// quotesOf gives the quotes of a mapping's keys; JSON has double ones.
func quotesOf(m *yaml.Node) yaml.Style {
	if len(m.Content) == 0 {
		return 0
	}
	return m.Content[0].Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle)
}

// step gives how far a mapping's values are indented, judged by the first nested
// mapping of the mapping or of the document; two where there is none.
func (s *Source) step(m *yaml.Node) int {
	const usual = 2
	for _, root := range append([]*yaml.Node{m}, s.Docs...) {
		if root.Kind != yaml.MappingNode {
			continue
		}
		for i := 1; i < len(root.Content); i += 2 {
			if v := root.Content[i]; v.Kind == yaml.MappingNode && v.Style&yaml.FlowStyle == 0 && len(v.Content) > 0 {
				if d := v.Content[0].Column - root.Content[i-1].Column; d > 0 {
					return d
				}
			}
		}
	}
	return usual
}
