package imagecopy

import (
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest/layout"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// fileSource reads from files: a layout, with what is attached to its images, or
// the archive of "docker save", which has nothing attached.
type fileSource struct{ image *layout.Image }

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
	return f.image.Manifest(hash)
}

func (f fileSource) tagged(_ context.Context, tag string) (string, error) {
	if digest, ok := f.image.Tagged(tag); ok {
		return digest.String(), nil
	}
	return "", nil
}

func (f fileSource) blob(_ context.Context, digest v1.Hash) (io.ReadCloser, error) {
	return f.image.Blob(digest)
}

func (f fileSource) referrers(_ context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	return f.image.Referrers(digest)
}
