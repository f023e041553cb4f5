// Package grammar is the grammar of image references and of their parts: hosts,
// repositories, tags, digests, platforms, media types. It is of its own so that
// registries, layouts and lock files read them alike. A fault is an offset in
// bytes, from 0, and what is wrong there.
package grammar

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	// DefaultRegistry is the one of names that have none.
	DefaultRegistry  = "docker.io"
	defaultNamespace = "library"
	hubHost          = "index.docker.io"
	// DigestPrefix and DigestHexLen make a digest: the algorithm, and so many digits.
	DigestPrefix   = "sha256:"
	DigestHexLen   = 64
	maxTagLen      = 128
	maxNameLen     = 255
	maxPlatformLen = 128
)

// Reference are those of an image reference; see [digest.Reference].
type Reference struct{ Repository, Tag, Digest string }

// Registry is the host that holds the repository.
func (p Reference) Registry() string {
	host, _ := splitRepository(p.Repository)
	if host == "" || host == hubHost {
		return DefaultRegistry
	}
	return host
}

// Path is the name of the repository on its registry.
func (p Reference) Path() string {
	_, path := splitRepository(p.Repository)
	if p.Registry() == DefaultRegistry && !strings.Contains(path, "/") {
		return defaultNamespace + "/" + path
	}
	return path
}

// FoldHost gives Docker Hub one name: the one it is asked by.
func FoldHost(host string) string {
	switch host {
	case DefaultRegistry, "registry-1.docker.io":
		return hubHost
	}
	return host
}

// Canonical has everything written out that may be left out, so that two
// spellings of one question compare equal.
func (p Reference) Canonical() Reference {
	p.Repository = p.Registry() + "/" + p.Path()
	return p
}

// ParseReference returns the offset of the first fault and what it is.
func ParseReference(s string) (Reference, int, string) {
	if s == "" {
		return Reference{}, 0, "empty, write repository:tag or repository@sha256:…"
	}
	for _, scheme := range []string{"https://", "http://", "oci://", "docker://"} {
		if strings.HasPrefix(s, scheme) {
			return Reference{}, 0, strconv.Quote(scheme) + " does not belong in a reference, leave it out"
		}
	}
	if Redact(s) != s {
		return Reference{}, 0, "a user and password do not belong in a reference, log in with docker login"
	}
	repository, tag, digest := SplitReference(s)
	if at, why := CheckRepository(repository); why != "" {
		return Reference{}, at, why
	}
	rest := s[len(repository):]
	if rest == "" {
		return Reference{}, len(s), "neither tag nor digest, \"latest\" is not assumed: write " + repository + ":TAG or " + repository + "@sha256:…"
	}
	if rest[0] == ':' {
		if at, why := CheckTag(tag); why != "" {
			return Reference{}, len(repository) + 1 + at, why
		}
	}
	if i := strings.IndexByte(rest, '@'); i >= 0 {
		if at, why := CheckDigest(digest); why != "" {
			return Reference{}, len(repository) + i + 1 + at, why
		}
	}
	return Reference{Repository: repository, Tag: tag, Digest: digest}, 0, ""
}

// SplitReference cuts at the first "@" and at the colon before it that is not
// a registry's port. The parts are not checked.
func SplitReference(s string) (repository, tag, digest string) {
	repository, digest, _ = strings.Cut(s, "@")
	colon := strings.LastIndexByte(repository, ':')
	if colon > strings.LastIndexByte(repository, '/') {
		repository, tag = repository[:colon], repository[colon+1:]
	}
	return repository, tag, digest
}

// splitRepository tells a registry from the first part of a path as Docker does.
func splitRepository(s string) (host, path string) {
	first, rest, ok := strings.Cut(s, "/")
	if ok && (first == "localhost" || strings.ContainsAny(first, ".:")) {
		return first, rest
	}
	return "", s
}

