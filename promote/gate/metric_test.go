package gate

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
)

// vector is an answer of Prometheus with series of one value each.
func vector(values ...string) string {
	var series []string
	for _, v := range values {
		series = append(series, fmt.Sprintf(`{"metric":{},"value":[1795793400,%q]}`, v))
	}
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(series, ",") + `]}}`
}

func TestMetric(t *testing.T) {
	for _, tc := range []struct {
		name, bounds string
		status       int
		answer, want string
	}{
		{"below", "below: 0.01", 200, vector("0.005"), "pass: the value is 0.005"},
		{"not below", "below: 0.01", 200, vector("0.01"), "fail: the value is 0.01, and not below 0.01"},
		{"above", "above: 0.99", 200, vector("0.999"), "pass: the value is 0.999"},
		{"not above", "above: 0.99", 200, vector("0.99"), "fail: the value is 0.99, and not above 0.99"},
		{"between", "above: 1, below: 3", 200, vector("2"), "pass: the value is 2"},
		{"a scalar", "below: 3", 200, `{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}`, "pass: the value is 2"},
		{"nothing yet", "below: 3", 200, vector(), "wait: URL: the query gives no value now"},
		{"no number", "below: 3", 200, vector("NaN"), "unknown: URL: the value is NaN"},
		{"infinite", "above: 3", 200, vector("+Inf"), "unknown: URL: the value is +Inf"},
		{"several", "below: 3", 200, vector("1", "2"), "unknown: URL: the query gives several series: 2, and one value is wanted; hint: query: sum(QUERY), or a query with the labels of one series"},
		{"a text", "below: 3", 200, `{"status":"success","data":{"resultType":"string","result":[1,"x"]}}`, "unknown: URL: the query gives a string, and one value is wanted"},
		// The mean of its values was taken, and nothing in it was waited for.
		{"a range", "below: 3", 200, `{"status":"success","data":{"resultType":"matrix","result":[{"values":[[1,"1"],[2,"2"]]}]}}`, "unknown: URL: the query gives the values of a range, and one value is wanted; hint: query: avg_over_time(METRIC[5m]), or window: 5m beside the bounds"},
		{"an empty range", "below: 3", 200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, "unknown: URL: the query gives the values of a range, and one value is wanted; hint: query: avg_over_time(METRIC[5m]), or window: 5m beside the bounds"},
		{"a part", "below: 3", 200, `{"status":"success","warnings":["store 2 is down\nand more"],"data":{"resultType":"vector","result":[]}}`, "unknown: URL: the answer is not whole: store 2 is down and more"},
		{"a wrong query", "below: 3", 400, `{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}`, "unknown: URL: the query is refused: parse error: unexpected end"},
		{"down", "below: 3", 503, `no healthy upstream`, "unknown: URL: it answered 503"},
		{"another program", "below: 3", 200, `<html>`, "unknown: URL: it answered something else than a value"},
		{"values of another kind", "below: 3", 200, `{"status":"success","data":{"resultType":"vector","result":{"a":1}}}`, "unknown: URL: it answered something else than a value"},
		{"a value of another kind", "below: 3", 200, `{"status":"success","data":{"resultType":"vector","result":[{"value":[1,2]}]}}`, "unknown: URL: the value is none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := server(t, answering(tc.status, tc.answer))
			got := ask(t, "- metric: {prometheus: {url: '"+at+"', query: up}, "+tc.bounds+"}", Deps{Client: NewClient(), Sleep: noSleep}, cart())
			want(t, strings.ReplaceAll(got, at, "URL"), tc.want)
		})
	}
	want(t, ask(t, "- metric: {prometheus: {url: 'http://127.0.0.1:1', query: up}, below: 1}", Deps{Client: NewClient(), Sleep: noSleep}, cart()), "unknown: http://127.0.0.1:1: connection refused")
	want(t, ask(t, "- metric: {prometheus: {url: 'http://127.0.0.1:1', query: up}, below: 1}", Deps{}, cart()), "unknown: no server may be asked; ask-registry")
	d := Deps{Client: NewClient(), LookupEnv: func(string) (string, bool) { return "", false }}
	want(t, ask(t, "- metric: {prometheus: {url: 'http://127.0.0.1:1', query: up, headersFrom: {Authorization: {env: PROMOTE_T}}}, below: 1}", d, cart()),
		"unknown: the variable PROMOTE_T, for the header Authorization, is not set; hint: set PROMOTE_T in the environment")
}

