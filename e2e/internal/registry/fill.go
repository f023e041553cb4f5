package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"
)

// Fill pushes images without content, each with a digest of its own, under as
// many tags in as many repositories, and gives their references, repository by
// repository.
func Fill(ctx context.Context, host string, auth authn.Authenticator, repositories, tags int) ([]string, error) {
	refs := make([]string, repositories*tags)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range repositories {
		group.Go(func() error {
			repo, err := name.NewRepository(fmt.Sprintf("%s/fleet/service-%04d", host, i))
			if err != nil {
				return err
			}
			for j := range tags {
				refs[i*tags+j] = fmt.Sprintf("%s:v%d", repo, j)
			}
			return fillOne(ctx, repo, auth, refs[i*tags:(i+1)*tags])
		})
	}
	return refs, group.Wait()
}

// fillOne pushes the first image as a whole and of the others, which have the
// same configuration, the manifest alone.
func fillOne(ctx context.Context, repo name.Repository, auth authn.Authenticator, refs []string) error {
	base := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	if err := remote.Write(repo.Tag("v0"), numbered(base, refs[0]), remote.WithAuth(auth), remote.WithContext(ctx)); err != nil {
		return err
	}
	t, err := transport.NewWithContext(ctx, repo.Registry, auth, http.DefaultTransport, []string{repo.Scope(transport.PushScope)})
	if err != nil {
		return err
	}
	for i, ref := range refs[1:] {
		body, err := numbered(base, ref).RawManifest()
		if err != nil {
			return err
		}
		url := fmt.Sprintf("http://%s/v2/%s/manifests/v%d", repo.RegistryStr(), repo.RepositoryStr(), i+1)
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", string(types.OCIManifestSchema1))
		resp, err := t.RoundTrip(req)
		if err != nil {
			return err
		}
		answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusCreated {
			return fmt.Errorf("%s: %s %s %w", ref, resp.Status, answer, err)
		}
	}
	return nil
}

// numbered gives the image a digest of its own. It has the manifest's media type
// and annotation only, so that nothing else has to be pushed.
func numbered(base v1.Image, ref string) v1.Image {
	return mutate.Annotations(base, map[string]string{"org.opencontainers.image.ref.name": ref}).(v1.Image)
}
