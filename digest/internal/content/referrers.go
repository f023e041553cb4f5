package content

import (
	"bytes"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// maxReferrers bounds a list of them.
const maxReferrers = 10_000

// ParseReferrers reads a page of a list of referrers, when so many were listed on
// those before it. With an error it returns what came before it.
func ParseReferrers(page []byte, before int) ([]v1.Descriptor, error) {
	list, more, err := ParseIndex(page, maxReferrers-before)
	switch {
	case err != nil:
		return list, fault.Text("answered with a list of referrers that is not an index")
	case more:
		return list, fault.Text(fmt.Sprintf("answered with more than %d referrers", maxReferrers))
	}
	return list, nil
}

// ParseIndex reads the entries of an index one after the other, and at most so
// many: one of three bytes takes some hundred in memory. With an error it returns
// what came before it.
func ParseIndex(body []byte, most int) (list []v1.Descriptor, more bool, err error) {
	const malformed fault.Text = "is not an image index"
	var index struct {
		Manifests json.RawMessage `json:"manifests"`
	}
	// Without the field it is no answer to the question, and not an empty list.
	if json.Unmarshal(body, &index) != nil || index.Manifests == nil {
		return nil, false, malformed
	}
	dec := json.NewDecoder(bytes.NewReader(index.Manifests))
	switch t, err := dec.Token(); {
	case err == nil && t == nil: // null, as some write an empty list
		return nil, false, nil
	case t != json.Delim('['):
		return nil, false, malformed
	}
	for dec.More() {
		if len(list) == most {
			return list, true, nil
		}
		var d v1.Descriptor
		if err := dec.Decode(&d); err != nil {
			return list, false, malformed
		}
		list = append(list, d)
	}
	return list, false, nil
}
