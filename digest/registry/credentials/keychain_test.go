package credentials_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/kubepromote/kubepromote/digest/registry/credentials"
)

// auths is the text of a Docker configuration, with each user's name as the password.
func auths(users map[string]string) string {
	var entries []string
	for key, user := range users {
		entries = append(entries, fmt.Sprintf(`%q:{"auth":%q}`, key, base64.StdEncoding.EncodeToString([]byte(user+":"+user))))
	}
	return `{"auths":{` + strings.Join(entries, ",") + `}}`
}

func pullSecret(config string) string {
	return "apiVersion: v1\nkind: Secret\nmetadata: {name: pull, namespace: shop}\ntype: kubernetes.io/dockerconfigjson\ndata:\n  .dockerconfigjson: " +
		base64.StdEncoding.EncodeToString([]byte(config)) + "\n"
}

func parseSecret(t testing.TB, text string) *credentials.PullSecret {
	t.Helper()
	s, err := credentials.ParsePullSecret("pull.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// user says who a keychain would be for an image.
func user(t testing.TB, k authn.Keychain, image string) string {
	t.Helper()
	repo, err := name.NewRepository(image)
	if err != nil {
		t.Fatal(err)
	}
	a, err := k.Resolve(repo)
	if err != nil {
		t.Fatal(err)
	}
	config, err := authn.Authorization(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	return config.Username
}

func TestPullSecretMatching(t *testing.T) {
	k := credentials.NewKeychain(credentials.KeychainOptions{WithoutDefault: true, PullSecrets: []*credentials.PullSecret{
		parseSecret(t, pullSecret(auths(map[string]string{
			"quay.io":                     "quay",
			"quay.io/org":                 "org",
			"https://quay.io/org/app/":    "app",
			"https://index.docker.io/v1/": "hub",
			"*.example.com":               "any",
			"r*.example.com":              "some",
			"one.example.com":             "one",
			"r.example.net:5000":          "port",
		}))),
		parseSecret(t, pullSecret(auths(map[string]string{"quay.io/org": "later", "quay.io/other": "other"}))),
	}})
	for image, want := range map[string]string{
		"quay.io/x":              "quay",
		"quay.io/org/x":          "org",
		"quay.io/organic/x":      "quay",
		"quay.io/org/app":        "app",
		"quay.io/org/app/part":   "app",
		"quay.io/org/apple":      "org",
		"quay.io/other/x":        "other",
		"nginx":                  "hub",
		"docker.io/shop/cart":    "hub",
		"two.example.com/x":      "any",
		"one.example.com/x":      "one",
		"a.two.example.com/x":    "",
		"example.com/x":          "",
		"r.example.net:5000/x":   "port",
		"r.example.net/x":        "",
		"ghcr.io/shop/cart":      "",
		"two.example.com:5000/x": "",
	} {
		if got := user(t, k, image); got != want {
			t.Errorf("%s is pulled as %q, want %q", image, got, want)
		}
	}
	for image, want := range map[string]string{"quay.io/org/x": "pull secret pull.yaml", "ghcr.io/shop/cart": "none", "never.example/asked": "none"} {
		repo, _ := name.NewRepository(image)
		if got := k.Tried(repo); got != want {
			t.Errorf("%s: tried %q, want %q", image, got, want)
		}
	}
}

func TestParsePullSecret(t *testing.T) {
	good := auths(map[string]string{"quay.io": "quay"})
	for name, text := range map[string]string{
		"YAML":       pullSecret(good),
		"documents":  "---\n# nothing\n---\n" + pullSecret(good) + "---\n" + pullSecret(good),
		"stringData": "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockerconfigjson\nstringData:\n  .dockerconfigjson: '" + good + "'\n",
		"dockercfg": "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockercfg\ndata:\n  .dockercfg: " +
			base64.StdEncoding.EncodeToString([]byte(`{"https://quay.io/v1/":{"username":"quay","password":"p"}}`)) + "\n",
		"JSON": `{"apiVersion":"v1","kind":"Secret","type":"kubernetes.io/dockerconfigjson","immutable":true,"data":{".dockerconfigjson":"` +
			base64.StdEncoding.EncodeToString([]byte(good)) + `"}}`,
	} {
		k := credentials.NewKeychain(credentials.KeychainOptions{WithoutDefault: true, PullSecrets: []*credentials.PullSecret{parseSecret(t, text)}})
		if got := user(t, k, "quay.io/x"); got != "quay" {
			t.Errorf("%s: pulled as %q", name, got)
		}
	}
	for _, tt := range []struct{ text, want string }{
		{"", "p: is empty"},
		{"---\n~\n", "p: no pull secret in it, write a Secret of type kubernetes.io/dockerconfigjson"},
		{"hunter2: [", "p:1: not valid YAML"},
		{"- hunter2", "p:1: the document is a list, not a mapping"},
		{"\n\napiVersion: v1\nkind: ConfigMap\n", "p:3: not a Secret of v1"},
		{"apiVersion: v1\nkind: Secret\ntype: Opaque\n", "p:1: type of the Secret is not kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg"},
		{"apiVersion: v1\nkind: Secret\nstringdata: {a: hunter2}\n", `p:3: unknown field "stringdata"`},
		{"apiVersion: v1\nkind: Secret\ndata: hunter2\n", "p:3: data is a string, not a mapping"},
		{"apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockercfg\n", "p:1: the Secret has no data for .dockercfg"},
		{"apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockercfg\ndata: {.dockercfg: hunter-2}\n", "p:1: data for .dockercfg is not base64"},
		{"apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockercfg\nstringData: {.dockercfg: hunter2}\n", "p:1: .dockercfg is not a JSON object"},
		{"apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockercfg\nstringData: {.dockercfg: '{\"a\":\"hunter2\"}'}\n", "p:1: .dockercfg: entry with a value that is not credentials"},
		{pullSecret("hunter2"), `p:1: .dockerconfigjson: not a JSON object with "auths"`},
		{strings.Repeat("---\n{}\n", 3), "p:2: not a Secret of v1"},
		{strings.Repeat("---\n~\n", 102), "p:201: more than 100 documents"},
		{strings.Repeat("#", 1<<20+1), "p: is larger than 1 MiB"},
	} {
		_, err := credentials.ParsePullSecret("p", []byte(tt.text))
		if err == nil || err.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
}

// Whatever a file holds, its parts stay out of the message.
func FuzzParsePullSecret(f *testing.F) {
	f.Add(pullSecret(auths(map[string]string{"quay.io": "quay"})))
	f.Add("apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockercfg\nstringData: {.dockercfg: '{\"a\":{\"auth\":\"hunter2\"}}'}\n")
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := credentials.ParsePullSecret("pull.yaml", []byte(text))
		if (s == nil) == (err == nil) {
			t.Fatalf("%v and %v", s, err)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "pull.yaml:") || strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 400) {
			t.Fatalf("message %q", err)
		}
		if err == nil {
			k := credentials.NewKeychain(credentials.KeychainOptions{WithoutDefault: true, PullSecrets: []*credentials.PullSecret{s}})
			repo, _ := name.NewRepository("quay.io/org/app")
			if _, err := k.Resolve(repo); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Podman's file, where it may be, beside Docker's.
func TestPodman(t *testing.T) {
	dir := t.TempDir()
	write := func(path, text string) string {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("HOME", filepath.Join(dir, "home"))
	t.Setenv("DOCKER_CONFIG", filepath.Join(dir, "docker"))
	t.Setenv("REGISTRY_AUTH_FILE", "")
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(dir, "run"))
	t.Setenv("XDG_CONFIG_HOME", "")
	who := func(image, want string) {
		t.Helper()
		if got := user(t, credentials.NewKeychain(credentials.KeychainOptions{}), image); got != want {
			t.Errorf("%s is pulled as %q, want %q", image, got, want)
		}
	}
	who("quay.io/org/x", "")
	write("home/.config/containers/auth.json", auths(map[string]string{"quay.io": "config"}))
	who("quay.io/org/x", "config")
	write("run/containers/auth.json", auths(map[string]string{"quay.io": "run", "quay.io/org": "run-org"}))
	who("quay.io/org/x", "run-org")
	who("quay.io/x", "run")
	t.Setenv("REGISTRY_AUTH_FILE", write("named.json", auths(map[string]string{"quay.io/org": "named"})))
	who("quay.io/org/x", "named")
	who("quay.io/x", "")
	helper := write("docker-credential-fake", "#!/bin/sh\necho '{\"Username\":\"helped\",\"Secret\":\"s\"}'\n")
	if err := os.Chmod(helper, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	write("named.json", `{"auths":{"quay.io/org":{"auth":"bmFtZWQ6bmFtZWQ="}},"credHelpers":{"helped.example":"fake"}}`)
	who("helped.example/x", "helped")
	who("quay.io/x", "")
	write("docker/config.json", auths(map[string]string{"quay.io": "docker"}))
	who("helped.example/x", "") // Docker's configuration does not know that helper
	who("quay.io/x", "docker")
	who("quay.io/org/x", "named") // the longest entry
	write("named.json", "hunter2")
	repo, _ := name.NewRepository("ghcr.io/x")
	if _, err := credentials.NewKeychain(credentials.KeychainOptions{}).Resolve(repo); err == nil || err.Error() != "credentials could not be read from podman auth.json" {
		t.Errorf("got %v", err)
	}
}
