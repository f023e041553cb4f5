package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/pipeline/recording"
)

// How long all destinations may take together, and how often one event is sent to one.
const (
	DefaultLimit = 15 * time.Second
	attempts     = 3
	most         = 1000 // events of one command
)

// Teller tells events.
type Teller struct {
	// Client sends requests; nil where no server may be asked. That of package gate asks no
	// metadata service. Redirects are not followed.
	Client *http.Client
	// LookupEnv, if not nil, stands for os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// Sleep, if not nil, is how a server is waited for before it is sent an event again.
	Sleep func(ctx context.Context, d time.Duration) error
	// Limit is how long all of it may take; by default [DefaultLimit].
	Limit time.Duration
	// Deploy has a forge show a deployment, once for the same event however often it is
	// asked; nil where no forge may be asked. It does its own retries.
	Deploy func(ctx context.Context, e Event) error
	// UserAgent is what servers are told.
	UserAgent string
}

// Error is a destination that was not told.
type Error struct{ Msg, Hint string }

// Error is one line, without the URL of the destination.
func (e *Error) Error() string { return e.Msg }

// HintText gives what may help.
func (e *Error) HintText() string { return e.Hint }

// destination is one that events go to.
type destination struct {
	name string
	tell func(ctx context.Context, all []Event) (told int, err error)
}

// Tell tells those events that the pipeline asks for, all destinations side by side. There is
// an error for each destination that was not told of all, and one where there are more than
// are told at once.
func (t Teller) Tell(ctx context.Context, to *recording.Events, all []Event) []error {
	told := slices.DeleteFunc(slices.Clone(all), func(e Event) bool { return !to.Tells(e.Kind) })
	if len(told) == 0 {
		return nil
	}
	var out []error
	if left := len(told) - most; left > 0 {
		told = told[:most]
		out = append(out, &Error{Msg: fmt.Sprintf("events: the first %d are told; %d more are not", most, left), Hint: "promote fewer services with one command"})
	}
	if t.LookupEnv == nil {
		t.LookupEnv = os.LookupEnv
	}
	if t.Sleep == nil {
		t.Sleep = sleep
	}
	if t.Limit == 0 {
		t.Limit = DefaultLimit
	}
	ctx, cancel := context.WithTimeout(ctx, t.Limit)
	defer cancel()
	destinations := t.destinations(to)
	errs := make([]error, len(destinations))
	var wait sync.WaitGroup
	for n, d := range destinations {
		wait.Go(func() {
			done, err := d.tell(ctx, told)
			if err == nil {
				return
			}
			e := &Error{Msg: fmt.Sprintf("events: %s: %s", d.name, fault.OneLine(err.Error())), Hint: fault.HintOf(err)}
			if left := len(told) - done; len(told) > 1 {
				e.Msg += fmt.Sprintf("; %d of %d events are not told", left, len(told))
			}
			errs[n] = e
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			out = append(out, err)
		}
	}
	return out
}

func (t Teller) destinations(to *recording.Events) []destination {
	var all []destination
	if s := to.CloudEvents; s != nil {
		all = append(all, destination{"cloudevents", func(ctx context.Context, some []Event) (int, error) { return t.server(ctx, s, some) }})
	}
	if to.Deployments != nil {
		all = append(all, destination{"deployments", t.deploy})
	}
	for _, c := range []struct {
		name string
		from *pipeline.Variable
		body func(text string) any
	}{{"slack", to.Slack, slack}, {"teams", to.Teams, teams}, {"matrix", to.Matrix, matrix}} {
		if c.from != nil {
			all = append(all, destination{c.name, func(ctx context.Context, some []Event) (int, error) { return t.chat(ctx, c.from.Env, c.body, some) }})
		}
	}
	for _, f := range []struct {
		name  string
		from  *pipeline.Variable
		write func(ctx context.Context, name string, some []Event) error
	}{{"file", to.File, appendTo}, {"metrics", to.Metrics, writeMetrics}} {
		if f.from != nil {
			all = append(all, destination{f.name, func(ctx context.Context, some []Event) (int, error) {
				name, err := t.variable(f.from.Env)
				if err == nil {
					err = f.write(ctx, name, some)
				}
				return 0, err
			}})
		}
	}
	return all
}

// variable is the value of a variable that the pipeline names.
func (t Teller) variable(name string) (string, error) {
	value, ok := t.LookupEnv(name)
	switch {
	case !ok || value == "":
		return "", fault.WithHint(fault.Text("the variable "+name+" is not set"), "set "+name+" in the environment")
	case strings.ContainsAny(value, "\r\n\x00"):
		return "", fault.Text("the variable " + name + " has a line break")
	}
	return value, nil
}

// server sends CloudEvents in structured mode.
func (t Teller) server(ctx context.Context, s *recording.EventServer, all []Event) (int, error) {
	header := http.Header{"Content-Type": {"application/cloudevents+json; charset=UTF-8"}}
	for name, v := range s.HeadersFrom {
		value, err := t.variable(v.Env)
		if err != nil {
			return 0, err
		}
		header.Set(name, value)
	}
	for n, e := range all {
		if err := t.send(ctx, s.URL, header, e.CloudEvent()); err != nil {
			return n, err
		}
	}
	return len(all), nil
}

// deploy has a forge show what has come to a branch that others have; of the rest, such as a
// pull request, it is told nothing. What one environment lacks, such as a forge that has
// deployments, does not keep the others' from being shown.
func (t Teller) deploy(ctx context.Context, all []Event) (told int, err error) {
	for _, e := range all {
		failed := error(nil)
		switch {
		case !e.Pushed || !slices.Contains(recording.DeploymentKinds(), e.Kind):
		case t.Deploy == nil:
			failed = fault.Text("no forge may be asked")
		default:
			failed = t.Deploy(ctx, e)
		}
		if failed == nil {
			told++
		} else if err == nil {
			err = failed
		}
	}
	return told, err
}

// chat sends lines to an incoming webhook. Its URL is a secret: it goes over no connection
// that is not encrypted, unless that stays on this machine.
func (t Teller) chat(ctx context.Context, variable string, body func(string) any, all []Event) (int, error) {
	address, err := t.variable(variable)
	if err != nil {
		return 0, err
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !onThisMachine(u.Hostname())) {
		return 0, fault.Text("the variable " + variable + " has no URL with https")
	}
	for n, e := range all {
		text, err := json.Marshal(body(e.Text()))
		if err == nil {
			err = t.send(ctx, address, http.Header{"Content-Type": {"application/json"}}, text)
		}
		if err != nil {
			return n, err
		}
	}
	return len(all), nil
}

func onThisMachine(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// slack has no markup in a text whose three signs are escaped: nobody is called by a name.
// Nor are asterisks and the like markup then, and what an address leads to is not shown.
func slack(text string) any {
	return map[string]any{"text": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text), "mrkdwn": false, "unfurl_links": false, "unfurl_media": false}
}

// teams has no markup in a run of text.
func teams(text string) any {
	type object = map[string]any
	run := object{"type": "RichTextBlock", "inlines": []object{{"type": "TextRun", "text": text}}}
	card := object{"type": "AdaptiveCard", "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "version": "1.4", "body": []object{run}}
	return object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}}}
}

