package forge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// step is a request that a client must make next, and the answer to it.
type step struct {
	// request is the method and the address, with a sorted query.
	request string
	// body is the JSON that must be sent, or empty for none.
	body   string
	status int
	answer string
	header map[string]string
}

// fake is a forge on the wire that goes through its steps.
type fake struct {
	*testing.T
	*httptest.Server
	steps []step
	done  int
	// headers of the last request.
	last http.Header
	// waits are those that the client made.
	waits []time.Duration
}

const secret = "s3cr3t-t0ken"

// head is a commit.
var head = strings.Repeat("ab", 20)

func newFake(t *testing.T, steps ...step) *fake {
	f := &fake{T: t, steps: steps}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		f.Close()
		if f.done < len(f.steps) && !t.Failed() {
			t.Errorf("%d of %d requests were made, the next would be %s", f.done, len(f.steps), f.steps[f.done].request)
		}
	})
	return f
}

// ServeHTTP answers the next step.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.done >= len(f.steps) {
		f.Errorf("one request too many: %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	s := f.steps[f.done]
	f.done++
	f.last = r.Header
	address := r.URL.EscapedPath()
	if q := r.URL.Query().Encode(); q != "" {
		address += "?" + q
	}
	if got := r.Method + " " + address; got != s.request {
		f.Errorf("request %d is\n%s, want\n%s", f.done, got, s.request)
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		f.Error(err)
	}
	if !sameJSON(f.T, string(sent), s.body) {
		f.Errorf("%s sends\n%s, want\n%s", s.request, sent, s.body)
	}
	for name, value := range s.header {
		w.Header().Set(name, value)
	}
	if s.status != 0 {
		w.WriteHeader(s.status)
	}
	fmt.Fprint(w, s.answer)
}

func sameJSON(t *testing.T, a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Error(err)
	}
	return reflect.DeepEqual(x, y)
}

// client speaks to the fake as to a forge of a kind. No test waits.
func (f *fake) client(kind forge.Kind) forge.Client {
	f.Helper()
	r := forge.Repository{Kind: kind, Web: f.URL, API: f.URL, Owner: "shop", Name: "infra"}
	c, err := forge.New(r, forge.Options{Token: forge.Token{Secret: secret, From: "TOKEN"},
		Now: func() time.Time { return time.Unix(1_800_000_000, 0) },
		Wait: func(_ context.Context, d time.Duration) error {
			f.waits = append(f.waits, d)
			return nil
		}})
	if err != nil {
		f.Fatal(err)
	}
	return c
}

// refusal is an answer that a client must understand.
type refusal struct {
	name   string
	steps  []step
	do     func(context.Context, forge.Client) error
	want   error
	text   string
	hint   string
	waited int
}

func testRefusals(t *testing.T, kind forge.Kind, all []refusal) {
	t.Helper()
	for _, r := range all {
		t.Run(r.name, func(t *testing.T) {
			f := newFake(t, r.steps...)
			err := r.do(t.Context(), f.client(kind))
			if err == nil || r.want != nil && !errors.Is(err, r.want) {
				t.Fatalf("%v, want %v", err, r.want)
			}
			var e *forge.Error
			if !errors.As(err, &e) {
				t.Fatalf("%T is no *forge.Error", err)
			}
			if !strings.Contains(e.Error(), r.text) || !strings.Contains(e.HintText(), r.hint) {
				t.Errorf("%s\nhint: %s", e, e.HintText())
			}
			if len(f.waits) != r.waited {
				t.Errorf("waited %v", f.waits)
			}
		})
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// quoted is a text as JSON.
func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string is always fit for JSON
	}
	return string(text)
}

// The usual things to do, for tables.
func doFind(ctx context.Context, c forge.Client) error {
	_, err := c.Find(ctx, forge.FindRequest{Head: "promote/a", Base: "main"})
	return err
}

func doGet(ctx context.Context, c forge.Client) error {
	_, err := c.Get(ctx, 7)
	return err
}

func doOpen(ctx context.Context, c forge.Client) error {
	_, err := c.Open(ctx, forge.OpenRequest{Head: "promote/a", Base: "main", Title: "T", Body: "B"})
	return err
}

func doMerge(ctx context.Context, c forge.Client) error {
	_, err := c.Merge(ctx, 7, forge.MergeRequest{Head: head})
	return err
}

func doClose(ctx context.Context, c forge.Client) error { return c.Close(ctx, 7, "bye") }

