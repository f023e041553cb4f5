package kustomize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// isJSON tells whether a text is JSON.
func isJSON(text []byte) bool {
	text = bytes.TrimSpace(text)
	return bytes.HasPrefix(text, []byte("{")) && json.Valid(text)
}

// toJSON writes YAML that was read from JSON as JSON again, the order of keys kept.
// It is indented if the text that it was read from has more than one line.
func toJSON(text, from []byte) ([]byte, error) {
	var out bytes.Buffer
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for more := false; ; more = true {
		var doc yaml.Node
		if dec.Decode(&doc) != nil || len(doc.Content) != 1 {
			return out.Bytes(), nil
		}
		var line, pretty bytes.Buffer
		if err := writeJSON(&line, doc.Content[0]); err != nil {
			return nil, err
		}
		if bytes.ContainsRune(bytes.TrimSpace(from), '\n') {
			if err := json.Indent(&pretty, line.Bytes(), "", "  "); err != nil {
				return nil, fmt.Errorf("writing JSON: %w", err)
			}
			line = pretty
		}
		if more {
			out.WriteString("---\n")
		}
		out.Write(line.Bytes())
		out.WriteByte('\n')
	}
}

// withMember adds what a mapping in YAML has to a JSON object that is not empty.
func withMember(object, member []byte) (out []byte, ok bool) {
	added, err := toJSON(member, object)
	if err != nil {
		return nil, false
	}
	end := bytes.LastIndexByte(object, '}')
	body := bytes.TrimRight(object[:end], " \t\r\n")
	added = bytes.TrimSuffix(bytes.TrimPrefix(bytes.TrimSpace(added), []byte("{")), []byte("}"))
	return slices.Concat(body, []byte(","), added, object[end:]), true
}

func writeJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		marks, mapping := "[]", n.Kind == yaml.MappingNode
		if mapping {
			marks = "{}"
		}
		b.WriteByte(marks[0])
		for i, c := range n.Content {
			switch {
			case mapping && i%2 == 1:
				b.WriteByte(':')
			case i > 0:
				b.WriteByte(',')
			}
			if err := writeJSON(b, c); err != nil {
				return err
			}
		}
		b.WriteByte(marks[1])
		return nil
	case yaml.ScalarNode:
		if n.ShortTag() != yaml.NodeTagString && json.Valid([]byte(n.Value)) {
			b.WriteString(n.Value)
			return nil
		}
		var text strings.Builder
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(n.Value); err != nil {
			return fmt.Errorf("writing JSON: %w", err)
		}
		b.WriteString(strings.TrimSuffix(text.String(), "\n"))
		return nil
	}
	return fmt.Errorf("writing JSON: line %d is not JSON", n.Line)
}
