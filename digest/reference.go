package digest

import (
	"strconv"

	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// Reference is an image reference in parts. Equal references are equal Go
// values. The zero value is not a reference.
type Reference struct {
	// Repository is the registry and path as they were written:
	// "registry.example.com:5000/shop/cart", "nginx". Never empty.
	Repository string
	// Tag is the tag without its colon, or empty.
	Tag string
	// Digest is "sha256:" and 64 lower case hexadecimal digits, or empty.
	// Tag and Digest are not both empty.
	Digest string
}

// String prints the reference back as it was parsed.
func (r Reference) String() string {
	s := r.Repository
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// Registry is the host, with its port if one was written, that holds the
// repository: "registry.example.com:5000". It is "docker.io" when none was
// written, and for "index.docker.io", which is the same.
func (r Reference) Registry() string { return grammar.Reference(r).Registry() }

// Path is the name of the repository on its registry: "shop/cart". A name
// without a slash on Docker Hub is one of its "library": "library/nginx".
func (r Reference) Path() string { return grammar.Reference(r).Path() }

// Canonical is the one spelling of references that mean the same: with the
// registry written out, "docker.io/library/nginx:1" for "nginx:1".
func (r Reference) Canonical() Reference { return Reference(grammar.Reference(r).Canonical()) }

// ParseReference parses "repository:tag", "repository@sha256:…" or
// "repository:tag@sha256:…". The repository is an optional registry, known by
// a dot, a colon or the name "localhost" in the part before the first slash,
// and a path of lower case parts.
//
// Anything else, including a repository with neither tag nor digest, is an
// [*Error] of kind [ErrMalformed] whose message gives the first fault and its
// position in bytes, counted from 1.
func ParseReference(s string) (Reference, error) {
	ref, at, why := grammar.ParseReference(s)
	if why != "" {
		return Reference{}, &Error{
			Ref:  s,
			Kind: ErrMalformed,
			Err:  fault.Text("byte " + strconv.Itoa(at+1) + ": " + why),
		}
	}
	return Reference(ref), nil
}

// Redact is a reference without the user and password that somebody has written
// in front of the registry, as in a URL; anything else stays as it is. Such a
// reference is malformed, and messages about it must not show them.
func Redact(s string) string { return grammar.Redact(s) }
