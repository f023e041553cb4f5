package digest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	layoutPrefix = "oci:"
	// refNameAnnotation is the tag of an entry of a layout's index.
	refNameAnnotation = "org.opencontainers.image.ref.name"
	// cosignKindAnnotation is how "cosign save" says what an entry is.
	cosignKindAnnotation = "kind"
	cosignKindPrefix     = "dev.cosignproject.cosign/"
)

// layoutSource reads from an OCI image layout. Nothing outside its folder is
// read, and no links are followed out of it.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
type layoutSource struct {
	given   string
	root    *os.Root
	entries []v1.Descriptor
	refer   map[string][]v1.Descriptor // entries that refer to a digest
}

// openLayoutSource takes what comes after "oci:" in given.
func openLayoutSource(given, rest string) (*layoutSource, string, error) {
	malformed := func(why string) error {
		return &Error{Ref: given, Kind: ErrMalformed, Err: fault(why)}
	}
	dir, digest, hasDigest := strings.Cut(rest, "@")
	tag := ""
	if hasDigest {
		if _, why := checkDigest(digest); why != "" {
			return nil, "", malformed(why)
		}
	} else if i := strings.LastIndexByte(dir, ':'); i > 0 && !isDir(dir) {
		dir, tag = dir[:i], dir[i+1:]
	}
	if dir == "" {
		return nil, "", malformed("no folder, write oci:DIR or oci:DIR:TAG")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, "", layoutError(given, err)
	}
	l := &layoutSource{given: given, root: root}
	start, err := l.start(tag, digest)
	if err != nil {
		root.Close()
		return nil, "", err
	}
	return l, start, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// start reads the index of the layout and finds the digest to begin with.
func (l *layoutSource) start(tag, digest string) (string, error) {
	body, err := l.read("index.json")
	if err != nil {
		return "", layoutError(l.given, err)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(body, &index); err != nil {
		return "", layoutError(l.given, fault("index.json is not an index"))
	}
	if l.entries = index.Manifests; len(l.entries) > maxCopyManifests {
		return "", layoutError(l.given, fault(fmt.Sprintf("more than %d manifests in index.json", maxCopyManifests)))
	}
	main := l.sort()
	if digest != "" {
		return digest, nil
	}
	var found []string
	if tag == "" {
		found = main
	} else if digest := l.entryOf(tag); digest != "" {
		found = []string{digest}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case tag != "" && len(found) == 0:
		return "", &Error{Ref: l.given, Kind: ErrNotFound, Err: fault("no tag " + strconv.Quote(tag) + " in the layout")}
	}
	return "", &Error{Ref: l.given, Kind: ErrMalformed, Err: fault(fmt.Sprintf("the layout has %d images that this could mean, write oci:DIR:TAG or oci:DIR@sha256:…", len(found)))}
}

// sort tells the entries that belong to others from those that do not, and
// gives back the latter.
func (l *layoutSource) sort() (main []string) {
	l.refer = map[string][]v1.Descriptor{}
	for _, e := range l.entries {
		name, kind := e.Annotations[refNameAnnotation], e.Annotations[cosignKindAnnotation]
		subject := l.subjectOf(e)
		switch {
		case subject != "":
			l.refer[subject] = append(l.refer[subject], e)
		case !strings.HasPrefix(name, "sha256-") && kind != cosignKindPrefix+"sigs" && kind != cosignKindPrefix+"atts":
			main = append(main, e.Digest.String())
		}
	}
	return slices.Compact(main)
}

// subjectOf is what a manifest refers to; empty for nothing, and for what
// cannot be read, which is told when it is copied.
func (l *layoutSource) subjectOf(e v1.Descriptor) string {
	if !isManifestType(e.MediaType) {
		return ""
	}
	body, err := l.read(blobPath(e.Digest.String()))
	var m copyManifest
	if err != nil || json.Unmarshal(body, &m) != nil || m.Subject == nil {
		return ""
	}
	return m.Subject.Digest.String()
}

func blobPath(digest string) string { return "blobs/" + strings.Replace(digest, ":", "/", 1) }

// open opens a regular file: a pipe would be waited on without end.
func (l *layoutSource) open(path string) (*os.File, error) {
	info, err := l.root.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fault(path + " is not a regular file")
	}
	f, err := l.root.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, fault(path + " is not a regular file")
	}
	return f, nil
}

// read reads a manifest or the index.
func (l *layoutSource) read(path string) ([]byte, error) {
	f, err := l.open(path)
	if err != nil {
		return nil, err
	}
	return readBounded(f)
}

