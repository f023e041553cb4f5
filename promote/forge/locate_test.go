package forge_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/forge"
)

func TestLocate(t *testing.T) {
	for _, c := range []struct {
		url  string
		kind forge.Kind
		web  string
		want string // kind, API, owner and name
	}{
		{"https://github.com/shop/infra.git", "", "", "github https://api.github.com shop infra"},
		{"https://GitHub.com/shop/infra", "", "", "github https://api.github.com shop infra"},
		{"git@github.com:shop/infra.git", "", "", "github https://api.github.com shop infra"},
		{"ssh://git@ssh.github.com:443/shop/infra.git", "", "", "github https://api.github.com shop infra"},
		{"https://user:password@github.com/shop/infra/", "", "", "github https://api.github.com shop infra"},
		{"https://corp.ghe.com/shop/infra", "", "", "github https://api.corp.ghe.com shop infra"},
		{"git@git.example.com:shop/infra.git", "github", "", "github https://git.example.com/api/v3 shop infra"},
		{"work:shop/infra.git", "github", "https://github.com", "github https://api.github.com shop infra"},
		{"https://gitlab.com/group/sub/infra.git", "", "", "gitlab https://gitlab.com/api/v4 group/sub infra"},
		{"ssh://git@altssh.gitlab.com:443/group/infra.git", "", "", "gitlab https://gitlab.com/api/v4 group infra"},
		{"https://git.example.com/gitlab/group/sub/infra.git", "gitlab", "https://git.example.com/gitlab/", "gitlab https://git.example.com/gitlab/api/v4 group/sub infra"},
		{"git@git.example.com:group/infra.git", "gitlab", "https://web.example.com:8443", "gitlab https://web.example.com:8443/api/v4 group infra"},
		{"https://codeberg.org/shop/infra.git", "", "", "gitea https://codeberg.org/api/v1 shop infra"},
		{"https://git.example.com:3000/gitea/shop/infra.git", "gitea", "", "gitea https://git.example.com:3000/gitea/api/v1 shop infra"},
		{"http://127.0.0.1:3000/shop/infra.git", "gitea", "", "gitea http://127.0.0.1:3000/api/v1 shop infra"},
		{"http://git.example.com/shop/infra.git", "gitea", "http://git.example.com", "gitea http://git.example.com/api/v1 shop infra"},
		{"https://user@bitbucket.org/shop/infra.git", "", "", "bitbucket https://api.bitbucket.org/2.0 shop infra"},
		{"https://git.example.com/scm/SHOP/infra.git", "bitbucket-server", "", "bitbucket-server https://git.example.com/rest SHOP infra"},
		{"https://git.example.com/bitbucket/scm/~bob/infra.git", "bitbucket-server", "", "bitbucket-server https://git.example.com/bitbucket/rest ~bob infra"},
		{"ssh://git@git.example.com:7999/shop/infra.git", "bitbucket-server", "", "bitbucket-server https://git.example.com/rest shop infra"},
		{"https://org@dev.azure.com/org/My%20Project/_git/infra", "", "", "azure https://dev.azure.com/org My Project infra"},
		{"https://dev.azure.com/org/_git/infra", "", "", "azure https://dev.azure.com/org infra infra"},
		{"git@ssh.dev.azure.com:v3/org/project/infra", "", "", "azure https://dev.azure.com/org project infra"},
		{"https://org.visualstudio.com/project/_git/infra", "", "", "azure https://dev.azure.com/org project infra"},
		{"https://org.visualstudio.com/DefaultCollection/project/_git/infra", "", "", "azure https://dev.azure.com/org project infra"},
		{"https://org.visualstudio.com/_git/infra", "", "", "azure https://dev.azure.com/org infra infra"},
		{"org@vs-ssh.visualstudio.com:v3/org/project/infra", "", "", "azure https://dev.azure.com/org project infra"},
		{"https://tfs.example.com/tfs/Collection/project/_git/infra", "azure", "", "azure https://tfs.example.com/tfs/Collection project infra"},
		{"ssh://tfs.example.com:22/tfs/Collection/project/_git/infra", "azure", "https://tfs.example.com/tfs/Collection", "azure https://tfs.example.com/tfs/Collection project infra"},
		{"https://[::1]:3000/shop/infra", "gitea", "", "gitea https://[::1]:3000/api/v1 shop infra"},
	} {
		r, err := forge.Locate(forge.Remote{URL: c.url, Kind: c.kind, Web: c.web})
		if got := strings.Join([]string{string(r.Kind), r.API, r.Owner, r.Name}, " "); err != nil || got != c.want {
			t.Errorf("%s: %s, %v\nwant %s", c.url, got, err, c.want)
		}
	}
}

