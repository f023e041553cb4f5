package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// Head tells what a tag or digest stands for, by HEAD and, where that cannot
// tell, by GET: one without a usable digest or the media type of a manifest, one not
// allowed, and a 404 as a web page. An answer about another digest than the one asked
// for is an error, and so is one that is no manifest.
func (r *Repository) Head(ctx context.Context, ref string) (v1.Descriptor, error) {
	resp, err := r.send(ctx, request{method: http.MethodHead, url: r.url("manifests/"+ref, nil), accept: content.ManifestTypes}, http.StatusOK)
	if e, ok := errors.AsType[*Error](err); ok {
		status := e.answered()
		undecided := status == http.StatusMethodNotAllowed || status == http.StatusNotFound && !errors.Is(err, ErrNotFound)
		if !undecided {
			return v1.Descriptor{}, err
		}
		d, _, err := r.get(ctx, ref)
		return d, err
	}
	resp.Body.Close()
	given := resp.Header.Get("Docker-Content-Digest")
	_, why := grammar.CheckDigest(given)
	if why != "" || given == emptyDigest || resp.ContentLength <= 0 || !isManifestType(mediaType(resp)) {
		d, _, err := r.get(ctx, ref)
		return d, err
	}
	hash, err := v1.NewHash(given)
	if err != nil {
		return v1.Descriptor{}, r.failure(err)
	}
	if isDigest(ref) && given != ref {
		return v1.Descriptor{}, r.failure(fault.Text("answered with another digest, " + given))
	}
	return v1.Descriptor{Digest: hash, MediaType: mediaType(resp), Size: resp.ContentLength}, nil
}

// Manifest reads the manifest of a tag or digest. Its digest is that of its
// bytes: it is the one asked for, and the one that the registry names.
func (r *Repository) Manifest(ctx context.Context, ref string) (v1.Descriptor, []byte, error) {
	if body, ok := r.cached(ref); ok {
		if mediaType := content.MediaTypeOf(body); mediaType != "" {
			return content.Describe(body, string(mediaType)), body, nil
		}
	}
	desc, body, err := r.get(ctx, ref)
	if err == nil {
		r.keep(desc.Digest.String(), body)
	}
	return desc, body, err
}

func (r *Repository) get(ctx context.Context, ref string) (v1.Descriptor, []byte, error) {
	resp, body, err := r.read(ctx, request{method: http.MethodGet, url: r.url("manifests/"+ref, nil), accept: content.ManifestTypes}, http.StatusOK)
	if err != nil {
		return v1.Descriptor{}, nil, err
	}
	desc := content.Describe(body, resp.Header.Get("Content-Type"))
	given, got := resp.Header.Get("Docker-Content-Digest"), desc.Digest.String()
	_, why := grammar.CheckDigest(given)
	switch {
	case !isManifestType(desc.MediaType) && !content.IsManifest(desc.MediaType, body):
		return desc, nil, r.failure(noManifest(desc))
	case desc.MediaType == types.DockerManifestSchema1Signed:
		// The digest of such a manifest is not that of its bytes.
		return desc, nil, r.failure(fault.Text("answered with a schema 1 manifest and no digest"))
	case isDigest(ref) && got != ref:
		return desc, nil, r.failure(fault.Text("answered with another digest, " + got))
	case why == "" && given != got:
		return desc, nil, r.failure(fault.Text("answered with a manifest that does not hash to the digest given with it, " + given))
	case !content.IsManifest(desc.MediaType, body):
		return desc, nil, r.failure(noManifest(desc))
	}
	return desc, body, nil
}

// emptyDigest is that of nothing, which some servers give to pages they make up.
var emptyDigest = content.Hash(nil).String()

func isManifestType(t types.MediaType) bool { return content.IsManifestType(t) || t.IsSchema1() }

// noManifest is the error of an answer with the status of success that is none.
func noManifest(d v1.Descriptor) fault.Text {
	switch {
	case isManifestType(d.MediaType) && d.Size == 0:
		return fault.Text(fmt.Sprintf("answered with an empty manifest (%s)", d.MediaType))
	case isManifestType(d.MediaType):
		return fault.Text(fmt.Sprintf("answered with something else than a manifest (%s)", d.MediaType))
	case d.MediaType == "":
		return "does not answer as a registry (no media type)"
	}
	return fault.Text(fmt.Sprintf("does not answer as a registry (%s)", fault.Shorten(string(d.MediaType))))
}

// PutManifest stores a manifest under a tag or its digest. listed is true where
// the registry says that it lists the manifest among the referrers of its
// subject by itself (OCI-Subject of the distribution specification).
func (r *Repository) PutManifest(ctx context.Context, ref string, mediaType types.MediaType, body []byte) (listed bool, err error) {
	resp, _, err := r.read(ctx, request{
		method: http.MethodPut, url: r.url("manifests/"+ref, nil),
		contentType: string(mediaType), body: bytes.NewReader(body), length: int64(len(body)),
	}, http.StatusOK, http.StatusCreated, http.StatusAccepted)
	if err != nil {
		return false, err
	}
	if resp.StatusCode != http.StatusCreated && isHTML(resp) {
		// A page for all that is asked, and not a registry that has stored something.
		return false, r.failure(noManifest(v1.Descriptor{MediaType: content.BareMediaType(resp.Header.Get("Content-Type"))}))
	}
	if got := resp.Header.Get("Docker-Content-Digest"); got != "" && got != content.Hash(body).String() {
		return false, r.failure(fault.Text("stored under another digest"))
	}
	return resp.Header.Get("OCI-Subject") != "", nil
}

func (r *Repository) cached(ref string) ([]byte, bool) {
	if r.client.cache == nil || !isDigest(ref) {
		return nil, false
	}
	return r.client.cache.Get(ref)
}

// keep puts content into the cache. That it cannot be kept is no error.
func (r *Repository) keep(digest string, body []byte) {
	if r.client.cache != nil {
		_ = r.client.cache.Put(digest, body)
	}
}

// isDigest is also true for a digest of another algorithm, which no content is
// found to have.
func isDigest(ref string) bool { return strings.Contains(ref, ":") }

func mediaType(resp *http.Response) types.MediaType {
	return content.BareMediaType(resp.Header.Get("Content-Type"))
}
