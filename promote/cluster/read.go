package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote/internal/kinds"
)

// The bounds of what is read.
const (
	maxAnswer = 32 << 20
	pageSize  = 250
	maxPages  = 20
	maxTries  = 3
	maxPause  = 5 * time.Second
)

// applyType is that of objects that are applied; JSON is YAML.
const applyType = "application/apply-patch+yaml"

// resource is a kind of objects as the server names it.
type resource struct {
	kinds.Resource
	kind string
}

// named is what kubectl calls it: deployments.apps.
func (r resource) named() string {
	if r.Group == "" {
		return r.Plural
	}
	return r.Plural + "." + r.Group
}

// path is that of all objects in a namespace.
func (r resource) path(namespace string) []string {
	root := []string{"apis", r.Group, r.Version}
	if r.Group == "" {
		root = []string{"api", r.Version}
	}
	if !r.ClusterWide {
		root = append(root, "namespaces", namespace)
	}
	return append(root, r.Plural)
}

// resourceOf finds out what the server calls a kind. It is asked about those alone that
// are not known.
func (c *connection) resourceOf(ctx context.Context, apiVersion, kind string) (resource, error) {
	if known, ok := kinds.Of(kind); ok && (apiVersion == "" || apiVersion == known.APIVersion()) {
		return resource{known, kind}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all, ok := c.kinds[apiVersion]
	if !ok {
		var err error
		if all, err = c.askKinds(ctx, apiVersion); err != nil {
			return resource{}, err
		}
		c.kinds[apiVersion] = all
	}
	for _, r := range all {
		if r.kind == kind {
			return r, nil
		}
	}
	return resource{}, &Error{Msg: fmt.Sprintf("%s has no kind %s of %s", c.where(), kind, apiVersion), Hint: c.kubectl("api-resources")}
}

func (c *connection) askKinds(ctx context.Context, apiVersion string) ([]resource, error) {
	group, version, found := strings.Cut(apiVersion, "/")
	path := []string{"apis", group, version}
	if !found {
		group, version = "", apiVersion
		path = []string{"api", version}
	}
	var list struct {
		Resources []struct {
			Name, Kind string
			Namespaced bool
		}
	}
	err := c.get(ctx, path, nil, &list)
	if e, ok := errors.AsType[*answerError](err); ok && e.status == http.StatusNotFound {
		return nil, &Error{Msg: c.where() + " does not have " + fault.Shorten(apiVersion), Hint: c.kubectl("api-versions")}
	}
	if err != nil {
		return nil, c.cannot(err, "which kinds "+fault.Shorten(apiVersion)+" has", "")
	}
	var all []resource
	for _, r := range list.Resources {
		if !strings.Contains(r.Name, "/") {
			all = append(all, resource{kinds.Resource{Group: group, Version: version, Plural: r.Name, ClusterWide: !r.Namespaced}, r.Kind})
		}
	}
	return all, nil
}

// object reads one object.
func (c *connection) object(ctx context.Context, r resource, namespace, name string) (object, error) {
	var o object
	err := c.get(ctx, append(r.path(namespace), name), nil, &o)
	if err == nil {
		err = o.isNot(r.kind, name)
	}
	if err != nil {
		what := r.kind + " " + name
		if !r.ClusterWide {
			what += " in namespace " + namespace
		}
		return nil, c.cannot(err, what, c.canI("get", r, namespace))
	}
	return o, nil
}

// list visits the objects that a selector chooses, a page at a time; page makes what one
// is read into.
func list[T any](ctx context.Context, c *connection, r resource, namespace, selector string) ([]T, error) {
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	if selector != "" {
		query.Set("labelSelector", selector)
	}
	var all []T
	for range maxPages {
		var page struct {
			Kind     string
			Metadata struct{ Continue string }
			Items    []T
		}
		err := c.get(ctx, r.path(namespace), query, &page)
		if err == nil && !strings.HasSuffix(page.Kind, "List") {
			err = fault.Text("it answered something else than a list")
		}
		if err != nil {
			return nil, c.cannot(err, r.Plural+" in namespace "+namespace, c.canI("list", r, namespace))
		}
		all = append(all, page.Items...)
		if page.Metadata.Continue == "" {
			return all, nil
		}
		query.Set("continue", page.Metadata.Continue)
	}
	return nil, &Error{Msg: fmt.Sprintf("there are more than %d %s in namespace %s with %q", pageSize*maxPages, r.Plural, namespace, selector)}
}

// answerError is what a server has said in place of an object.
type answerError struct {
	status int
	// reason and message are those of a Status, if it was one.
	reason, message string
	// named tells that the status is about an object, by its name.
	named bool
}

// Error is one line.
func (e *answerError) Error() string {
	if e.message != "" {
		return fault.OneLine(e.message)
	}
	return fmt.Sprintf("it answered %d", e.status)
}

// get reads what stands at a path, once more where the server asks for patience.
func (c *connection) get(ctx context.Context, path []string, query url.Values, into any) error {
	return c.ask(ctx, http.MethodGet, path, query, nil, into)
}

// ask asks, once more where the server asks for patience. What is sent, if anything, is an
// object to apply.
func (c *connection) ask(ctx context.Context, method string, path []string, query url.Values, send []byte, into any) error {
	for try := 1; ; try++ {
		later, err := c.askOnce(ctx, method, path, query, send, into)
		if err == nil || later == 0 || try == maxTries || ctx.Err() != nil {
			return err
		}
		if c.sleep(ctx, min(later, maxPause)) != nil {
			return err
		}
	}
}

func (c *connection) askOnce(ctx context.Context, method string, path []string, query url.Values, send []byte, into any) (later time.Duration, err error) {
	at := c.base.JoinPath(escaped(path)...)
	at.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(send))
	if err != nil {
		return 0, errors.New("the request cannot be made")
	}
	req.Header.Set("Accept", "application/json")
	if send != nil {
		req.Header.Set("Content-Type", applyType)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body := &io.LimitedReader{R: res.Body, N: maxAnswer}
	if res.StatusCode != http.StatusOK {
		e := &answerError{status: res.StatusCode}
		e.read(body)
		return pauseOf(res), e
	}
	switch err := json.NewDecoder(body).Decode(into); {
	case err == nil:
		return 0, nil
	case body.N <= 0:
		return 0, fault.Text(fmt.Sprintf("the answer is larger than %d MiB", maxAnswer>>20))
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return 0, err
	}
	return 0, fault.Text("it answered something else than an object")
}

// escaped has each part of a path as one that cannot leave its place.
func escaped(path []string) []string {
	var out []string
	for _, part := range path {
		part = url.PathEscape(part)
		if part == "." || part == ".." {
			part = strings.ReplaceAll(part, ".", "%2E")
		}
		out = append(out, part)
	}
	return out
}

// read takes what a Status says. Some servers and proxies say something else.
func (e *answerError) read(body io.Reader) {
	var status struct {
		Kind, Reason, Message string
		Details               struct{ Name string }
	}
	text, err := io.ReadAll(io.LimitReader(body, 64<<10))
	if err != nil || json.Unmarshal(text, &status) != nil || status.Kind != "Status" {
		return
	}
	e.reason, e.message, e.named = status.Reason, status.Message, status.Details.Name != ""
}

// pauseOf is how long to wait before asking again; 0 where that does not help.
func pauseOf(res *http.Response) time.Duration {
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		n, err := strconv.Atoi(res.Header.Get("Retry-After"))
		if err != nil || n < 1 {
			n = 1
		}
		return time.Duration(min(n, 60)) * time.Second
	}
	return 0
}

