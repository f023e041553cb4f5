// Package source reads manifests, blobs and referrers, from a registry or from an
// image in files.
package source

import (
	"context"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest/registry"
)

// MaxManifestSize bounds a manifest in bytes.
const MaxManifestSize = 4 << 20

// Source is where an image and its signatures are read from.
type Source interface {
	// Manifest reads a manifest by tag or digest; IsNotFound tells an error that
	// says there is none.
	Manifest(ctx context.Context, id string) (*Document, error)
	// Blob reads the blob of a descriptor and checks its size and digest.
	Blob(ctx context.Context, d v1.Descriptor, limit int64) ([]byte, error)
	// Referrers lists what refers to a digest. With an error it returns what
	// came before it.
	Referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error)
	// Exists asks whether there is a manifest with a digest.
	Exists(ctx context.Context, digest v1.Hash) (bool, error)
	// What names a tag or digest in messages.
	What(id string) string
}

// IsNotFound tells a definite no.
func IsNotFound(err error) bool { return errors.Is(err, registry.ErrNotFound) }

// Repository reads from one repository of a registry.
type Repository struct{ *registry.Repository }

func (r Repository) unread(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot read %s: %w", what, err)
}

// Manifest implements [Source].
func (r Repository) Manifest(ctx context.Context, id string) (*Document, error) {
	desc, body, err := r.Repository.Manifest(ctx, id)
	if err != nil {
		return nil, r.unread(r.What(id), err)
	}
	return &Document{What: r.What(id), Body: body, Digest: desc.Digest, MediaType: desc.MediaType}, nil
}

// Blob implements [Source].
func (r Repository) Blob(ctx context.Context, d v1.Descriptor, limit int64) ([]byte, error) {
	b, err := r.Repository.Blob(ctx, d, limit)
	return b, r.unread(r.What(d.Digest.String()), err)
}

// Referrers implements [Source].
func (r Repository) Referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	list, _, err := r.Repository.Referrers(ctx, digest)
	return list, r.unread("the referrers of "+r.What(digest.String()), err)
}

// Exists implements [Source].
func (r Repository) Exists(ctx context.Context, digest v1.Hash) (bool, error) {
	_, err := r.Head(ctx, digest.String())
	if IsNotFound(err) {
		return false, nil
	}
	return err == nil, r.unread(r.What(digest.String()), err)
}

// What implements [Source].
func (r Repository) What(id string) string {
	if strings.Contains(id, ":") {
		return r.Name().Name() + "@" + id
	}
	return r.Name().Name() + ":" + id
}
