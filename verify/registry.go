package verify

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
)

const (
	maxManifestSize  = 4 << 20
	maxReferrerPages = 16
)

// source is where an image and its signatures are read from.
type source interface {
	// manifest reads a manifest by tag or digest; isNotFound tells an error that
	// says there is none.
	manifest(ctx context.Context, id string) (*document, error)
	// blob reads the blob of a descriptor and checks its size and digest.
	blob(ctx context.Context, d v1.Descriptor, limit int64) ([]byte, error)
	// referrers lists what refers to a digest. With an error it returns what
	// came before it.
	referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error)
	// exists asks whether there is a manifest with a digest.
	exists(ctx context.Context, digest v1.Hash) (bool, error)
	// what names a tag or digest in messages.
	what(id string) string
}

// repository reads from one repository. It stands on the authenticated
// transport of go-containerregistry and makes the requests itself, because the
// limits on sizes, the meaning of each status and the pages of the referrers
// list all bear on the outcome.
type repository struct {
	name   name.Repository
	client *http.Client
}

// statusError is an answer that is not the one asked for.
type statusError struct {
	what string
	code int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("cannot read %s: %d %s", e.what, e.code, http.StatusText(e.code))
}

func isNotFound(err error) bool {
	if _, ok := errors.AsType[*absentError](err); ok {
		return true
	}
	e, ok := errors.AsType[*statusError](err)
	return ok && e.code == http.StatusNotFound
}

// manifest reads a manifest by tag or digest.
func (r *repository) manifest(ctx context.Context, id string) (*document, error) {
	resp, err := r.do(ctx, http.MethodGet, "manifests/"+id)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	d := &document{what: r.what(id), mediaType: mediaType(resp)}
	if d.body, err = readAll(resp, d.what, maxManifestSize); err != nil {
		return nil, err
	}
	if !strings.Contains(id, ":") {
		d.digest, _, err = v1.SHA256(bytes.NewReader(d.body))
		return d, err
	}
	if d.digest, err = v1.NewHash(id); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", d.what, err)
	}
	return d, checkDigest(d.what, d.body, d.digest)
}

// blob reads the blob of a descriptor. What it returns has the descriptor's
// digest and size.
func (r *repository) blob(ctx context.Context, d v1.Descriptor, limit int64) ([]byte, error) {
	what := r.what(d.Digest.String())
	if d.Size < 0 || d.Size > limit {
		return nil, fmt.Errorf("cannot read %s: size is %d bytes, the limit is %d", what, d.Size, limit)
	}
	resp, err := r.do(ctx, http.MethodGet, "blobs/"+d.Digest.String())
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

// exists asks whether there is a manifest with this digest.
func (r *repository) exists(ctx context.Context, digest v1.Hash) (bool, error) {
	resp, err := r.do(ctx, http.MethodHead, "manifests/"+digest.String())
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, resp.Body.Close()
}

// referrers lists what refers to a digest. With an error it returns what came
// before it.
func (r *repository) referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	what := "the referrers of " + r.what(digest.String())
	path := "referrers/" + digest.String()
	var list []v1.Descriptor
	for page := 0; ; page++ {
		if page == maxReferrerPages {
			return list, fmt.Errorf("cannot read %s: more than %d pages", what, page)
		}
		resp, err := r.do(ctx, http.MethodGet, path)
		if page == 0 && noReferrersAPI(resp, err) {
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
			return list, fmt.Errorf("cannot read %s: page %d is %s and no image index", what, page+1, quoted(string(mediaType(resp))))
		}
		next, unfollowed := nextPage(resp, path)
		body, err := readAll(resp, what, maxManifestSize)
		resp.Body.Close()
		if err != nil {
			return list, err
		}
		more, err := parseList(what, body)
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

// noReferrersAPI is true for the answers of registries that do not know the
// request, as go-containerregistry and the clients before it have met them. What
// is JSON of another type may be the list all the same, and is read: to pass
// over it would be to say that there is nothing.
func noReferrersAPI(resp *http.Response, err error) bool {
	if err == nil {
		return !isJSON(resp)
	}
	e, ok := errors.AsType[*statusError](err)
	return ok && (e.code == http.StatusNotFound || e.code == http.StatusBadRequest || e.code == http.StatusNotAcceptable)
}

// fallback reads the list that clients keep under a tag.
func (r *repository) fallback(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	d, err := r.manifest(ctx, digest.Algorithm+"-"+digest.Hex)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if d.mediaType != types.OCIImageIndex {
		return nil, fmt.Errorf("cannot read %s: it is %s and no image index", d.what, quoted(string(d.mediaType)))
	}
	return parseList(d.what, d.body)
}

// nextPage finds the path of the next page below the repository. Only the
// query is taken from the link, so the answer cannot lead anywhere else. A next
// page that cannot be asked for is an error, and not the end of the list.
func nextPage(resp *http.Response, path string) (string, error) {
	for _, header := range resp.Header.Values("Link") {
		for header != "" {
			_, rest, found := strings.Cut(header, "<")
			target, params, ended := strings.Cut(rest, ">")
			if found != ended || !found && strings.Contains(strings.ToLower(header), "next") {
				return "", fmt.Errorf("the link to the next page is %s", quoted(header))
			}
			params, header = untilNextLink(params)
			if !leadsToNext(params) {
				continue
			}
			u, err := url.Parse(target)
			if err != nil || u.RawQuery == "" {
				return "", fmt.Errorf("the link to the next page is %s", quoted(target))
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

// do sends a request and returns an answer with status 200.
func (r *repository) do(ctx context.Context, method, path string) (*http.Response, error) {
	what := r.what(path[strings.Index(path, "/")+1:])
	if strings.HasPrefix(path, "referrers/") {
		what = "the referrers of " + what
	}
	target := r.name.Scheme() + "://" + r.name.RegistryStr() + "/v2/" + r.name.RepositoryStr() + "/" + path
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", what, bareError(err))
	}
	switch {
	case strings.HasPrefix(path, "manifests/"):
		req.Header.Set("Accept", strings.Join([]string{
			string(types.OCIManifestSchema1), string(types.OCIImageIndex),
			string(types.DockerManifestSchema2), string(types.DockerManifestList)}, ","))
	case strings.HasPrefix(path, "referrers/"):
		req.Header.Set("Accept", string(types.OCIImageIndex))
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", what, bareError(err))
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, &statusError{what, resp.StatusCode}
	}
	return resp, nil
}

// what names a tag or digest of the repository.
func (r *repository) what(id string) string {
	id, _, _ = strings.Cut(id, "?")
	if strings.Contains(id, ":") {
		return r.name.Name() + "@" + id
	}
	return r.name.Name() + ":" + id
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

// bareError takes the request out of an error: a redirect can carry a
// signed URL, and the text a registry sends belongs in no message.
func bareError(err error) error {
	if e, ok := errors.AsType[*transport.Error](err); ok {
		return fmt.Errorf("%d %s", e.StatusCode, http.StatusText(e.StatusCode))
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return bareError(e.Err)
	}
	// What follows on further lines is the answer of a token server.
	if first, _, more := strings.Cut(err.Error(), "\n"); more {
		return errors.New(first)
	}
	return err
}
