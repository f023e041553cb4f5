package boardcmd

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/boardcmd/page"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/typed"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/report"
	"github.com/kubepromote/kubepromote/promote/status"
)

// many is a board of so many services in four environments, each with another digest.
func many(services int) *view {
	v := &view{now: time.Unix(1_800_000_000, 0), title: "infra", head: fmt.Sprintf("%040d", 1), changes: make(map[[2]string][]change), report: &report.Report{}}
	for _, name := range []string{"dev", "staging", "preprod", "production"} {
		v.drifts = append(v.drifts, status.Drift{Environment: name})
	}
	kept := 0
	for i := range services {
		st := status.Service{Service: fmt.Sprintf("service-%04d", i)}
		for n, d := range v.drifts {
			commit := fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, "commit", i, n)))[:40]
			image := status.Image{Name: st.Service, Pin: history.Pin{Tag: fmt.Sprintf("v1.%d.%d", i, n), Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(fmt.Append(nil, i, n)))},
				File: "apps/" + st.Service + "/overlays/" + d.Environment + "/kustomization.yaml",
				Last: &status.LastChange{Commit: commit, Time: v.now.Add(-time.Duration(i) * time.Hour), Author: fmt.Sprintf("Person %d", i%40), From: "staging"}}
			f := report.Figures{Service: st.Service, Environment: d.Environment, Deployments: 12, Failed: i % 10 / 9, LeadTime: &report.Spread{Median: int64(86400 + i)}, Weeks: make([]report.Week, 13)}
			v.report.Figures = append(v.report.Figures, f)
			st.Environments = append(st.Environments, status.Environment{Environment: d.Environment, Exists: true, Differs: i%3 == 0, Images: []status.Image{image}})
			for c := 0; c < 4 && kept < mostInAll; c++ {
				kept++
				at := [2]string{st.Service, d.Environment}
				v.changes[at] = append(v.changes[at], change{was: fmt.Sprintf("v1.%d.%d", i, c), became: fmt.Sprintf("v1.%d.%d", i, c+1), by: "Ada", from: "staging", commit: fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, i, n, c)))[:9], at: v.now.Unix()})
			}
		}
		v.statuses = append(v.statuses, st)
	}
	return v
}

type counter int

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

// A page of 3,000 services can be sent by mail.
func TestPageSize(t *testing.T) {
	var n counter
	if err := page.Write(&n, pageOf("infra", []*view{many(3000)}, nil), false); err != nil {
		t.Fatal(err)
	}
	if t.Logf("%d bytes", n); n > 3_000_000 || n < 500_000 {
		t.Errorf("%d bytes", n)
	}
}

func TestNextCommands(t *testing.T) {
	v := &view{typed: (*typed.Line).String, drifts: []status.Drift{
		{Environment: "staging", Behind: []string{"status", "it's"}},
		{Environment: "production", Behind: []string{"a", "b", "c", "d"}},
		{Environment: "held", Behind: []string{"a"}, Held: []string{"a"}},
	}}
	all, marked := v.nextCommands([]string{"status"})
	want := []string{`kubectl promote run status 'it'\''s' --to staging`, "kubectl promote plan --all --to production"}
	if !marked || fmt.Sprint(all) != fmt.Sprint(want) {
		t.Errorf("%q", all)
	}
}

// A plan that was given up may be written late. It was the file of the next one, which a yes
// carries out: what was done was not what was shown.
func TestPlansHaveFilesOfTheirOwn(t *testing.T) {
	seen := make(map[string]bool)
	actions := (&options{}).actions(planIn("dir"))
	for range 3 {
		for _, a := range actions {
			steps := a.Look("cart", "production", "")
			file := steps.Look[0].To
			if a.Key != "p" {
				if file != "" {
					t.Errorf("%s writes %s", a.Label, file)
				}
				continue
			}
			if seen[file] || !slices.Contains(steps.Look[1].Args, file) || !slices.Contains(steps.Do.Args, file) {
				t.Errorf("%s: %q, then %q; seen before: %v", file, steps.Look[1].Args, steps.Do.Args, seen[file])
			}
			seen[file] = true
		}
	}
}

// The page tells what runs where: a site that leads its own name to this machine, and has a
// browser ask for it, gets nothing.
func TestServeLoopbackAlone(t *testing.T) {
	var at served
	if err := at.set(pageOf("infra", []*view{many(3)}, nil)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, host, path string
		status             int
	}{
		{"GET", "127.0.0.1:8080", "/", 200}, {"GET", "localhost:8080", "/", 200}, {"GET", "[::1]:8080", "/board.json", 200},
		{"GET", "evil.example.com", "/", 403}, {"GET", "evil.example.com:8080", "/board.json", 403}, {"GET", "", "/", 403},
		{"POST", "127.0.0.1:8080", "/", 405}, {"GET", "127.0.0.1:8080", "/../etc/passwd", 404},
		{"GET", "127.0.0.1:8080", "/board.json?made=1800000000&head=" + fmt.Sprintf("%040d", 1), 204},
	} {
		r := httptest.NewRequest(c.method, "http://127.0.0.1"+c.path, nil)
		r.Host = c.host
		w := httptest.NewRecorder()
		at.ServeHTTP(w, r)
		body, _ := io.ReadAll(w.Body)
		if w.Code != c.status || w.Code == http.StatusForbidden && len(body) > 100 {
			t.Errorf("%s %s of %q: %d, %d bytes", c.method, c.path, c.host, w.Code, len(body))
		}
	}
}
