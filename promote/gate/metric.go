package gate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// metric passes while the value of a query is within its bounds. A value that is not
// there yet is waited for; one that cannot be told, or is one of several, is unknown.
type metric struct {
	cfg  *pipeline.MetricGate
	deps Deps
}

// errNoData is the error of a query that gives nothing.
var errNoData = errors.New("the query gives no value")

func (m *metric) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	if m.deps.Client == nil {
		v := unknown("no server may be asked")
		v.Advice = promote.Advice{Do: promote.DoAskRegistry}
		return v
	}
	header := make(http.Header)
	if v := m.deps.secrets(header, m.cfg.Prometheus.HeadersFrom); v != nil {
		return *v
	}
	p := &prometheus{deps: m.deps, base: strings.TrimSuffix(fill(m.cfg.Prometheus.URL, q), "/"), query: fill(m.cfg.Prometheus.Query, q), header: header}
	if m.cfg.Within == "" {
		now, err := p.value(ctx, q.Now.Add(-m.cfg.Window.Time()), q.Now)
		if err != nil {
			return p.verdict(err, "now")
		}
		return m.bounds(now)
	}
	return m.compare(ctx, p, q)
}

// bounds judges a value by its bounds.
func (m *metric) bounds(now float64) promote.Verdict {
	switch {
	case m.cfg.Above != nil && !(now > *m.cfg.Above):
		return say(promote.Fail, "the value is %s, and not above %s", number(now), number(*m.cfg.Above))
	case m.cfg.Below != nil && !(now < *m.cfg.Below):
		return say(promote.Fail, "the value is %s, and not below %s", number(now), number(*m.cfg.Below))
	}
	return pass("the value is %s", number(now))
}

// compare judges a value by what it was at the end of the deployment before.
func (m *metric) compare(ctx context.Context, p *prometheus, q promote.GateRequest) promote.Verdict {
	environment := cmp.Or(m.cfg.Environment, q.From)
	if m.deps.History == nil {
		return unknown("there is no history to read, and no deployment to compare with")
	}
	begin, end, err := m.deps.History.deployments(ctx, q, environment)
	switch {
	case err != nil:
		return historyFault(err, environment)
	case end.IsZero():
		return unknown("%s has had no deployment before this one to compare with", environment)
	}
	window := m.cfg.Window.Time()
	now, err := p.value(ctx, latest(end, q.Now.Add(-window)), q.Now)
	if err != nil {
		return p.verdict(err, "now")
	}
	if v := m.bounds(now); v.Answer != promote.Pass {
		return v
	}
	before, err := p.value(ctx, latest(begin, end.Add(-window)), end)
	if err != nil {
		v := p.verdict(err, "of the deployment before, at "+stamp(end.UTC()))
		if v.Answer == promote.Wait {
			v.Answer = promote.Unknown // the past does not change
		}
		return v
	}
	reason := fmt.Sprintf("the value is %s, and was %s in the deployment before, until %s", number(now), number(before), stamp(end.UTC()))
	if math.Abs(now-before) > m.cfg.Percent()*math.Abs(before) {
		return say(promote.Fail, "%s: not within %s", reason, m.cfg.Within)
	}
	return pass("%s", reason)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }

// deployments gives the time span of the deployment before the one that stands: between
// the last two changes of a service's pins.
func (h *History) deployments(ctx context.Context, q promote.GateRequest, environment string) (begin, end time.Time, err error) {
	err = h.visit(ctx, q.Services, environment, q.Service, func(c history.Change) bool {
		if end.IsZero() {
			end = c.Time
			return true
		}
		begin = c.Time
		return false
	})
	if begin.IsZero() {
		return begin, time.Time{}, err // the first deployment has none before it
	}
	return begin, end, nil
}

// prometheus asks one query.
type prometheus struct {
	deps        Deps
	base, query string
	header      http.Header
}

