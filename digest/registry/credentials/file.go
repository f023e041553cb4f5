package credentials

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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
	key  string // as it is written
	auth authn.AuthConfig
}

// newAuthEntry reads the forms of keys that are in use: "quay.io",
// "quay.io/org", "https://index.docker.io/v1/".
func newAuthEntry(key string, auth authn.AuthConfig) authEntry {
	written := key
	for _, scheme := range []string{"https://", "http://"} {
		key = strings.TrimPrefix(key, scheme)
	}
	host, path, _ := strings.Cut(key, "/")
	path = strings.Trim(path, "/")
	if path == "v1" || path == "v2" {
		path = "" // the version of the protocol, not a repository
	}
	return authEntry{host: grammar.FoldHost(host), path: path, key: written, auth: auth}
}

// rank orders the spellings of one place: the one that "docker login" writes, one
// without a scheme, others.
func (e authEntry) rank() int {
	switch {
	case e.key == authn.DefaultAuthKey, e.key == e.host:
		return 0
	case !strings.Contains(e.key, "://"):
		return 1
	}
	return 2
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

// authFile is a Docker configuration, or the auth.json of Podman, Buildah and Skopeo
// (containers-auth.json(5)), which has the same form.
type authFile struct {
	entries []authEntry
	helpers map[string]string // by host, the names of credential helpers
	store   string            // the helper for all other hosts
}

// parseAuthFile reads one. Its error says what is wrong where, and has no secret in it.
func parseAuthFile(data []byte) (authFile, error) {
	var config struct {
		Auths   map[string]json.RawMessage `json:"auths"`
		Helpers map[string]string          `json:"credHelpers"`
		Store   string                     `json:"credsStore"`
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return authFile{}, nil // as Docker reads it
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	err := json.Unmarshal(data, &config)
	switch {
	case errors.As(err, &syntax):
		return authFile{}, fault.Text(fmt.Sprintf("is no JSON (byte %d)", syntax.Offset))
	case errors.As(err, &kind) && kind.Field != "":
		field, _, _ := strings.Cut(kind.Field, ".")
		return authFile{}, fault.Text(fmt.Sprintf("has a value of the wrong kind in %q (byte %d)", fault.Shorten(field), kind.Offset))
	case err != nil:
		return authFile{}, fault.Text("is not a JSON object with \"auths\"")
	}
	f := authFile{store: config.Store, helpers: make(map[string]string)}
	for key, helper := range config.Helpers {
		f.helpers[newAuthEntry(key, authn.AuthConfig{}).host] = helper
	}
	f.entries, err = readAuths(config.Auths)
	return f, err
}

// helper names the credential helper for a host; "" for none.
func (f authFile) helper(host string) string {
	if name, ok := f.helpers[host]; ok {
		return name
	}
	return f.store
}

// parseAuths reads the "auths" of a pull secret. Its error has nothing of the
// secret in it.
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
	for _, key := range slices.Sorted(maps.Keys(auths)) {
		var auth authn.AuthConfig
		if err := json.Unmarshal(auths[key], &auth); err != nil {
			return nil, authFault(key, err)
		}
		if auth == (authn.AuthConfig{}) {
			continue // "docker login" leaves these where a helper has the credentials
		}
		entries = append(entries, newAuthEntry(key, auth))
	}
	// The order in a JSON object means nothing. Of several spellings of one place
	// the one that "docker login" writes goes first.
	slices.SortStableFunc(entries, func(a, b authEntry) int {
		return cmp.Or(strings.Compare(a.host+"/"+a.path, b.host+"/"+b.path), cmp.Compare(a.rank(), b.rank()))
	})
	return entries, nil
}

// authFault says what is wrong with an entry, by its key and never by its value.
func authFault(key string, err error) error {
	what := "is not USER:PASSWORD in base64"
	var encoding base64.CorruptInputError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &encoding):
		what = "is no base64"
	case errors.As(err, &kind):
		what = "is not an object of texts"
	}
	return fault.Text(fmt.Sprintf("auth of %s %s", fault.Shorten(grammar.Redact(fault.OneLine(key))), what))
}

// loadAuthFile reads a file, and names it in what is wrong with it.
func loadAuthFile(file string) (authFile, error) {
	data, err := readAuthFile(file)
	var own fault.Text
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return authFile{}, fs.ErrNotExist
	case errors.As(err, &own):
		return authFile{}, fault.Text(file + " is " + own.Error())
	case err != nil:
		return authFile{}, fault.Text(file + " cannot be read")
	}
	f, err := parseAuthFile(data)
	if err != nil {
		joint := ": "
		if strings.HasPrefix(err.Error(), "is ") || strings.HasPrefix(err.Error(), "has ") {
			joint = " "
		}
		return authFile{}, fault.Text(file + joint + err.Error())
	}
	return f, nil
}

// firstAuthFile reads the first of the files that there is; none is empty.
func firstAuthFile(files []string) (authFile, error) {
	for _, file := range files {
		f, err := loadAuthFile(file)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return authFile{}, nil
}

// dockerEnvironment has credentials in the form of Docker's file; they go before it.
const dockerEnvironment = "DOCKER_AUTH_CONFIG"

// defaultSources are Docker's and Podman's files. The library's keychain gives the
// credentials for one path of a registry to all of it, and runs helpers without a
// bound, so it is not used.
func defaultSources() []source {
	given := sync.OnceValues(func() (authFile, error) { return parseAuthFile([]byte(os.Getenv(dockerEnvironment))) })
	docker := sync.OnceValues(func() (authFile, error) { return firstAuthFile(dockerFiles()) })
	podman := sync.OnceValues(func() (authFile, error) { return firstAuthFile(podmanFiles()) })
	return []source{
		{title: dockerEnvironment, entries: entriesOf(given)},
		{title: "docker config", entries: entriesOf(docker), helper: func(host string) (string, error) {
			f, err := docker()
			return f.helper(host), err
		}},
		{title: "podman auth.json", entries: entriesOf(podman), helper: func(host string) (string, error) {
			if hasDockerConfig() {
				return "", nil
			}
			f, err := podman()
			return f.helpers[host], err
		}},
	}
}

func entriesOf(read func() (authFile, error)) func() ([]authEntry, error) {
	return func() ([]authEntry, error) {
		f, err := read()
		return f.entries, err
	}
}

func hasDockerConfig() bool {
	return slices.ContainsFunc(dockerFiles(), func(file string) bool {
		info, err := os.Stat(file)
		return err == nil && !info.IsDir()
	})
}

// dockerFiles is the one place where Docker looks.
func dockerFiles() []string {
	dir := os.Getenv("DOCKER_CONFIG")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil
		}
		dir = filepath.Join(home, ".docker")
	}
	return []string{filepath.Join(dir, "config.json")}
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
