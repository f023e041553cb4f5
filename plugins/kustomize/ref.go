package kustomize

import (
	"errors"
	"strings"

	"github.com/kubepromote/kubepromote/digest"
)

// ref is an image reference in parts.
type ref struct {
	repository, tag, digest string
}

// splitRef cuts a reference at its tag and digest. The parts are not checked.
func splitRef(text string) ref {
	name, digest, _ := strings.Cut(text, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return ref{name[:i], name[i+1:], digest}
	}
	return ref{name, "", digest}
}

// String is the reference that splitRef has cut.
func (r ref) String() string {
	text := r.repository
	if r.tag != "" {
		text += ":" + r.tag
	}
	if r.digest != "" {
		text += "@" + r.digest
	}
	return text
}

// whyMalformed says what is wrong with the text of a reference, or "". A reference with
// neither tag nor digest is sound: it is the pin that is missing.
func whyMalformed(text string) string {
	r := splitRef(text)
	if r.tag == "" && r.digest == "" && !strings.ContainsAny(text[len(r.repository):], ":@") {
		text += ":latest"
	}
	_, err := digest.ParseReference(text)
	if malformed, ok := errors.AsType[*digest.Error](err); ok && malformed.Err != nil {
		return malformed.Err.Error()
	}
	return ""
}

// matches tells whether a repository is one of the patterns: a name, a name with
// * for any text without a slash, or a name and /** for all that is below it.
func matches(repository string, patterns []string) bool {
	for _, p := range patterns {
		if below, ok := strings.CutSuffix(p, "/**"); ok {
			n := strings.Count(below, "/") + 1
			parts := strings.Split(repository, "/")
			if len(parts) > n && wild(below, strings.Join(parts[:n], "/")) {
				return true
			}
		} else if wild(p, repository) {
			return true
		}
	}
	return false
}

// wild compares with a pattern in which * stands for any text without a slash.
func wild(pattern, text string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, before)
	for i := 0; ok && i <= len(rest); i++ {
		if wild(after, rest[i:]) {
			return true
		}
		if i < len(rest) && rest[i] == '/' {
			break
		}
	}
	return false
}
