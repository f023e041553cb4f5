// Package source reads manifests, blobs and referrers, from a registry or from an
// OCI layout on disk.
package source

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const (
	MaxManifestSize  = 4 << 20
	maxReferrerPages = 16
)

// Source is where an image and its signatures are read from.
type Source interface {
	// manifest reads a manifest by tag or digest; isNotFound tells an error that
	// says there is none.
	Manifest(ctx context.Context, id string) (*Document, error)
	// blob reads the blob of a descriptor and checks its size and digest.
	Blob(ctx context.Context, d v1.Descriptor, limit int64) ([]byte, error)
	// referrers lists what refers to a digest. With an error it returns what
	// came before it.
	Referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error)
	// exists asks whether there is a manifest with a digest.
	Exists(ctx context.Context, digest v1.Hash) (bool, error)
	// what names a tag or digest in messages.
	What(id string) string
}

// Repository reads from one repository. It stands on the authenticated
// transport of go-containerregistry and makes the requests itself, because the
// limits on sizes, the meaning of each status and the pages of the referrers
// list all bear on the outcome.
type Repository struct {
	Name   name.Repository
	Client *http.Client
}

// StatusError is an answer that is not the one asked for.
type StatusError struct {
	What string
	Code int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("cannot read %s: %d %s", e.What, e.Code, http.StatusText(e.Code))
}

func IsNotFound(err error) bool {
	if _, ok := errors.AsType[*absentError](err); ok {
		return true
	}
	e, ok := errors.AsType[*StatusError](err)
	return ok && e.Code == http.StatusNotFound
}

// Manifest reads a manifest by tag or digest.
func (r *Repository) Manifest(ctx context.Context, id string) (*Document, error) {
	resp, err := r.Do(ctx, http.MethodGet, "manifests/"+id)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	d := &Document{What: r.What(id), MediaType: mediaType(resp)}
	if d.Body, err = readAll(resp, d.What, MaxManifestSize); err != nil {
		return nil, err
	}
	if !strings.Contains(id, ":") {
		d.Digest, _, err = v1.SHA256(bytes.NewReader(d.Body))
		return d, err
	}
	if d.Digest, err = v1.NewHash(id); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", d.What, err)
	}
	return d, checkDigest(d.What, d.Body, d.Digest)
}

// Blob reads the blob of a descriptor. What it returns has the descriptor's
// digest and size.
func (r *Repository) Blob(ctx context.Context, d v1.Descriptor, limit int64) ([]byte, error) {
	what := r.What(d.Digest.String())
	if d.Size < 0 || d.Size > limit {
		return nil, fmt.Errorf("cannot read %s: size is %d bytes, the limit is %d", what, d.Size, limit)
	}
	resp, err := r.Do(ctx, http.MethodGet, "blobs/"+d.Digest.String())
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := readAll(resp, what, limit)
	if err != nil {
		return nil, err
	}
	if int64(len(b)) != d.Size {
		return nil, fmt.Errorf("cannot read %s: it has %d bytes instead of %d", what, len(b), d.Size)
	}
	return b, checkDigest(what, b, d.Digest)
}

// Exists asks whether there is a manifest with this digest.
func (r *Repository) Exists(ctx context.Context, digest v1.Hash) (bool, error) {
	resp, err := r.Do(ctx, http.MethodHead, "manifests/"+digest.String())
	if IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, resp.Body.Close()
}

// Referrers lists what refers to a digest. With an error it returns what came
// before it.
func (r *Repository) Referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	what := "the referrers of " + r.What(digest.String())
	path := "referrers/" + digest.String()
	var list []v1.Descriptor
	for page := 0; ; page++ {
		if page == maxReferrerPages {
			return list, fmt.Errorf("cannot read %s: more than %d pages", what, page)
		}
		resp, err := r.Do(ctx, http.MethodGet, path)
		if page == 0 && NoReferrersAPI(resp, err) {
			if err == nil {
				resp.Body.Close()
			}
			return r.fallback(ctx, digest)
		}
		if err != nil {
			return list, err
		}
		if !isJSON(resp) {
			resp.Body.Close()
			return list, fmt.Errorf("cannot read %s: page %d is %s and no image index", what, page+1, untrusted.Quoted(string(mediaType(resp))))
		}
		next, unfollowed := NextPage(resp, path)
		body, err := readAll(resp, what, MaxManifestSize)
		resp.Body.Close()
		if err != nil {
			return list, err
		}
		more, err := ParseList(what, body)
		list = append(list, more...)
		if err == nil && unfollowed != nil {
			err = fmt.Errorf("cannot read %s: %w", what, unfollowed)
		}
		if err != nil || next == "" {
			return list, err
		}
		path = next
	}
}

