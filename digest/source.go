package digest

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The places that images can be in other than registries, in the words of
// containers-transports(5).
const (
	sourceOCI        = "oci"            // an OCI image layout in a directory
	sourceOCIArchive = "oci-archive"    // an OCI image layout in a tar archive
	sourceDocker     = "docker-archive" // the tar archive of "docker save"
)

const (
	maxSourcePath = 4096
	maxLayoutRef  = 512
)

// LayoutRef is a reference to an image in files, in parts.
type LayoutRef struct {
	// Kind is "oci", "oci-archive" or "docker-archive".
	Kind string
	// Path is the directory or the archive.
	Path string
	// Name chooses one of several images, or is empty.
	Name string
	// Digest chooses a manifest in a layout, or is empty. It is not there
	// together with a Name.
	Digest string
}

// String prints the reference back as it was parsed.
func (r LayoutRef) String() string {
	s := r.Kind + ":" + r.Path
	if r.Name != "" {
		s += ":" + r.Name
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// IsLayoutRef says whether s starts as the references of [ParseLayoutRef] do. Such a
// text may also be one of [ParseReference], with an image named "oci".
func IsLayoutRef(s string) bool {
	kind, _, ok := strings.Cut(s, ":")
	return ok && (kind == sourceOCI || kind == sourceOCIArchive || kind == sourceDocker)
}

// ParseLayoutRef parses "oci:DIR[:NAME]", "oci-archive:FILE[:NAME]" and
// "docker-archive:FILE[:REFERENCE]", as skopeo spells them, and for layouts
// "oci:DIR@sha256:…" as well. The path ends at the first colon; on Windows one
// behind a drive letter belongs to it.
//
// NAME is what the annotation org.opencontainers.image.ref.name of a layout may
// hold: letters and digits, joined by single ones of "-._:@+" or by "--", in
// parts separated by "/". REFERENCE is one of [ParseReference] with a tag and
// no digest. The positions of archives ("@0") are not supported.
//
// Anything else is an error of kind [ErrMalformed] with the position in bytes.
func ParseLayoutRef(s string) (LayoutRef, error) {
	ref, at, why := splitLayoutRef(s)
	if why != "" {
		return LayoutRef{}, &LayoutError{s, malformed, fault("byte " + strconv.Itoa(at+1) + ": " + why)}
	}
	return ref, nil
}

func splitLayoutRef(s string) (LayoutRef, int, string) {
	if !IsLayoutRef(s) {
		return LayoutRef{}, 0, "does not start with oci:, oci-archive: or docker-archive:"
	}
	if at := badRune(s); at >= 0 {
		return LayoutRef{}, at, "character " + quoteFirst(s[at:])
	}
	kind, rest, _ := strings.Cut(s, ":")
	offset := len(kind) + 1
	colon := strings.IndexByte(rest, ':')
	if runtime.GOOS == "windows" && colon == 1 && isAlnum(rest[0]) {
		if next := strings.IndexByte(rest[2:], ':'); next >= 0 {
			colon = next + 2
		} else {
			colon = -1
		}
	}
	ref := LayoutRef{Kind: kind, Path: rest}
	if colon >= 0 {
		ref.Path, ref.Name = rest[:colon], rest[colon+1:]
	}
	switch {
	case ref.Path == "":
		return LayoutRef{}, offset, "empty path"
	case len(ref.Path) > maxSourcePath:
		return LayoutRef{}, offset + maxSourcePath, fmt.Sprintf("path longer than %d bytes", maxSourcePath)
	case colon < 0:
		return ref, 0, ""
	}
	if dir, ok := strings.CutSuffix(ref.Path, "@sha256"); ok && kind != sourceDocker {
		if dir == "" {
			return LayoutRef{}, offset, "empty path"
		}
		at, why := checkDigest(digestPrefix + ref.Name)
		return LayoutRef{Kind: kind, Path: dir, Digest: digestPrefix + ref.Name}, offset + len(dir) + 1 + at, why
	}
	check := checkLayoutName
	if kind == sourceDocker {
		check = checkArchiveName
	}
	if at, why := check(ref.Name); why != "" {
		return LayoutRef{}, offset + colon + 1 + at, why
	}
	return ref, 0, ""
}

// checkLayoutName is the grammar of org.opencontainers.image.ref.name in the
// annotations of the OCI image specification.
func checkLayoutName(s string) (int, string) {
	if len(s) > maxLayoutRef {
		return maxLayoutRef, fmt.Sprintf("name longer than %d bytes", maxLayoutRef)
	}
	offset := 0
	for part := range strings.SplitSeq(s, "/") {
		for i := 0; ; {
			n := span(part[i:], isAlnum)
			if n == 0 {
				if i == len(part) {
					return offset + i, "part of the name is empty or ends with a separator"
				}
				return offset + i, "character " + quoteFirst(part[i:]) + " in the name where a letter or digit belongs"
			}
			if i += n; i == len(part) {
				break
			}
			if strings.IndexByte("-._:@+", part[i]) < 0 {
				return offset + i, "character " + quoteFirst(part[i:]) + " in the name"
			}
			if i++; strings.HasPrefix(part[i-1:], "--") {
				i++
			}
		}
		offset += len(part) + 1
	}
	return 0, ""
}

func checkArchiveName(s string) (int, string) {
	if strings.HasPrefix(s, "@") {
		return 0, "position in the archive is not supported, name the image by its reference"
	}
	ref, at, why := parseReference(s)
	if why == "" && ref.Digest != "" {
		at, why = len(s)-len(ref.Digest)-1, "digest, an archive has images by tag"
	}
	return at, why
}

// Source is an image or an index in files. Its manifest has been read and
// checked. Close it after use.
type Source struct {
	given    string
	ref      LayoutRef
	manifest manifestFile
	saved    v1.Image // of an archive of Docker's
	files    fileStore
	entries  []v1.Descriptor     // of a layout's index.json
	subjects map[v1.Hash]v1.Hash // of those that belong to others; see findSubjects
}

// manifestFile is a manifest that hashes to its digest.
type manifestFile struct {
	desc v1.Descriptor
	raw  []byte
}

// OpenSource opens the image that ref, one of [ParseLayoutRef], stands for. Without
// a name it must be the only one. It asks no registry; ctx bounds all reading,
// also of what is read from the Source later.
//
// The files are taken for hostile: sizes and numbers are bounded, manifests must
// hash to their digests, no path leaves the directory or archive, and symbolic
// links are not followed where files of a layout belong. Archives must not be
// compressed, since they are read at random.
//
// A docker-archive does not hold the manifest that a registry has: it has no
// compressed layers. The manifest is made anew, of Docker's schema 2, as
// this program would push it. Its digest depends on how layers are compressed,
// so other tools, and other versions of this one, may come to another. The
// archive's layers are read whole for that, and compared with the image's
// configuration.
//
// Errors are of one of three kinds: [ErrNotFound] means that the layout or
// archive was read, and has no such image; [ErrUnknown] that it could not be
// read, that what it holds is damaged, or that the name stands for several
// images; [ErrMalformed] that ref is outside the grammar.
func OpenSource(ctx context.Context, ref string) (*Source, error) {
	parsed, err := ParseLayoutRef(ref)
	if err != nil {
		return nil, err
	}
	s := &Source{given: ref, ref: parsed}
	if parsed.Kind == sourceDocker {
		err = s.openDocker(ctx)
	} else {
		err = s.openLayout(ctx)
	}
	if err != nil {
		if s.files != nil {
			s.files.Close()
		}
		return nil, s.failure(err)
	}
	return s, nil
}

// Ref is the reference that it was opened by.
func (s *Source) Ref() LayoutRef { return s.ref }

// Descriptor is that of its manifest.
func (s *Source) Descriptor() v1.Descriptor { return s.manifest.desc }

// Close closes the files.
func (s *Source) Close() error { return s.files.Close() }

// boundReader ends with a context.
type boundReader struct {
	ctx context.Context
	io.ReadSeeker
}

// Read implements [io.Reader].
func (r boundReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.ReadSeeker.Read(p)
}

// Close implements [io.Closer]; the file is closed with the Source.
func (boundReader) Close() error { return nil }
