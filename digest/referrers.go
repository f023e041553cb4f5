package digest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Referrer is a manifest that says it is about another: a signature, an
// attestation, an SBOM. What it says is not checked here.
type Referrer struct {
	Digest       string            `json:"digest"`
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Size         int64             `json:"size"` // of the manifest, in bytes
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// Referrers lists the manifests that refer to what ref stands for, all pages of
// them. artifactType leaves out those of other types; empty means all. A
// registry without the referrers API is asked for the tag "sha256-…" in its
// place (OCI distribution specification, "Referrers Tag Schema").
//
// No referrers is an empty list. More than 10,000 or more than 100 pages are an
// error. An error is an [*Error], as of [Resolver.Resolve].
func (r *Resolver) Referrers(ctx context.Context, ref, artifactType string) ([]Referrer, error) {
	res, err := r.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	q, err := newQuestion(Reference{Repository: res.Repository, Digest: res.Digest})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	list, err := promptly(ctx, func(ctx context.Context) ([]Referrer, error) { return r.referrers(ctx, q, artifactType) })
	if err != nil {
		e := failure(q, err, r.transport.Tried(q.repo))
		e.Ref = ref
		return nil, e
	}
	return list, nil
}

func (r *Resolver) referrers(ctx context.Context, q question, artifactType string) ([]Referrer, error) {
	next := &url.URL{Scheme: "https", Host: q.repo.RegistryStr(), Path: "/v2/" + q.repo.RepositoryStr() + "/referrers/" + q.ref.Digest}
	if artifactType != "" {
		next.RawQuery = url.Values{"artifactType": {artifactType}}.Encode()
	}
	var all []Referrer
	for range maxReferrerPages {
		page, after, err := r.referrersPage(ctx, next)
		if errors.Is(err, errNoReferrersAPI) && len(all) == 0 {
			return r.referrersByTag(ctx, q, artifactType)
		}
		if err != nil {
			return nil, err
		}
		if all, err = addReferrers(all, page, artifactType); err != nil || after == nil {
			return all, err
		}
		next = after
	}
	return nil, tooManyPages()
}

func tooManyPages() fault {
	return fault(fmt.Sprintf("answered with more than %d pages of referrers", maxReferrerPages))
}

const errNoReferrersAPI fault = "does not list referrers"

// referrersPage gets one page and the URL of the next.
func (r *Resolver) referrersPage(ctx context.Context, at *url.URL) ([]byte, *url.URL, error) {
	resp, err := r.requestURL(ctx, http.MethodGet, at, string(types.OCIImageIndex))
	if err != nil {
		return nil, nil, err
	}
	if lacksReferrers(resp.StatusCode) || resp.StatusCode == http.StatusOK && mediaType(resp) != types.OCIImageIndex {
		resp.Body.Close()
		return nil, nil, errNoReferrersAPI
	}
	data, err := readAnswer(resp)
	if err != nil {
		return nil, nil, err
	}
	next, err := nextPage(at, resp.Header.Values("Link"))
	return data, next, err
}

// lacksReferrers knows the answers of registries that do not have this request.
func lacksReferrers(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable:
		return true
	}
	return false
}

// referrersByTag reads the index that clients keep on registries without the
// API. That there is none means that no one has attached anything.
func (r *Resolver) referrersByTag(ctx context.Context, q question, artifactType string) ([]Referrer, error) {
	data, _, err := r.get(ctx, question{ref: Reference{Repository: q.ref.Repository, Tag: tagOf(q.ref.Digest)}, repo: q.repo})
	if errors.Is(err, notFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return addReferrers(nil, data, artifactType)
}

func addReferrers(all []Referrer, page []byte, artifactType string) ([]Referrer, error) {
	list, err := parseReferrers(page, len(all))
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		if artifactType != "" && d.ArtifactType != artifactType {
			continue
		}
		if _, why := checkDigest(d.Digest.String()); why != "" {
			return nil, fault("answered with a referrer whose digest is not sha256")
		}
		all = append(all, Referrer{
			Digest: d.Digest.String(), MediaType: string(d.MediaType), ArtifactType: d.ArtifactType,
			Size: d.Size, Annotations: d.Annotations,
		})
	}
	return all, nil
}