// NoReferrersAPI is true for the answers of registries that do not know the
// request, as go-containerregistry and the clients before it have met them. What
// is JSON of another type may be the list all the same, and is read: to pass
// over it would be to say that there is nothing.
func NoReferrersAPI(resp *http.Response, err error) bool {
	if err == nil {
		return !isJSON(resp)
	}
	e, ok := errors.AsType[*StatusError](err)
	return ok && (e.Code == http.StatusNotFound || e.Code == http.StatusBadRequest || e.Code == http.StatusNotAcceptable)
}

// fallback reads the list that clients keep under a tag.
func (r *Repository) fallback(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	d, err := r.Manifest(ctx, digest.Algorithm+"-"+digest.Hex)
	if IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if d.MediaType != types.OCIImageIndex {
		return nil, fmt.Errorf("cannot read %s: it is %s and no image index", d.What, untrusted.Quoted(string(d.MediaType)))
	}
	return ParseList(d.What, d.Body)
}

// NextPage finds the path of the next page below the repository. Only the
// query is taken from the link, so the answer cannot lead anywhere else. A next
// page that cannot be asked for is an error, and not the end of the list.
func NextPage(resp *http.Response, path string) (string, error) {
	for _, header := range resp.Header.Values("Link") {
		for header != "" {
			_, rest, found := strings.Cut(header, "<")
			target, params, ended := strings.Cut(rest, ">")
			if found != ended || !found && strings.Contains(strings.ToLower(header), "next") {
				return "", fmt.Errorf("the link to the next page is %s", untrusted.Quoted(header))
			}
			params, header = untilNextLink(params)
			if !leadsToNext(params) {
				continue
			}
			u, err := url.Parse(target)
			if err != nil || u.RawQuery == "" {
				return "", fmt.Errorf("the link to the next page is %s", untrusted.Quoted(target))
			}
			path, _, _ = strings.Cut(path, "?")
			return path + "?" + u.RawQuery, nil
		}
	}
	return "", nil
}

// untilNextLink cuts the parameters of one link off the links that follow.
func untilNextLink(s string) (params, rest string) {
	if i := strings.Index(s, "<"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// leadsToNext is true for parameters with rel=next, which may have several values.
func leadsToNext(params string) bool {
	for p := range strings.FieldsFuncSeq(params, func(r rune) bool { return r == ';' || r == ',' }) {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "rel") &&
			slices.Contains(strings.Fields(strings.ToLower(strings.Trim(strings.TrimSpace(value), `"`))), "next") {
			return true
		}
	}
	return false
}

// Do sends a request and returns an answer with status 200.
func (r *Repository) Do(ctx context.Context, method, path string) (*http.Response, error) {
	what := r.What(path[strings.Index(path, "/")+1:])
	if strings.HasPrefix(path, "referrers/") {
		what = "the referrers of " + what
	}
	target := r.Name.Scheme() + "://" + r.Name.RegistryStr() + "/v2/" + r.Name.RepositoryStr() + "/" + path
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", what, BareError(err))
	}
	switch {
	case strings.HasPrefix(path, "manifests/"):
		req.Header.Set("Accept", strings.Join([]string{
			string(types.OCIManifestSchema1), string(types.OCIImageIndex),
			string(types.DockerManifestSchema2), string(types.DockerManifestList)}, ","))
	case strings.HasPrefix(path, "referrers/"):
		req.Header.Set("Accept", string(types.OCIImageIndex))
	}
	resp, err := r.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", what, BareError(err))
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, &StatusError{what, resp.StatusCode}
	}
	return resp, nil
}

// What names a tag or digest of the repository.
func (r *Repository) What(id string) string {
	id, _, _ = strings.Cut(id, "?")
	if strings.Contains(id, ":") {
		return r.Name.Name() + "@" + id
	}
	return r.Name.Name() + ":" + id
}

func mediaType(resp *http.Response) types.MediaType {
	t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return types.MediaType(resp.Header.Get("Content-Type"))
	}
	return types.MediaType(t)
}

func isJSON(resp *http.Response) bool { return strings.HasSuffix(string(mediaType(resp)), "json") }

func readAll(resp *http.Response, what string, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", what, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("cannot read %s: it has more than %d bytes", what, limit)
	}
	return b, nil
}

func checkDigest(what string, b []byte, want v1.Hash) error {
	h, err := v1.Hasher(want.Algorithm)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", what, err)
	}
	h.Write(b)
	if got := hex.EncodeToString(h.Sum(nil)); got != want.Hex {
		return fmt.Errorf("cannot read %s: its content has the digest %s:%s", what, want.Algorithm, got)
	}
	return nil
}

// BareError takes the request out of an error: a redirect can carry a
// signed URL, and the text a registry sends belongs in no message.
func BareError(err error) error {
	if e, ok := errors.AsType[*transport.Error](err); ok {
		return fmt.Errorf("%d %s", e.StatusCode, http.StatusText(e.StatusCode))
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return BareError(e.Err)
	}
	// What follows on further lines is the answer of a token server.
	if first, _, more := strings.Cut(err.Error(), "\n"); more {
		return errors.New(first)
	}
	return err
}
