package lock

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	// lockHeader is the first line of a lock file, with the version of its form.
	lockHeader = "images.lock v1"
	// noMediaType stands in a lock file for a media type that is not known.
	noMediaType = "-"

	maxLockSize     = 16 << 20
	maxLockEntries  = 100_000
	maxLockLine     = 16 << 10
	maxPlatforms    = 64
	maxMediaTypeLen = 255
)

// Lock says which digests references stood for when they were last asked about.
// It is the content of a lock file, by custom named "images.lock", which is
// kept in Git: one image a line, sorted.
//
//	images.lock v1
//	nginx:1.27 sha256:… application/vnd.oci.image.index.v1+json linux/amd64=sha256:… linux/arm64=sha256:…
//	registry.example.com/shop/cart:v1 sha256:… application/vnd.oci.image.manifest.v1+json
//
// The fields of a line are separated by one space: the reference, the digest of
// its manifest, the media type of that manifest ("-" where it is not known) and
// any number of platforms with the digests of their manifests. A reference has
// one line, in whatever spelling: "nginx:1.27" and
// "docker.io/library/nginx:1.27" are the same.
//
// A line that starts with "#" is a comment. It belongs to the image below it:
// it moves with it, and goes with it when the image is removed. Comments after
// the last image stay at the end, and those between the first line and an empty
// line stay at the top. Other empty lines are read but not written.
//
// Lines can be put in any order and stand twice, so Git may merge the file with
// its "union" driver (in .gitattributes: "images.lock merge=union"), which keeps
// the lines of both sides. The one case that needs a decision, an image with two
// digests, is then an error of [ParseLock].
//
// The zero value is a lock without images. A Lock is not safe for concurrent use.
type Lock struct {
	name    string // of the file, for messages
	entries map[digest.Reference]*lockEntry
	head    []string // comments that stay at the top
	tail    []string // comments that stay at the end
}

type lockEntry struct {
	Locked
	comments []string
	line     int
}

// Locked is what a [Lock] says about one image.
type Locked struct {
	// Ref is the reference in the spelling that the lock has it in. It has a
	// tag and no digest, or else a digest and no tag.
	Ref string `json:"ref"`
	// Digest is the digest of its manifest, "sha256:…".
	Digest string `json:"digest"`
	// MediaType is the media type of that manifest, empty when not known.
	MediaType string `json:"mediaType,omitempty"`
	// Platforms are the platforms of an index that are of interest, sorted by
	// name. None means that they are not known.
	Platforms []LockedPlatform `json:"platforms,omitempty"`
}

// LockedPlatform is the manifest for one platform in a locked index.
type LockedPlatform struct {
	// Platform is its name: "linux/amd64", "linux/arm/v7".
	Platform string `json:"platform"`
	// Digest is the digest of its manifest, "sha256:…".
	Digest string `json:"digest"`
}

// Lookup gives the entry for a reference in any of its spellings. With a tag and
// a digest, it is the entry of the tag if that has the same digest, else that of
// the digest. Without one, or with a ref that is malformed, ok is false.
func (l *Lock) Lookup(ref string) (entry Locked, ok bool) {
	parsed, err := digest.ParseReference(ref)
	if err != nil {
		return Locked{}, false
	}
	return l.lookup(parsed)
}

func (l *Lock) lookup(ref digest.Reference) (entry Locked, ok bool) {
	e := l.entries[lockKey(ref)]
	if ref.Digest != "" && (e == nil || e.Digest != ref.Digest) {
		ref.Tag = ""
		e = l.entries[lockKey(ref)]
	}
	if e == nil {
		return Locked{}, false
	}
	return e.clone(), true
}

func (e *lockEntry) clone() Locked {
	out := e.Locked
	out.Platforms = slices.Clone(out.Platforms)
	return out
}

// Set adds an entry or replaces the one for the same image. Comments above that
// stay. A Ref with a tag and a digest is kept as the tag alone; that its digest
// is not Digest is an error, as is all that a lock file cannot hold.
func (l *Lock) Set(entry Locked) error {
	ref, err := digest.ParseReference(entry.Ref)
	if err != nil {
		return err
	}
	if err := entry.check(ref); err != nil {
		return &digest.Error{Ref: entry.Ref, Kind: digest.ErrMalformed, Err: err}
	}
	if l.entries == nil {
		l.entries = make(map[digest.Reference]*lockEntry)
	}
	key := lockKey(ref)
	if l.entries[key] == nil {
		if len(l.entries) == maxLockEntries {
			return &digest.Error{Ref: entry.Ref, Kind: digest.ErrMalformed, Err: fault.Text(tooManyImages())}
		}
		l.entries[key] = &lockEntry{}
	}
	if ref.Tag != "" {
		ref.Digest = ""
	}
	entry.Ref = ref.String()
	entry.Platforms = sortedPlatforms(entry.Platforms)
	l.entries[key].Locked = entry
	return nil
}

