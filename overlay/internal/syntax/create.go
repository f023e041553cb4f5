package syntax

import (
	"bytes"
	"path"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// number is one that YAML and JSON write alike.
var number = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
})

// PlainKind tells what a new plain scalar of this text is in every version of YAML
// and in JSON: !!int and !!float for decimal numbers without an exponent, !!bool for
// true and false, and !!str for all else.
func PlainKind(text string) string {
	tag := (&yaml.Node{Kind: yaml.ScalarNode, Value: text}).ShortTag()
	switch {
	case text == "true" || text == "false":
		return tag
	case number().MatchString(text) && !strings.ContainsAny(text, "eE"):
		return tag
	}
	return "!!str"
}

// PlainInPlaceOf gives what a plain scalar that is a number or a boolean becomes
// when it is set to a text that is one as well; "" where one of them is not, and the
// text is a string. yes, no, on and off are booleans, as they are in YAML 1.1; beside
// true and false they are written as these, which everybody reads alike.
func PlainInPlaceOf(n *yaml.Node, text string) string {
	if n.Kind != yaml.ScalarNode || n.Style != 0 || n.Anchor != "" && n.Value == "" {
		return ""
	}
	truth := bool11(text)
	switch tag := n.ShortTag(); {
	case tag == "!!bool":
		return truth
	case bool11(n.Value) != "" && truth != "":
		return text
	case (tag == "!!int" || tag == "!!float") && number().MatchString(text):
		return text
	}
	return ""
}

// SetPlain gives a scalar a plain text that is no string, such as a number. The caller has asked PlainKind or PlainInPlaceOf.
func (e *Edit) SetPlain(n *yaml.Node, text string) error {
	sp, err := e.src.scalar(n)
	if err != nil {
		return err
	}
	after := text
	if sp.start == sp.end && sp.start > 0 && e.src.Bytes[sp.start-1] == ':' {
		after = " " + text
	}
	e.splice(sp.start, sp.end, after)
	w := e.expect(n)
	w.Value, w.Style, w.Tag = text, 0, (&yaml.Node{Kind: yaml.ScalarNode, Value: text}).ShortTag()
	return nil
}

// scalarOf renders a new value: a number or a boolean where its text is one and it
// is not meant literally.
func scalarOf(value string, like yaml.Style, literal bool) (string, *yaml.Node) {
	if kind := PlainKind(value); !literal && kind != "!!str" {
		return value, &yaml.Node{Kind: yaml.ScalarNode, Tag: kind, Value: value}
	}
	text, style := render(value, like)
	return text, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: style}
}

// Create adds a key, with the keys below it, at the end of a mapping. The value
// is a number or a boolean where its text is one and it is not meant literally.
func (e *Edit) Create(m *yaml.Node, keys []string, value string, literal bool) error {
	s := e.src
	if s.form != YAML {
		return e.appendEntry(m, keys, value)
	}
	text, scalar := scalarOf(value, s.like(quotesOf(m)), literal)
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
	lines, pair := nestedKeys(keys, text, scalar, m.Content[0].Column-1, s.step(m), s.lineBreak(at))
	e.splice(at, at, lines)
	w := e.expect(m)
	w.Content = append(w.Content, pair...)
	return nil
}

// nestedKeys renders keys that stand in one another, each on a line of its own with
// the line break in front, and gives the first key and its value.
func nestedKeys(keys []string, text string, scalar *yaml.Node, column, step int, eol string) (string, []*yaml.Node) {
	var b strings.Builder
	node := scalar
	for i := len(keys) - 1; i > 0; i-- {
		node = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{keyNode(keys[i], 0), node}}
	}
	for i, k := range keys {
		rendered, _ := render(k, 0)
		b.WriteString(eol + spaces(column+i*step) + rendered + ":")
	}
	b.WriteString(" " + text)
	return b.String(), []*yaml.Node{keyNode(keys[0], 0), node}
}

