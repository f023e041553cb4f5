package digest

import "sync"

// schedule hands out references to workers: from each registry in turn, and so
// many of one registry at a time.
type schedule struct {
	workers, perQueue int

	mu    sync.Mutex
	freed sync.Cond
	left  int // references not handed out
	// queues are those with references left; next is whose turn it is.
	queues []*queue
	next   int
}

// queue is the references of one registry.
type queue struct {
	refs []Reference
	busy int
}

func newSchedule(refs []Reference, workers, perRegistry int) *schedule {
	s := &schedule{workers: min(workers, len(refs)), perQueue: perRegistry, left: len(refs)}
	s.freed.L = &s.mu
	byRegistry := make(map[string]*queue)
	for _, ref := range refs {
		q := byRegistry[ref.Registry()]
		if q == nil {
			q = &queue{}
			byRegistry[ref.Registry()] = q
			s.queues = append(s.queues, q)
		}
		q.refs = append(q.refs, ref)
	}
	return s
}

// run calls f for each reference and waits for all.
func (s *schedule) run(f func(Reference)) {
	var wg sync.WaitGroup
	for range s.workers {
		wg.Go(func() {
			for {
				q, ref, ok := s.take()
				if !ok {
					return
				}
				f(ref)
				s.done(q)
			}
		})
	}
	wg.Wait()
}

// take waits while all references left are of registries that are busy enough.
func (s *schedule) take() (*queue, Reference, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.left > 0 {
		for range s.queues {
			s.next %= len(s.queues)
			q := s.queues[s.next]
			if q.busy >= s.perQueue {
				s.next++
				continue
			}
			ref := q.refs[0]
			q.refs = q.refs[1:]
			q.busy++
			s.left--
			if len(q.refs) == 0 {
				s.queues = append(s.queues[:s.next], s.queues[s.next+1:]...)
			} else {
				s.next++
			}
			return q, ref, true
		}
		s.freed.Wait()
	}
	return nil, Reference{}, false
}

func (s *schedule) done(q *queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.busy--
	s.freed.Broadcast()
}
