package layout

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
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

// Ref is a reference to an image in files, in parts.
type Ref struct {
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
func (r Ref) String() string {
	s := r.Kind + ":" + r.Path
	if r.Name != "" {
		s += ":" + r.Name
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// IsRef says whether s starts as the references of [ParseRef] do. Such a
// text may also be an image reference, with an image named "oci".
func IsRef(s string) bool {
	kind, _, ok := strings.Cut(s, ":")
	return ok && (kind == sourceOCI || kind == sourceOCIArchive || kind == sourceDocker)
}

// ParseRef parses "oci:DIR[:NAME]", "oci-archive:FILE[:NAME]" and
// "docker-archive:FILE[:REFERENCE]", as skopeo spells them, and for layouts
// "oci:DIR@sha256:…" as well. The path ends at the first colon; on Windows one
// behind a drive letter belongs to it.
//
// NAME is what the annotation org.opencontainers.image.ref.name of a layout may
// hold: letters and digits, joined by single ones of "-._:@+" or by "--", in
// parts separated by "/". REFERENCE is an image reference with a tag and
// no digest. The positions of archives ("@0") are not supported.
//
// Anything else is an error of kind [ErrMalformed] with the position in bytes.
func ParseRef(s string) (Ref, error) {
	ref, at, why := splitRef(s)
	if why != "" {
		return Ref{}, &Error{s, fault.ErrMalformed, fault.Text("byte " + strconv.Itoa(at+1) + ": " + why)}
	}
	return ref, nil
}

func splitRef(s string) (Ref, int, string) {
	if !IsRef(s) {
		return Ref{}, 0, "does not start with oci:, oci-archive: or docker-archive:"
	}
	if at := grammar.BadRune(s); at >= 0 {
		return Ref{}, at, "character " + grammar.QuoteFirst(s[at:])
	}
	kind, rest, _ := strings.Cut(s, ":")
	offset := len(kind) + 1
	colon := strings.IndexByte(rest, ':')
	if runtime.GOOS == "windows" && colon == 1 && grammar.IsAlnum(rest[0]) {
		if next := strings.IndexByte(rest[2:], ':'); next >= 0 {
			colon = next + 2
		} else {
			colon = -1
		}
	}
	ref := Ref{Kind: kind, Path: rest}
	if colon >= 0 {
		ref.Path, ref.Name = rest[:colon], rest[colon+1:]
	}
	switch {
	case ref.Path == "":
		return Ref{}, offset, "empty path"
	case len(ref.Path) > maxSourcePath:
		return Ref{}, offset + maxSourcePath, fmt.Sprintf("path longer than %d bytes", maxSourcePath)
	case colon < 0:
		return ref, 0, ""
	}
	if dir, ok := strings.CutSuffix(ref.Path, "@sha256"); ok && kind != sourceDocker {
		if dir == "" {
			return Ref{}, offset, "empty path"
		}
		at, why := grammar.CheckDigest(grammar.DigestPrefix + ref.Name)
		return Ref{Kind: kind, Path: dir, Digest: grammar.DigestPrefix + ref.Name}, offset + len(dir) + 1 + at, why
	}
	check := checkLayoutName
	if kind == sourceDocker {
		check = checkArchiveName
	}
	if at, why := check(ref.Name); why != "" {
		return Ref{}, offset + colon + 1 + at, why
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
			n := grammar.Span(part[i:], grammar.IsAlnum)
			if n == 0 {
				if i == len(part) {
					return offset + i, "part of the name is empty or ends with a separator"
				}
				return offset + i, "character " + grammar.QuoteFirst(part[i:]) + " in the name where a letter or digit belongs"
			}
			if i += n; i == len(part) {
				break
			}
			if strings.IndexByte("-._:@+", part[i]) < 0 {
				return offset + i, "character " + grammar.QuoteFirst(part[i:]) + " in the name"
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
	ref, at, why := grammar.ParseReference(s)
	if why == "" && ref.Digest != "" {
		at, why = len(s)-len(ref.Digest)-1, "digest, an archive has images by tag"
	}
	return at, why
}

// Image is an image or an index in files. Its manifest has been read and
// checked. Close it after use.
type Image struct {
	given    string
	ref      Ref
	manifest manifestFile
	saved    v1.Image // of an archive of Docker's
	files    fileStore
	entries  []v1.Descriptor     // of a layout's index.json
	subjects map[v1.Hash]v1.Hash // of those that belong to others; see findSubjects
	unread   error               // an entry of which it is not known
}

// manifestFile is a manifest that hashes to its digest.
type manifestFile struct {
	desc v1.Descriptor
	raw  []byte
}

// Open opens the image that ref, one of [ParseRef], stands for. Without
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
func Open(ctx context.Context, ref string) (*Image, error) {
	parsed, err := ParseRef(ref)
	if err != nil {
		return nil, err
	}
	s := &Image{given: ref, ref: parsed}
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
func (s *Image) Ref() Ref { return s.ref }

// Descriptor is that of its manifest.
func (s *Image) Descriptor() v1.Descriptor { return s.manifest.desc }

// Close closes the files.
func (s *Image) Close() error { return s.files.Close() }

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

// Close implements [io.Closer]; the file is closed with the Image.
func (boundReader) Close() error { return nil }
