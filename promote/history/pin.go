package history

import (
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
)

// Pin is a tag and a digest, either of which may be empty.
type Pin struct {
	Tag    string `json:"tag,omitempty"`
	Digest string `json:"digest,omitempty"`
}

// Ref writes the pin behind a repository: repository[:tag][@digest].
func (p Pin) Ref(repository string) string {
	if p.Tag != "" {
		repository += ":" + p.Tag
	}
	if p.Digest != "" {
		repository += "@" + p.Digest
	}
	return repository
}

// Short is the pin as a person names it: the tag, or the digest's first twelve
// digits, or "none".
func (p Pin) Short() string {
	const prefix, digits = len("sha256:"), 12
	switch {
	case p.Tag != "":
		return p.Tag
	case len(p.Digest) > prefix+digits:
		return p.Digest[:prefix+digits]
	case p.Digest != "":
		return p.Digest
	}
	return "none"
}

// PinnedApart gives the names that several pins of a file have with different tags
// or digests, such as one repository with a tag for each component. They are told
// apart by their paths.
func PinnedApart(images []overlay.Pin) map[string]bool {
	first := make(map[string]Pin, len(images))
	var apart map[string]bool
	for _, i := range images {
		pin := Pin{i.Tag, i.Digest}
		if pin == (Pin{}) {
			continue
		}
		if p, ok := first[i.Name]; !ok {
			first[i.Name] = pin
		} else if p != pin {
			if apart == nil {
				apart = make(map[string]bool)
			}
			apart[i.Name] = true
		}
	}
	return apart
}

// ParsePin reads TAG, TAG@DIGEST or @DIGEST.
func ParsePin(text string) (Pin, bool) {
	tag, digest, _ := strings.Cut(text, "@")
	ref := "image" + text
	if tag != "" {
		ref = "image:" + text
	}
	if _, err := overlay.ParseArgument(ref); err != nil || strings.ContainsAny(text, "*=") || strings.ContainsAny(tag, "/:") {
		return Pin{}, false
	}
	return Pin{Tag: tag, Digest: digest}, true
}
