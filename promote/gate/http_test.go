package gate

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
)

// server answers on the loopback interface.
func server(t testing.TB, handle http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s.URL
}

// answering gives one status and body.
func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func noSleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func TestHTTP(t *testing.T) {
	client := NewClient()
	const none = "expect: size(body.incidents) == 0"
	for _, tc := range []struct {
		name, gate, path string
		status           int
		body, want       string
	}{
		{"no incident", none, "/incidents?status=open", 200, `{"incidents": []}`, "pass: GET URL/incidents answered 200, and size(body.incidents) == 0 holds"},
		{"an incident", none, "/incidents", 200, `{"incidents": [{"id": 1}]}`, "fail: GET URL/incidents answered 200, and size(body.incidents) == 0 does not hold"},
		{"something else", none, "", 200, `{"error": "no"}`, "unknown: GET URL answered 200, to which size(body.incidents) == 0 cannot be applied: no such key: incidents"},
		{"no JSON", none, "", 200, `<html>`, "unknown: GET URL answered 200 with something that is not JSON, which size(body.incidents) == 0 is about"},
		{"no longer JSON", none, "", 200, `{"incidents": []} {"incidents": [1]}`, "unknown: GET URL answered 200 with something that is not JSON, which size(body.incidents) == 0 is about"},
		{"not allowed", none, "", 401, `{"incidents": []}`, "unknown: GET URL answered 401"},
		{"broken", none, "", 500, `{"incidents": []}`, "unknown: GET URL answered 500"},
		{"the status decides", "expect: status == 200", "", 503, "", "fail: GET URL answered 503, and status == 200 does not hold"},
		{"a status that is wanted", "expect: status == 404", "", 404, "", "pass: GET URL answered 404, and status == 404 holds"},
		{"text", `expect: text.startsWith("green")`, "", 200, "green\n", `pass: GET URL answered 200, and text.startsWith("green") holds`},
		{"headers", `expect: headers["content-type"].startsWith("text/plain")`, "", 200, "x", `pass: GET URL answered 200, and headers["content-type"].startsWith("text/plain") holds`},
		{"numbers", `expect: body.n == 9007199254740993 && body.f > 0.4`, "", 200, `{"n": 9007199254740993, "f": 0.5}`, `pass: GET URL answered 200, and body.n == 9007199254740993 && body.f > 0.4 holds`},
		{"a status of success", "method: HEAD", "/x", 204, "", "pass: HEAD URL/x answered 204"},
		{"none of success", "method: GET", "", 404, "", "fail: GET URL answered 404"},
		{"later", "method: GET", "", 429, "", "unknown: GET URL answered 429"},
		{"forbidden", "method: GET", "", 403, "", "unknown: GET URL answered 403"},
		{"too much", "method: GET", "", 200, strings.Repeat("x", maxAnswer+1), "unknown: GET URL: the answer is larger than 4 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := server(t, answering(tc.status, tc.body))
			got := ask(t, "- http:\n    url: "+at+tc.path+"\n    "+tc.gate, Deps{Client: client}, cart())
			want(t, strings.ReplaceAll(got, at, "URL"), tc.want)
		})
	}
	want(t, ask(t, "- http: {url: 'http://127.0.0.1:1/x?key=hunter2'}", Deps{Client: client}, cart()), "unknown: GET http://127.0.0.1:1/x: connection refused")
	want(t, ask(t, "- http: {url: 'http://169.254.169.254/latest/meta-data'}", Deps{Client: client}, cart()), "unknown: GET http://169.254.169.254/latest/meta-data: address 169.254.169.254:80 is not asked")
	want(t, ask(t, "- http: {url: 'http://127.0.0.1:1'}", Deps{}, cart()), "unknown: no server may be asked; ask-registry")
}

