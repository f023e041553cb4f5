package history

import (
	"maps"
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

// pinKey gives what tells pins apart in versions of a file: the name, or the path as
// well where pins of one name differ.
func pinKey(versions ...[]overlay.Pin) func(overlay.Pin) string {
	apart := make(map[string]bool)
	for _, v := range versions {
		maps.Copy(apart, PinnedApart(v))
	}
	return func(p overlay.Pin) string {
		if apart[p.Name] {
			return p.Name + "\n" + p.Path
		}
		return p.Name
	}
}

// ImageChanges compares the pins of two versions of a file, in the order of the
// new one; images that are gone come last.
func ImageChanges(file string, old, now []overlay.Pin) []ImageChange {
	key := pinKey(old, now)
	before, kept := make(map[string]overlay.Pin, len(old)), make(map[string]bool, len(now)) // one name may stand in several places
	for _, i := range old {
		before[key(i)] = i
	}
	var out []ImageChange
	for _, i := range now {
		b := before[key(i)]
		kept[key(i)] = true
		oldPin, newPin := Pin{b.Tag, b.Digest}, Pin{i.Tag, i.Digest}
		if oldPin != newPin || b.Name != "" && b.Repository() != i.Repository() {
			c := ImageChange{Name: i.Name, File: file, Path: i.Path, Repository: i.Repository(), Unknown: !i.Known(), Old: oldPin, New: newPin}
			if b.Name != "" && b.Repository() != i.Repository() {
				c.OldRepository = b.Repository()
			}
			out = append(out, c)
		}
	}
	for _, i := range old {
		if !kept[key(i)] && (i.Tag != "" || i.Digest != "") {
			out = append(out, ImageChange{Name: i.Name, File: file, Path: i.Path, Repository: i.Repository(), Unknown: !i.Known(), Old: Pin{i.Tag, i.Digest}})
		}
	}
	return out
}
