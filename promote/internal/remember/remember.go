// Package remember asks once what has been asked before.
package remember

import (
	"context"
	"sync"
)

// Answers are those that were given, by their questions.
type Answers[A any] struct {
	// Keep tells which are remembered; the others are asked for again.
	Keep func(A) bool

	mu    sync.Mutex
	known map[string]A
}

// Get gives the answers to questions, one each, in their order. Those that are not
// remembered are asked for together; done is called for each that is.
func (r *Answers[A]) Get(questions []string, ask func([]string) []A, done func()) []A {
	out := make([]A, len(questions))
	var asked []string
	var at []int
	r.mu.Lock()
	for i, q := range questions {
		known, ok := r.known[q]
		if out[i] = known; ok {
			done()
			continue
		}
		asked, at = append(asked, q), append(at, i)
	}
	r.mu.Unlock()
	if len(asked) == 0 {
		return out
	}
	answers := ask(asked)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = make(map[string]A)
	}
	for n, answer := range answers {
		out[at[n]] = answer
		if r.Keep(answer) {
			r.known[asked[n]] = answer
		}
	}
	return out
}

// Resolver asks another one about references, once for each.
type Resolver[A any] struct {
	Next interface {
		Resolve(ctx context.Context, refs []string, done func()) []A
	}
	Answers[A]
}

// Resolve gives the answers to references, one each, in their order.
func (r *Resolver[A]) Resolve(ctx context.Context, refs []string, done func()) []A {
	return r.Get(refs, func(refs []string) []A { return r.Next.Resolve(ctx, refs, done) }, done)
}

// Once does what is to be done for each key once, whoever asks for it. What failed is done
// again. The zero value is ready.
type Once[K comparable, A any] struct {
	mu    sync.Mutex
	known map[K]func() (A, error)
}

// Do gives what was done for a key, or does it; who asks meanwhile waits.
func (o *Once[K, A]) Do(key K, do func() (A, error)) (A, error) {
	o.mu.Lock()
	known := o.known[key]
	if known == nil {
		if o.known == nil {
			o.known = make(map[K]func() (A, error))
		}
		known = sync.OnceValues(do)
		o.known[key] = known
	}
	o.mu.Unlock()
	answer, err := known()
	if err != nil {
		o.mu.Lock()
		delete(o.known, key)
		o.mu.Unlock()
	}
	return answer, err
}
