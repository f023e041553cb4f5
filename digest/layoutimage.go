package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// layoutImage is an image in a layout: the core of a [v1.Image].
type layoutImage struct {
	store    fileStore
	file     manifestFile
	manifest *v1.Manifest
}

func newLayoutImage(store fileStore, file manifestFile) (v1.Image, error) {
	m, err := v1.ParseManifest(bytes.NewReader(file.raw))
	if err != nil {
		return nil, fault("manifest " + file.desc.Digest.String() + " is not an image manifest")
	}
	return partial.CompressedToImage(&layoutImage{store, file, m})
}

// MediaType implements [partial.CompressedImageCore].
func (i *layoutImage) MediaType() (types.MediaType, error) { return i.file.desc.MediaType, nil }

// RawManifest implements [partial.CompressedImageCore].
func (i *layoutImage) RawManifest() ([]byte, error) { return i.file.raw, nil }

// RawConfigFile implements [partial.CompressedImageCore].
func (i *layoutImage) RawConfigFile() ([]byte, error) { return readBlob(i.store, i.manifest.Config) }

// LayerByDigest implements [partial.CompressedImageCore].
func (i *layoutImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, desc := range append([]v1.Descriptor{i.manifest.Config}, i.manifest.Layers...) {
		if desc.Digest == h {
			return &layoutLayer{i.store, desc}, nil
		}
	}
	return nil, fault(fmt.Sprintf("manifest %s has no layer %s", i.file.desc.Digest, h))
}

// layoutLayer is one blob of an image.
type layoutLayer struct {
	store fileStore
	desc  v1.Descriptor
}

// Digest implements [partial.CompressedLayer].
func (l *layoutLayer) Digest() (v1.Hash, error) { return l.desc.Digest, nil }

// Size implements [partial.CompressedLayer].
func (l *layoutLayer) Size() (int64, error) { return l.desc.Size, nil }

// MediaType implements [partial.CompressedLayer].
func (l *layoutLayer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }

// Compressed gives the blob. Its reader fails at the end if it is not the one
// that the manifest names.
func (l *layoutLayer) Compressed() (io.ReadCloser, error) {
	name, err := blobName(l.desc)
	if err != nil {
		return nil, err
	}
	r, size, err := l.store.open(name)
	if err != nil {
		return nil, err
	}
	if size != l.desc.Size {
		r.Close()
		return nil, fault(fmt.Sprintf("%s has %d bytes, not %d", name, size, l.desc.Size))
	}
	return &checkedReader{ReadCloser: r, name: name, want: l.desc.Digest.Hex, left: size, hash: sha256.New()}, nil
}

// checkedReader fails where a blob would end that is not the one it should be.
type checkedReader struct {
	io.ReadCloser
	name, want string
	left       int64
	hash       hash.Hash
}

// Read implements [io.Reader].
func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.hash.Write(p[:n])
	c.left -= int64(n)
	switch {
	case c.left < 0:
		return 0, fault(c.name + " is longer than it was")
	case err == io.EOF && (c.left > 0 || hex.EncodeToString(c.hash.Sum(nil)) != c.want):
		return 0, fault(c.name + " does not hash to its name")
	}
	return n, err
}

// layoutIndex is an index in a layout.
type layoutIndex struct {
	store    fileStore
	file     manifestFile
	manifest *v1.IndexManifest
}

var _ v1.ImageIndex = (*layoutIndex)(nil)

func newLayoutIndex(store fileStore, file manifestFile) (*layoutIndex, error) {
	m, err := v1.ParseIndexManifest(bytes.NewReader(file.raw))
	if err != nil {
		return nil, fault("manifest " + file.desc.Digest.String() + " is not an image index")
	}
	return &layoutIndex{store, file, m}, nil
}

// MediaType implements [v1.ImageIndex].
func (i *layoutIndex) MediaType() (types.MediaType, error) { return i.file.desc.MediaType, nil }

// Digest implements [v1.ImageIndex].
func (i *layoutIndex) Digest() (v1.Hash, error) { return i.file.desc.Digest, nil }

// Size implements [v1.ImageIndex].
func (i *layoutIndex) Size() (int64, error) { return i.file.desc.Size, nil }

// RawManifest implements [v1.ImageIndex].
func (i *layoutIndex) RawManifest() ([]byte, error) { return i.file.raw, nil }

// IndexManifest implements [v1.ImageIndex].
func (i *layoutIndex) IndexManifest() (*v1.IndexManifest, error) { return i.manifest.DeepCopy(), nil }

// Image implements [v1.ImageIndex].
func (i *layoutIndex) Image(h v1.Hash) (v1.Image, error) {
	file, err := i.child(h)
	if err != nil {
		return nil, err
	}
	return newLayoutImage(i.store, file)
}

// ImageIndex implements [v1.ImageIndex].
func (i *layoutIndex) ImageIndex(h v1.Hash) (v1.ImageIndex, error) {
	file, err := i.child(h)
	if err != nil {
		return nil, err
	}
	return newLayoutIndex(i.store, file)
}

func (i *layoutIndex) child(h v1.Hash) (manifestFile, error) {
	for _, desc := range i.manifest.Manifests {
		if desc.Digest == h {
			return readManifest(i.store, desc)
		}
	}
	return manifestFile{}, fault(fmt.Sprintf("index %s has no manifest %s", i.file.desc.Digest, h))
}