func (e Locked) check(ref digest.Reference) error {
	if _, why := grammar.CheckDigest(e.Digest); why != "" {
		return fault.Text("cannot be locked: " + why)
	}
	if ref.Digest != "" && ref.Digest != e.Digest {
		return fault.Text("cannot be locked as " + e.Digest + ", it names another digest")
	}
	if e.MediaType != "" {
		if at, why := checkMediaType(e.MediaType); why != "" {
			return fault.Text(fmt.Sprintf("cannot be locked: byte %d of the media type: %s", at+1, why))
		}
	}
	if len(e.Platforms) > maxPlatforms {
		return fault.Text(fmt.Sprintf("cannot be locked: more than %d platforms", maxPlatforms))
	}
	seen := make(map[string]bool)
	for _, p := range e.Platforms {
		at, why := grammar.CheckPlatform(p.Platform)
		if why == "" {
			at, why = grammar.CheckDigest(p.Digest)
		}
		if why == "" && seen[p.Platform] {
			why = "stands twice"
		}
		if why != "" {
			return fault.Text(fmt.Sprintf("cannot be locked: byte %d of platform %s: %s", at+1, strconv.Quote(p.Platform), why))
		}
		seen[p.Platform] = true
	}
	return nil
}

func sortedPlatforms(ps []LockedPlatform) []LockedPlatform {
	ps = slices.Clone(ps)
	slices.SortFunc(ps, func(a, b LockedPlatform) int { return strings.Compare(a.Platform, b.Platform) })
	return ps
}

// Remove takes out the entry for a reference in any of its spellings, with the
// comments above it, and says whether there was one. A digest beside a tag does
// not matter.
func (l *Lock) Remove(ref string) bool {
	parsed, err := digest.ParseReference(ref)
	if err != nil || l.entries[lockKey(parsed)] == nil {
		return false
	}
	delete(l.entries, lockKey(parsed))
	return true
}

// Refs lists the references in the order of the file.
func (l *Lock) Refs() []string {
	refs := make([]string, 0, len(l.entries))
	for _, key := range l.order() {
		refs = append(refs, l.entries[key].Ref)
	}
	return refs
}

// Name is the name that the lock was parsed under, else "images.lock".
func (l *Lock) Name() string { return cmp.Or(l.name, "images.lock") }

// order sorts by what references mean, so that the spelling does not move a line.
func (l *Lock) order() []digest.Reference {
	return slices.SortedFunc(maps.Keys(l.entries), func(a, b digest.Reference) int {
		return cmp.Or(
			strings.Compare(a.Repository, b.Repository),
			strings.Compare(a.Tag, b.Tag),
			strings.Compare(a.Digest, b.Digest),
		)
	})
}

// Bytes is the lock file. For a file that was written by Bytes, [ParseLock] and
// Bytes give back the same bytes.
func (l *Lock) Bytes() []byte {
	var b bytes.Buffer
	b.WriteString(lockHeader + "\n")
	if len(l.head) > 0 {
		writeLines(&b, append(slices.Clone(l.head), ""))
	}
	for _, key := range l.order() {
		e := l.entries[key]
		writeLines(&b, e.comments)
		b.WriteString(e.Ref + " " + e.Digest + " " + cmp.Or(e.MediaType, noMediaType))
		for _, p := range e.Platforms {
			b.WriteString(" " + p.Platform + "=" + p.Digest)
		}
		b.WriteByte('\n')
	}
	writeLines(&b, l.tail)
	return b.Bytes()
}

func writeLines(b *bytes.Buffer, lines []string) {
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
}

// lockKey is what a lock tells images apart by: a digest beside a tag does not
// make another image.
func lockKey(ref digest.Reference) digest.Reference {
	if ref.Tag != "" {
		ref.Digest = ""
	}
	return ref.Canonical()
}

func tooManyImages() string { return fmt.Sprintf("more than %d images", maxLockEntries) }

// checkMediaType is the grammar of RFC 6838, without parameters.
func checkMediaType(s string) (int, string) {
	slash := strings.IndexByte(s, '/')
	switch n := grammar.Span(s, func(c byte) bool { return isMediaTypeByte(c) || c == '/' }); {
	case s == "":
		return 0, "empty media type"
	case n < len(s):
		return n, "character " + grammar.QuoteFirst(s[n:]) + " in the media type"
	case len(s) > maxMediaTypeLen:
		return maxMediaTypeLen, fmt.Sprintf("media type longer than %d bytes", maxMediaTypeLen)
	case slash <= 0 || slash == len(s)-1 || strings.LastIndexByte(s, '/') != slash:
		return 0, "media type is not of the form type/subtype"
	}
	return 0, ""
}

func isMediaTypeByte(c byte) bool {
	return grammar.IsAlnum(c) || strings.IndexByte("!#$&-^_.+", c) >= 0
}