// CheckRepository gives what is wrong with a repository and the byte at which it is;
// "" where nothing is.
func CheckRepository(s string) (int, string) {
	host, path := splitRepository(s)
	offset := 0
	if host != "" {
		if at, why := CheckHost(host); why != "" {
			return at, why
		}
		offset = len(host) + 1
	}
	if len(path) > maxNameLen {
		return offset + maxNameLen, fmt.Sprintf("repository path longer than %d bytes", maxNameLen)
	}
	for part := range strings.SplitSeq(path, "/") {
		if at, why := CheckPart(part); why != "" {
			return offset + at, why
		}
		offset += len(part) + 1
	}
	return 0, ""
}

// CheckPart checks one part of a path: runs of lower case letters and digits,
// joined by ".", "_", "__" or any number of "-".
func CheckPart(s string) (int, string) {
	if s == "" {
		return 0, "empty part in the repository"
	}
	for i := 0; ; {
		n := Span(s[i:], isLowerAlnum)
		if n == 0 && i == 0 && isSeparator(s[0]) {
			return 0, "part of the repository starts with " + QuoteFirst(s)
		}
		i += n
		if i == len(s) {
			return 0, ""
		}
		n = Span(s[i:], isSeparator)
		if n == 0 {
			return i, badByte(s[i:], "repository")
		}
		sep := s[i : i+n]
		if i+n == len(s) {
			return i, "part of the repository ends with " + strconv.Quote(sep)
		}
		if sep != "." && sep != "_" && sep != "__" && strings.Trim(sep, "-") != "" {
			return i, "separator " + strconv.Quote(sep) + " in the repository"
		}
		i += n
	}
}

// CheckHost does what CheckRepository does, for a registry with or without a port.
func CheckHost(s string) (int, string) {
	if len(s) > maxNameLen {
		return maxNameLen, fmt.Sprintf("registry longer than %d bytes", maxNameLen)
	}
	name, port, hasPort := s, "", false
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 || !isIPv6(s[1:end]) {
			return 0, "registry is not an IPv6 address in brackets"
		}
		name, port = s[:end+1], s[end+1:]
		if port != "" && port[0] != ':' {
			return end + 1, badByte(port, "registry")
		}
		hasPort, port = port != "", strings.TrimPrefix(port, ":")
	} else {
		name, port, hasPort = strings.Cut(s, ":")
		if at, why := checkHostname(name); why != "" {
			return at, why
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); hasPort && (err != nil || n == 0) {
		return len(name) + 1, "port of the registry is not a number from 1 to 65535"
	}
	return 0, ""
}

func checkHostname(s string) (int, string) {
	offset := 0
	for label := range strings.SplitSeq(s, ".") {
		switch n := Span(label, isHostByte); {
		case label == "":
			return offset, "empty part in the registry"
		case n < len(label):
			return offset + n, badByte(label[n:], "registry")
		case label[0] == '-':
			return offset, `part of the registry starts with "-"`
		case label[len(label)-1] == '-':
			return offset + len(label) - 1, `part of the registry ends with "-"`
		}
		offset += len(label) + 1
	}
	return 0, ""
}

// CheckTag does what CheckRepository does, for a tag.
func CheckTag(s string) (int, string) {
	switch n := Span(s, isTagByte); {
	case s == "":
		return 0, "empty tag"
	case s[0] == '.' || s[0] == '-':
		return 0, "tag starts with " + QuoteFirst(s)
	case n < len(s):
		return n, badByte(s[n:], "tag")
	case len(s) > maxTagLen:
		return maxTagLen, fmt.Sprintf("tag longer than %d bytes", maxTagLen)
	}
	return 0, ""
}

