// Package yamlbound tells whether a YAML text may be parsed in the memory and time that
// there is: how large it is, how many values it has, and how many its aliases stand for.
package yamlbound

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// MaxInput bounds what is read as YAML, in bytes.
const MaxInput = 64 << 20

// MaxValues bounds how many values there may be in what is read as YAML. A byte or
// two can make a value, and each takes a few hundred bytes of memory, and a kilobyte
// and more where it is written again.
const MaxValues = 2 << 20

// valueMarks are what at least one of stands before each value.
var valueMarks = [][]byte{[]byte("\n"), []byte(":"), []byte(","), []byte("["), []byte("{"), []byte("- "), []byte("? ")}

// TooLarge says that a text is larger than the bounds, or "". Values are counted by
// their marks, of which a text may have more than values.
func TooLarge(text []byte) string {
	if len(text) > MaxInput {
		return fmt.Sprintf("is larger than %d MiB", MaxInput>>20)
	}
	if len(text)*len(valueMarks) <= MaxValues { // each mark is a byte at least
		return ""
	}
	values := 0
	for _, mark := range valueMarks {
		values += bytes.Count(text, mark)
	}
	if values > MaxValues {
		return fmt.Sprintf("has more than %d million values", MaxValues>>20)
	}
	return ""
}

// Check tells whether a text is within the bounds, in what is written and in what its
// aliases stand for. A text that is no YAML passes.
func Check(text []byte) error {
	if msg := TooLarge(text); msg != "" {
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
		if s := (Survey{}); s.Size(&n) > MaxValues {
			return fmt.Errorf("its aliases stand for more than %d million values", MaxValues>>20)
		}
	}
}

// maxNested is how deep texts in texts are read as YAML: a patch in a configuration that is
// written out in a kustomization.
const maxNested = 3

// CheckNested is Check for what is written out in a text, as patches are: each value that
// is read as YAML in its turn. It gives the line of the one that is not within the bounds.
// The text itself is.
func CheckNested(text []byte) (line int, err error) { return checkNested(text, maxNested) }

func checkNested(text []byte, depth int) (int, error) {
	// Base64 may hide aliases, and an escape the signs of them.
	if depth == 0 || !bytes.ContainsAny(text, `&\`) && !bytes.Contains(text, []byte("binary")) {
		return 0, nil
	}
	for dec := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var doc yaml.Node
		if dec.Decode(&doc) != nil {
			return 0, nil
		}
		for nodes := []*yaml.Node{&doc}; len(nodes) > 0; {
			n := nodes[len(nodes)-1]
			nodes = append(nodes[:len(nodes)-1], n.Content...)
			if n.Kind != yaml.ScalarNode {
				continue
			}
			value := n.Value
			if n.ShortTag() == "!!binary" && n.Decode(&value) != nil {
				continue // nobody can read it
			}
			err := Check([]byte(value))
			if err == nil {
				_, err = checkNested([]byte(value), depth-1)
			}
			if err != nil {
				return n.Line, err
			}
		}
	}
}

// Survey is what a look at all values gives.
type Survey struct {
	// Twice is a key that a mapping has more than once, or "".
	Twice string

	sizes map[*yaml.Node]int // of what aliases may stand for
}

// Size counts the values that a node stands for, up to one more than MaxValues.
func (s *Survey) Size(n *yaml.Node) int {
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
		s.sizes[n] = MaxValues + 1 // until it is known: it may hold itself
	}
	if n.Kind == yaml.MappingNode && s.Twice == "" {
		s.Twice = Twice(n)
	}
	size := 1
	for _, c := range n.Content {
		size = min(size+s.Size(c), MaxValues+1)
	}
	if n.Anchor != "" {
		s.sizes[n] = size
	}
	return size
}

// Twice gives a key that a mapping has more than once, or "".
func Twice(m *yaml.Node) string {
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
