package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// forge is a server of git with as much of Gitea's interface as opening a pull request takes.
type forge struct {
	lock  sync.Mutex
	heads []string
}

// serve has the remote of a way with pull requests be on a forge.
func (p *place) serve() {
	p.Helper()
	if p.way != "pull request" {
		return
	}
	p.forge = &forge{}
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		p.Fatal(err)
	}
	backend := &cgi.Handler{Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"), Dir: p.dir,
		Env: []string{"GIT_PROJECT_ROOT=" + p.dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=e2e", "GIT_CONFIG_GLOBAL=/dev/null"}, InheritEnv: []string{"PATH"}}
	mux := http.NewServeMux()
	mux.HandleFunc("/shop/remote.git/", func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/shop")
		backend.ServeHTTP(w, r)
	})
	mux.Handle("/api/v1/repos/shop/remote/", p.forge)
	server := httptest.NewServer(mux)
	p.Cleanup(server.Close)
	at := server.URL + "/shop/remote.git"
	p.git(p.work(), "remote", "set-url", "origin", at)
	p.git(p.work(), "config", "http.postBuffer", "10000000") // the server takes no bodies in chunks
}

// head is the last part of the branch that the pull request is of.
func (f *forge) head() string {
	f.lock.Lock()
	defer f.lock.Unlock()
	if len(f.heads) == 0 {
		return "none"
	}
	return filepath.Base(f.heads[0])
}

func (f *forge) opened() int {
	f.lock.Lock()
	defer f.lock.Unlock()
	return len(f.heads)
}

// ServeHTTP is the forge's interface.
func (f *forge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.lock.Lock()
	defer f.lock.Unlock()
	one := func(n int) map[string]any {
		repo := map[string]any{"full_name": "shop/remote"}
		return map[string]any{"number": n + 1, "state": "open", "title": "t", "html_url": fmt.Sprintf("http://%s/%d", r.Host, n+1),
			"head": map[string]any{"ref": f.heads[n], "repo": repo}, "base": map[string]any{"ref": "main", "repo": repo}}
	}
	var out any
	switch rest := strings.TrimPrefix(r.URL.Path, "/api/v1/repos/shop/remote/"); {
	case strings.HasPrefix(rest, "compare/"):
		out = map[string]any{"total_commits": 1}
	case rest == "pulls" && r.Method == http.MethodPost:
		var in struct{ Head string }
		if json.NewDecoder(r.Body).Decode(&in) == nil {
			f.heads = append(f.heads, in.Head)
		}
		out = one(len(f.heads) - 1)
	case rest == "pulls":
		all := []any{}
		for n := range f.heads {
			all = append(all, one(n))
		}
		out = all
	case len(f.heads) > 0:
		out = one(0)
	default:
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(out)
}
