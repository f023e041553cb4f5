package credentials_test

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/kubepromote/kubepromote/digest/registry/credentials"
)

// docker writes Docker's configuration, and gives its file. No other credentials of
// whoever runs the tests are read.
func docker(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for _, variable := range []string{"HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"} {
		t.Setenv(variable, filepath.Join(dir, "none"))
	}
	t.Setenv("REGISTRY_AUTH_FILE", filepath.Join(dir, "none"))
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("DOCKER_AUTH_CONFIG", "")
	file := filepath.Join(dir, "config.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// helper puts a credential helper on the PATH.
func helper(t *testing.T, called, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-"+called), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// Two organisations on one registry: which one's password was sent was left to
// chance, and the registry's own went before both.
func TestDockerPaths(t *testing.T) {
	for name, tt := range map[string]struct {
		users map[string]string
		want  map[string]string
	}{
		"two organisations": {
			map[string]string{"r.example:5000/org-a": "a", "r.example:5000/org-b": "b"},
			map[string]string{"r.example:5000/org-a/x": "a", "r.example:5000/org-b/x/y": "b", "r.example:5000/org-ab/x": "", "r.example:5000/org-c/x": "", "r.example/org-a/x": ""},
		},
		"organisation and registry": {
			map[string]string{"r.example": "all", "r.example/org": "org", "r.example/org/team": "team", "r.example/org/team/x": "x"},
			map[string]string{"r.example/y": "all", "r.example/org/y": "org", "r.example/org/team/y": "team", "r.example/org/team/x": "x"},
		},
		"spellings": {
			map[string]string{"https://r.example/v2/": "all", "http://r.example/org/": "org"},
			map[string]string{"r.example/y": "all", "r.example/org/y": "org"},
		},
		"spellings of one place": {
			map[string]string{"https://r.example": "third", "r.example": "first", "r.example/v1/": "second"},
			map[string]string{"r.example/y": "first"},
		},
		"Docker Hub": {
			map[string]string{"docker.io": "second", "https://index.docker.io/v1/": "first", "docker.io/org": "org"},
			map[string]string{"nginx": "first", "org/x": "org"},
		},
	} {
		docker(t, auths(tt.users))
		for range 10 { // by chance, some of these went wrong
			for image, want := range tt.want {
				if got := user(t, credentials.NewKeychain(credentials.KeychainOptions{}), image); got != want {
					t.Errorf("%s: %s is pulled as %q, want %q", name, image, got, want)
				}
			}
		}
	}
}

// A helper goes before the entries for a whole registry, and entries for a path
// before it.
func TestDockerHelper(t *testing.T) {
	helper(t, "fake", `read host
case "$host" in
https://index.docker.io/v1/|helped.example:5000) echo '{"Username":"helped","Secret":"s"}' ;;
*) echo 'credentials not found in native keychain'; exit 1 ;;
esac`)
	file := strings.TrimSuffix(auths(map[string]string{"helped.example:5000": "file", "helped.example:5000/org": "org", "other.example": "other"}), "}")
	for _, config := range []string{file + `,"credsStore":"fake"}`, file + `,"credsStore":"missing","credHelpers":{"docker.io":"fake","helped.example:5000":"fake","other.example":""}}`} {
		docker(t, config)
		keys := credentials.NewKeychain(credentials.KeychainOptions{})
		for image, want := range map[string]string{"nginx": "helped", "helped.example:5000/x": "helped", "helped.example:5000/org/x": "org", "other.example/x": "other"} {
			if got := user(t, keys, image); got != want {
				t.Errorf("%s is pulled as %q, want %q", image, got, want)
			}
		}
	}
}

// "credentials could not be read from docker config" did not say which helper or
// file; what a helper said on its standard error was printed, with a secret in it.
func TestDockerFaults(t *testing.T) {
	const secret = "hunter2"
	encoded := base64.StdEncoding.EncodeToString([]byte(secret))
	helper(t, "broken", `echo `+secret+`; echo `+secret+` >&2; exit 3`)
	helper(t, "chatty", `echo `+secret)
	helper(t, "flood", `yes `+secret)
	for config, want := range map[string]string{
		`{"credsStore":"desktop.exe"}`:                         "docker-credential-desktop.exe is not on the PATH",
		`{"credHelpers":{"r.example":"x/../../bin/sh"}}`:       `"docker-credential-x/../../bin/sh" is not the name of a program`,
		`{"credsStore":"broken"}`:                              "docker-credential-broken failed (exit status 3)",
		`{"credsStore":"chatty"}`:                              "docker-credential-chatty answered with something else than credentials",
		`{"credsStore":"flood"}`:                               "docker-credential-flood ",
		`{"auths":`:                                            "FILE is no JSON (byte 9)",
		`{"auths":{"r.example":{"auth":"!!!` + secret + `"}}}`: "FILE: auth of r.example is no base64",
		`{"auths":{"r.example":{"auth":"` + encoded + `"}}}`:   "FILE: auth of r.example is not USER:PASSWORD in base64",
		`{"auths":{"me:` + secret + `@r.example":"x"}}`:        "FILE: auth of …@r.example is not an object of texts",
		`{"auths":"` + secret + `"}`:                           `FILE has a value of the wrong kind in "auths" (byte 18)`,
		`{"credsStore":["` + secret + `"]}`:                    `FILE has a value of the wrong kind in "credsStore" (byte 15)`,
		`[]`:                                                   `FILE is not a JSON object with "auths"`,
		strings.Repeat(" ", 1<<20+1):                           "FILE is larger than 1 MiB",
	} {
		file := docker(t, config)
		repo, _ := name.NewRepository("r.example/x")
		_, err := credentials.NewKeychain(credentials.KeychainOptions{}).Resolve(repo)
		want = "credentials could not be read from docker config: " + strings.Replace(want, "FILE", file, 1)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// A helper that hangs took as long as it liked, its children too.
func TestDockerHelperHangs(t *testing.T) {
	helper(t, "slow", "sleep 60")
	docker(t, `{"credsStore":"slow"}`)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	started := time.Now()
	repo, _ := name.NewRepository("r.example/x")
	_, err := credentials.NewKeychain(credentials.KeychainOptions{}).ResolveContext(ctx, repo)
	if err == nil || time.Since(started) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(started))
	}
}

// DOCKER_AUTH_CONFIG is what CI systems set, and goes before the file.
func TestDockerEnvironment(t *testing.T) {
	docker(t, auths(map[string]string{"r.example": "file", "r.example/org": "org"}))
	t.Setenv("DOCKER_AUTH_CONFIG", auths(map[string]string{"r.example": "environment"}))
	keys := credentials.NewKeychain(credentials.KeychainOptions{})
	for image, want := range map[string]string{"r.example/x": "environment", "r.example/org/x": "org"} {
		if got := user(t, keys, image); got != want {
			t.Errorf("%s is pulled as %q, want %q", image, got, want)
		}
	}
	t.Setenv("DOCKER_AUTH_CONFIG", "{hunter2")
	repo, _ := name.NewRepository("r.example/x")
	if _, err := credentials.NewKeychain(credentials.KeychainOptions{}).Resolve(repo); err == nil || err.Error() != "credentials could not be read from DOCKER_AUTH_CONFIG: is no JSON (byte 2)" {
		t.Errorf("got %v", err)
	}
}
