package cli

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/verify"
	"github.com/spf13/cobra"
)

// registryOptions say how registries are reached. All commands of one run share
// one transport, so that what one of them has been let in for serves the others.
type registryOptions struct {
	pullSecrets []string
	configs     []string
	noCache     bool

	once      sync.Once
	transport *digest.Transport
	err       error

	cacheOnce sync.Once
	cache     *digest.Cache // nil where there is none
}

// maxCacheBytes bounds what is kept on disk of what registries have answered.
const maxCacheBytes = 256 << 20

func (o *registryOptions) addFlags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringArrayVar(&o.pullSecrets, "pull-secret", nil, "file with a Kubernetes image pull secret, used before Docker's and Podman's credentials; can be repeated")
	f.StringArrayVar(&o.configs, "registries-conf", nil, "registries.conf with mirrors and blocked registries (default: none; the machine's is not read); can be repeated")
	f.BoolVar(&o.noCache, "no-cache", false, "ask registries for signatures even where they are in the cache on disk, and keep none")
}

// open makes the transport, once.
func (o *registryOptions) open() (*digest.Transport, error) {
	o.once.Do(func() {
		options := digest.TransportOptions{UserAgent: UserAgent()}
		options.Registries, o.err = o.registries()
		secrets, err := o.secrets()
		if o.err = errors.Join(o.err, err); o.err == nil {
			options.Keychain = digest.NewKeychain(digest.KeychainOptions{PullSecrets: secrets})
			o.transport = digest.NewTransport(options)
		}
	})
	return o.transport, o.err
}

// openCache opens the user's cache, once. Nothing depends on it: where there is
// none, registries are asked.
func (o *registryOptions) openCache() (cache *digest.Cache, problem error) {
	o.cacheOnce.Do(func() {
		if o.noCache {
			return
		}
		var dir string
		if dir, problem = os.UserCacheDir(); problem == nil {
			o.cache, problem = digest.OpenCache(filepath.Join(dir, "kubepromote"), maxCacheBytes)
		}
	})
	return o.cache, problem
}

// close lets go of what was opened.
func (o *registryOptions) close() {
	if o.cache != nil {
		_ = o.cache.Close() // what was written is whole
	}
}

func (o *registryOptions) registries() (*digest.Registries, error) {
	var all *digest.Registries
	var errs []error
	for _, file := range o.configs {
		data, err := ReadBounded(file)
		if err == nil {
			var one *digest.Registries
			if one, err = digest.ParseRegistries(filepath.ToSlash(file), data); all == nil {
				all = one
			} else {
				all = all.Join(one)
			}
		}
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

func (o *registryOptions) secrets() ([]*digest.PullSecret, error) {
	var all []*digest.PullSecret
	var errs []error
	for _, file := range o.pullSecrets {
		data, err := ReadBounded(file)
		if err == nil {
			var one *digest.PullSecret
			one, err = digest.ParsePullSecret(filepath.ToSlash(file), data)
			all = append(all, one)
		}
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// cached puts the cache in front of a transport, for content that is asked for by
// its digest. What a tag stands for is always asked of the registry.
func (s *Session) cached(t *digest.Transport) http.RoundTripper {
	cache, problem := s.registries.openCache()
	if problem != nil && s.verbose {
		s.Warn("registries are asked each time: %v", problem)
	}
	if cache == nil {
		return t
	}
	return &digest.CacheTransport{Base: t, Cache: cache}
}

// Transport gives what registries are reached by, with the flags of this run.
func (s *Session) Transport() (*digest.Transport, error) { return s.registries.open() }

// NewResolver makes a resolver on the shared transport.
func (s *Session) NewResolver() (*digest.Resolver, error) {
	t, err := s.Transport()
	if err != nil {
		return nil, err
	}
	return digest.NewResolver(digest.Options{Transport: t}), nil
}

// NewVerifier makes a verifier on the shared transport; layoutName is the repository
// that images in OCI layouts are of.
func (s *Session) NewVerifier(layoutName string) (*verify.Verifier, error) {
	t, err := s.Transport()
	if err != nil {
		return nil, err
	}
	return verify.New(verify.Options{Transport: s.cached(t), TransportAuthenticates: true, LayoutName: layoutName}), nil
}
