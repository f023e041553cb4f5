// Package apitest serves what tests say that an API server of Kubernetes has, and writes
// kubeconfigs that lead there.
package apitest

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"
)

// Token is the one that the server accepts.
const Token = "a-token-of-the-tests"

// Server answers with what stands under a path, with its query where that is named too.
type Server struct {
	*httptest.Server

	mu      sync.Mutex
	answers map[string]string
	asked   []string
}

// Serve starts a server. Its answers are YAML, by "/path" or "/path?query"; one that begins
// with a number has that status.
func Serve(t testing.TB, answers map[string]string) *Server {
	s := &Server{answers: answers}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	return s
}

// Put changes an answer.
func (s *Server) Put(path, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[path] = answer
}

// Asked are the paths that were asked for, in their order.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.URL.String())
	text, ok := s.answers[r.URL.String()]
	if !ok {
		text, ok = s.answers[r.URL.EscapedPath()]
	}
	s.mu.Unlock()
	status := http.StatusOK
	switch {
	case r.Header.Get("Authorization") != "Bearer "+Token:
		status, text = http.StatusUnauthorized, `{kind: Status, status: Failure, reason: Unauthorized, message: Unauthorized, code: 401}`
	case !ok:
		at := strings.Split(r.URL.Path, "/")
		status, text = http.StatusNotFound, fmt.Sprintf(`{kind: Status, status: Failure, reason: NotFound, message: not found, details: {name: %q}, code: 404}`, at[len(at)-1])
	default:
		if n, err := fmt.Sscanf(text, "%d", &status); n == 1 && err == nil {
			text = strings.TrimLeft(text, "0123456789 ")
		}
	}
	body, err := yaml.YAMLToJSON([]byte(text))
	if err != nil || strings.HasPrefix(text, "raw:") {
		body = []byte(strings.TrimPrefix(text, "raw:"))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Kubeconfig writes one whose contexts lead to the server, the first of them the current one,
// and gives its path.
func (s *Server) Kubeconfig(t testing.TB, token string, contexts ...string) string {
	text := "apiVersion: v1\nkind: Config\ncurrent-context: " + contexts[0] + "\nclusters:\n- {name: c, cluster: " + s.Cluster() + "}\nusers:\n- {name: u, user: {token: \"" + token + "\"}}\ncontexts:\n"
	for _, name := range contexts {
		text += "- {name: " + name + ", context: {cluster: c, user: u, namespace: shop}}\n"
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Cluster is the server as a kubeconfig has it.
func (s *Server) Cluster() string {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return "{server: \"" + s.URL + "\", certificate-authority-data: " + base64.StdEncoding.EncodeToString(ca) + "}"
}
