package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Lead times from when images were made: in the first environment as well, and unknown where
// nobody knows. A build that gives the same bytes each time has no date, and a registry that
// gives no answer is no date either.
func TestLeadTimeFromCreated(t *testing.T) {
	p, err := pipeline.Parse("promotion.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	b := NewBook(p, Request{Since: start, Until: start.Add(4 * week)})
	changes := []history.Change{
		change(1, "dev", "", "v0", nil), change(10, "dev", "v0", "v1", nil), change(20, "production", "v0", "v1", nil),
		change(30, "production", "v1", "epoch", nil), change(40, "production", "epoch", "down", nil),
		change(50, "production", "down", "name", nil), change(60, "production", "name", "later", nil),
	}
	for n := range changes {
		changes[n].Images[0].Repository = "r.example.com/cart"
	}
	changes[5].Images[0].Unknown = true
	for _, c := range slices.Backward(changes) {
		b.Add(c)
	}
	var lock sync.Mutex
	var asked []string
	down := errors.New("down")
	answers := map[string]time.Time{"v1": start.Add(8 * time.Hour), "epoch": time.Unix(0, 0), "later": start.Add(2 * week)}
	errs := b.Ask(t.Context(), func(_ context.Context, ref string) (time.Time, error) {
		const prefix = "r.example.com/cart@sha256:"
		lock.Lock()
		asked = append(asked, ref)
		lock.Unlock()
		if ref == prefix+"down" {
			return time.Time{}, down
		}
		return answers[ref[len(prefix):]], nil
	})
	if len(errs) != 1 || errs[0] != down || slices.Contains(asked, "r.example.com/cart@sha256:name") || len(asked) != 4 {
		t.Errorf("asked %v, got %v", asked, errs)
	}
	r := b.Report()
	if r.LeadTimeFrom != FromCreated {
		t.Errorf("lead times from %q", r.LeadTimeFrom)
	}
	for _, c := range []struct {
		environment string
		lead        Spread
		unknown     int
	}{
		{"dev", Spread{1, 2 * 3600, 2 * 3600}, 0},
		{"production", Spread{1, 12 * 3600, 12 * 3600}, 4},
	} {
		i := slices.IndexFunc(r.Figures, func(f Figures) bool { return f.Environment == c.environment })
		if i < 0 || r.Figures[i].LeadTime == nil || *r.Figures[i].LeadTime != c.lead || r.Figures[i].LeadTimeUnknown != c.unknown {
			t.Errorf("%s: %+v", c.environment, r.Figures)
		}
	}
}

// Of many images without an answer the first few are told of: they were others each time.
func TestAskInOrder(t *testing.T) {
	p, err := pipeline.Parse("promotion.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	b := NewBook(p, Request{Since: start, Until: start.Add(4 * week)})
	for n := range 40 {
		c := change(10, "dev", "old", fmt.Sprintf("new%02d", n), nil)
		c.Service, c.Images[0].Repository = fmt.Sprintf("s%02d", n), "r.example.com/cart"
		b.Add(c)
	}
	errs := b.Ask(t.Context(), func(_ context.Context, ref string) (time.Time, error) { return time.Time{}, errors.New(ref) })
	if len(errs) != 40 || !slices.IsSortedFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) }) {
		t.Errorf("%d: %v", len(errs), errs)
	}
}
