package convention

import (
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/reference"
)

// IsImageOf tells whether a value of KEY=VALUE lines is a reference with a tag or a
// digest, and hardly something else: localhost:8080 is a host with its port.
func IsImageOf(key, value string) bool {
	if !reference.IsPinned(value) || strings.Contains(value, "://") || reference.IsDigest(value) {
		return false
	}
	return strings.Contains(value, "/") || strings.Contains(strings.ToLower(key), "image")
}

// OfTag gives the keys of the image that a tag is one of: WEB_TAG stands beside
// WEB_IMAGE or WEB_REPOSITORY. Without such a key it has no name.
func (k *FlatKeys) OfTag(key string) ValueKeys {
	out := ValueKeys{Tag: key}
	if stem, ok := strings.CutSuffix(strings.ToLower(key), "tag"); ok {
		out.Name = k.Scalar(stem+"image", stem+"repository", stem+"image_repository", stem+"image_name")
	}
	return out
}
