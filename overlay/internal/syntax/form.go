package syntax

import (
	"bytes"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/lines"
)

// Form is how a text is written.
type Form int

// The forms. All that are not YAML, which includes JSON, are read as YAML nodes:
// lines as a mapping of strings, a text of one line as a string.
const (
	YAML Form = iota
	Env
	Properties
	Line
)

// Form tells how the text is written.
func (s *Source) Form() Form { return s.form }

// formOf tells a form by the file's name, or else by its content.
func formOf(name string, text []byte) Form {
	base := path.Base(name)
	switch ext := path.Ext(base); {
	case ext == ".yaml" || ext == ".yml" || ext == ".json":
		return YAML
	case ext == ".properties":
		return Properties
	case ext == ".env" || strings.HasPrefix(base, ".env"):
		return Env
	}
	if _, _, ok := oneLine(text); ok {
		return Line
	}
	return YAML
}

// oneLine gives where the text of a file of one line stands; false where there are
// several, or where it is YAML of another kind than plain text, such as a mapping.
func oneLine(text []byte) (start, end int, ok bool) {
	if bytes.HasPrefix(text, []byte(bom)) {
		start = len(bom)
	}
	const around = " \t\r\n"
	line := bytes.Trim(text[start:], around)
	start += bytes.Index(text[start:], line)
	end = start + len(line)
	if len(line) == 0 || strings.IndexByte("{}[],#&*!|>'\"%@`?:-", line[0]) >= 0 || !printable(string(line)) {
		return 0, 0, false
	}
	for _, sign := range []string{": ", ":\t", " #", "{{"} {
		if bytes.Contains(line, []byte(sign)) {
			return 0, 0, false
		}
	}
	return start, end, line[len(line)-1] != ':'
}

// parseForm reads a text that is not YAML.
func (s *Source) parseForm() error {
	s.lines = lines.Starts(s.Bytes)
	s.marks = markLines(s.Bytes, s.lines)
	s.entries = make(map[*yaml.Node]lines.Entry)
	if s.form == Line {
		start, end, ok := oneLine(s.Bytes)
		if !ok {
			return s.Errorf(nil, "", "is not one line of text")
		}
		s.Docs = []*yaml.Node{s.entry(lines.Entry{Start: start, End: end})}
		return nil
	}
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, e := range lines.Parse(s.Bytes, s.dialect()) {
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.TaggedStyle, Value: e.Key}
		key.Line, key.Column = s.position(e.At)
		root.Content = append(root.Content, key, s.entry(e))
	}
	if len(root.Content) == 0 {
		return nil
	}
	root.Line, root.Column = root.Content[0].Line, root.Content[0].Column
	s.Docs = []*yaml.Node{root}
	return joinSorted(s.checkKeys(root))
}

func (s *Source) dialect() lines.Dialect {
	if s.form == Properties {
		return lines.Properties
	}
	return lines.Env
}

// entry gives the node of a value: a string, whatever it looks like.
func (s *Source) entry(e lines.Entry) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: quoteStyle(e.Quote), Value: string(s.Bytes[e.Start:e.End])}
	at := e.Start
	if e.Quote != 0 {
		at--
	}
	n.Line, n.Column = s.position(at)
	s.entries[n] = e
	return n
}

func quoteStyle(quote byte) yaml.Style {
	switch quote {
	case '"':
		return yaml.TaggedStyle | yaml.DoubleQuotedStyle
	case '\'':
		return yaml.TaggedStyle | yaml.SingleQuotedStyle
	}
	return yaml.TaggedStyle
}

// setEntry gives a value of a text that is not YAML another one.
func (e *Edit) setEntry(n *yaml.Node, value string) error {
	s := e.src
	entry, ok := s.entries[n]
	switch {
	case !ok:
		return s.Errorf(n, "", "this value is a %s, not a string", KindName(n))
	case entry.Several:
		return s.Errorf(n, "write the value on one line", "this value goes on over several lines")
	}
	text, quote, ok := value, byte(0), true
	if s.form == Line {
		start, end, one := oneLine([]byte(value))
		ok = one && start == 0 && end == len(value)
	} else {
		text, quote, ok = entry.Quoted(value, s.dialect())
	}
	if !ok {
		return s.Errorf(n, "edit this file by hand", "%q cannot be written here as it is", value)
	}
	start, end := entry.Start, entry.End
	if entry.Quote != 0 {
		start, end = start-1, end+1
	}
	e.splice(start, end, text)
	w := e.expect(n)
	w.Value, w.Style = value, quoteStyle(quote)
	return nil
}

// appendEntry adds a key at the end of a text of lines.
func (e *Edit) appendEntry(m *yaml.Node, keys []string, value string) error {
	text, pair, err := e.src.newEntry(m, keys, value)
	if err != nil {
		return err
	}
	e.splice(len(e.src.Bytes), len(e.src.Bytes), text)
	w := e.expect(m)
	w.Content = append(w.Content, pair...)
	return nil
}

// createEntry writes the first key of a text of lines.
func (s *Source) createEntry(keys []string, value string) (*Source, error) {
	text, pair, err := s.newEntry(nil, keys, value)
	if err != nil {
		return nil, err
	}
	after := &Source{Name: s.Name, Bytes: []byte(string(s.Bytes) + text), form: s.form}
	if err := after.parse(); err != nil || len(after.Docs) != 1 {
		return nil, s.Errorf(nil, "write the first key by hand", "cannot add %q to this text, which holds no value", keys[0])
	}
	want := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: pair}
	if _, why := s.Edit().differ(want, after.Docs[0]); why != "" {
		return nil, s.Edit().refuse(nil, why)
	}
	return after, nil
}

// newEntry gives the text of a new line, with its key and value as they will be read.
func (s *Source) newEntry(m *yaml.Node, keys []string, value string) (string, []*yaml.Node, error) {
	text, ok := lines.Append(s.Bytes, s.dialect(), keys[0], value)
	if !ok || len(keys) > 1 || s.form == Line {
		return "", nil, s.Errorf(m, `a dot in a key is written as \.`, "%s cannot be added to a file of lines", strings.Join(keys, "."))
	}
	entry := lines.Parse([]byte(text), s.dialect())[0]
	return text, []*yaml.Node{
		{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.TaggedStyle, Value: keys[0]},
		{Kind: yaml.ScalarNode, Tag: "!!str", Style: quoteStyle(entry.Quote), Value: value},
	}, nil
}
