package report

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/record"
)

const file = `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
  - name: dev
  - name: production
    from: [dev]
`

// start is the first hour of the tests.
var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// change is one of cart's image, hours after the start.
func change(hour int, environment, was, now string, r *record.Trailers) history.Change {
	return history.Change{
		Service: "cart", Environment: environment, Commit: environment + now, Time: start.Add(time.Duration(hour) * time.Hour), Record: r,
		Images: []history.ImageChange{{Name: "cart", File: environment + ".yaml", Old: pin(was), New: pin(now)}},
	}
}

func pin(tag string) history.Pin {
	if tag == "" {
		return history.Pin{}
	}
	return history.Pin{Tag: tag, Digest: "sha256:" + tag}
}

// read gives the figures of changes, which are listed oldest first.
func read(t *testing.T, since int, changes ...history.Change) (*Report, int) {
	t.Helper()
	p, err := pipeline.Parse("promotion.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	b := NewBook(p, Request{Since: start.Add(time.Duration(since) * time.Hour), Until: start.Add(4 * week)})
	changes = slices.Clone(changes)
	slices.Reverse(changes)
	for n, c := range changes {
		if !b.Add(c) {
			return b.Report(), n + 1
		}
	}
	return b.Report(), len(changes)
}

// of gives the figures of production.
func of(t *testing.T, r *Report) Figures {
	t.Helper()
	for _, f := range r.Figures {
		if f.Environment == "production" {
			return f
		}
	}
	return Figures{}
}

func TestDeploymentsAndLeadTime(t *testing.T) {
	r, _ := read(t, 0,
		change(1, "dev", "", "v1", nil), change(1, "production", "", "v1", nil),
		change(2, "dev", "v1", "v2", nil), change(12, "production", "v1", "v2", nil),
		change(20, "dev", "v2", "v3", nil), change(21, "dev", "v3", "v4", nil), change(51, "production", "v2", "v4", nil))
	f := of(t, r)
	if f.Deployments != 2 || f.Failed != 0 || f.Recovery != nil || f.PerWeek != 0.5 {
		t.Errorf("%+v", f)
	}
	if want := (Spread{Count: 2, Median: 10 * 3600, P90: 30 * 3600}); f.LeadTime == nil || *f.LeadTime != want {
		t.Errorf("lead time %+v, want %+v", f.LeadTime, want)
	}
	if dev := r.Figures[0]; dev.Environment != "dev" || dev.Deployments != 3 || dev.LeadTime != nil {
		t.Errorf("nothing is promoted to dev, so that nothing has a way there: %+v", dev)
	}
}

// A rollback that says what it takes back counts all deployments since then as failed: it is
// itself none.
// A chart has a bar for each week, also for those of nothing.
func TestWeeks(t *testing.T) {
	r, _ := read(t, 24,
		change(1, "production", "", "v1", nil), change(30, "production", "v1", "v2", nil), change(32, "production", "v2", "v1", nil),
		change(8*24, "production", "v1", "v3", nil), change(27*24, "production", "v3", "v4", nil))
	if got := fmt.Sprint(of(t, r).Weeks); got != "[{1 1} {1 0} {0 0} {1 0}]" {
		t.Errorf("weeks: %s", got)
	}
}

func TestRollback(t *testing.T) {
	r, _ := read(t, 0,
		change(0, "production", "", "v1", nil), change(1, "production", "v1", "v2", nil), change(2, "production", "v2", "v3", nil),
		change(5, "production", "v3", "v1", &record.Trailers{RollbackOf: "productionv2"}), change(9, "production", "v1", "v4", nil))
	f := of(t, r)
	if want := (Spread{Count: 2, Median: 3 * 3600, P90: 4 * 3600}); f.Deployments != 3 || f.Failed != 2 || f.Recovery == nil || *f.Recovery != want {
		t.Errorf("%+v, recovery %+v", f, f.Recovery)
	}
}

// People revert by git. What puts back exactly what the change before it took away is a
// way back, unless it has the record of a promotion; taking back the way back is a
// deployment again.
func TestRevert(t *testing.T) {
	r, _ := read(t, 0,
		change(0, "production", "", "v1", nil), change(1, "production", "v1", "v2", nil),
		change(3, "production", "v2", "v1", nil), change(4, "production", "v1", "v2", nil))
	if f := of(t, r); f.Deployments != 2 || f.Failed != 1 || f.Recovery.Median != 2*3600 {
		t.Errorf("%+v", f)
	}
	r, _ = read(t, 0,
		change(0, "production", "", "v1", nil), change(1, "production", "v1", "v2", nil),
		change(3, "production", "v2", "v1", &record.Trailers{From: "dev"}))
	if f := of(t, r); f.Deployments != 2 || f.Failed != 0 {
		t.Errorf("a recorded promotion is one: %+v", f)
	}
}

// The span is counted, and older changes are read only until it is known where the images
// of the span were first.
func TestReadsNoFurtherThanNeeded(t *testing.T) {
	var all []history.Change
	for n := range 50 {
		all = append(all, change(n, "dev", "o"+string(rune('a'+n)), "o"+string(rune('b'+n)), nil))
	}
	month := 30 * 24
	all = append(all, change(100, "dev", "o", "v1", nil), change(month, "production", "v0", "v1", nil))
	r, _ := read(t, month-10, all...)
	if f := of(t, r); f.Deployments != 0 {
		t.Errorf("what comes after the span counts: %+v", f)
	}
	all[len(all)-1] = change(26*24, "production", "v0", "v1", nil)
	r, visited := read(t, 25*24, all...)
	if f := of(t, r); f.Deployments != 1 || f.LeadTime == nil || f.LeadTime.Median != int64(26*24-100)*3600 {
		t.Errorf("%+v", f)
	}
	if visited != 2 {
		t.Errorf("%d changes were read, and 2 tell it", visited)
	}
}
