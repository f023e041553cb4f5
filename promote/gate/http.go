package gate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/kubepromote/kubepromote/internal/expression"
	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/internal/condition"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// httpGate passes what a server's answer says yes to. Where a request is the same for
// several services it is sent once.
type httpGate struct {
	cfg    *pipeline.HTTPGate
	deps   Deps
	expect *expression.Program

	mu    sync.Mutex
	asked map[string]func() promote.Verdict // by what would be sent
}

func newHTTP(cfg *pipeline.HTTPGate, d Deps) (*httpGate, error) {
	g := &httpGate{cfg: cfg, deps: d, asked: make(map[string]func() promote.Verdict)}
	var err error
	if cfg.Expect != "" {
		g.expect, err = condition.Expect(cfg.Expect)
	}
	return g, err
}

func (g *httpGate) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	if g.deps.Client == nil {
		v := unknown("no server may be asked")
		v.Advice = promote.Advice{Do: promote.DoAskRegistry}
		return v
	}
	r := g.request(q)
	key := []string{r.method, r.url, r.body}
	for _, name := range slices.Sorted(maps.Keys(r.header)) {
		key = append(key, name, r.header.Get(name))
	}
	// One that is left alone by its limit has not spoken for the others.
	g.mu.Lock()
	ask := g.asked[strings.Join(key, "\x00")]
	if ask == nil {
		ask = sync.OnceValue(func() promote.Verdict { return g.ask(ctx, r) })
		g.asked[strings.Join(key, "\x00")] = ask
	}
	g.mu.Unlock()
	return ask()
}

func (g *httpGate) request(q promote.GateRequest) *request {
	r := &request{method: g.cfg.Method, url: fill(g.cfg.URL, q), body: fill(g.cfg.Body, q), header: make(http.Header), retries: g.cfg.Retries}
	if r.method == "" {
		r.method = http.MethodGet
		if r.body != "" {
			r.method = http.MethodPost
		}
	}
	r.header.Set("Accept", "application/json, */*;q=0.5")
	if r.body != "" && json.Valid([]byte(r.body)) {
		r.header.Set("Content-Type", "application/json")
	}
	for name, value := range g.cfg.Headers {
		r.header.Set(name, fill(value, q))
	}
	return r
}

func (g *httpGate) ask(ctx context.Context, r *request) promote.Verdict {
	if v := g.deps.secrets(r.header, g.cfg.HeadersFrom); v != nil {
		return *v
	}
	a, err := g.deps.send(ctx, r)
	if err != nil {
		return unknown("%s: %v", r.what(), err)
	}
	decides := g.expect != nil && g.expect.Uses(condition.Status)
	switch {
	case a.success(), decides:
	case g.expect == nil && !a.later() && a.status < 500 && a.status != http.StatusUnauthorized && a.status != http.StatusForbidden:
		return say(promote.Fail, "%s answered %d", r.what(), a.status)
	default:
		return unknown("%s answered %d", r.what(), a.status)
	}
	if g.expect == nil {
		return pass("%s answered %d", r.what(), a.status)
	}
	return g.judge(ctx, r, a)
}

// judge holds an answer against what it is expected to be.
func (g *httpGate) judge(ctx context.Context, r *request, a *answer) promote.Verdict {
	variables, isJSON := a.variables()
	if !isJSON && g.expect.Uses(condition.Body) {
		return unknown("%s answered %d with something that is not JSON, which %s is about", r.what(), a.status, g.cfg.Expect)
	}
	holds, err := g.expect.Holds(ctx, variables)
	switch {
	case err != nil:
		return unknown("%s answered %d, to which %s cannot be applied: %s", r.what(), a.status, g.cfg.Expect, fault.OneLine(err.Error()))
	case !holds:
		return say(promote.Fail, "%s answered %d, and %s does not hold", r.what(), a.status, g.cfg.Expect)
	}
	return pass("%s answered %d, and %s holds", r.what(), a.status, g.cfg.Expect)
}

// variables are those that an answer is judged by. The body is null where it is no JSON.
func (a *answer) variables() (variables map[string]any, isJSON bool) {
	headers := make(map[string]string)
	for name, values := range a.header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	text := ""
	if utf8.Valid(a.body) {
		text = string(a.body)
	}
	body, err := decodeJSON(a.body)
	return map[string]any{condition.Status: int64(a.status), condition.Headers: headers, condition.Body: body, condition.Text: text}, err == nil
}

// decodeJSON decodes a text. Numbers are int64 where they are whole and fit, and else
// float64.
func decodeJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, cmp.Or(err, errors.New("more than one value"))
	}
	return plain(v), nil
}

func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return v
}