// CheckDigest does what CheckRepository does, for sha256: and its hexadecimal digits.
func CheckDigest(s string) (int, string) {
	hex, ok := strings.CutPrefix(s, DigestPrefix)
	if !ok {
		return 0, "digest does not start with \"sha256:\""
	}
	if n := Span(hex, isHexByte); n < len(hex) {
		return len(DigestPrefix) + n, badByte(hex[n:], "digest")
	}
	if len(hex) != DigestHexLen {
		return len(DigestPrefix) + min(len(hex), DigestHexLen), fmt.Sprintf("digest has %d hexadecimal digits, not %d", len(hex), DigestHexLen)
	}
	return 0, ""
}

// badByte describes the first character of s, which what may not contain.
func badByte(s, what string) string {
	if c := s[0]; 'A' <= c && c <= 'Z' {
		return "upper case letter " + QuoteFirst(s) + " in the " + what
	}
	return "character " + QuoteFirst(s) + " in the " + what
}

// QuoteFirst quotes the first character of a text that is not empty, for a message.
func QuoteFirst(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return strconv.Quote(s[:n])
}

// Span counts the leading bytes of s that ok accepts.
func Span(s string, ok func(byte) bool) int {
	for i := range len(s) {
		if !ok(s[i]) {
			return i
		}
	}
	return len(s)
}

func isLowerAlnum(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// IsAlnum is true for the ASCII letters and digits.
func IsAlnum(c byte) bool { return isLowerAlnum(c) || 'A' <= c && c <= 'Z' }

func isSeparator(c byte) bool { return c == '.' || c == '_' || c == '-' }

func isHostByte(c byte) bool { return IsAlnum(c) || c == '-' }

func isTagByte(c byte) bool { return IsAlnum(c) || isSeparator(c) }

func isHexByte(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }

// isIPv6 knows the forms of the reference grammar: hexadecimal digits and colons, no
// zone, and no IPv4 address at the end.
func isIPv6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6() && !strings.ContainsAny(s, ".%")
}

// BadRune is the offset of the first thing that has no place in a line, or -1.
func BadRune(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
		if unicode.IsControl(r) && r != '\t' {
			return i
		}
	}
	return -1
}

// PlatformFault is the error about a byte of a platform, counted from 0.
func PlatformFault(s string, at int, why string) fault.Text {
	return fault.Text(fmt.Sprintf("byte %d of platform %q: %s", at+1, fault.Shorten(s), why))
}

// CheckPlatform is the grammar of platforms, for [ParsePlatform] and lock files.
func CheckPlatform(s string) (int, string) {
	switch n := Span(s, func(c byte) bool { return isTagByte(c) || c == '/' || c == ':' }); {
	case n < len(s):
		return n, "character " + QuoteFirst(s[n:]) + " in the platform"
	case len(s) > maxPlatformLen:
		return maxPlatformLen, fmt.Sprintf("platform longer than %d bytes", maxPlatformLen)
	}
	name, version, hasVersion := strings.Cut(s, ":")
	parts := strings.Split(name, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") || hasVersion && (version == "" || strings.ContainsAny(version, ":/")) {
		return 0, "platform is not of the form os/architecture or os/architecture/variant, such as linux/amd64"
	}
	return 0, ""
}

// IsPlatform tells the platform of an image from that of something that does not
// run, such as an attestation ("unknown/unknown").
func IsPlatform(p *v1.Platform) bool { return p != nil && p.OS != "" && p.OS != "unknown" }

// Redact is a reference without the user and password that somebody has written
// in front of the registry, as in a URL; anything else stays as it is. Such a
// reference is malformed, and messages about it must not show them.
func Redact(s string) string {
	start := 0
	if i := strings.Index(s, "://"); i >= 0 {
		start = i + len("://")
	}
	for end := len(s); ; {
		at := start + strings.LastIndexByte(s[start:end], '@')
		if at < start {
			return s
		}
		// A digest, right or wrong, has neither dots nor slashes.
		if host := s[at+1 : end]; strings.ContainsAny(host, "./") || strings.HasPrefix(host, "localhost") {
			return s[:start] + "…" + s[at:]
		}
		end = at
	}
}