// What is promoted stands in URL, headers and body; the secret in its header alone.
func TestHTTPRequest(t *testing.T) {
	var got string
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprintf("%s %s %s %s %s %q %s", r.Method, r.URL, r.Header.Get("X-Service"), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), r.Header.Get("X-Plain"), body)
		w.WriteHeader(http.StatusTeapot)
	})
	list := "- http:\n    url: " + at + "/{service}/{environment}?from={from}\n    headers: {X-Service: '{service}', X-Plain: a b}\n" +
		"    headersFrom: {Authorization: {env: PROMOTE_TOKEN}}\n    body: '{\"service\": \"{service}\", \"to\": \"{environment}\"}'"
	env := map[string]string{"PROMOTE_TOKEN": "Token hunter2"}
	d := Deps{Client: NewClient(), LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	verdict := ask(t, list, d, cart())
	want(t, strings.ReplaceAll(verdict, at, "URL"), "fail: POST URL/cart/production answered 418")
	want(t, got, `POST /cart/production?from=staging cart Token hunter2 application/json "a b" {"service": "cart", "to": "production"}`)
	env["PROMOTE_TOKEN"] = "hunter2\r\nX: y"
	want(t, ask(t, list, d, cart()), "unknown: the variable PROMOTE_TOKEN, for the header Authorization, has a line break")
	delete(env, "PROMOTE_TOKEN")
	want(t, ask(t, list, d, cart()), "unknown: the variable PROMOTE_TOKEN, for the header Authorization, is not set; hint: set PROMOTE_TOKEN in the environment")
}

// A request is sent again where the server asks for patience, and only then.
func TestHTTPRetries(t *testing.T) {
	for _, tc := range []struct {
		name    string
		answers []int
		retries int
		want    string
		sent    int
		pauses  string
	}{
		{"at last", []int{503, 429, 200}, 3, "pass: GET URL answered 200", 3, "500ms 7s"},
		{"in vain", []int{503}, 2, "unknown: GET URL answered 503", 3, "500ms 1s"},
		{"not at all", []int{503, 200}, 0, "unknown: GET URL answered 503", 1, ""},
		{"a no is a no", []int{404, 200}, 3, "fail: GET URL answered 404", 1, ""},
		{"broken", []int{500, 200}, 3, "unknown: GET URL answered 500", 1, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := 0
			at := server(t, func(w http.ResponseWriter, _ *http.Request) {
				status := tc.answers[min(n, len(tc.answers)-1)]
				n++
				if status == 429 {
					w.Header().Set("Retry-After", "7")
				}
				w.WriteHeader(status)
			})
			var pauses []string
			d := Deps{Client: NewClient(), Sleep: func(_ context.Context, d time.Duration) error { pauses = append(pauses, d.String()); return nil }}
			got := ask(t, fmt.Sprintf("- http: {url: '%s', retries: %d}", at, tc.retries), d, cart())
			want(t, strings.ReplaceAll(got, at, "URL"), tc.want)
			if n != tc.sent || strings.Join(pauses, " ") != tc.pauses {
				t.Errorf("sent %d times with pauses %q", n, pauses)
			}
		})
	}
}

// A secret is not taken to another server.
func TestHTTPRedirects(t *testing.T) {
	var elsewhere atomic.Int64
	other := server(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/here":
			http.Redirect(w, r, "/there", http.StatusFound)
		case "/away":
			http.Redirect(w, r, other, http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/there":
			fmt.Fprint(w, r.Header.Get("X-Token"))
		}
	})
	d := Deps{Client: NewClient(), Sleep: noSleep, LookupEnv: func(string) (string, bool) { return "hunter2", true }}
	for path, expected := range map[string]string{
		"/here":  "pass: GET URL/here answered 200, and text == \"hunter2\" holds",
		"/away":  "unknown: GET URL/away: it sends to another server, OTHER",
		"/round": "unknown: GET URL/round: it was sent on more than five times",
	} {
		got := ask(t, "- http: {url: '"+at+path+"', retries: 3, headersFrom: {X-Token: {env: PROMOTE_T}}, expect: 'text == \"hunter2\"'}", d, cart())
		want(t, strings.NewReplacer(at, "URL", other, "OTHER").Replace(got), expected)
	}
	if elsewhere.Load() != 0 {
		t.Error("the other server was asked")
	}
}

// What is the same for all services is asked once; what is not, for each, side by side.
func TestHTTPOfManyServices(t *testing.T) {
	var lock sync.Mutex
	var seen []string
	at := server(t, func(_ http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		seen = append(seen, r.URL.Path)
	})
	all := gates(t, "- {name: same, http: {url: '"+at+"/same'}}\n- {name: own, http: {url: '"+at+"/{service}'}}", Deps{Client: NewClient()})
	var wait sync.WaitGroup
	for i := range 200 {
		q := cart()
		q.Service = fmt.Sprintf("s%03d", i)
		for _, g := range all {
			wait.Go(func() {
				if v := g.Check(t.Context(), q); v.Answer != promote.Pass {
					t.Error(outline(v))
				}
			})
		}
	}
	wait.Wait()
	slices.Sort(seen)
	if len(seen) != 201 || seen[200] != "/same" {
		t.Errorf("%d requests", len(seen))
	}
}
