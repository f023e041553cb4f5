package gate

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
)

// Two hundred services and eight gates are asked about within five seconds, by servers on
// this machine, and a gate that hangs costs its own limit and nobody else's.
func TestManyServices(t *testing.T) {
	const many, limit = 200, 500 * time.Millisecond
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/hangs"):
			<-release
		case strings.HasPrefix(r.URL.Path, "/api/"):
			fmt.Fprint(w, `{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1767323045, "0.002"]}]}}`)
		default:
			fmt.Fprint(w, `{"incidents": []}`)
		}
	}))
	defer server.Close()
	defer close(release)
	list := "- soak: {for: 10m}\n- freeze: {deny: [{schedule: 0 16 * * 5, duration: 1h}]}\n"
	for n := range 3 {
		list += fmt.Sprintf("- {name: http-%d, http: {url: '%s/%[1]d/{service}', expect: size(body.incidents) == 0}}\n", n, server.URL)
	}
	for n := range 2 {
		list += fmt.Sprintf("- {name: metric-%d, metric: {prometheus: {url: '%s', query: 'up{service=\"{service}\"} + %[1]d'}, below: 1}}\n", n, server.URL)
	}
	list += fmt.Sprintf("- {name: hangs, http: {url: '%s/hangs'}, timeout: %s}\n", server.URL, limit)
	var services []string
	for n := range many {
		services = append(services, fmt.Sprintf("s%d", n))
	}
	d := Deps{Client: NewClient(), History: NewHistory(func(_ context.Context, all []string, _ string, visit func(history.Change) bool) error {
		for _, s := range all {
			if !visit(history.Change{Service: s, Time: friday.Add(-time.Hour), Images: []history.ImageChange{{Name: s, New: promote.Pin{Digest: sha("2")}}}}) {
				break
			}
		}
		return nil
	})}
	eight := gates(t, list, d)
	var wait sync.WaitGroup
	says := make([]promote.Verdict, many*len(eight))
	begin := time.Now()
	for n, s := range services {
		q := promote.GateRequest{Service: s, From: "staging", To: "prod", Now: friday, Services: services, Images: []promote.ImagePlan{{Name: s, New: promote.Pin{Digest: sha("2")}}}}
		for i, g := range eight {
			wait.Go(func() { says[n*len(eight)+i] = promote.AskGate(t.Context(), g, q) })
		}
	}
	wait.Wait()
	took := time.Since(begin)
	t.Logf("%d services and %d gates: %s", many, len(eight), took)
	for _, v := range says {
		if want := map[bool]promote.Answer{true: promote.Unknown, false: promote.Pass}[v.Gate == "hangs"]; v.Answer != want {
			t.Fatalf("%s: %s: %s", v.Gate, v.Answer, v.Reason)
		}
	}
	if len(eight) != 8 || took < limit || took > 5*time.Second {
		t.Errorf("%d gates took %s", len(eight), took)
	}
}
