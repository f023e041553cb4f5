package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const (
	// RefAnnotation names a manifest in the index of a layout.
	RefAnnotation = "org.opencontainers.image.ref.name"
	// KindAnnotation is where cosign save notes what a manifest is, as there is
	// one image in its layouts and no tag.
	KindAnnotation = "kind"
	KindImage      = "dev.cosignproject.cosign/image"
	kindIndex      = "dev.cosignproject.cosign/imageIndex"
	KindSignatures = "dev.cosignproject.cosign/sigs"
	kindAttested   = "dev.cosignproject.cosign/atts"

	// maxOpened bounds the manifests that are opened to see what they refer to.
	maxOpened = 512
)

// Layout is an image in an OCI layout, a directory with an index and the blobs.
type Layout struct {
	Path  string // as given, with what stands behind the directory
	name  string // for messages
	root  *os.Root
	index []v1.Descriptor
	image v1.Descriptor
}

// LayoutError is a layout that cannot be read, which says nothing about
// signatures.
type LayoutError struct{ msg string }

func (e *LayoutError) Error() string { return e.msg }

// absentError is something that a layout does not have.
type absentError struct{ what string }

func (e *absentError) Error() string { return "cannot read " + e.what + ": it is not there" }

// OpenLayout finds the image that DIR, DIR:REF or DIR@sha256:hex means. The
// directory is not left, whatever links are in it.
func OpenLayout(s string) (*Layout, v1.Hash, error) {
	dir, ref := s, ""
	if at := strings.LastIndex(s, "@sha256:"); at >= 0 {
		dir, ref = s[:at], s[at+1:]
	} else if _, err := os.Stat(s); err != nil {
		if at := strings.LastIndex(s, ":"); at > 0 {
			dir, ref = s[:at], s[at+1:]
		}
	}
	l := &Layout{Path: s, name: "oci:" + untrusted.OneLine(s)}
	fail := func(format string, args ...any) (*Layout, v1.Hash, error) {
		l.Close()
		return nil, v1.Hash{}, &LayoutError{"cannot read " + l.name + ": " + fmt.Sprintf(format, args...)}
	}
	var err error
	if l.root, err = os.OpenRoot(dir); err != nil {
		return fail("%s", untrusted.BareFile(err))
	}
	data, err := l.read("index.json", MaxManifestSize)
	if err != nil {
		return fail("%s", untrusted.BareFile(err))
	}
	if l.index, err = ParseList("index.json", data); err != nil {
		return fail("%s", strings.TrimPrefix(err.Error(), "cannot read "))
	}
	found := l.images(ref)
	switch {
	case len(found) == 0:
		return fail("there is no such image in it")
	case len(found) > 1:
		return fail("there are %d images in it; name one of them with oci:DIR:REF or oci:DIR@sha256:...", len(found))
	}
	l.image = found[0]
	if h := l.image.Digest; h.Algorithm != "sha256" || len(h.Hex) != 64 {
		return fail("the digest of the image is not SHA-256")
	}
	// Signatures are about the digest. Whoever uses the layout gets what is stored
	// under it.
	if _, err := l.content(l.image.Digest, MaxManifestSize); err != nil {
		return fail("%s", strings.TrimPrefix(err.Error(), "cannot read "))
	}
	return l, l.image.Digest, nil
}

func (l *Layout) Close() {
	if l.root != nil {
		l.root.Close()
	}
}

// images lists the images a reference can mean. Signatures that lie beside them
// are none.
func (l *Layout) images(ref string) []v1.Descriptor {
	var found []v1.Descriptor
	for _, d := range l.index {
		kind, name := d.Annotations[KindAnnotation], d.Annotations[RefAnnotation]
		switch {
		case strings.HasPrefix(ref, "sha256:"):
			if d.Digest.String() != ref {
				continue
			}
		case ref != "":
			if name != ref && !strings.HasSuffix(name, ":"+ref) {
				continue
			}
		case kind != "" && kind != KindImage && kind != kindIndex, isSignatureTag(name), d.ArtifactType != "":
			continue
		}
		if !slices.ContainsFunc(found, func(f v1.Descriptor) bool { return f.Digest == d.Digest }) {
			found = append(found, d)
		}
	}
	return found
}

func isSignatureTag(name string) bool {
	return strings.HasPrefix(name, "sha256-") || strings.Contains(name, ":sha256-")
}

// read reads a file of the layout, if it is a plain one.
func (l *Layout) read(name string, limit int64) ([]byte, error) {
	info, err := l.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no plain file")
	}
	f, err := l.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return b, err
}

