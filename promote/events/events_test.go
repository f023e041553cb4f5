package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/pipeline/recording"
)

var when = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var one = Event{Kind: Promoted, Time: when, Repository: "https://git.example.com/shop/infra", Service: "cart", Environment: "production", From: "staging", Commit: "4f2a9c1", By: "Ada <ada@example.com>",
	Images: []Image{{Name: "cart", Repository: "registry.example.com/shop/cart", OldTag: "v1.0.0", Tag: "v1.1.0", Digest: "sha256:2222"}}}

// got is what a server was sent.
type got struct {
	header http.Header
	body   string
}

func server(t *testing.T, answers ...int) (*httptest.Server, *[]got) {
	t.Helper()
	var all []got
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		status := http.StatusNoContent
		if n := len(all); n < len(answers) {
			status = answers[n]
		}
		all = append(all, got{r.Header, string(body)})
		w.Header().Set("Location", "/login")
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s, &all
}

func teller(env map[string]string) Teller {
	return Teller{Client: http.DefaultClient, LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Sleep: func(context.Context, time.Duration) error { return nil }}
}

// The shape of a CloudEvent is what others parse.
func TestCloudEvent(t *testing.T) {
	s, all := server(t)
	to := &recording.Events{CloudEvents: &recording.EventServer{URL: s.URL, HeadersFrom: map[string]pipeline.Variable{"Authorization": {Env: "PROMOTE_T"}}}}
	if errs := teller(map[string]string{"PROMOTE_T": "Bearer x"}).Tell(t.Context(), to, []Event{one}); len(errs) > 0 {
		t.Fatal(errs)
	}
	const want = `{"specversion":"1.0","id":"ID","source":"https://git.example.com/shop/infra","type":"dev.kubepromote.promoted","subject":"production/cart","time":"2026-01-02T03:04:05Z","datacontenttype":"application/json","data":{"repository":"https://git.example.com/shop/infra","service":"cart","environment":"production","from":"staging","commit":"4f2a9c1","by":"Ada \u003cada@example.com\u003e","images":[{"name":"cart","repository":"registry.example.com/shop/cart","oldTag":"v1.0.0","tag":"v1.1.0","digest":"sha256:2222"}]}}`
	if sent := strings.Replace((*all)[0].body, one.ID(), "ID", 1); sent != want {
		t.Errorf("got  %s\nwant %s", sent, want)
	}
	if h := (*all)[0].header; h.Get("Content-Type") != "application/cloudevents+json; charset=UTF-8" || h.Get("Authorization") != "Bearer x" {
		t.Errorf("headers: %v", h)
	}
}

// Who gets an event twice can tell; another event is another one.
func TestID(t *testing.T) {
	again := one
	again.Time = when.Add(time.Hour)
	if again.ID() != one.ID() {
		t.Error("the same event has two ids")
	}
	for _, change := range []func(*Event){
		func(e *Event) { e.Kind = RolledBack }, func(e *Event) { e.Commit = "x" }, func(e *Event) { e.Service = "web" }, func(e *Event) { e.Environment = "staging" },
		func(e *Event) { e.Repository = "" }, func(e *Event) { e.Images = []Image{{Name: "cart", Tag: "v2"}} },
	} {
		other := one
		change(&other)
		if other.ID() == one.ID() {
			t.Errorf("%+v has the same id", other)
		}
	}
}

// What chats are sent is a text: nobody is called, and nothing is a link, by what stands in a
// repository.
func TestChats(t *testing.T) {
	hostile := one
	hostile.Reason = "<!channel> [x](http://evil.example.com)\n<b>*y*</b>"
	s, all := server(t)
	v := &pipeline.Variable{Env: "PROMOTE_URL"}
	for _, c := range []struct {
		to   recording.Events
		want string
	}{
		{recording.Events{Slack: v}, `{"mrkdwn":false,"text":"cart in production: promoted v1.1.0 from staging by Ada: \u0026lt;!channel\u0026gt; [x](http://evil.example.com) \u0026lt;b\u0026gt;*y*\u0026lt;/b\u0026gt;","unfurl_links":false,"unfurl_media":false}`},
		{recording.Events{Teams: v}, `"inlines":[{"text":"cart in production: promoted v1.1.0 from staging by Ada: \u003c!channel\u003e [x](http://evil.example.com) \u003cb\u003e*y*\u003c/b\u003e","type":"TextRun"}]`},
		{recording.Events{Matrix: v}, `"html":"cart in production: promoted v1.1.0 from staging by Ada: \u0026lt;!channel\u0026gt; [x](http://evil.example.com) \u0026lt;b\u0026gt;*y*\u0026lt;/b\u0026gt;"`},
	} {
		*all = nil
		if errs := teller(map[string]string{"PROMOTE_URL": s.URL}).Tell(t.Context(), &c.to, []Event{hostile}); len(errs) > 0 {
			t.Fatal(errs)
		}
		if sent := (*all)[0].body; !strings.Contains(sent, c.want) || !json.Valid([]byte(sent)) {
			t.Errorf("got  %s\nwant %s", sent, c.want)
		}
	}
}

