package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// mirrorTime is how long a mirror may take to answer where no deadline says.
const mirrorTime = 15 * time.Second

const errSlow fault.Text = "no answer in time"

// routed sends a request to where its registry's images are: mirrors for what
// is pulled, then the registry itself.
func (t *transport) routed(out *outgoing, e endpoint) (*http.Response, error) {
	u := *out.in.URL
	entry := t.registries.find(u.Host, e.repo)
	if entry == nil {
		return t.ask(out, t.host(u.Host), e, &u)
	}
	if entry.blocked {
		return nil, entry.refusal()
	}
	if e.write || e.kind != kindManifest && e.kind != kindBlob && e.kind != kindList || e.repo == "" {
		return t.ask(out, t.host(u.Host), e, &u)
	}
	mirrors := entry.pullsFrom(e)
	for i, m := range mirrors {
		part := mirrorTime
		if deadline, ok := out.in.Context().Deadline(); ok {
			part = min(part, time.Until(deadline)/time.Duration(len(mirrors)-i+1))
		}
		at, there := entry.rewrite(m.location, &u, e)
		if resp := t.askMirror(out, e, there, at, part); resp != nil {
			return resp, nil
		}
		if err := out.in.Context().Err(); err != nil {
			return nil, &fault.Ended{Err: err}
		}
	}
	at, there := entry.rewrite(entry.location, &u, e)
	return t.askAt(out, there, at)
}

// refusal is the error of what is blocked.
func (e *registryEntry) refusal() error {
	return fault.Text(fmt.Sprintf("blocked by %s: prefix %q", e.file, e.prefix))
}

// askAt asks another place than the URL names. The answer says so, because
// redirects are relative to it.
func (t *transport) askAt(out *outgoing, e endpoint, u *url.URL) (*http.Response, error) {
	resp, err := t.ask(out, t.host(u.Host), e, u)
	if err == nil && u.Host != out.in.URL.Host {
		own := *out.in
		own.URL = u
		resp.Request = &own
		if to, err := u.Parse(resp.Header.Get("Location")); err == nil && resp.Header.Get("Location") != "" {
			resp.Header.Set("Location", to.String())
		}
	}
	return resp, err
}

// pullsFrom gives the mirrors to ask. Lists are only had from the registry: a
// mirror has a part of what there is.
func (e *registryEntry) pullsFrom(asked endpoint) []mirror {
	if asked.kind == kindList {
		return nil
	}
	byDigest := strings.HasPrefix(asked.ref, grammar.DigestPrefix)
	var from []mirror
	for _, m := range e.mirrors {
		if m.pull == "digest-only" && !byDigest || m.pull == "tag-only" && byDigest {
			continue
		}
		from = append(from, m)
	}
	return from
}

// place is a repository on a host.
type place struct{ host, repo string }

// at puts a location in the place of the prefix.
func (e *registryEntry) at(location, host, repo string) place {
	if location == "" || location == e.prefix {
		return place{host, repo}
	}
	rest := strings.TrimPrefix(host+"/"+repo, e.prefix)
	if strings.HasPrefix(e.prefix, "*") {
		rest = "/" + repo
	}
	host, repo, _ = strings.Cut(location+rest, "/")
	return place{host, repo}
}

// rewrite makes the URL of a request at another location.
func (e *registryEntry) rewrite(location string, u *url.URL, asked endpoint) (*url.URL, endpoint) {
	to := e.at(location, u.Host, asked.repo)
	there := *u
	there.Host = to.host
	there.Path = "/v2/" + to.repo + strings.TrimPrefix(u.Path, "/v2/"+asked.repo)
	there.RawPath = ""
	return &there, parseEndpoint(http.MethodGet, there.Path)
}

// places are where a repository may be had from, the registry itself last.
func (r *Config) places(host, repo string) []place {
	e := r.find(host, repo)
	if e == nil {
		return []place{{host, repo}}
	}
	var all []place
	for _, m := range e.mirrors {
		all = append(all, e.at(m.location, host, repo))
	}
	return append(all, e.at(e.location, host, repo))
}

// askMirror returns an answer that may be used, or nil. It has its part of the
// time there is, so that a mirror that hangs does not use up the registry's.
func (t *transport) askMirror(out *outgoing, e, there endpoint, u *url.URL, part time.Duration) *http.Response {
	ctx, end := context.WithCancelCause(out.in.Context())
	cancel := func() { end(nil) }
	timer := time.AfterFunc(part, func() { end(errSlow) })
	resp, err := t.askAt(&outgoing{in: out.in.WithContext(ctx)}, there, u)
	timer.Stop()
	if err != nil {
		cancel()
		return nil
	}
	if !usable(resp, e, out.in.Method) {
		resp.Body.Close()
		cancel()
		return nil
	}
	resp.Body = &endingBody{resp.Body, cancel}
	return resp
}

// endingBody gives up what an answer needed when its body is closed.
type endingBody struct {
	io.ReadCloser
	end context.CancelFunc
}

// Close implements [io.Closer].
func (b *endingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// usable tells whether a mirror's answer answers, and for a digest, whether it
// is what the digest says. The body of a blob is checked by whoever reads it.
func usable(resp *http.Response, e endpoint, method string) bool {
	switch {
	case resp.StatusCode/100 == 3:
		return true // where it leads to is checked by whoever follows it
	case resp.StatusCode/100 != 2:
		return false
	case e.kind != kindManifest:
		return true
	}
	byDigest := strings.HasPrefix(e.ref, grammar.DigestPrefix)
	if method == http.MethodHead {
		return !isHTML(resp) && (!byDigest || resp.Header.Get("Docker-Content-Digest") == e.ref)
	}
	data, err := io.ReadAll(resp.Body) // bounded and in memory already
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(data))
	if !byDigest {
		return err == nil && content.IsManifest(mediaType(resp), data)
	}
	return err == nil && fmt.Sprintf("%s%x", grammar.DigestPrefix, sha256.Sum256(data)) == e.ref
}
