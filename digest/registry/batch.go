package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	// maxBatch and maxBatchBytes bound a request for a token for many
	// repositories. The scopes are in its URL, and in the token that comes
	// back, which is part of a header of at most 8 KiB on many servers.
	maxBatch      = 50
	maxBatchBytes = 3000
)

// batch is a set of repositories whose tokens are asked for in one request.
type batch struct {
	namespace string
	repos     []string
}

// announce notes repositories where their images may be had from.
func (t *transport) announce(registry string, repositories []string) {
	at := make(map[string][]string) // by host, where the images may be had from
	for _, repo := range repositories {
		for _, place := range t.registries.places(registry, repo) {
			at[place.host] = append(at[place.host], place.repo)
		}
	}
	for name, repos := range at {
		t.host(name).announce(repos)
	}
}

func (h *host) announce(repositories []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unbatched || len(repositories) < 2 {
		return
	}
	if h.announced == nil {
		h.announced = make(map[string]*batch)
	}
	for _, repo := range repositories {
		if _, known := h.announced[repo]; !known {
			h.announced[repo] = nil
			h.pending = append(h.pending, repo)
		}
	}
}

// unbatch has the token for a repository asked for alone from now on.
func (h *host) unbatch(repo string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.announced, repo)
}

// batchOf gives the batch of a repository, and forms it if there is none yet
// from others that were announced and have the same credentials. next is the
// batch to ask for now: the first of the host as long as it has no token.
func (h *host) batchOf(repo, namespace string, namespaceOf func(string) string) (own, next *batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b, announced := h.announced[repo]
	if announced && b == nil {
		b = h.formBatch(repo, namespace, namespaceOf)
	}
	switch {
	case b == nil:
		return nil, nil
	case h.first == nil:
		h.first = b
	}
	if !h.batches {
		return b, h.first
	}
	return b, b
}

// formBatch is called with h.mu held.
func (h *host) formBatch(repo, namespace string, namespaceOf func(string) string) *batch {
	b := &batch{namespace: namespace, repos: []string{repo}}
	size := len(scope(repo, false))
	rest := h.pending[:0]
	for i, other := range h.pending {
		if len(b.repos) >= maxBatch || size >= maxBatchBytes {
			rest = append(rest, h.pending[i:]...)
			break
		}
		known, announced := h.announced[other]
		switch {
		case !announced, known != nil, other == repo:
			// no longer waiting for a batch
		case namespaceOf(other) != namespace || size+len(scope(other, false)) > maxBatchBytes:
			rest = append(rest, other)
		default:
			b.repos = append(b.repos, other)
			size += len(scope(other, false))
		}
	}
	h.pending = rest
	if len(b.repos) == 1 {
		delete(h.announced, repo)
		return nil
	}
	for _, r := range b.repos {
		h.announced[r] = b
	}
	return b
}

// withBatch gets the token of a repository's batch, if it has one. A realm that
// refuses the batch may still grant its parts, so that is no failure. The first
// batch shows whether the realm grants any: the others wait for that.
func (t *transport) withBatch(ctx context.Context, g *pinged, key tokenKey, repo string) error {
	h := key.host
	for {
		b, next := h.batchOf(repo, key.namespace, func(other string) string { return t.namespace(h, other) })
		if b == nil {
			return nil
		}
		_, err := t.batches.Do(ctx, next, func(ctx context.Context) (struct{}, error) {
			if h.hasToken(next) {
				return struct{}{}, nil
			}
			return struct{}{}, t.fetchBatch(ctx, h, g, next)
		})
		var refused *refusal
		switch {
		case ctx.Err() != nil:
			return &fault.Ended{Err: ctx.Err()}
		case errors.As(err, &refused) && refused.status != http.StatusTooManyRequests:
			h.withoutBatches()
			return nil
		case err != nil || b == next:
			return err
		}
		h.firstDone()
	}
}

// firstDone lets the other batches go ahead.
func (h *host) firstDone() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.batches = true
}

// hasToken tells whether a batch has a token for all of its repositories.
func (h *host) hasToken(b *batch) bool {
	return !slices.ContainsFunc(h.stillIn(b), func(repo string) bool {
		return h.token(tokenKey{h, b.namespace, scope(repo, false)}) == nil
	})
}

// withoutBatches is for a realm that has refused or not understood a batch.
func (h *host) withoutBatches() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unbatched, h.announced, h.pending = true, nil, nil
}

func (t *transport) fetchBatch(ctx context.Context, h *host, g *pinged, b *batch) error {
	repos := h.stillIn(b)
	scopes := make([]string, len(repos))
	for i, repo := range repos {
		scopes[i] = scope(repo, false)
	}
	k, err := t.fetch(ctx, h, g, b.repos[0], scopes)
	if err != nil {
		return err
	}
	k.batched = true
	granted := grantedBy(k.value)
	k.granted = granted != nil
	n := 0
	for i, repo := range repos {
		if granted != nil && !granted[scopes[i]] {
			h.unbatch(repo)
			continue
		}
		n++
		h.keep(tokenKey{h, b.namespace, scopes[i]}, k)
	}
	if n <= 1 && len(repos) > 1 {
		// Realms that look at the first scope only would do so again.
		h.withoutBatches()
	}
	return nil
}

// stillIn leaves out the repositories that were refused a token with the batch.
func (h *host) stillIn(b *batch) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.repos), func(repo string) bool { return h.announced[repo] != b })
}

// grantedBy reads what a token allows to pull, if it is a JSON web token with
// the claims of the token specification; nil if that cannot be told. The
// signature is the registry's business: here the claims only save requests.
func grantedBy(value string) map[string]bool {
	parts := strings.Split(value, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil
	}
	var claims struct {
		Access *[]struct {
			Type    string   `json:"type"`
			Name    string   `json:"name"`
			Actions []string `json:"actions"`
		} `json:"access"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Access == nil {
		return nil
	}
	granted := make(map[string]bool)
	for _, a := range *claims.Access {
		if a.Type == "repository" && (slices.Contains(a.Actions, "pull") || slices.Contains(a.Actions, "*")) {
			granted[scope(a.Name, false)] = true
		}
	}
	return granted
}