// cannot is the error of something that was not read, and of something that there is not.
func (c *connection) cannot(err error, what, canI string) error {
	e, answered := errors.AsType[*answerError](err)
	var ours fault.Text
	switch {
	case answered && e.status == http.StatusNotFound && e.named:
		return &Error{Msg: fmt.Sprintf("%s: there is no %s", c.where(), what), Err: err, absent: true}
	case answered && e.status == http.StatusNotFound:
		return &Error{Msg: c.where() + " does not know of " + what, Hint: c.kubectl("api-resources"), Err: err}
	case answered && e.status == http.StatusUnauthorized:
		return &Error{Msg: c.where() + " does not accept the credentials: they may have expired", Hint: c.kubectl("auth whoami"), Err: err, whole: true}
	case answered && e.status == http.StatusForbidden:
		return &Error{Msg: c.where() + ": " + e.Error(), Hint: canI, Err: err}
	case answered:
		return &Error{Msg: fmt.Sprintf("%s: %s: %v", c.where(), what, e), Err: err}
	case errors.As(err, &ours):
		return &Error{Msg: fmt.Sprintf("%s: %s: %v", c.where(), what, ours), Err: err}
	}
	return &Error{Msg: fmt.Sprintf("%s cannot be reached: %s", c.where(), fault.OneLine(fault.Network(err))), Hint: c.kubectl("cluster-info"), Err: err, whole: true}
}

// kubectl is a command to look at the cluster with.
func (c *connection) kubectl(command string) string {
	if c.context == "" {
		return "kubectl " + command
	}
	return "kubectl --context " + quoted(c.context) + " " + command
}

// canI is the command that tells whether something may be read.
func (c *connection) canI(verb string, r resource, namespace string) string {
	command := "auth can-i " + verb + " " + r.named()
	if !r.ClusterWide {
		command += " -n " + quoted(namespace)
	}
	return c.kubectl(command)
}

// quoted is a word that a shell takes as it is.
func quoted(word string) string {
	if strings.ContainsFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.:/@", r))
	}) {
		return "'" + strings.ReplaceAll(fault.Printable(word), "'", `'\''`) + "'"
	}
	return word
}
