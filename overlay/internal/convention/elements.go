package convention

import "strings"

// elementKeys are the keys of an ApplicationSet's element that hold a version, and
// what it is one of. Elements have no schema: the list is short on purpose.
var elementKeys = map[string]string{
	"imageTag": "image", "tag": "image", "digest": "image",
	"chartVersion": "chart", "version": "revision",
	"targetRevision": "revision", "revision": "revision",
}

// ElementType gives what a key of an element pins: an image, a chart or a revision;
// "" for other keys. A key such as addonChartVersion or webImageTag is known by its
// end.
func ElementType(key string) string {
	if t := elementKeys[key]; t != "" {
		return t
	}
	switch {
	case strings.HasSuffix(key, "ImageTag"):
		return "image"
	case strings.HasSuffix(key, "ChartVersion"):
		return "chart"
	case strings.HasSuffix(key, "TargetRevision"):
		return "revision"
	}
	return ""
}

// IsPlaceholder tells a value that something fills in later: a template of an
// ApplicationSet, a variable of Flux (postBuild) or of Argo CD's build environment.
func IsPlaceholder(text string) bool {
	return strings.Contains(text, "{{") || strings.Contains(text, "${") || strings.HasPrefix(text, "$")
}