// readBounded fails rather than ends when there is more than is allowed.
func readBounded(r io.ReadCloser) ([]byte, error) {
	defer r.Close()
	body, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if len(body) > maxBody {
		return nil, errTooLarge
	}
	return body, err
}

func layoutError(given string, err error) error {
	out := &Error{Ref: given, Kind: ErrUnknown}
	text := "layout cannot be read"
	var own fault
	var file *fs.PathError
	switch {
	case errors.As(err, &own):
		text = own.Error()
	case errors.Is(err, fs.ErrNotExist) && errors.As(err, &file):
		out.Kind, text = ErrNotFound, "no "+strconv.Quote(shorten(file.Path))+" in the layout"
	case errors.As(err, &file):
		text += ": " + file.Err.Error()
	}
	out.Err = &cause{text: text, err: err}
	return out
}

func (l *layoutSource) close() { l.root.Close() }

func (l *layoutSource) String() string { return strings.Split(l.given, "@")[0] }

func (l *layoutSource) mountable() (registry, path string) { return "", "" }

func (l *layoutSource) manifest(_ context.Context, digest string) (v1.Descriptor, []byte, error) {
	body, err := l.read(blobPath(digest))
	if err != nil {
		return v1.Descriptor{}, nil, layoutError(l.given, err)
	}
	desc := describeContent(body, l.mediaType(digest, body))
	if got := desc.Digest.String(); got != digest {
		return desc, nil, unreadable(l, manifestName(digest), errForged+fault(got))
	}
	return desc, body, nil
}

// mediaType is what the layout's index says of a manifest, or it of itself. An
// OCI manifest may leave it to be seen from its content.
func (l *layoutSource) mediaType(digest string, body []byte) string {
	for _, e := range l.entries {
		if e.Digest.String() == digest && e.MediaType != "" {
			return string(e.MediaType)
		}
	}
	return string(mediaTypeOf(body))
}

// mediaTypeOf finds the media type of a manifest from its content; empty when
// it cannot be told.
func mediaTypeOf(body []byte) types.MediaType {
	var m struct {
		copyManifest
		Manifests json.RawMessage `json:"manifests"`
	}
	if json.Unmarshal(body, &m) != nil {
		return ""
	}
	switch {
	case m.MediaType != "":
		return m.MediaType
	case m.Manifests != nil && m.Config == nil:
		return types.OCIImageIndex
	case m.Config != nil && m.Manifests == nil:
		return types.OCIManifestSchema1
	}
	return ""
}

func (l *layoutSource) tagged(_ context.Context, tag string) (string, error) {
	if digest := l.entryOf(tag); digest != "" {
		return digest, nil
	}
	return l.savedByCosign(tag), nil
}

func (l *layoutSource) entryOf(tag string) string {
	for _, e := range l.entries {
		if e.Annotations[refNameAnnotation] == tag {
			return e.Digest.String()
		}
	}
	return ""
}

// savedByCosign finds the signatures of the one image that "cosign save"
// leaves in a layout, marked with their kind instead of a tag.
func (l *layoutSource) savedByCosign(tag string) string {
	image, attached := "", ""
	for _, e := range l.entries {
		switch e.Annotations[cosignKindAnnotation] {
		case cosignKindPrefix + "image", cosignKindPrefix + "imageIndex":
			image = e.Digest.String()
		case cosignKindPrefix + "sigs":
			if strings.HasSuffix(tag, ".sig") {
				attached = e.Digest.String()
			}
		case cosignKindPrefix + "atts":
			if strings.HasSuffix(tag, ".att") {
				attached = e.Digest.String()
			}
		}
	}
	if image == "" || !strings.HasPrefix(tag, tagOf(image)) {
		return ""
	}
	return attached
}

func (l *layoutSource) blob(_ context.Context, digest string) (io.ReadCloser, error) {
	f, err := l.open(blobPath(digest))
	if err != nil {
		return nil, layoutError(l.given, err)
	}
	return f, nil
}

// referrers are the entries of the layout's index that refer to digest, and
// those in a list under the tag for referrers.
func (l *layoutSource) referrers(ctx context.Context, digest string) ([]v1.Descriptor, error) {
	all := l.refer[digest]
	list := l.entryOf(tagOf(digest))
	if list == "" {
		return all, nil
	}
	_, body, err := l.manifest(ctx, list)
	if err != nil {
		return nil, err
	}
	listed, err := parseReferrers(body)
	if err != nil {
		return nil, unreadable(l, "referrers of "+digest, err)
	}
	return slices.Concat(all, listed), nil
}
