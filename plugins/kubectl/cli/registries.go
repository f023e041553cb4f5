package cli

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/digest/registry/cache"
	"github.com/kubepromote/kubepromote/digest/registry/credentials"
	"github.com/kubepromote/kubepromote/verify"
	"github.com/spf13/cobra"
)

// registryOptions say how registries are reached. All commands of one run share
// one client, so that what one of them has been let in for serves the others.
type registryOptions struct {
	pullSecrets []string
	configs     []string
	noCache     bool

	once   sync.Once
	client *registry.Client
	keys   *credentials.Keychain
	err    error

	cacheOnce sync.Once
	cache     *cache.Cache // nil where there is none
}

// maxCacheBytes bounds what is kept on disk of what registries have answered.
const maxCacheBytes = 256 << 20

func (o *registryOptions) addFlags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringArrayVar(&o.pullSecrets, "pull-secret", nil, "file with a Kubernetes image pull secret, used before Docker's and Podman's credentials; can be repeated")
	f.StringArrayVar(&o.configs, "registries-conf", nil, "registries.conf with mirrors and blocked registries (default: none; the machine's is not read); can be repeated")
	f.BoolVar(&o.noCache, "no-cache", false, "ask registries for signatures even where they are in the cache on disk, and keep none")
}

// open makes the client, once.
func (o *registryOptions) open() (*registry.Client, error) {
	o.once.Do(func() {
		configs, err := parseFiles(o.configs, registry.ParseConfig)
		secrets, err2 := parseFiles(o.pullSecrets, credentials.ParsePullSecret)
		if o.err = errors.Join(err, err2); o.err != nil {
			return
		}
		o.keys = credentials.NewKeychain(credentials.KeychainOptions{PullSecrets: secrets})
		options := registry.Options{UserAgent: UserAgent(), Keychain: o.keys}
		for i, c := range configs {
			if options.Registries = options.Registries.Join(c); i == 0 {
				options.Registries = c // as it is
			}
		}
		o.client = registry.New(options)
	})
	return o.client, o.err
}

// openCache opens the user's cache, once. Nothing depends on it: where there is
// none, registries are asked.
func (o *registryOptions) openCache() (opened *cache.Cache, problem error) {
	o.cacheOnce.Do(func() {
		if o.noCache {
			return
		}
		var dir string
		if dir, problem = os.UserCacheDir(); problem == nil {
			o.cache, problem = cache.OpenCache(filepath.Join(dir, "kubepromote"), maxCacheBytes)
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

// parseFiles reads and parses the files of a flag, and tells all that is wrong.
func parseFiles[T any](names []string, parse func(name string, data []byte) (T, error)) ([]T, error) {
	var all []T
	var errs []error
	for _, file := range names {
		data, err := ReadBounded(file)
		if err == nil {
			var one T
			one, err = parse(filepath.ToSlash(file), data)
			all = append(all, one)
		}
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// cached puts the cache in front of a client, for content that is asked for by
// its digest. What a tag stands for is always asked of the registry.
func (s *Session) cached(c *registry.Client) *registry.Client {
	cache, problem := s.registries.openCache()
	if problem != nil && s.verbose {
		s.Warn("registries are asked each time: %v", problem)
	}
	return c.Cached(cache)
}

// Registries gives the client that registries are reached by, with the flags of
// this run.
func (s *Session) Registries() (*registry.Client, error) { return s.registries.open() }

// Credentials gives where the client has its credentials from.
func (s *Session) Credentials() (*credentials.Keychain, error) {
	_, err := s.registries.open()
	return s.registries.keys, err
}

// CachedRegistries is the same client, with the cache on disk.
func (s *Session) CachedRegistries() (*registry.Client, error) {
	c, err := s.Registries()
	if err != nil {
		return nil, err
	}
	return s.cached(c), nil
}

// NewResolver makes a resolver on the shared client.
func (s *Session) NewResolver() (*digest.Resolver, error) {
	t, err := s.Registries()
	if err != nil {
		return nil, err
	}
	return digest.NewResolver(digest.Options{Client: t}), nil
}

// NewVerifier makes a verifier on the shared client; layoutName is the repository
// that images in OCI layouts are of.
func (s *Session) NewVerifier(layoutName string) (*verify.Verifier, error) {
	c, err := s.CachedRegistries()
	if err != nil {
		return nil, err
	}
	return verify.New(verify.Options{Client: c, LayoutName: layoutName}), nil
}