func TestLocateRefuses(t *testing.T) {
	for _, c := range []struct {
		url  string
		kind forge.Kind
		web  string
		want string
	}{
		{"", "github", "", "names no host"},
		{"/srv/git/infra.git", "github", "", "names no host"},
		{`C:\git\infra`, "github", "", "backslash"},
		{"C:/git/infra", "github", "", "names no host"},
		{"ext::sh -c evil", "github", "", "space"},
		{"ext::evil", "github", "", "names no host"},
		{"file:///srv/git/infra.git", "github", "", "scheme"},
		{"https://git.example.com/shop/infra", "", "", "its name does not tell"},
		{"https://github.com/shop/infra", "gitlab", "", "github.com is GitHub, not GitLab"},
		{"https://github.com/infra", "", "", "OWNER/NAME"},
		{"https://github.com/a/b/c", "", "", "OWNER/NAME"},
		{"https://github.com/../infra", "", "", "its path"},
		{"https://github.com/shop/infra%2f..%2fevil", "", "", "its path"},
		{"https://github.com/shop/in%3Ffra", "", "", "its path"},
		{"https://github.com/shop/in%0Afra", "", "", "its path"},
		{"https://github.com\n/shop/infra", "", "", "space"},
		{"https://gitlab.com/infra", "", "", "OWNER/NAME"},
		{"https://git.example.com/projects/SHOP/repos/infra", "bitbucket-server", "", "scm/PROJECT/NAME"},
		{"https://dev.azure.com/org/project/infra", "", "", "_git"},
		{"http://git.example.com/shop/infra", "gitea", "", "for all to read"},
		{"https://git.example.com/shop/infra", "gitea", "https://user:pw@git.example.com", "https://HOST/PATH"},
		{"https://git.example.com/shop/infra", "gitea", "ftp://git.example.com", "https://HOST/PATH"},
		{"https://git.example.com/shop/infra", "gitea", "https://git.example.com/?x=y", "https://HOST/PATH"},
		{"https://git.example.com/" + strings.Repeat("a", 3000) + "/infra", "gitea", "", "2,000"},
	} {
		r, err := forge.Locate(forge.Remote{URL: c.url, Kind: c.kind, Web: c.web})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %+v, %v\nwant %s", c.url, r, err, c.want)
		}
	}
}

func TestParseKind(t *testing.T) {
	for _, k := range forge.Kinds() {
		if got, err := forge.ParseKind(string(k)); err != nil || got != k || k.String() == string(k) {
			t.Errorf("%s: %s, %v", k, got, err)
		}
	}
	if _, err := forge.ParseKind("githbu"); err == nil || err.(interface{ HintText() string }).HintText() != "did you mean github?" {
		t.Error(err)
	}
}

// Whatever a remote is, the address that comes of it is on the host that it names or
// on the known one of its kind, and has no way out of its path.
func FuzzLocate(f *testing.F) {
	for _, s := range []string{"https://github.com/shop/infra.git", "git@git.example.com:a/b/c.git", "ssh://git@[::1]:22/a/b", "https://x.visualstudio.com/DefaultCollection/p/_git/r",
		"git@ssh.dev.azure.com:v3/o/p/r", "https://h/bitbucket/scm/~u/r.git", "https://u:p@h:1/a/b?q#f"} {
		f.Add(s, "gitea", "")
		f.Add(s, "azure", "https://web.example.com/x")
		f.Add(s, "", "")
	}
	f.Fuzz(func(t *testing.T, remote, kind, web string) {
		k, err := forge.ParseKind(kind)
		if err != nil {
			return
		}
		r, err := forge.Locate(forge.Remote{URL: remote, Kind: k, Web: web})
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q has more than one line", err)
			}
			return
		}
		u, err := url.Parse(r.API)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Path, "..") || strings.HasSuffix(r.API, "/") {
			t.Fatalf("%q gives %q, %v", remote, r.API, err)
		}
		if r.Owner == "" || r.Name == "" || strings.ContainsAny(r.Name, "/?#\n") || strings.ContainsAny(r.Owner, "?#\n") || r.RemoteHost == "" || r.Host() == "" {
			t.Fatalf("%q gives %+v", remote, r)
		}
		for _, part := range append(strings.Split(r.Owner, "/"), r.Name) {
			if part == "" || part == "." || part == ".." {
				t.Fatalf("%q gives %+v", remote, r)
			}
		}
	})
}