// A server that is down for a moment is asked again; one that says no is not; and no message
// has the URL, which is a secret.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []int
		events  int
		sent    int
		want    string
	}{
		{"for a moment", []int{503, 429}, 1, 3, ""},
		{"down", []int{500, 500, 500}, 1, 3, "events: slack: answered 500"},
		{"no", []int{403}, 1, 1, "events: slack: answered 403"},
		// Events counted as told when they were led to a page that takes no POST.
		{"led elsewhere", []int{302}, 1, 1, "events: slack: answered 302"},
		{"one of two", []int{200, 404}, 2, 2, "events: slack: answered 404; 1 of 2 events are not told"},
	} {
		s, all := server(t, c.answers...)
		errs := teller(map[string]string{"PROMOTE_SLACK": s.URL + "/secret"}).Tell(t.Context(), &recording.Events{Slack: &pipeline.Variable{Env: "PROMOTE_SLACK"}}, slices.Repeat([]Event{one}, c.events))
		text := ""
		for _, err := range errs {
			text += err.Error()
		}
		if text != c.want || len(*all) != c.sent {
			t.Errorf("%s: %d requests, %q", c.name, len(*all), text)
		}
	}
	for value, want := range map[string]string{"": "the variable PROMOTE_SLACK is not set", "http://hooks.example.com/secret": "has no URL with https", "https://a\nb": "has a line break"} {
		errs := teller(map[string]string{"PROMOTE_SLACK": value}).Tell(t.Context(), &recording.Events{Slack: &pipeline.Variable{Env: "PROMOTE_SLACK"}}, []Event{one})
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), want) || strings.Contains(errs[0].Error(), "/secret") {
			t.Errorf("%q: %v", value, errs)
		}
	}
}

