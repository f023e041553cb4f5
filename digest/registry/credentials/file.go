package credentials

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// maxAuthFile bounds a file with credentials.
const maxAuthFile = 1 << 20

// authEntry is one entry of "auths": credentials for a registry, or for the
// repositories below a path of it.
type authEntry struct {
	host string // may have labels with "*"
	path string // without slashes at its ends; empty for the whole registry
	auth authn.AuthConfig
}

// newAuthEntry reads the forms of keys that are in use: "quay.io",
// "quay.io/org", "https://index.docker.io/v1/".
func newAuthEntry(key string, auth authn.AuthConfig) authEntry {
	for _, scheme := range []string{"https://", "http://"} {
		key = strings.TrimPrefix(key, scheme)
	}
	host, path, _ := strings.Cut(key, "/")
	path = strings.Trim(path, "/")
	if path == "v1" || path == "v2" {
		path = "" // the version of the protocol, not a repository
	}
	return authEntry{host: grammar.FoldHost(host), path: path, auth: auth}
}

// covers tells whether the entry is for a repository, or for a whole registry
// when path is empty.
func (e authEntry) covers(host, path string) bool {
	if !matchHost(e.host, host) {
		return false
	}
	return e.path == "" || e.path == path || strings.HasPrefix(path, e.path+"/")
}

// matchHost compares label by label, as the kubelet does: a "*" stands for any
// part of one label. Ports have to be equal.
func matchHost(pattern, host string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == host
	}
	pattern, patternPort, _ := strings.Cut(pattern, ":")
	host, hostPort, _ := strings.Cut(host, ":")
	want, have := strings.Split(pattern, "."), strings.Split(host, ".")
	if patternPort != hostPort || len(want) != len(have) {
		return false
	}
	for i := range want {
		if ok, err := filepath.Match(want[i], have[i]); err != nil || !ok {
			return false
		}
	}
	return true
}

// longest is the entry with the longest path that covers a repository. Among
// equals a host that is spelt out goes before one with "*", then the first.
func longest(entries []authEntry, host, path string) *authEntry {
	var best *authEntry
	for i := range entries {
		e := &entries[i]
		if !e.covers(host, path) {
			continue
		}
		if best == nil || len(e.path) > len(best.path) ||
			len(e.path) == len(best.path) && strings.Contains(best.host, "*") && !strings.Contains(e.host, "*") {
			best = e
		}
	}
	return best
}

// parseAuths reads the "auths" of a Docker configuration. Its error has nothing
// of the file in it.
func parseAuths(data []byte) ([]authEntry, error) {
	var config struct {
		Auths map[string]json.RawMessage `json:"auths"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return nil, fault.Text("not a JSON object with \"auths\"")
	}
	return readAuths(config.Auths)
}

func readAuths(auths map[string]json.RawMessage) ([]authEntry, error) {
	var entries []authEntry
	for key, raw := range auths {
		var auth authn.AuthConfig
		if err := json.Unmarshal(raw, &auth); err != nil {
			return nil, fault.Text("entry with a value that is not credentials")
		}
		if auth == (authn.AuthConfig{}) {
			continue // "docker login" leaves these where a helper has the credentials
		}
		entries = append(entries, newAuthEntry(key, auth))
	}
	// The order in a JSON object means nothing.
	slices.SortFunc(entries, func(a, b authEntry) int {
		return strings.Compare(a.host+"/"+a.path, b.host+"/"+b.path)
	})
	return entries, nil
}

// podman is the auth.json of Podman, Buildah and Skopeo (containers-auth.json(5)).
type podman struct {
	entries []authEntry
	helpers map[string]string
}

func readPodman() (podman, error) {
	for _, file := range podmanFiles() {
		data, err := readAuthFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return podman{}, err
		}
		entries, err := parseAuths(data)
		if err != nil {
			return podman{}, err
		}
		var config struct {
			Helpers map[string]string `json:"credHelpers"`
		}
		if json.Unmarshal(data, &config) != nil {
			return podman{}, fault.Text("\"credHelpers\" is not an object of texts")
		}
		return podman{entries, config.Helpers}, nil
	}
	return podman{}, nil
}

// defaultSources are Docker's and Podman's files. The library reads Podman's
// where Docker has none, but gives the credentials for one path of a registry to
// all of it; so it is asked about Docker's only, and to start Podman's helpers.
func defaultSources() []source {
	read := sync.OnceValues(readPodman)
	return []source{
		{title: "docker config", registry: keychainOf(func(target authn.Resource) (authn.Authenticator, error) {
			if !hasDockerConfig() {
				return authn.Anonymous, nil
			}
			return authn.DefaultKeychain.Resolve(target)
		})},
		{title: "podman auth.json", entries: func() ([]authEntry, error) {
			p, err := read()
			return p.entries, err
		}, registry: keychainOf(func(target authn.Resource) (authn.Authenticator, error) {
			p, err := read()
			if err != nil || hasDockerConfig() || p.helpers[target.RegistryStr()] == "" {
				return authn.Anonymous, err
			}
			return authn.DefaultKeychain.Resolve(target)
		})},
	}
}

// keychainOf makes a keychain of a function.
type keychainOf func(authn.Resource) (authn.Authenticator, error)

// Resolve implements [authn.Keychain].
func (f keychainOf) Resolve(target authn.Resource) (authn.Authenticator, error) { return f(target) }

// hasDockerConfig looks where the library does.
func hasDockerConfig() bool {
	var dirs []string
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.Join(home, ".docker"))
	}
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		if info, err := os.Stat(filepath.Join(dir, "config.json")); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

func podmanFiles() []string {
	if file := os.Getenv("REGISTRY_AUTH_FILE"); file != "" {
		return []string{file}
	}
	var files []string
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		files = append(files, filepath.Join(dir, "containers", "auth.json"))
	}
	config := os.Getenv("XDG_CONFIG_HOME")
	if home, err := os.UserHomeDir(); config == "" && err == nil {
		config = filepath.Join(home, ".config")
	}
	if config != "" {
		files = append(files, filepath.Join(config, "containers", "auth.json"))
	}
	return files
}

// readAuthFile reads a file that has no reason to be large.
func readAuthFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, over, err := content.ReadAtMost(f, maxAuthFile)
	if err == nil && over {
		err = fault.Text("larger than 1 MiB")
	}
	return data, err
}
