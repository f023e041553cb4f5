package kustomize

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// MaxInput bounds what is read as YAML, in bytes.
const MaxInput = 64 << 20

// maxValues bounds how many values there may be in what is read as YAML. A byte or
// two can make a value, and each takes a few hundred bytes of memory, and a kilobyte
// and more where it is written again.
const maxValues = 2 << 20

// valueMarks are what at least one of stands before each value.
var valueMarks = [][]byte{[]byte("\n"), []byte(":"), []byte(","), []byte("["), []byte("{"), []byte("- "), []byte("? ")}

// readBounded reads a text and refuses one that would take too much memory, before
// anything is parsed.
func readBounded(name string, r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxInput+1))
	if err != nil {
		return nil, readError(name, err)
	}
	if msg := tooLarge(text); msg != "" {
		return nil, &pathError{name, msg, "run it on the parts"}
	}
	return text, nil
}

// tooLarge says that a text is larger than the bounds, or "". Values are counted by
// their marks, of which a text may have more than values.
func tooLarge(text []byte) string {
	if len(text) > MaxInput {
		return fmt.Sprintf("is larger than %d MiB", MaxInput>>20)
	}
	values := 0
	for _, mark := range valueMarks {
		values += bytes.Count(text, mark)
	}
	if values > maxValues {
		return fmt.Sprintf("has more than %d million values", maxValues>>20)
	}
	return ""
}

// CheckText tells whether kustomize may be given a text: whether it is within the
// bounds that functions have, in what is written and in what its aliases stand for.
// A text that is no YAML passes.
func CheckText(text []byte) error {
	if msg := tooLarge(text); msg != "" {
		return errors.New(msg)
	}
	if !bytes.Contains(text, []byte("&")) || !bytes.Contains(text, []byte("*")) {
		return nil
	}
	for dec := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var n yaml.Node
		if dec.Decode(&n) != nil {
			return nil
		}
		if s := (survey{}); s.size(&n) > maxValues {
			return fmt.Errorf("its aliases stand for more than %d million values", maxValues>>20)
		}
	}
}

// sound refuses what programs read in different ways, a mapping with a key that
// stands twice, and aliases that stand for far more than is written.
func sound(n *yaml.Node, path string) *fieldError {
	s := survey{}
	switch size := s.size(n); {
	case s.twice != "":
		return &fieldError{path, "the key " + quoted(s.twice) + " stands twice in a mapping", "keep one of them"}
	case size > maxValues:
		return &fieldError{path, fmt.Sprintf("its aliases stand for more than %d million values", maxValues>>20), "write it without aliases"}
	}
	return nil
}

// survey is what a look at all values gives.
type survey struct {
	sizes map[*yaml.Node]int // of what aliases may stand for
	twice string             // a key
}

// size counts the values that a node stands for, up to one more than maxValues.
func (s *survey) size(n *yaml.Node) int {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Anchor != "" {
		if size, known := s.sizes[n]; known {
			return size
		}
		if s.sizes == nil {
			s.sizes = make(map[*yaml.Node]int)
		}
		s.sizes[n] = maxValues + 1 // until it is known: it may hold itself
	}
	if n.Kind == yaml.MappingNode && s.twice == "" {
		s.twice = twice(n)
	}
	size := 1
	for _, c := range n.Content {
		size = min(size+s.size(c), maxValues+1)
	}
	if n.Anchor != "" {
		s.sizes[n] = size
	}
	return size
}

// twice gives a key that a mapping has more than once, or "".
func twice(m *yaml.Node) string {
	var keys []string
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Kind == yaml.ScalarNode {
			keys = append(keys, m.Content[i].Value)
		}
	}
	slices.Sort(keys)
	for i := 1; i < len(keys); i++ {
		if keys[i] == keys[i-1] && keys[i] != "" {
			return keys[i]
		}
	}
	return ""
}