// The value is compared with what it was at the end of the deployment before, whose time
// is in the history.
func TestMetricBaseline(t *testing.T) {
	one, two := promote.Pin{Digest: sha("1")}, promote.Pin{Digest: sha("2")}
	history := changes(change(30, one, two), change(300, promote.Pin{}, one), change(900, two, promote.Pin{}))
	matrix := func(values ...string) string {
		var all []string
		for i, v := range values {
			all = append(all, fmt.Sprintf("[%d,%q]", i, v))
		}
		return `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[` + strings.Join(all, ",") + `]}]}}`
	}
	const now, end, begin = "1795793400.000", "1795791600.000", "1795775400.000"
	for _, tc := range []struct {
		name, more string
		changes    Changes
		answers    map[string]string // by path, and start-end or time
		want       string
	}{
		{"within", "", history, map[string]string{"query " + now: vector("1.05"), "query " + end: vector("1")}, "pass: the value is 1.05, and was 1 in the deployment before, until 2026-11-27 15:00 UTC"},
		{"without", "", history, map[string]string{"query " + now: vector("1.2"), "query " + end: vector("1")}, "fail: the value is 1.2, and was 1 in the deployment before, until 2026-11-27 15:00 UTC: not within 10%"},
		{"less counts too", "", history, map[string]string{"query " + now: vector("0.8"), "query " + end: vector("1")}, "fail: the value is 0.8, and was 1 in the deployment before, until 2026-11-27 15:00 UTC: not within 10%"},
		{"of nothing", "", history, map[string]string{"query " + now: vector("0.1"), "query " + end: vector("0")}, "fail: the value is 0.1, and was 0 in the deployment before, until 2026-11-27 15:00 UTC: not within 10%"},
		{"a bound as well", ", below: 1", history, map[string]string{"query " + now: vector("1.05"), "query " + end: vector("1")}, "fail: the value is 1.05, and not below 1"},
		{"a window", ", window: 10m", history, map[string]string{"query_range 1795792800.000-" + now: matrix("1", "3"), "query_range 1795791000.000-" + end: matrix("2", "2")},
			"pass: the value is 2, and was 2 in the deployment before, until 2026-11-27 15:00 UTC"},
		{"a window longer than the deployments", ", window: 24h", history, map[string]string{"query_range " + end + "-" + now: matrix("2"), "query_range " + begin + "-" + end: matrix("2")},
			"pass: the value is 2, and was 2 in the deployment before, until 2026-11-27 15:00 UTC"},
		{"nothing now", "", history, map[string]string{"query " + now: vector()}, "wait: URL: the query gives no value now"},
		{"nothing then", "", history, map[string]string{"query " + now: vector("1"), "query " + end: vector()}, "unknown: URL: the query gives no value of the deployment before, at 2026-11-27 15:00 UTC"},
		{"the first deployment", "", changes(change(30, one, two)), nil, "unknown: staging has had no deployment before this one to compare with"},
		{"no history", "", nil, nil, "unknown: there is no history to read, and no deployment to compare with"},
		{"a shallow clone", "", truncated(change(30, one, two)), nil, "unknown: the history of staging: this clone has no history before commit 0123456; hint: git fetch --unshallow"},
		{"another environment", ", environment: dev", history, nil, "unknown: dev has had no deployment before this one to compare with"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := server(t, func(w http.ResponseWriter, r *http.Request) {
				q := r.URL.Query()
				key := strings.TrimPrefix(r.URL.Path, "/p/api/v1/") + " " + q.Get("time")
				if q.Has("start") {
					key += q.Get("start") + "-" + q.Get("end")
				}
				answer, ok := tc.answers[key]
				if !ok || q.Get("query") != `rate(x{service="cart",env="staging"}[5m])` {
					t.Errorf("asked for %s of %s", key, q.Get("query"))
				}
				fmt.Fprint(w, answer)
			})
			d := Deps{Client: NewClient(), Sleep: noSleep}
			if tc.changes != nil {
				d.History = NewHistory(tc.changes)
			}
			got := ask(t, `- metric: {prometheus: {url: '`+at+`/p/', query: 'rate(x{service="{service}",env="{from}"}[5m])'}, within: 10%`+tc.more+`}`, d, cart())
			want(t, strings.ReplaceAll(got, at, "URL"), tc.want)
		})
	}
}

// FuzzPrometheus: whatever a server answers, there is one finite number or an error of
// one line.
func FuzzPrometheus(f *testing.F) {
	for _, s := range []string{vector("1"), vector(), vector("NaN"), vector("1", "2"), `{"status":"success","data":{"resultType":"matrix","result":[{"values":[[1,"2"],[2,"x"]]}]}}`, `{}`, `[`} {
		f.Add(200, s)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		v, err := (&answer{status: status, body: []byte(body)}).value(false)
		if err != nil && strings.ContainsAny(err.Error(), "\n\r\x1b") || err == nil && v-v != 0 {
			t.Fatalf("%v, %q", v, err)
		}
	})
}
