package gate

import (
	"context"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
)

// Changes visits the changes of services in an environment, newest first, as
// [promote.Promoter.History] does.
type Changes func(ctx context.Context, services []string, environment string, visit func(history.Change) bool) error

// History is what has stood in environments. What was read for one gate or service
// serves the others.
type History struct {
	changes Changes

	mu    sync.Mutex
	newer map[string]map[string][]history.Change // by environment and service
}

// NewHistory makes a history of changes.
func NewHistory(changes Changes) *History {
	return &History{changes: changes, newer: make(map[string]map[string][]history.Change)}
}

// visit gives the changes of one service, newest first, until told to stop. The newest
// changes of all services of a plan are read at once; what is older, for each alone.
func (h *History) visit(ctx context.Context, services []string, environment, service string, visit func(history.Change) bool) error {
	newer, err := h.newest(ctx, services, environment)
	if err != nil {
		return err
	}
	known := newer[service]
	for _, c := range known {
		if !visit(c) {
			return nil
		}
	}
	return h.changes(ctx, []string{service}, environment, func(c history.Change) bool {
		if len(known) > 0 {
			known = known[1:]
			return true
		}
		return visit(c)
	})
}

// enough is how many changes are read at once.
const enough = 2000

// newest reads until each of the services has changed once. A history that is cut off
// is told when it is needed.
func (h *History) newest(ctx context.Context, services []string, environment string) (map[string][]history.Change, error) {
	if len(services) < 2 {
		return nil, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if found := h.newer[environment]; found != nil {
		return found, nil
	}
	found, n := make(map[string][]history.Change), 0
	err := h.changes(ctx, services, environment, func(c history.Change) bool {
		found[c.Service] = append(found[c.Service], c)
		n++
		return len(found) < len(services) && n < enough
	})
	if err != nil && !isTruncated(err) {
		return nil, err
	}
	h.newer[environment] = found
	return found, nil
}

// standing is since when a pin has stood in an environment.
type standing struct {
	since time.Time
	// commit is the one that has brought it.
	commit string
	// ended is the time of the commit that took it away, if one did.
	ended time.Time
	found bool
	// tagged tells that there was a tag alone.
	tagged bool
}

// since finds out how long a pin has stood without a break: the newest change that has
// brought it, whatever else has changed since. A tag alone is followed only where it is
// trusted.
func (h *History) since(ctx context.Context, q promote.GateRequest, environment string, pin promote.Pin, trustTags bool) (s standing, err error) {
	is := func(p promote.Pin) bool {
		return p.Digest == pin.Digest || trustTags && p.Digest == "" && p.Tag != "" && p.Tag == pin.Tag
	}
	err = h.visit(ctx, q.Services, environment, q.Service, func(c history.Change) bool {
		for _, i := range c.Images {
			switch {
			case i.New.Digest == "" && i.New.Tag != "" && i.New.Tag == pin.Tag && !trustTags:
				s = standing{tagged: true, since: c.Time}
				return false
			case is(i.Old) && !is(i.New):
				s.ended = c.Time
				return false
			case is(i.New) && !is(i.Old):
				s.found, s.since, s.commit = true, c.Time, c.Commit
				return false
			}
		}
		return true
	})
	if isTruncated(err) && (s.found || s.tagged || !s.ended.IsZero()) {
		err = nil
	}
	return s, err
}
