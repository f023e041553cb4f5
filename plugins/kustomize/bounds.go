package kustomize

import (
	"fmt"
	"io"

	"github.com/kubepromote/kubepromote/internal/yamlbound"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// readBounded reads a text and refuses one that would take too much memory, before
// anything is parsed.
func readBounded(name string, r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, yamlbound.MaxInput+1))
	if err != nil {
		return nil, readError(name, err)
	}
	if msg := yamlbound.TooLarge(text); msg != "" {
		return nil, &pathError{name, msg, "run it on the parts"}
	}
	return text, nil
}

// sound refuses what programs read in different ways, a mapping with a key that
// stands twice, and aliases that stand for far more than is written.
func sound(n *yaml.Node, path string) *fieldError {
	s := yamlbound.Survey{}
	switch size := s.Size(n); {
	case s.Twice != "":
		return &fieldError{path, "the key " + quoted(s.Twice) + " stands twice in a mapping", "keep one of them"}
	case size > yamlbound.MaxValues:
		return &fieldError{path, fmt.Sprintf("its aliases stand for more than %d million values", yamlbound.MaxValues>>20), "write it without aliases"}
	}
	return nil
}