// CreateInNull gives the key at Content[index] of a mapping, whose value is null, a
// mapping of keys that stand in one another. A comment on the line stays.
func (e *Edit) CreateInNull(m *yaml.Node, index int, keys []string, value string, literal bool) error {
	s := e.src
	key, null := m.Content[index], m.Content[index+1]
	ksp, err := s.scalar(key)
	if err != nil {
		return err
	}
	sp, err := s.scalar(null)
	colon := s.skipSpace(ksp.end)
	if err != nil || null.Anchor != "" || null.Style != 0 || colon >= len(s.Bytes) || s.Bytes[colon] != ':' {
		return s.Errorf(null, "write {} there", "cannot tell where the value of %q begins", key.Value)
	}
	if null.Value == "" {
		sp = span{colon + 1, colon + 1} // the parser may put it behind comments
	}
	w := e.expect(m)
	if m.Style&yaml.FlowStyle != 0 {
		text, scalar := scalarOf(value, s.like(quotesOf(m)), literal)
		text, pair := s.flowKeys(m, keys, text, scalar)
		text = "{" + text + "}"
		if sp.start == colon+1 {
			text = " " + text
		}
		e.splice(sp.start, sp.end, text)
		w.Content[indexOf(w.Content, null)] = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle, Content: pair}
		return nil
	}
	text, scalar := scalarOf(value, quotesOf(m), literal)
	if bytes.IndexByte(s.Bytes[colon:sp.end], '#') >= 0 {
		return s.Errorf(null, "", "cannot add %q here: a comment before the value would lose its place", keys[0])
	}
	if sp.end > colon+1 {
		e.splice(colon+1, sp.end, "")
	}
	at := s.lineEnd(sp.end)
	lines, pair := nestedKeys(keys, text, scalar, m.Content[0].Column-1+s.step(m), s.step(m), s.lineBreak(at))
	e.splice(at, at, lines)
	w.Content[indexOf(w.Content, null)] = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: pair}
	return nil
}

// CreateDocument writes keys that stand in one another into a text without a
// document: an empty one, or one of comments. They stand at its end.
func (s *Source) CreateDocument(keys []string, value string, literal bool) (*Source, error) {
	if s.form != YAML {
		return s.createEntry(keys, value)
	}
	if strings.EqualFold(path.Ext(s.Name), ".json") && len(bytes.TrimSpace(bytes.TrimPrefix(s.Bytes, []byte(bom)))) == 0 {
		return s.createObject(keys, value, literal)
	}
	text, scalar := scalarOf(value, 0, literal)
	eol := s.lineBreak(len(s.Bytes))
	lines, pair := nestedKeys(keys, text, scalar, 0, 2, eol)
	lines = strings.TrimPrefix(lines, eol)
	if b := s.Bytes; len(bytes.TrimPrefix(b, []byte(bom))) > 0 && s.lineStart(len(b)) != len(b) {
		lines = eol + lines
	}
	after := &Source{Name: s.Name, Bytes: []byte(string(s.Bytes) + lines + eol), line: s.line, col: s.col}
	if err := after.parse(); err != nil || len(after.Docs) != 1 {
		return nil, s.Errorf(nil, "write the first key by hand", "cannot add %q to this text, which holds no value", keys[0])
	}
	want := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: pair}
	if _, why := s.Edit().differ(want, after.Docs[0]); why != "" {
		return nil, s.Edit().refuse(nil, why)
	}
	return after, nil
}

// createObject writes keys into an empty file of JSON, as into one that holds {}.
func (s *Source) createObject(keys []string, value string, literal bool) (*Source, error) {
	begin := ""
	if bytes.HasPrefix(s.Bytes, []byte(bom)) {
		begin = bom
	}
	object, err := Parse(s.Name, []byte(begin+"{}\n"))
	if err != nil {
		return nil, err
	}
	e := object.Edit()
	if err := e.Create(object.Docs[0], keys, value, literal); err != nil {
		return nil, err
	}
	return e.Apply()
}

// createFlow adds {a: {b: value}} to a flow mapping.
func (e *Edit) createFlow(m *yaml.Node, keys []string, text string, scalar *yaml.Node) error {
	text, pair := e.src.flowKeys(m, keys, text, scalar)
	at, err := e.src.lastInFlow(m)
	if err != nil {
		return err
	}
	if len(m.Content) > 0 {
		text = ", " + text
	}
	e.splice(at, at, text)
	w := e.expect(m)
	w.Content = append(w.Content, pair...)
	return nil
}

// flowKeys renders keys that stand in one another in flow style, without the outer
// brackets.
func (s *Source) flowKeys(m *yaml.Node, keys []string, text string, scalar *yaml.Node) (string, []*yaml.Node) {
	node, quotes := scalar, s.like(quotesOf(m))
	for i := len(keys) - 1; i >= 0; i-- {
		key, _ := render(keys[i], quotes)
		text = key + ": " + text
		if i > 0 {
			text = "{" + text + "}"
			node = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle, Content: []*yaml.Node{keyNode(keys[i], quotes), node}}
		}
	}
	return text, []*yaml.Node{keyNode(keys[0], quotes), node}
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
