package credentials

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/singleflight"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// KeychainOptions say where credentials come from. The zero value means what
// Docker and Podman have stored.
type KeychainOptions struct {
	// PullSecrets are asked before anything else, in their order.
	PullSecrets []*PullSecret
	// WithoutDefault leaves out Docker's and Podman's files and the clouds'
	// helpers.
	WithoutDefault bool
	// Keychains are asked last, in their order, about registries.
	Keychains []authn.Keychain
}

// Keychain finds the credentials for a repository. It asks each source once per
// registry and keeps the answer: a credential helper is a program that takes
// its time. It is safe for concurrent use. Make it with [NewKeychain].
//
// The sources, in order: the pull secrets given; DOCKER_AUTH_CONFIG; Docker's
// configuration and credential helpers; Podman's auth.json (REGISTRY_AUTH_FILE, else
// containers/auth.json below XDG_RUNTIME_DIR, else below XDG_CONFIG_HOME or
// ~/.config), and its helpers where Docker has no configuration; the helpers of
// clouds, where the program is built with the tags "ecr", "acr", "gcr" or
// "ghcr"; the keychains given. An entry of a file or a pull secret for a path,
// such as "quay.io/org", is for the repositories below it and goes
// before all entries for a whole registry; the longest one wins.
type Keychain struct {
	sources []source
	flight  singleflight.Group
	known   sync.Map // namespace (string) → Found
}

// source is one place that credentials come from: entries by path, or a
// keychain to ask about a registry, or both.
type source struct {
	title   string // for messages
	entries func() ([]authEntry, error)
	// helper names the credential helper for a host, "" for none. It goes before
	// entries for a whole registry.
	helper   func(host string) (string, error)
	registry authn.Keychain
}

// Found is what a [Keychain] has for a repository.
type Found struct {
	// Auth are the credentials; [authn.Anonymous] where no source has any.
	Auth authn.Authenticator
	// Source names where they come from: "docker config", "pull secret FILE", or
	// "none".
	Source string
}

const noCredentials = "none"

// NewKeychain makes a Keychain. It reads nothing yet.
func NewKeychain(o KeychainOptions) *Keychain {
	k := &Keychain{}
	for _, s := range o.PullSecrets {
		k.sources = append(k.sources, source{title: "pull secret " + s.name, entries: s.all})
	}
	if !o.WithoutDefault {
		k.sources = append(k.sources, defaultSources()...)
		k.sources = append(k.sources, cloudSources()...)
	}
	for _, other := range o.Keychains {
		k.sources = append(k.sources, source{title: "given keychain", registry: other})
	}
	return k
}

// Resolve implements [authn.Keychain].
func (k *Keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), target)
}

// ResolveContext implements [authn.ContextKeychain]. It returns when ctx ends,
// even if a credential helper hangs. Failures are not kept.
func (k *Keychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	c, err := k.Find(ctx, target.RegistryStr(), pathOf(target))
	return c.Auth, err
}

// Tried says which credentials are in use for a registry or repository, such
// as "docker config", never their value. It is "none" when there are none, or
// none were asked for yet.
func (k *Keychain) Tried(target authn.Resource) string {
	return k.tried(target.RegistryStr(), pathOf(target))
}

func pathOf(target authn.Resource) string {
	if r, ok := target.(interface{ RepositoryStr() string }); ok {
		return r.RepositoryStr()
	}
	return ""
}

func (k *Keychain) tried(host, path string) string {
	if c, ok := k.known.Load(k.Namespace(host, path)); ok {
		return c.(Found).Source
	}
	return noCredentials
}

// Namespace is the part of a registry that shares the credentials of one of its
// repositories: the path of an entry, or the whole registry.
func (k *Keychain) Namespace(host, path string) string {
	if e, _ := k.pathEntry(host, path); e != nil {
		return e.host + "/" + e.path
	}
	return host
}

// Knows tells whether an entry of a file or a pull secret names a host as a
// registry. Helpers and other keychains are not asked.
func (k *Keychain) Knows(host string) bool {
	for _, s := range k.sources {
		if s.entries == nil {
			continue
		}
		entries, _ := s.entries() // a failure is told by find
		if slices.ContainsFunc(entries, func(e authEntry) bool { return matchHost(e.host, host) }) {
			return true
		}
	}
	return false
}

// pathEntry is the longest entry for a path, and the title of its source.
func (k *Keychain) pathEntry(host, path string) (*authEntry, string) {
	var best *authEntry
	var title string
	for _, s := range k.sources {
		if s.entries == nil || path == "" {
			continue
		}
		entries, _ := s.entries() // a failure is told by find
		e := longest(entries, host, path)
		if e != nil && e.path != "" && (best == nil || len(e.path) > len(best.path)) {
			best, title = e, s.title
		}
	}
	return best, title
}

// Find gives the credentials for a repository: host and path are as in URLs,
// "index.docker.io" and "library/nginx". What is found, and the asking, is shared
// by all who ask about the same namespace. Errors are an [*Error], or the end of
// ctx.
func (k *Keychain) Find(ctx context.Context, host, path string) (Found, error) {
	key := k.Namespace(host, path)
	if c, ok := k.known.Load(key); ok {
		return c.(Found), nil
	}
	// The answer serves others too, so it does not end with this caller. A helper
	// has the time that this caller has, less what it takes to say so.
	shared, limit := context.WithoutCancel(ctx), helperTime
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)*9/10)
	}
	answers := k.flight.DoChan(key, func() (any, error) {
		shared, cancel := context.WithTimeout(shared, limit)
		defer cancel()
		c, err := k.ask(shared, host, path)
		if err == nil {
			k.known.Store(key, c)
		}
		return c, err
	})
	select {
	case <-ctx.Done():
		return Found{}, &fault.Ended{Err: ctx.Err()}
	case r := <-answers:
		return r.Val.(Found), r.Err
	}
}

func (k *Keychain) ask(ctx context.Context, host, path string) (Found, error) {
	if e, title := k.pathEntry(host, path); e != nil {
		return Found{authn.FromConfig(e.auth), title}, nil
	}
	registry, err := name.NewRegistry(host)
	if err != nil {
		return Found{}, err
	}
	for _, s := range k.sources {
		auth, err := s.ask(ctx, registry)
		if err != nil {
			return Found{}, &Error{Source: s.title, Err: err}
		}
		if auth != nil && auth != authn.Anonymous {
			return Found{auth, s.title}, nil
		}
	}
	return Found{authn.Anonymous, noCredentials}, nil
}

// ask looks for credentials for a whole registry. The keychain is asked about
// the registry rather than the repository that comes first, so that the answer
// does not depend on the order of references.
func (s source) ask(ctx context.Context, registry name.Registry) (authn.Authenticator, error) {
	if s.helper != nil {
		helper, err := s.helper(registry.RegistryStr())
		if err != nil {
			return nil, err
		}
		if helper != "" {
			if auth, err := askHelper(ctx, helper, registry.RegistryStr()); err != nil || auth != nil {
				return auth, err
			}
		}
	}
	if s.entries != nil {
		entries, err := s.entries()
		if err != nil {
			return nil, err
		}
		if e := longest(entries, registry.RegistryStr(), ""); e != nil {
			return authn.FromConfig(e.auth), nil
		}
	}
	if s.registry == nil {
		return nil, nil
	}
	return authn.Resolve(ctx, s.registry, registry)
}