// matrix shows html where there is some.
func matrix(text string) any { return map[string]string{"text": text, "html": html.EscapeString(text)} }

// send posts a body until a server has taken it, says no for good, or the attempts are over.
func (t Teller) send(ctx context.Context, to string, header http.Header, body []byte) error {
	if t.Client == nil {
		return fault.Text("no server may be asked")
	}
	for n := 1; ; n++ {
		again, err := t.post(ctx, to, header, body)
		if err == nil || !again || n == attempts {
			return err
		}
		if t.Sleep(ctx, time.Duration(n)*500*time.Millisecond) != nil {
			return err
		}
	}
}

// post sends a body once. It follows nobody: a POST that is led elsewhere becomes a GET there,
// which tells nothing.
func (t Teller) post(ctx context.Context, to string, header http.Header, body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return false, fault.Text("the request cannot be made")
	}
	req.Header = header.Clone()
	if t.UserAgent != "" {
		req.Header.Set("User-Agent", t.UserAgent)
	}
	client := *t.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		if ours, ok := errors.AsType[fault.Text](err); ok {
			return false, ours
		}
		return true, errors.New(fault.Network(err))
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection serves again
	switch s := res.StatusCode; {
	case s >= 200 && s < 300:
		return false, nil
	default:
		return s == http.StatusTooManyRequests || s == http.StatusRequestTimeout || s >= 500, fmt.Errorf("answered %d", s)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
