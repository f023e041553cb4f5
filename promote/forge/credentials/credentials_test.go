package credentials_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/credentials"
)

func Example() {
	repository, err := forge.Locate(forge.Remote{URL: "git@git.example.com:shop/infra.git", Kind: forge.GitLab})
	if err != nil {
		fmt.Println(err)
		return
	}
	env := map[string]string{"GITLAB_TOKEN": "glpat-example"}
	_, err = credentials.Find(context.Background(), repository, credentials.Options{Getenv: func(name string) string { return env[name] }})
	fmt.Println(err)
	token, err := credentials.Find(context.Background(), repository, credentials.Options{
		Getenv:  func(name string) string { return env[name] },
		Trusted: []string{"git.example.com"}, // as the user's remote has it
	})
	fmt.Println(token, err)
	// Output:
	// there is no token for git.example.com: looked at KUBEPROMOTE_TOKEN, GITLAB_TOKEN, CI_JOB_TOKEN, KUBEPROMOTE_TOKEN_FILE; GITLAB_TOKEN is set and does not go to git.example.com, which only a file of the repository names or which it is not for
	// token from GITLAB_TOKEN <nil>
}

func locate(t *testing.T, url string, kind forge.Kind) forge.Repository {
	t.Helper()
	r, err := forge.Locate(forge.Remote{URL: url, Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	onGitHub = "https://github.com/shop/infra"
	onGitLab = "https://gitlab.com/shop/infra"
	onOwn    = "https://git.example.com/shop/infra"
	onAzure  = "https://dev.azure.com/shop/infra/_git/infra"
)

func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		name, url string
		kind      forge.Kind
		env       map[string]string
		trusted   string
		want      string // secret, scheme and where from
	}{
		{"ours first", onGitHub, "", map[string]string{"KUBEPROMOTE_TOKEN": " a\n", "GITHUB_TOKEN": "b"}, "github.com", "a  KUBEPROMOTE_TOKEN"},
		{"ours not to others", onGitHub, "", map[string]string{"KUBEPROMOTE_TOKEN": "a", "GITHUB_TOKEN": "b"}, "git.example.com", "b  GITHUB_TOKEN"},
		{"GH_TOKEN before GITHUB_TOKEN, as gh has it", onGitHub, "", map[string]string{"GH_TOKEN": "a", "GITHUB_TOKEN": "b"}, "", "a  GH_TOKEN"},
		{"GitHub's token not to others", onOwn, forge.GitHub, map[string]string{"GITHUB_TOKEN": "b"}, "", ""},
		{"but to the server of the job", onOwn, forge.GitHub, map[string]string{"GITHUB_TOKEN": "b", "GITHUB_SERVER_URL": "https://git.example.com"}, "", "b  GITHUB_TOKEN"},
		{"an enterprise token", onOwn, forge.GitHub, map[string]string{"GH_ENTERPRISE_TOKEN": "b", "GH_HOST": "git.example.com"}, "", "b  GH_ENTERPRISE_TOKEN"},
		{"a job's token", onGitLab, "", map[string]string{"CI_JOB_TOKEN": "j", "CI_SERVER_URL": "https://gitlab.com"}, "", "j job CI_JOB_TOKEN"},
		{"a job's token elsewhere, though trusted", onOwn, forge.GitLab, map[string]string{"CI_JOB_TOKEN": "j", "CI_SERVER_URL": "https://gitlab.com"}, "git.example.com", ""},
		{"GitLab's before the job's", onGitLab, "", map[string]string{"CI_JOB_TOKEN": "j", "CI_SERVER_URL": "https://gitlab.com", "GITLAB_TOKEN": "g"}, "", "g  GITLAB_TOKEN"},
		{"Gitea", onOwn, forge.Gitea, map[string]string{"FORGEJO_TOKEN": "f"}, "git.example.com", "f  FORGEJO_TOKEN"},
		{"Bitbucket with a name", "https://bitbucket.org/shop/infra", "", map[string]string{"BITBUCKET_TOKEN": "me@example.com:t"}, "", "me@example.com:t  BITBUCKET_TOKEN"},
		{"Data Center", onOwn + "/../x", forge.BitbucketServer, map[string]string{"BITBUCKET_TOKEN": "t"}, "git.example.com", "t  BITBUCKET_TOKEN"},
		{"Azure", onAzure, "", map[string]string{"AZURE_DEVOPS_EXT_PAT": "p", "SYSTEM_ACCESSTOKEN": "s"}, "", "p  AZURE_DEVOPS_EXT_PAT"},
		{"Azure, a job", onAzure, "", map[string]string{"SYSTEM_ACCESSTOKEN": "s", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/shop/"}, "", "s bearer SYSTEM_ACCESSTOKEN"},
		{"of another kind", onGitHub, "", map[string]string{"GITLAB_TOKEN": "g"}, "github.com", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := locate(t, strings.Replace(c.url, "/shop/infra/../x", "/scm/shop/infra", 1), c.kind)
			o := credentials.Options{Getenv: func(name string) string { return c.env[name] }}
			if c.trusted != "" {
				o.Trusted = []string{c.trusted}
			}
			token, err := credentials.Find(t.Context(), r, o)
			if c.want == "" {
				if !errors.Is(err, credentials.ErrNone) || token.Secret != "" {
					t.Errorf("%s %v", token.Secret, err)
				}
				return
			}
			if got := token.Secret + " " + string(token.Scheme) + " " + token.From; err != nil || got != c.want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// What has a line break is no token, and would be a header of its own. It is not
// shown.
func TestMalformed(t *testing.T) {
	for _, value := range []string{"a\nX-Evil: b", "a b", "ä", " \n"} {
		_, err := credentials.Find(t.Context(), locate(t, onGitHub, ""), credentials.Options{Getenv: func(name string) string {
			return map[string]string{"GITHUB_TOKEN": value}[name]
		}})
		if err == nil || errors.Is(err, credentials.ErrNone) || strings.Contains(err.Error(), "Evil") {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFiles(t *testing.T) {
	home := t.TempDir()
	file := write(t, filepath.Join(home, "token"), "from-file\n")
	find := func(url string, kind forge.Kind, env map[string]string, trusted ...string) (forge.Token, error) {
		return credentials.Find(t.Context(), locate(t, url, kind), credentials.Options{Home: home, Trusted: trusted, Getenv: func(name string) string { return env[name] }})
	}
	want := func(what string, token forge.Token, err error, secret, from string) {
		t.Helper()
		if err != nil || token.Secret != secret || token.From != from {
			t.Errorf("%s: %s %v, %v", what, token.Secret, token, err)
		}
	}
	token, err := find(onOwn, forge.Gitea, map[string]string{"KUBEPROMOTE_TOKEN_FILE": file}, "git.example.com")
	want("a file", token, err, "from-file", "KUBEPROMOTE_TOKEN_FILE")
	if _, err := find(onOwn, forge.Gitea, map[string]string{"KUBEPROMOTE_TOKEN_FILE": file}); !errors.Is(err, credentials.ErrNone) {
		t.Errorf("a file, to a host that nobody chose: %v", err)
	}
	for _, bad := range []string{filepath.Join(home, "missing"), home} {
		if _, err := find(onOwn, forge.Gitea, map[string]string{"KUBEPROMOTE_TOKEN_FILE": bad}, "git.example.com"); err == nil || errors.Is(err, credentials.ErrNone) {
			t.Errorf("%s: %v", bad, err)
		}
	}

	write(t, filepath.Join(home, ".config/gh/hosts.yml"), "github.com:\n    user: me\n    oauth_token: gho_1\n    git_protocol: https\ngit.example.com:\n    user: me\n    users:\n        me:\n            oauth_token: gho_2\nhidden.example.com:\n    user: me\n")
	token, err = find(onGitHub, "", nil)
	want("gh", token, err, "gho_1", "~/.config/gh/hosts.yml")
	token, err = find(onOwn, forge.GitHub, nil)
	want("gh, another host", token, err, "gho_2", "~/.config/gh/hosts.yml")
	if _, err = find("https://hidden.example.com/a/b", forge.GitHub, nil); !errors.Is(err, credentials.ErrNone) || !strings.Contains(err.Error(), "gh auth token") {
		t.Errorf("gh with a keyring: %v", err)
	}
	if _, err = find("https://new.example.com/a/b", forge.GitHub, nil); !errors.Is(err, credentials.ErrNone) || !strings.Contains(err.Error(), "~/.config/gh/hosts.yml") {
		t.Errorf("gh without the host: %v", err)
	}

	other := t.TempDir()
	write(t, filepath.Join(other, "config.yml"), "git_protocol: ssh\nhosts:\n    gitlab.com:\n        token: !!null glpat-1\n    git.example.com:\n        token: oauth-2\n        is_oauth2: \"true\"\n")
	token, err = find(onGitLab, "", map[string]string{"GLAB_CONFIG_DIR": other})
	want("glab", token, err, "glpat-1", filepath.Join(other, "config.yml"))
	token, err = find(onOwn, forge.GitLab, map[string]string{"GLAB_CONFIG_DIR": other})
	want("glab, OAuth", token, err, "oauth-2", filepath.Join(other, "config.yml"))
	if token.Scheme != forge.SchemeBearer {
		t.Errorf("glab, OAuth: %s", token.Scheme)
	}
	write(t, filepath.Join(other, "config.yml"), "hosts: {gitlab.com: {token: *secret}}")
	if _, err = find(onGitLab, "", map[string]string{"GLAB_CONFIG_DIR": other}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("glab, broken: %v", err)
	}
}

// The helpers are real git's: a store in a file.
func TestHelper(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	home := t.TempDir()
	store := write(t, filepath.Join(home, "store"), "https://oauth2:glo@gitlab.com\nhttps://me:ght@github.com\nhttps://x-token-auth:bbt@bitbucket.org\nhttps://me:pat@dev.azure.com\nhttps://me:pw@git.example.com%3a3000\n")
	fill := func(ctx context.Context, input string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", "-c", "credential.helper=", "-c", "credential.helper=store --file="+store, "credential", "fill")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1"}
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.Output()
		return string(out), err
	}
	for _, c := range []struct {
		url    string
		kind   forge.Kind
		secret string
		scheme forge.Scheme
	}{
		{onGitHub, "", "ght", ""},
		{onGitLab, "", "glo", forge.SchemeBearer},
		{"https://bitbucket.org/a/b", "", "bbt", forge.SchemeBearer},
		{onAzure, "", "pat", forge.SchemeBasic},
		{"https://git.example.com:3000/a/b", forge.Gitea, "pw", forge.SchemeBasic},
	} {
		token, err := credentials.Find(t.Context(), locate(t, c.url, c.kind), credentials.Options{Fill: fill})
		if err != nil || token.Secret != c.secret || token.Scheme != c.scheme || token.From != "git's credential helper" {
			t.Errorf("%s: %s %s, %v", c.url, token.Secret, token.Scheme, err)
		}
	}
	_, err := credentials.Find(t.Context(), locate(t, onOwn, forge.Gitea), credentials.Options{Fill: fill})
	if !errors.Is(err, credentials.ErrNone) || !strings.Contains(err.Error(), "git's credential helper") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := credentials.Find(ctx, locate(t, onOwn, forge.Gitea), credentials.Options{Fill: fill}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestApp(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir, now := t.TempDir(), time.Unix(1_800_000_000, 0)
	files := map[string]string{
		"pkcs1": write(t, filepath.Join(dir, "1.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))),
		"pkcs8": write(t, filepath.Join(dir, "8.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))),
		"none":  write(t, filepath.Join(dir, "none.pem"), "no key"),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/app/installations/42/access_tokens" {
			t.Errorf("asked %s", r.URL)
		}
		jws, err := jose.ParseSigned(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Error(err)
			return
		}
		var claims struct {
			Issuer  string `json:"iss"`
			Issued  int64  `json:"iat"`
			Expires int64  `json:"exp"`
		}
		payload, err := jws.Verify(&key.PublicKey)
		if err := errors.Join(err, json.Unmarshal(payload, &claims)); err != nil || claims.Issuer != "123" || claims.Issued != now.Unix()-60 || claims.Expires-claims.Issued != 600 {
			t.Errorf("%+v, %v", claims, err)
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"token": "ghs_1"}`)
	}))
	defer server.Close()
	r := forge.Repository{Kind: forge.GitHub, Web: server.URL, API: server.URL, Owner: "shop", Name: "infra"}
	find := func(id, installation, file string, trusted ...string) (forge.Token, error) {
		env := map[string]string{credentials.AppVariable: id, credentials.InstallationVariable: installation, credentials.KeyFileVariable: file}
		return credentials.Find(t.Context(), r, credentials.Options{Getenv: func(name string) string { return env[name] }, Trusted: trusted, Forge: forge.Options{Now: func() time.Time { return now }}})
	}
	for _, form := range []string{"pkcs1", "pkcs8"} {
		if token, err := find("123", "42", files[form], "127.0.0.1"); err != nil || token.Secret != "ghs_1" || token.From != credentials.AppVariable {
			t.Errorf("%s: %s, %v", form, token.Secret, err)
		}
	}
	if _, err := find("123", "42", files["pkcs1"]); !errors.Is(err, credentials.ErrNone) {
		t.Errorf("to a host that nobody chose: %v", err)
	}
	for name, c := range map[string][2]string{"no key": {"42", files["none"]}, "no file": {"42", filepath.Join(dir, "missing")}, "no key file": {"42", ""}, "no number": {"x", files["pkcs1"]}} {
		if _, err := find("123", c[0], c[1], "127.0.0.1"); err == nil || errors.Is(err, credentials.ErrNone) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
