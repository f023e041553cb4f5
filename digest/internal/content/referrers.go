package content

import (
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// maxReferrers bounds a list of them.
const maxReferrers = 10_000

// ParseReferrers reads a page, when so many were listed on those before it.
func ParseReferrers(page []byte, before int) ([]v1.Descriptor, error) {
	var index struct {
		Manifests []v1.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(page, &index); err != nil {
		return nil, fault.Text("answered with a list of referrers that is not an index")
	}
	if before+len(index.Manifests) > maxReferrers {
		return nil, fault.Text(fmt.Sprintf("answered with more than %d referrers", maxReferrers))
	}
	return index.Manifests, nil
}
