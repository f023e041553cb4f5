package digest

import (
	"context"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/singleflight"
)

// keychain asks another keychain once per registry and keeps the answer. The
// default keychain reads its files and starts a credential helper each time it
// is asked, and a puller asks it for each repository.
//
// The registry is asked about rather than the repository that comes first, so
// that the answer does not depend on the order of references.
type keychain struct {
	inner  authn.Keychain
	source string // what inner is, for messages
	flight singleflight.Group
	known  sync.Map // registry (string) → authn.Authenticator
}

// Resolve implements [authn.Keychain].
func (k *keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), target)
}

// ResolveContext implements [authn.ContextKeychain]. It returns when ctx ends,
// even if a credential helper hangs. Failures are not kept.
func (k *keychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	host := target.RegistryStr()
	if a, ok := k.known.Load(host); ok {
		return a.(authn.Authenticator), nil
	}
	registry, err := name.NewRegistry(host)
	if err != nil {
		return nil, err
	}
	// The answer serves others too, so it does not end with this caller.
	shared := context.WithoutCancel(ctx)
	answers := k.flight.DoChan(host, func() (any, error) {
		if a, ok := k.known.Load(host); ok {
			return a, nil
		}
		a, err := authn.Resolve(shared, k.inner, registry)
		if err != nil {
			return nil, &credentialsError{err: err}
		}
		k.known.Store(host, a)
		return a, nil
	})
	select {
	case <-ctx.Done():
		return nil, &endedError{ctx.Err()}
	case r := <-answers:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(authn.Authenticator), nil
	}
}

// tried says which credentials are in use for a registry, never their value.
func (k *keychain) tried(host string) string {
	if a, ok := k.known.Load(host); ok && a == authn.Anonymous {
		return "none"
	}
	return k.source
}
