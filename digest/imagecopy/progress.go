package imagecopy

import (
	"sync"
	"time"
)

// reportEvery keeps a callback from being called for each read.
const reportEvery = 100 * time.Millisecond

// copyBar counts the bytes of one copy.
type copyBar struct {
	report func(Event)

	mu    sync.Mutex
	event Event
	last  time.Time
}

// add counts n bytes, and tells of them if it is time to or at the end of a
// blob or manifest.
func (b *copyBar) add(digest string, n int64, end bool) {
	if b.report == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.event.Done += n
	b.event.Digest = digest
	if now := time.Now(); end || now.Sub(b.last) >= reportEvery {
		b.last = now
		b.report(b.event)
	}
}