// Events that a server hangs on cost their time limit and no more.
func TestLimit(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else nobody sees that the client is gone
		<-r.Context().Done()
	}))
	defer s.Close()
	tell := teller(map[string]string{"PROMOTE_SLACK": s.URL})
	tell.Limit = 20 * time.Millisecond
	tell.Sleep = sleep
	if errs := tell.Tell(t.Context(), &recording.Events{Slack: &pipeline.Variable{Env: "PROMOTE_SLACK"}}, []Event{one}); len(errs) != 1 {
		t.Errorf("got %v", errs)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	file, metrics := filepath.Join(dir, "e.jsonl"), filepath.Join(dir, "m.prom")
	to := &recording.Events{File: &pipeline.Variable{Env: "PROMOTE_F"}, Metrics: &pipeline.Variable{Env: "PROMOTE_M"}}
	tell := teller(map[string]string{"PROMOTE_F": file, "PROMOTE_M": metrics})
	later, planned := one, one
	later.Time, later.Service = when.Add(time.Minute), `a"b`
	planned.Kind = Planned // nobody has asked for
	for _, e := range [][]Event{{one, planned}, {one, later}} {
		if errs := tell.Tell(t.Context(), to, e); len(errs) > 0 {
			t.Fatal(errs)
		}
	}
	lines, err := os.ReadFile(file)
	if err != nil || strings.Count(string(lines), "\n") != 3 {
		t.Errorf("%s, %v", lines, err)
	}
	text, err := os.ReadFile(metrics)
	want := metricsHead + metric + `{kind="promoted",service="a\"b",environment="production"} 1767323105` + "\n" + metric + `{kind="promoted",service="cart",environment="production"} 1767323045` + "\n# EOF\n"
	if err != nil || string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	// What is somebody else's is left alone.
	if err := os.WriteFile(metrics, []byte("up 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if errs := tell.Tell(t.Context(), to, []Event{one}); len(errs) != 1 || errs[0].Error() != "events: metrics: the file has metrics of others" {
		t.Errorf("got %v", errs)
	}
}

// Of commands side by side, the last to write left nothing of what the others had written.
func TestMetricsSideBySide(t *testing.T) {
	metrics := filepath.Join(t.TempDir(), "m.prom")
	to := &recording.Events{Metrics: &pipeline.Variable{Env: "PROMOTE_M"}}
	tell := teller(map[string]string{"PROMOTE_M": metrics})
	const most = 16
	var wait sync.WaitGroup
	for n := range most {
		wait.Go(func() {
			e := one
			e.Service = fmt.Sprint("s", n)
			if errs := tell.Tell(t.Context(), to, []Event{e}); len(errs) > 0 {
				t.Error(errs)
			}
		})
	}
	wait.Wait()
	values, err := readMetrics(metrics)
	if err != nil || len(values) != most && runtime.GOOS != "windows" { // which has no such locks
		t.Errorf("%d of %d are left, %v", len(values), most, err)
	}
}

// Events beyond the bound were left out without a word.
func TestMost(t *testing.T) {
	file := filepath.Join(t.TempDir(), "e.jsonl")
	to := &recording.Events{File: &pipeline.Variable{Env: "PROMOTE_F"}}
	errs := teller(map[string]string{"PROMOTE_F": file}).Tell(t.Context(), to, slices.Repeat([]Event{one}, most+2))
	if len(errs) != 1 || errs[0].Error() != "events: the first 1000 are told; 2 more are not" {
		t.Errorf("got %v", errs)
	}
	if lines, err := os.ReadFile(file); err != nil || strings.Count(string(lines), "\n") != most {
		t.Errorf("%d lines, %v", strings.Count(string(lines), "\n"), err)
	}
}

// A service with v1, v2 and v1 again was told as one with v1 alone.
func TestPinsOfText(t *testing.T) {
	e := one
	e.Images = []Image{{Tag: "v1"}, {Tag: "v2"}, {Tag: "v1"}}
	if got := e.Text(); !strings.Contains(got, "promoted v1, v2 from") {
		t.Error(got)
	}
}

// A forge shows what has come to a branch that others have, and nothing else; what one
// environment's forge does not show keeps back none of the others.
func TestDeployments(t *testing.T) {
	pushed, back, proposed, local, other := one, one, one, one, one
	pushed.Pushed, back.Pushed, proposed.Pushed, other.Pushed = true, true, true, true
	back.Kind, proposed.Kind, other.Environment = RolledBack, Proposed, "staging"
	to := &recording.Events{Deployments: &recording.Deployments{}}
	var shown []string
	tell := teller(nil)
	tell.Deploy = func(_ context.Context, e Event) error {
		if e.Environment == "staging" {
			return errors.New("it has none")
		}
		shown = append(shown, e.Kind+" "+e.Environment)
		return nil
	}
	all := []Event{other, pushed, proposed, local, back}
	errs := tell.Tell(t.Context(), to, all)
	if len(errs) != 1 || errs[0].Error() != "events: deployments: it has none; 1 of 5 events are not told" || !slices.Equal(shown, []string{"promoted production", "rolledBack production"}) {
		t.Errorf("%v, %v", shown, errs)
	}
	tell.Deploy = nil // --offline
	if errs := tell.Tell(t.Context(), to, []Event{pushed}); len(errs) != 1 || errs[0].Error() != "events: deployments: no forge may be asked" {
		t.Error(errs)
	}
	if errs := tell.Tell(t.Context(), to, []Event{local, proposed}); len(errs) > 0 {
		t.Error(errs)
	}
}

// Each kind that a pipeline may name has words.
func TestEveryKindHasWords(t *testing.T) {
	for _, kind := range recording.EventKinds() {
		if words[kind] == "" {
			t.Errorf("%s has no words", kind)
		}
	}
	if len(words) != len(recording.EventKinds()) {
		t.Error("there are kinds that no pipeline may name")
	}
}