// content reads the blob with a digest.
func (l *Layout) content(digest v1.Hash, limit int64) ([]byte, error) {
	what := l.What(digest.String())
	if !untrusted.IsHex(digest.Hex, 64) || digest.Algorithm != "sha256" {
		return nil, fmt.Errorf("cannot read %s: its digest is not SHA-256", what)
	}
	b, err := l.read(path.Join("blobs", digest.Algorithm, digest.Hex), limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &absentError{what}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %s", what, untrusted.BareFile(err))
	}
	return b, checkDigest(what, b, digest)
}

func (l *Layout) Manifest(_ context.Context, id string) (*Document, error) {
	var digest v1.Hash
	if strings.Contains(id, ":") {
		var err error
		if digest, err = v1.NewHash(id); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", l.What(id), err)
		}
	} else if d, ok := l.tagged(id); ok {
		digest = d.Digest
	} else {
		return nil, &absentError{l.What(id)}
	}
	b, err := l.content(digest, MaxManifestSize)
	if err != nil {
		// A tag that leads nowhere is not the same as no tag.
		if IsNotFound(err) && !strings.Contains(id, ":") {
			err = errors.New(err.Error())
		}
		return nil, err
	}
	d := &Document{What: l.What(id), Body: b, Digest: digest}
	var m struct {
		MediaType types.MediaType
		Manifests []json.RawMessage
	}
	_ = json.Unmarshal(b, &m) // what is no manifest has no type, and is told so
	if d.MediaType = m.MediaType; d.MediaType == "" {
		d.MediaType = types.OCIManifestSchema1
		if m.Manifests != nil {
			d.MediaType = types.OCIImageIndex
		}
	}
	return d, nil
}

// tagged finds what a tag of a signature means: by its name, or as cosign save
// notes it.
func (l *Layout) tagged(tag string) (v1.Descriptor, bool) {
	for _, d := range l.index {
		if n := d.Annotations[RefAnnotation]; n == tag || strings.HasSuffix(n, ":"+tag) {
			return d, true
		}
	}
	kinds := map[string]string{".sig": KindSignatures, ".att": kindAttested}
	for suffix, kind := range kinds {
		if tag != "sha256-"+l.image.Digest.Hex+suffix {
			continue
		}
		for _, d := range l.index {
			if d.Annotations[KindAnnotation] == kind {
				return d, true
			}
		}
	}
	return v1.Descriptor{}, false
}

func (l *Layout) Blob(_ context.Context, d v1.Descriptor, limit int64) ([]byte, error) {
	if d.Size < 0 || d.Size > limit {
		return nil, fmt.Errorf("cannot read %s: size is %d bytes, the limit is %d", l.What(d.Digest.String()), d.Size, limit)
	}
	b, err := l.content(d.Digest, limit)
	if IsNotFound(err) {
		err = errors.New(err.Error())
	}
	if err == nil && int64(len(b)) != d.Size {
		err = fmt.Errorf("cannot read %s: it has %d bytes instead of %d", l.What(d.Digest.String()), len(b), d.Size)
	}
	return b, err
}

// Referrers lists the manifests of the index that name the digest as their
// subject, and what is listed under the fallback tag.
func (l *Layout) Referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	var list []v1.Descriptor
	var missed error
	opened := 0
	for _, d := range l.index {
		if d.Digest == digest || !d.MediaType.IsImage() && d.MediaType != "" || isSignatureTag(d.Annotations[RefAnnotation]) {
			continue
		}
		if opened == maxOpened {
			missed = fmt.Errorf("cannot read the referrers of %s: more than %d manifests", l.What(digest.String()), opened)
			break
		}
		opened++
		b, err := l.content(d.Digest, MaxManifestSize)
		if err != nil {
			missed = err
			continue
		}
		m, err := ParseManifest(b)
		if err != nil || m.Subject == nil || m.Subject.Digest != digest {
			continue
		}
		if d.ArtifactType == "" {
			d.ArtifactType = m.ArtifactType
		}
		list = append(list, d)
	}
	doc, err := l.Manifest(ctx, digest.Algorithm+"-"+digest.Hex)
	switch {
	case IsNotFound(err):
		return list, missed
	case err != nil:
		return list, err
	}
	more, err := ParseList(doc.What, doc.Body)
	if err == nil {
		err = missed
	}
	return append(list, more...), err
}

func (l *Layout) Exists(_ context.Context, digest v1.Hash) (bool, error) {
	_, err := l.content(digest, MaxManifestSize)
	if IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

func (l *Layout) What(id string) string { return l.name + " " + id }
