package location

import (
	"regexp"
	"strings"
	"sync"
)

// VersionOfTag is the hole for the version in the name of a tag.
const VersionOfTag = "version"

// isVersion is what may be one as far as it can be seen from its beginning.
var isVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^v?[0-9][^/]*$`) })

// Version is what stands in the version's hole of a template, as the name of a tag has it.
func Version(template, tag string) (string, bool) {
	before, after, found := strings.Cut(template, "{"+VersionOfTag+"}")
	version, begins := strings.CutPrefix(tag, before)
	version, ends := strings.CutSuffix(version, after)
	return version, found && begins && ends && isVersion().MatchString(version)
}

// Alike tells whether a tag may fit two templates of which neither says more of it.
func Alike(a, b string) bool {
	before, after, found := strings.Cut(a, "{"+VersionOfTag+"}")
	first, last, other := strings.Cut(b, "{"+VersionOfTag+"}")
	return found && other && len(a) == len(b) && (strings.HasPrefix(before, first) || strings.HasPrefix(first, before)) &&
		(strings.HasSuffix(after, last) || strings.HasSuffix(last, after))
}
