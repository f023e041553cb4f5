package forge

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge/internal/rest"
)

// wire is the connection to the interface of one forge. All requests go through
// its send.
type wire struct {
	repository Repository
	// heads is the repository that the head branches are in: the same one, or a fork.
	heads Repository
	token Token
	rest  *rest.Client
	// self is the path of the repository itself, which tells a pull request that is not
	// there from a repository that is not.
	self string
}

func newWire(r Repository, o Options) *wire {
	c := &rest.Client{Base: r.API, Transport: o.Transport, Patience: cmp.Or(o.Patience, time.Minute), Now: o.Now, Wait: o.Wait, Header: make(http.Header)}
	c.Header.Set("Accept", "application/json")
	c.Header.Set("User-Agent", cmp.Or(o.UserAgent, "kubepromote"))
	o.Token.authorize(r.Kind, c.Header)
	return &wire{repository: r, heads: cmp.Or(o.Fork, r), token: o.Token, rest: c}
}

// authorize sets the header that a token is sent in.
func (t Token) authorize(k Kind, h http.Header) {
	basic := func(user string) { h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user))) }
	switch {
	case t.Secret == "":
	case t.Scheme == SchemeBasic:
		basic(t.User + ":" + t.Secret)
	case t.Scheme == SchemeJob:
		h.Set("Job-Token", t.Secret)
	case t.Scheme == SchemeBearer, k == GitHub:
		h.Set("Authorization", "Bearer "+t.Secret)
	case k == GitLab:
		h.Set("Private-Token", t.Secret)
	case k == Gitea:
		h.Set("Authorization", "token "+t.Secret)
	case k == Azure:
		basic(":" + t.Secret)
	case strings.Contains(t.Secret, ":"):
		basic(t.Secret)
	default:
		h.Set("Authorization", "Bearer "+t.Secret)
	}
}

// forked tells that the head branches are in a fork.
func (w *wire) forked() bool { return w.heads != w.repository }

// ours tells whether a head's repository is the one that heads are in: that of the base,
// which may be called otherwise by now, or the fork.
func (w *wire) ours(head, base string) bool {
	if w.forked() {
		base = w.heads.Owner + "/" + w.heads.Name
	}
	return strings.EqualFold(head, base)
}

// API is a forge's own interface, for what [Client] does not know.
type API struct {
	*wire
	need need
}

// NewAPI makes one for a repository.
func NewAPI(r Repository, o Options) *API {
	w := newWire(r, o)
	switch r.Kind { // each sets what is its own
	case GitHub:
		newGitHub(w)
	case GitLab:
		newGitLab(w)
	case Gitea:
		newGitea(w)
	}
	return &API{w, needCommit}
}

// Deploying is the interface for deployments, for which a token needs something else.
func (a *API) Deploying() *API { return &API{a.wire, needDeploy} }

// Send makes a request of a method to a path, or whole address, for an op that is being done,
// which errors name. In is sent and out is read as JSON, where not nil.
func (a *API) Send(ctx context.Context, op, method, path string, in, out any) error {
	c := call{op: op, method: method, path: path, in: in, out: out, need: a.need}
	if method == http.MethodGet && a.need == needCommit {
		c.need = needRead
	}
	return a.send(ctx, c)
}

// Refused is the error of what was answered, and refused all the same.
func (a *API) Refused(op, msg string, forbidden bool) error {
	e := a.fail(call{op: op}, 0, msg, nil)
	if forbidden {
		e.Err, e.Hint = ErrNotAllowed, a.scopes(a.need)
	}
	return e
}

// call is one request.
type call struct {
	// op says what is being done, for errors.
	op           string
	method, path string
	in, out      any
	// need is what the token must be good for.
	need need
}

// send makes a request and says what went wrong.
func (w *wire) send(ctx context.Context, c call) error {
	_, err := w.headers(ctx, c)
	return err
}

func (w *wire) headers(ctx context.Context, c call) (http.Header, error) {
	h, err := w.rest.Send(ctx, rest.Call{Method: c.method, Path: c.path, In: c.in, Out: c.out})
	var failed *rest.Failed
	var refused *rest.Refused
	switch {
	case err == nil:
		return h, nil
	case errors.As(err, &refused):
		return nil, w.refused(ctx, c, refused)
	case errors.As(err, &failed):
		e := w.fail(c, 0, failed.Msg, failed.Err).hinted(failed.Hint)
		if failed.Malformed {
			e.Hint = "is it " + w.repository.Kind.String() + " that runs at " + w.repository.Web + "?"
		}
		return nil, e
	}
	return nil, w.fail(c, 0, err.Error(), nil)
}

func (w *wire) get(ctx context.Context, op, path string, out any) error {
	return w.send(ctx, call{op: op, method: http.MethodGet, path: path, out: out})
}

// wait waits before another look or try.
func (w *wire) wait(ctx context.Context, c call, d time.Duration) error {
	if err := w.rest.Sleep(ctx, d); err != nil {
		return w.fail(c, 0, "it was stopped while waiting", err)
	}
	return nil
}

// pages asks for one page after another, as long as there is more.
func pages[T any](get func(page int) (some []T, more bool, err error)) ([]T, error) {
	const most = 20
	var all []T
	for page := 1; page <= most; page++ {
		some, more, err := get(page)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if !more {
			return all, nil
		}
	}
	return nil, &Error{Msg: "the forge's list has more than 20 pages, which are not read"}
}

// list reads a list of all pages, where the forge says in a Link header that there
// are more.
func list[T any](ctx context.Context, w *wire, op, path string, pairs ...string) ([]T, error) {
	return pages(func(page int) (some []T, more bool, err error) {
		more, err = w.page(ctx, op, path, page, &some, pairs...)
		return some, more, err
	})
}

// page reads one page, of a hundred entries or as many as the forge gives.
func (w *wire) page(ctx context.Context, op, path string, page int, out any, pairs ...string) (more bool, err error) {
	h, err := w.headers(ctx, call{op: op, method: http.MethodGet, path: path + w.paged(page, pairs...), out: out})
	return hasNext(h), err
}

// paged is a query that asks for a page.
func (w *wire) paged(page int, pairs ...string) string {
	size := "per_page"
	if w.repository.Kind == Gitea {
		size = "limit"
	}
	return query(append(slices.Clone(pairs), size, "100", "page", strconv.Itoa(page))...)
}

// hasNext tells whether a list has another page (RFC 8288).
func hasNext(h http.Header) bool {
	return strings.Contains(strings.Join(h.Values("Link"), ","), `rel="next"`)
}

// escape escapes one part of a path.
func escape(s string) string { return url.PathEscape(s) }

// query makes a query of names and values.
func query(pairs ...string) string {
	q := make(url.Values)
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "?" + q.Encode()
}