func doUpdate(ctx context.Context, c forge.Client) error {
	title := "T2"
	_, err := c.Update(ctx, 7, forge.UpdateRequest{Title: &title})
	return err
}

func doReviews(ctx context.Context, c forge.Client) error {
	_, err := c.Reviews(ctx, 7)
	return err
}

func doStatuses(ctx context.Context, c forge.Client) error {
	_, err := c.Statuses(ctx, head)
	return err
}

func doSetStatus(ctx context.Context, c forge.Client) error {
	return c.SetStatus(ctx, head, forge.Status{Context: "ci", State: forge.StatusSuccess, Description: "D", URL: "https://ci.example.com"})
}

var everything = map[string]func(context.Context, forge.Client) error{
	"find": doFind, "get": doGet, "open": doOpen, "update": doUpdate, "close": doClose, "merge": doMerge,
	"reviews": doReviews, "members": doMembers, "statuses": doStatuses, "set status": doSetStatus,
}

// Whatever goes wrong, the token is in no error: not where the forge echoes it, not
// where it cannot be reached, not where the answer is no JSON.
func TestNoSecretInErrors(t *testing.T) {
	answers := map[string]func(w http.ResponseWriter, r *http.Request){
		"an echo": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"message": "no right with %s %s%s", "errors": [{"message": %q}]}`, secret, r.Header.Get("Authorization"), r.Header.Get("Private-Token"), secret)
		},
		"an echo in headers": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Accepted-GitHub-Permissions", secret)
			w.WriteHeader(http.StatusForbidden)
		},
		"no JSON": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, secret) },
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/"+secret+"?token="+secret, http.StatusFound)
		},
		"cut off": func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
	}
	for _, kind := range forge.Kinds() {
		for name, answer := range answers {
			server := httptest.NewServer(http.HandlerFunc(answer))
			f := &fake{T: t, Server: server}
			for op, do := range everything {
				err := do(t.Context(), f.client(kind))
				if err == nil && name == "no JSON" && op == "set status" {
					continue // whose answer is not read
				}
				if err == nil {
					t.Fatalf("%s, %s, %s: no error", kind, name, op)
				}
				var hinted interface{ HintText() string }
				if !errors.As(err, &hinted) {
					t.Fatalf("%s, %s, %s: %T has no hint", kind, name, op, err)
				}
				text := fmt.Sprintf("%v %+v %s", err, err, hinted.HintText())
				if strings.Contains(text, secret) || strings.Contains(text, "czNjcjN0") || strings.Contains(text, "\n") {
					t.Errorf("%s, %s, %s: %q", kind, name, op, text)
				}
			}
			server.Close()
		}
	}
	if s := fmt.Sprintf("%v %+v %#v", forge.Token{Secret: secret}, forge.Token{Secret: secret}, forge.Token{Secret: secret}); strings.Contains(s, secret) {
		t.Error(s)
	}
}

// Each kind sends the token in its own way, and none elsewhere.
func TestAuthorization(t *testing.T) {
	for _, c := range []struct {
		kind         forge.Kind
		token        forge.Token
		header, want string
	}{
		{forge.GitHub, forge.Token{Secret: "t"}, "Authorization", "Bearer t"},
		{forge.GitLab, forge.Token{Secret: "t"}, "Private-Token", "t"},
		{forge.GitLab, forge.Token{Secret: "t", Scheme: forge.SchemeJob}, "Job-Token", "t"},
		{forge.GitLab, forge.Token{Secret: "t", Scheme: forge.SchemeBearer}, "Authorization", "Bearer t"},
		{forge.Gitea, forge.Token{Secret: "t"}, "Authorization", "token t"},
		{forge.Gitea, forge.Token{Secret: "p", User: "u", Scheme: forge.SchemeBasic}, "Authorization", "Basic dTpw"},
		{forge.Bitbucket, forge.Token{Secret: "t"}, "Authorization", "Bearer t"},
		{forge.Bitbucket, forge.Token{Secret: "u:p"}, "Authorization", "Basic dTpw"},
		{forge.BitbucketServer, forge.Token{Secret: "t"}, "Authorization", "Bearer t"},
		{forge.Azure, forge.Token{Secret: "t"}, "Authorization", "Basic OnQ="},
		{forge.Azure, forge.Token{Secret: "t", Scheme: forge.SchemeBearer}, "Authorization", "Bearer t"},
		{forge.GitHub, forge.Token{}, "Authorization", ""},
	} {
		var got http.Header
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Header
			fmt.Fprint(w, "{}")
		}))
		client, err := forge.New(forge.Repository{Kind: c.kind, Web: server.URL, API: server.URL, Owner: "o", Name: "n"}, forge.Options{Token: c.token})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Get(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		server.Close()
		sent := 0
		for _, name := range []string{"Authorization", "Private-Token", "Job-Token"} {
			if got.Get(name) != "" {
				sent++
			}
		}
		if got.Get(c.header) != c.want || c.want != "" && sent != 1 || got.Get("User-Agent") != "kubepromote" {
			t.Errorf("%s %v: %v", c.kind, c.token.Scheme, got)
		}
	}
}

// What cannot be meant is refused before anything is sent.
func TestUsage(t *testing.T) {
	for _, kind := range forge.Kinds() {
		c := newFake(t).client(kind)
		for name, do := range map[string]func(context.Context) error{
			"a query in a branch": func(ctx context.Context) error {
				_, err := c.Find(ctx, forge.FindRequest{Head: `x" OR state = "MERGED`})
				return err
			},
			"a query in the base": func(ctx context.Context) error {
				_, err := c.Find(ctx, forge.FindRequest{Head: "a", Base: `x" OR state = "MERGED`})
				return err
			},
			"no branch": func(ctx context.Context) error {
				_, err := c.Open(ctx, forge.OpenRequest{Head: "a", Title: "T"})
				return err
			},
			"a reference": func(ctx context.Context) error {
				_, err := c.Open(ctx, forge.OpenRequest{Head: "refs/heads/a", Base: "main", Title: "T"})
				return err
			},
			"somebody's fork": func(ctx context.Context) error {
				_, err := c.Open(ctx, forge.OpenRequest{Head: "eve:a", Base: "main", Title: "T"})
				return err
			},
			"no title": func(ctx context.Context) error {
				_, err := c.Open(ctx, forge.OpenRequest{Head: "a", Base: "main", Title: " \n"})
				return err
			},
			"no commit": func(ctx context.Context) error {
				_, err := c.Merge(ctx, 7, forge.MergeRequest{Head: "main"})
				return err
			},
			"a short commit": func(ctx context.Context) error {
				_, err := c.Merge(ctx, 7, forge.MergeRequest{Head: head[:12]})
				return err
			},
			"a path for a commit": func(ctx context.Context) error {
				_, err := c.Statuses(ctx, "../../user")
				return err
			},
			"no state": func(ctx context.Context) error { return c.SetStatus(ctx, head, forge.Status{Context: "ci"}) },
			"no method": func(ctx context.Context) error {
				_, err := c.Merge(ctx, 7, forge.MergeRequest{Head: head, Method: "octopus"})
				return err
			},
		} {
			var e *forge.Error
			if err := do(t.Context()); !errors.As(err, &e) {
				t.Errorf("%s, %s: %v", kind, name, err)
			}
		}
	}
	if _, err := forge.New(forge.Repository{Kind: "svn"}, forge.Options{}); err == nil {
		t.Error("a client of no forge")
	}
}

func TestUnsupported(t *testing.T) {
	labels := forge.OpenRequest{Labels: []string{"a"}}
	for _, c := range []struct {
		kind forge.Kind
		o    forge.OpenRequest
		m    forge.MergeRequest
		ok   bool
	}{
		{forge.Bitbucket, labels, forge.MergeRequest{}, false},
		{forge.BitbucketServer, labels, forge.MergeRequest{}, false},
		{forge.GitHub, labels, forge.MergeRequest{AutoMerge: true}, true},
		{forge.Bitbucket, forge.OpenRequest{}, forge.MergeRequest{AutoMerge: true}, false},
		{forge.BitbucketServer, forge.OpenRequest{}, forge.MergeRequest{AutoMerge: true}, true},
		{forge.GitLab, forge.OpenRequest{}, forge.MergeRequest{Method: forge.MethodRebase}, false},
		{forge.GitHub, forge.OpenRequest{}, forge.MergeRequest{Method: forge.MethodFastForward}, false},
		{forge.Gitea, labels, forge.MergeRequest{Method: forge.MethodFastForward, AutoMerge: true}, true},
	} {
		if err := c.kind.Unsupported(c.o, c.m); errors.Is(err, forge.ErrUnsupported) == c.ok {
			t.Errorf("%s %+v %+v: %v", c.kind, c.o, c.m, err)
		}
	}
}