// verdict is what an error of a query means.
func (p *prometheus) verdict(err error, when string) promote.Verdict {
	host := p.base
	if u, perr := url.Parse(p.base); perr == nil {
		host = u.Scheme + "://" + u.Host
	}
	if errors.Is(err, errNoData) {
		return say(promote.Wait, "%s: %v %s", host, err, when)
	}
	v := unknown("%s: %v", host, err)
	switch {
	case errors.Is(err, errRange):
		v.Hint = "query: avg_over_time(METRIC[5m]), or window: 5m beside the bounds"
	case errors.Is(err, errSeries):
		v.Hint = "query: sum(QUERY), or a query with the labels of one series"
	}
	return v
}

// What a query gives that is no one value, whatever the bounds.
var (
	errRange  = errors.New("the query gives the values of a range, and one value is wanted")
	errSeries = errors.New("the query gives several series")
)

// steps is how many values of a window are asked for.
const steps = 60

// value gives the query's value at the end of a time, or the mean over it where it is
// longer than nothing.
func (p *prometheus) value(ctx context.Context, from, to time.Time) (float64, error) {
	form := url.Values{"query": {p.query}}
	path := "/api/v1/query"
	if to.Sub(from) > time.Second {
		path = "/api/v1/query_range"
		form.Set("start", seconds(from))
		form.Set("end", seconds(to))
		form.Set("step", strconv.FormatFloat(max(1, to.Sub(from).Seconds()/steps), 'f', 3, 64))
	} else {
		form.Set("time", seconds(to))
	}
	header := p.header.Clone()
	header.Set("Accept", "application/json")
	a, err := p.deps.send(ctx, &request{method: http.MethodGet, url: p.base + path + "?" + form.Encode(), header: header, retries: 1})
	if err != nil {
		return 0, err
	}
	return a.value(path == "/api/v1/query")
}

func seconds(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// value is that of an answer of Prometheus: of one series, or the mean of its values. A
// part of an answer is none, and neither is what a range vector has of one moment: up[5m].
func (a *answer) value(instant bool) (float64, error) {
	var body struct {
		Status, Error string
		Warnings      []string
		Data          struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	err := json.Unmarshal(a.body, &body)
	switch {
	case body.Error != "":
		return 0, errors.New("the query is refused: " + fault.OneLine(body.Error))
	case !a.success():
		return 0, fmt.Errorf("it answered %d", a.status)
	case err != nil || body.Status != "success":
		return 0, errors.New("it answered something else than a value")
	case len(body.Warnings) > 0:
		return 0, errors.New("the answer is not whole: " + fault.OneLine(body.Warnings[0]))
	}
	type sample [2]any
	var values []sample
	switch kind := body.Data.ResultType; {
	case kind == "matrix" && instant:
		return 0, errRange
	case kind == "scalar":
		values = make([]sample, 1)
		err = json.Unmarshal(body.Data.Result, &values[0])
	case kind == "vector", kind == "matrix":
		var series []struct {
			Value  sample
			Values []sample
		}
		err = json.Unmarshal(body.Data.Result, &series)
		if len(series) > 1 {
			return 0, fmt.Errorf("%w: %d, and one value is wanted", errSeries, len(series))
		}
		for _, s := range series {
			if values = s.Values; body.Data.ResultType == "vector" {
				values = []sample{s.Value}
			}
		}
	default:
		return 0, fmt.Errorf("the query gives a %s, and one value is wanted", fault.Shorten(cmp.Or(body.Data.ResultType, "nothing")))
	}
	if err != nil {
		return 0, errors.New("it answered something else than a value")
	}
	if len(values) == 0 {
		return 0, errNoData
	}
	total := 0.0
	for _, v := range values {
		text, _ := v[1].(string)
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return 0, fmt.Errorf("the value is %s", cmp.Or(fault.Shorten(text), "none"))
		}
		total += n
	}
	return total / float64(len(values)), nil
}
