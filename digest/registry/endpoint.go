package registry

import (
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/digest/internal/content"
)

// kind is what a path of the distribution protocol is about.
type kind int

const (
	kindOther kind = iota // not of the protocol
	kindPing              // /v2/
	kindManifest
	kindBlob
	kindUpload
	kindList // tags, referrers, repositories
)

// endpoint is what a request asks of a registry.
type endpoint struct {
	kind kind
	// repo is the name of the repository, ref the tag or digest of its manifest
	// or blob.
	repo, ref string
	// scopes are what a token has to allow.
	scopes []string
	write  bool
}

// parseEndpoint reads a path by its last part, as the name of a repository may
// have any words in it.
func parseEndpoint(method, path string) endpoint {
	rest, ok := strings.CutPrefix(path, "/v2")
	if !ok || rest != "" && rest[0] != '/' {
		return endpoint{}
	}
	e := endpoint{write: method != http.MethodGet && method != http.MethodHead}
	rest = strings.TrimPrefix(rest, "/")
	switch {
	case rest == "":
		e.kind = kindPing
		return e
	case rest == "_catalog":
		e.kind, e.scopes = kindList, []string{"registry:catalog:*"}
		return e
	}
	for _, form := range []struct {
		part string
		kind kind
	}{
		{"/blobs/uploads/", kindUpload}, // before blobs
		{"/manifests/", kindManifest},
		{"/blobs/", kindBlob},
		{"/referrers/", kindList},
		{"/tags/", kindList},
	} {
		if i := strings.LastIndex(rest+"/", form.part); i > 0 {
			e.kind, e.repo = form.kind, rest[:i]
			e.ref = rest[min(i+len(form.part), len(rest)):]
			e.scopes = []string{scope(e.repo, e.write || e.kind == kindUpload)}
			return e
		}
	}
	return endpoint{}
}

func scope(repo string, write bool) string {
	if write {
		return "repository:" + repo + ":pull,push"
	}
	return "repository:" + repo + ":pull"
}

// withMount adds what a mount of another repository's blob needs.
func (e endpoint) withMount(query url.Values) endpoint {
	if from := query.Get("from"); e.kind == kindUpload && from != "" && query.Get("mount") != "" {
		e.scopes = append(e.scopes[:1:1], scope(from, false))
	}
	return e
}

// limit is how many bytes of a good answer are read; 0 means that it is passed
// on as it comes.
func (e endpoint) limit() int64 {
	switch e.kind {
	case kindOther, kindBlob:
		return 0
	case kindUpload:
		return maxErrorBody
	}
	return content.MaxManifest
}

// maxUploads bounds the places kept of uploads that are under way.
const maxUploads = 1024

// uploads remembers where registries want uploads to go on when that is outside
// the paths of the protocol: the path alone does not tell the repository.
type uploads struct {
	mu     sync.Mutex
	places map[string]endpoint
	order  []string
}

func (u *uploads) note(at *url.URL, e endpoint) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := at.Host + at.Path
	if u.places == nil {
		u.places = make(map[string]endpoint)
	}
	if _, known := u.places[key]; !known {
		u.order = append(u.order, key)
	}
	u.places[key] = e
	if len(u.order) > maxUploads {
		delete(u.places, u.order[0])
		u.order = u.order[1:]
	}
}

func (u *uploads) get(at *url.URL) (endpoint, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	e, ok := u.places[at.Host+at.Path]
	return e, ok
}
