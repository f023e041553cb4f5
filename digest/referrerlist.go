package digest

import (
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	maxReferrerPages = 100
	maxReferrers     = 10_000
)

// parseReferrers reads a page, when so many were listed on those before it.
func parseReferrers(page []byte, before int) ([]v1.Descriptor, error) {
	var index struct {
		Manifests []v1.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(page, &index); err != nil {
		return nil, fault("answered with a list of referrers that is not an index")
	}
	if before+len(index.Manifests) > maxReferrers {
		return nil, fault(fmt.Sprintf("answered with more than %d referrers", maxReferrers))
	}
	return index.Manifests, nil
}
