package rest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge/internal/rest"
)

// client asks a server and never waits; waits are counted.
func client(t *testing.T, handler http.HandlerFunc) (*rest.Client, *[]time.Duration) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	var waits []time.Duration
	return &rest.Client{Base: server.URL, Header: http.Header{"Private-Token": {"t"}}, Patience: time.Minute,
		Wait: func(ctx context.Context, d time.Duration) error {
			waits = append(waits, d)
			return ctx.Err()
		}}, &waits
}

func get(t *testing.T, c *rest.Client, method string) error {
	var out any
	_, err := c.Send(t.Context(), rest.Call{Method: method, Path: "/x", In: map[string]int{"a": 1}, Out: &out})
	return err
}

// A request that changes something is made once, unless it was surely refused.
func TestRetries(t *testing.T) {
	for _, c := range []struct {
		name, method string
		status       int
		header       map[string]string
		tries        int
	}{
		{"a read", "GET", 503, nil, 5},
		{"a write", "POST", 503, nil, 1},
		{"a bad read", "GET", 500, nil, 1},
		{"a limited write", "POST", 429, map[string]string{"Retry-After": "1"}, 5},
		{"a limited write, by date", "POST", 429, map[string]string{"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}, 5},
		{"a long limit", "GET", 429, map[string]string{"Retry-After": "61"}, 1},
		{"a limit of nonsense", "GET", 429, map[string]string{"Retry-After": "-1", "X-RateLimit-Reset": "x"}, 5},
		{"a plain refusal", "GET", 403, nil, 1},
	} {
		tries := 0
		rc, waits := client(t, func(w http.ResponseWriter, r *http.Request) {
			tries++
			for name, value := range c.header {
				w.Header().Set(name, value)
			}
			w.WriteHeader(c.status)
		})
		var refused *rest.Refused
		if err := get(t, rc, c.method); !errors.As(err, &refused) || refused.Status != c.status || refused.Limited != (c.status == 429) {
			t.Errorf("%s: %v", c.name, err)
		}
		if tries != c.tries || len(*waits) != c.tries-1 {
			t.Errorf("%s: %d tries, waited %v", c.name, tries, *waits)
		}
	}
}

// No other host gets the headers, and no method becomes another one.
func TestRedirects(t *testing.T) {
	var stolen bool
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen = true }))
	defer evil.Close()
	for _, c := range []struct {
		name, method, to string
		status           int
		want             string
	}{
		{"another host", "GET", evil.URL + "/x", 302, "does not get the token"},
		{"another host, kept", "POST", evil.URL + "/x", 307, "does not get the token"},
		{"another scheme", "GET", "https://" + strings.TrimPrefix(evil.URL, "http://"), 301, "does not get the token"},
		{"no address", "GET", "", 302, "leads nowhere"},
		{"in a circle", "GET", "/x", 302, "too many redirects"},
		{"a write that would become a read", "POST", "/y", 301, "has moved"},
		{"a read", "GET", "/y", 301, ""},
		{"a write that stays one", "POST", "/y", 308, ""},
	} {
		rc, _ := client(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/y" {
				if r.Method != c.method || r.ContentLength != 7 {
					t.Errorf("%s: %s with %d bytes", c.name, r.Method, r.ContentLength)
				}
				fmt.Fprint(w, "{}")
				return
			}
			w.Header().Set("Location", c.to)
			w.WriteHeader(c.status)
		})
		err := get(t, rc, c.method)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if stolen {
		t.Error("another host was asked")
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct{ answer, want string }{
		{strings.Repeat(" ", 17<<20), "larger than 16 MiB"},
		{"<html>", "not JSON"},
		{`{"a": 1} x`, "not JSON"},
		{"", "not JSON"},
	} {
		rc, _ := client(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, c.answer) })
		if err := get(t, rc, "GET"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.20q: %v", c.answer, err)
		}
	}
	rc, waits := client(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	var failed *rest.Failed
	if err := get(t, rc, "GET"); !errors.As(err, &failed) || len(*waits) != 4 || strings.Contains(err.Error(), "http") {
		t.Errorf("%v, waited %v", err, *waits)
	}
	*waits = nil
	if err := get(t, rc, "POST"); !errors.As(err, &failed) || len(*waits) != 0 {
		t.Errorf("a write that may have been done is made again: %v, waited %v", err, *waits)
	}
	ctx, cancel := context.WithCancel(t.Context())
	rc, _ = client(t, func(http.ResponseWriter, *http.Request) {
		cancel()
		panic(http.ErrAbortHandler)
	})
	if _, err := rc.Send(ctx, rest.Call{Method: "GET", Path: "/"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestSaid(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`{"message": "Validation Failed", "errors": [{"message": "a"}, "b", {"code": "missing"}]}`, "Validation Failed; a; b"},
		{`{"message": {"base": ["c"], "x": "y"}}`, "base c"},
		{`{"message": ["a", "a"]}`, "a"},
		{`{"error": {"message": "m", "detail": "d"}}`, "m; d"},
		{`{"error": "e", "error_description": "d"}`, "e; d"},
		{`{"errors": [{"message": "m", "vetoes": [{"summaryMessage": "s"}]}]}`, "m; s"},
		{`{"message": 7}`, ""},
		{"<html>", ""},
		{strings.Repeat("[", 10_000), ""},
		{`"` + strings.Repeat("x", 70_000) + `"`, ""},
	} {
		if got := rest.Said([]byte(c.body)); got != c.want {
			t.Errorf("%.40s: %q", c.body, got)
		}
	}
}
