package content

import (
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
	const malformed fault.Text = "answered with a list of referrers that is not an index"
	var index struct {
		Manifests json.RawMessage `json:"manifests"`
	}
	var entries []json.RawMessage
	// Without the field it is no answer to the question, and not an empty list.
	if json.Unmarshal(page, &index) != nil || index.Manifests == nil || json.Unmarshal(index.Manifests, &entries) != nil {
		return nil, malformed
	}
	var list []v1.Descriptor
	for _, raw := range entries {
		var d v1.Descriptor
		if err := json.Unmarshal(raw, &d); err != nil {
			return list, malformed
		}
		if list = append(list, d); before+len(list) > maxReferrers {
			return list[:len(list)-1], fault.Text(fmt.Sprintf("answered with more than %d referrers", maxReferrers))
		}
	}
	return list, nil
}
