// Package reference has the grammar of image references and their parts, as far as
// the editor needs it: it asks no registry.
//
// The grammars are written out rather than given as regular expressions: those
// with counted repetitions take longer to compile than a file takes to edit.
package reference

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
)

// SplitRef cuts a reference at the first ":" and "@" behind its first slash, so
// that a registry's port is no tag. needPin demands a tag or a digest.
func SplitRef(ref string, needPin bool) (repo, tag, digest string, ok bool) {
	slash := max(strings.Index(ref, "/"), 0)
	rest := ref[slash:]
	rest, digest, hasDigest := strings.Cut(rest, "@")
	rest, tag, hasTag := strings.Cut(rest, ":")
	if hasTag && tag == "" || hasDigest && digest == "" {
		return "", "", "", false
	}
	return ref[:slash] + rest, tag, digest, hasTag || hasDigest || !needPin
}

// IsTag tells whether a text is a tag by the OCI distribution specification.
func IsTag(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '.' || s[0] == '-' {
		return false
	}
	return isMadeOf(s, "._-")
}

// IsDigest tells whether a text is a digest of an algorithm that registries use.
func IsDigest(s string) bool {
	algorithm, hex, ok := strings.Cut(s, ":")
	return ok && (algorithm == "sha256" && len(hex) == 64 || algorithm == "sha512" && len(hex) == 128) && isHex(hex)
}

// IsHexDigest tells whether a text is a sha256 digest without its prefix.
func IsHexDigest(s string) bool { return len(s) == 64 && isHex(s) }

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// IsName tells whether a text may be an image's name, with a registry or without.
// Upper case is allowed: kustomize matches names as they are written. A registry
// may be an IPv6 address in brackets.
func IsName(s string) bool {
	if inner, rest, ok := strings.Cut(s, "]"); ok && strings.HasPrefix(s, "[") {
		a, err := netip.ParseAddr(inner[1:])
		if err != nil || !a.Is6() || strings.ContainsAny(inner, ".%") {
			return false
		}
		port, path, ok := strings.Cut(rest, "/")
		return ok && (port == "" || port[0] == ':' && isPort(port[1:])) && IsName(path)
	}
	return s != "" && isLetterOrDigit(s[0]) && isLetterOrDigit(s[len(s)-1]) && isMadeOf(s, "._:/-")
}

// Begins tells whether a text that is no reference begins with a name, so that it seems to
// be meant for a tag or a digest of that image.
func Begins(text, name string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), name)
	return ok && name != "" && (rest == "" || rest[0] == ':' || rest[0] == '@')
}

// IsPinned tells whether a text is a reference that has a tag or a digest.
func IsPinned(text string) bool {
	repo, tag, digest, ok := SplitRef(text, true)
	return ok && IsName(repo) && (tag == "" || IsTag(tag)) && (digest == "" || IsDigest(digest))
}

func isPort(s string) bool { return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == "" }

// IsWord tells whether a text may be a revision, a version, a chart's name or a
// URL: no white space, no control characters, and not to be taken for an option.
func IsWord(s string) bool {
	const longest = 1000
	return s != "" && len(s) <= longest && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.In(r, unicode.C, unicode.Z)
	})
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

// RevisionIn finds the revision in a URL's query, as kustomize reads it: ref, or else
// version. from and to are where it stands; it is "" where there is none.
func RevisionIn(text string) (base, revision string, from, to int) {
	base, query, ok := strings.Cut(text, "?")
	if !ok || base == "" {
		return base, "", 0, 0
	}
	for _, key := range []string{"ref=", "version="} {
		from := len(base) + 1
		for part := range strings.SplitSeq(query, "&") {
			raw, found := strings.CutPrefix(part, key)
			if revision, err := url.QueryUnescape(raw); found && raw != "" && err == nil {
				return base, revision, from + len(key), from + len(part)
			}
			from += len(part) + 1
		}
	}
	return base, "", 0, 0
}

// IsVersion tells whether a text is a tag, with a digest or without.
func IsVersion(s string) bool {
	tag, digest, both := strings.Cut(s, "@")
	return IsTag(tag) && (!both || IsDigest(digest))
}

// Version cuts what stands as the tag and as the digest of an image, where the tag may
// have the digest behind it, which behind tells; ok is false where one is malformed, as
// a variable is.
func Version(tagged, digest string) (tag, of string, behind, ok bool) {
	tag, after, cut := strings.Cut(tagged, "@")
	of = digest
	if digest == "" {
		of = after
	}
	return tag, of, cut && digest == "", (tag == "" || IsTag(tag)) && (of == "" || IsDigest(of)) && (!cut || tag != "" && IsDigest(after))
}

// Shown is a malformed name without what stands before an "@": that may be a
// user and a password.
func Shown(name string) string {
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		return "…" + name[i:]
	}
	return name
}

// Argument cuts NAME=NEW[:TAG][@DIGEST], or NAME:TAG[@DIGEST] without a name.
func Argument(arg string) (name, repo, tag, digest string, err error) {
	name, value, renamed := strings.Cut(arg, "=")
	if renamed && name == "" {
		return "", "", "", "", fmt.Errorf("%q has no image name before \"=\"", arg)
	}
	if !renamed {
		name, value = "", arg
	}
	repo, tag, digest, ok := SplitRef(value, !renamed)
	if !ok {
		err = fmt.Errorf("%q is malformed: want NAME=NEW:TAG@DIGEST, NAME=NEW, NAME:TAG or NAME@DIGEST", arg)
	}
	return name, repo, tag, digest, err
}

// ImagePolicy reads NAMESPACE:NAME=REPOSITORY:TAG[@DIGEST].
func ImagePolicy(arg string) (policy, repository, tag, digest string, err error) {
	policy, ref, ok := strings.Cut(arg, "=")
	repository, tag, digest, sound := SplitRef(ref, true)
	namespace, name, colon := strings.Cut(policy, ":")
	if !ok || !sound || !colon || !IsName(namespace) || !IsName(name) || strings.Contains(name, ":") {
		return "", "", "", "", fmt.Errorf("%q is malformed: want NAMESPACE:NAME=REPOSITORY:TAG[@DIGEST]", arg)
	}
	return policy, repository, tag, digest, nil
}

// CheckTag refuses what is no tag by the OCI distribution specification, or, of
// other kinds than images, what no Git reference and no chart version can hold. Revisions may
// have slashes, versions a plus.
func CheckTag(kind string, image bool, tag, name string) error {
	if image && !IsTag(tag) {
		return fmt.Errorf("tag %q of image %q is malformed: at most 128 letters, digits, '_', '.' and '-', the first no '.' or '-'", tag, name)
	}
	if !image && !IsWord(tag) {
		return fmt.Errorf("version %q of %s %q is malformed: it has white space or control characters, begins with '-' or is too long", tag, kind, name)
	}
	return nil
}
