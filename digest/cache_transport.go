package digest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// CacheTransport answers requests for manifests and blobs by their digest from
// a [Cache], and fills it with the answers it has to fetch. All else goes to
// Base: tags, questions by HEAD, parts of blobs, and requests with
// "Cache-Control: no-cache".
//
// Put it outside of the transport that authenticates. Nothing is asked of a
// registry for content that is on this disk already, not even whether it may
// still be read there: whoever knows the digest and owns the disk has the
// content. For the same reason an answer does not depend on the repository
// that is asked for, and says nothing about whether the registry still has the
// manifest. Ask that by HEAD, as a [Resolver] does, or without a cache.
type CacheTransport struct {
	// Base carries the requests. Nil means http.DefaultTransport.
	Base http.RoundTripper
	// Cache keeps the content. Nil means that nothing is kept, which turns
	// the cache off.
	Cache *Cache
}

// RoundTrip implements [http.RoundTripper]. A cache that cannot be read or
// written is no error: the answer then comes from Base.
func (t *CacheTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	digest := t.cacheable(req)
	if digest == "" {
		return t.base().RoundTrip(req)
	}
	if resp := t.answer(req, digest); resp != nil {
		return resp, nil
	}
	resp, err := t.base().RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK || resp.ContentLength > maxCacheEntry ||
		resp.Header.Get("Content-Encoding") != "" {
		return resp, err
	}
	resp.Body = &keptBody{ReadCloser: resp.Body, cache: t.Cache, digest: digest}
	return resp, nil
}

// CloseIdleConnections closes what Base keeps open.
func (t *CacheTransport) CloseIdleConnections() {
	if c, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (t *CacheTransport) base() http.RoundTripper {
	if t.Base == nil {
		return http.DefaultTransport
	}
	return t.Base
}

// cacheable gives the digest a request is for, or nothing. A registry may
// redirect to its storage, so it is the first request that counts.
func (t *CacheTransport) cacheable(req *http.Request) string {
	if t.Cache == nil || req.Method != http.MethodGet || req.Header.Get("Range") != "" ||
		strings.Contains(req.Header.Get("Cache-Control"), "no-cache") {
		return ""
	}
	first, _ := origin(req)
	return contentDigest(first.URL.Path)
}

// contentDigest finds the digest in "/v2/NAME/manifests/sha256:…" and
// "/v2/NAME/blobs/sha256:…".
func contentDigest(path string) string {
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return ""
	}
	for _, kind := range []string{"/manifests/", "/blobs/"} {
		i := strings.LastIndex(rest, kind)
		if i <= 0 {
			continue
		}
		digest := rest[i+len(kind):]
		if _, why := checkDigest(digest); why == "" {
			return digest
		}
	}
	return ""
}

// answer makes the response of a registry, or nil. The media type of a manifest
// is not kept, so one that does not show it is fetched.
func (t *CacheTransport) answer(req *http.Request, digest string) *http.Response {
	content, ok := t.Cache.Get(digest)
	if !ok {
		return nil
	}
	mediaType := "application/octet-stream"
	if strings.Contains(req.URL.Path, "/manifests/") {
		mediaType = string(mediaTypeOf(content))
		if mediaType == "" || !accepts(req.Header.Values("Accept"), mediaType) {
			return nil
		}
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Content-Type":          {mediaType},
			"Content-Length":        {strconv.Itoa(len(content))},
			"Docker-Content-Digest": {digest},
		},
		ContentLength: int64(len(content)),
		Body:          io.NopCloser(bytes.NewReader(content)),
		Request:       req,
	}
}

// accepts tells whether a media type is among those of Accept headers. None at
// all accept any.
func accepts(headers []string, mediaType string) bool {
	if len(headers) == 0 {
		return true
	}
	for _, one := range strings.Split(strings.Join(headers, ","), ",") {
		one, _, _ = strings.Cut(one, ";")
		if one = strings.TrimSpace(one); one == "*/*" || strings.EqualFold(one, mediaType) {
			return true
		}
	}
	return false
}

// keptBody puts what was read into the cache, once it was read to the end.
type keptBody struct {
	io.ReadCloser
	cache  *Cache
	digest string
	kept   bytes.Buffer
	over   bool
}

// Read implements [io.Reader].
func (b *keptBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.over {
		return n, err
	}
	b.kept.Write(p[:n])
	if b.over = err != nil || b.kept.Len() > maxCacheEntry; b.over {
		if errors.Is(err, io.EOF) {
			// Content with another digest is not kept: whoever reads it will see.
			b.cache.Put(b.digest, b.kept.Bytes())
		}
		b.kept = bytes.Buffer{}
	}
	return n, err
}
