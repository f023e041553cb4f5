package overlay

import (
	"net/netip"
	"strings"
	"unicode"
)

// The grammars are written out rather than given as regular expressions: those
// with counted repetitions take longer to compile than a file takes to edit.

// isTag tells whether a text is a tag by the OCI distribution specification.
func isTag(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '.' || s[0] == '-' {
		return false
	}
	return isMadeOf(s, "._-")
}

// isDigest tells whether a text is a digest of an algorithm that registries use.
func isDigest(s string) bool {
	algorithm, hex, ok := strings.Cut(s, ":")
	return ok && (algorithm == "sha256" && len(hex) == 64 || algorithm == "sha512" && len(hex) == 128) && isHex(hex)
}

// isHexDigest tells whether a text is a sha256 digest without its prefix.
func isHexDigest(s string) bool { return len(s) == 64 && isHex(s) }

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// isName tells whether a text may be an image's name, with a registry or without.
// Upper case is allowed: kustomize matches names as they are written. A registry
// may be an IPv6 address in brackets.
func isName(s string) bool {
	if inner, rest, ok := strings.Cut(s, "]"); ok && strings.HasPrefix(s, "[") {
		a, err := netip.ParseAddr(inner[1:])
		if err != nil || !a.Is6() || strings.ContainsAny(inner, ".%") {
			return false
		}
		port, path, ok := strings.Cut(rest, "/")
		return ok && (port == "" || port[0] == ':' && isPort(port[1:])) && isName(path)
	}
	return s != "" && isLetterOrDigit(s[0]) && isLetterOrDigit(s[len(s)-1]) && isMadeOf(s, "._:/-")
}

func isPort(s string) bool { return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == "" }

// isWord tells whether a text may be a revision, a version, a chart's name or a
// URL: no white space, no control characters, and not to be taken for an option.
func isWord(s string) bool {
	const longest = 1000
	return s != "" && len(s) <= longest && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.In(r, unicode.C, unicode.Z)
	})
}

// isName tells whether a text may name a pin of a type.
func (t Type) isName(s string) bool {
	switch t {
	case TypeImage:
		return isName(s)
	case TypeChart, TypeRevision:
		return isWord(s)
	}
	return false
}

func isLetterOrDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// isMadeOf tells whether a text has only letters, digits and some other bytes.
func isMadeOf(s, others string) bool {
	for i := 0; i < len(s); i++ {
		if !isLetterOrDigit(s[i]) && strings.IndexByte(others, s[i]) < 0 {
			return false
		}
	}
	return true
}
