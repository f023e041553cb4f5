package imagecopy

import (
	"context"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/layout"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// fileSource reads from files: a layout, with what is attached to its images, or
// the archive of "docker save", which has nothing attached.
type fileSource struct{ image *layout.Image }

// String is the path behind its kind, oci:DIR, without the image that was chosen in it.
func (f fileSource) String() string {
	ref := f.image.Ref()
	return ref.Kind + ":" + ref.Path
}

func (f fileSource) mountable() (registry, path string) { return "", "" }

func (f fileSource) manifest(_ context.Context, digest string) (v1.Descriptor, []byte, error) {
	hash, err := v1.NewHash(digest)
	if err != nil {
		return v1.Descriptor{}, nil, unreadable(f, "manifest", fault.Text("digest that cannot be read"))
	}
	desc, body, err := f.image.Manifest(hash)
	return desc, body, fileError(err)
}

func (f fileSource) tagged(_ context.Context, tag string) (string, error) {
	if digest, ok := f.image.Tagged(tag); ok {
		return digest.String(), nil
	}
	return "", nil
}

func (f fileSource) blob(_ context.Context, digest v1.Hash) (io.ReadCloser, error) {
	body, err := f.image.Blob(digest)
	return body, fileError(err)
}

func (f fileSource) referrers(_ context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	list, err := f.image.Referrers(digest)
	return list, fileError(err)
}

// fileError makes a [*digest.Error] of one about files.
func fileError(err error) error {
	if e, ok := errors.AsType[*layout.Error](err); ok {
		return &digest.Error{Ref: e.Ref, Kind: e.Kind, Err: e.Err}
	}
	return err
}
