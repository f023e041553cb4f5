package imagecopy

import (
	"context"
	"io"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest/internal/grammar"
)

// copySource is where a copy is read from: a repository, or files.
// Its errors are fit for the caller of [Copier.Copy].
type copySource interface {
	// manifest gives the manifest of a tag or digest, checked against the latter.
	manifest(ctx context.Context, tagOrDigest string) (v1.Descriptor, []byte, error)
	// tagged gives the digest of a tag, empty when there is no such tag.
	tagged(ctx context.Context, tag string) (string, error)
	// referrers lists the manifests that say they belong to a digest.
	referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error)
	// blob gives the content of a digest, not checked.
	blob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error)
	// mountable is the registry and path to mount blobs from; empty for none.
	mountable() (registry, path string)
	// String is the source as it is told to people.
	String() string
}

// repositorySource reads from a registry.
type repositorySource struct{ *repository }

// String is the repository as it was given.
func (s repositorySource) String() string { return s.ref.Repository }

func (s repositorySource) mountable() (registry, path string) {
	return s.Name().RegistryStr(), s.Name().RepositoryStr()
}

func (s repositorySource) manifest(ctx context.Context, tagOrDigest string) (v1.Descriptor, []byte, error) {
	desc, body, err := s.fetch(ctx, tagOrDigest)
	if err != nil {
		return desc, nil, s.unread(manifestName(tagOrDigest), err)
	}
	return desc, body, nil
}

// manifestName is the subject of messages: tag "v1", manifest sha256:….
func manifestName(tagOrDigest string) string {
	if strings.HasPrefix(tagOrDigest, grammar.DigestPrefix) {
		return "manifest " + tagOrDigest
	}
	return "tag " + strconv.Quote(tagOrDigest)
}

func (s repositorySource) tagged(ctx context.Context, tag string) (string, error) {
	digest, err := s.head(ctx, tag)
	if err != nil {
		return "", s.unread(manifestName(tag), err)
	}
	return digest, nil
}

func (s repositorySource) blob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	body, err := s.OpenBlob(ctx, digest)
	if err != nil {
		return nil, s.unread("blob "+digest.String(), err)
	}
	return body, nil
}

func (s repositorySource) referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	ctx, cancel := s.copier.within(ctx)
	defer cancel()
	list, _, err := s.Referrers(ctx, digest)
	if err != nil {
		return nil, s.unread("referrers of "+digest.String(), err)
	}
	return list, nil
}
