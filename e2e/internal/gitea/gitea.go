// Package gitea runs Gitea as a process of its own on a loopback port, with users,
// repositories and tokens for the tests. It has all its data in one folder and
// refuses to run as root: where the tests do, it runs as nobody.
package gitea

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Options say how Gitea runs.
type Options struct {
	// Program is the path of the binary.
	Program string
	// Static is the folder with the templates, options and public files of the sources
	// that it was built from.
	Static string
}

// Server is a running Gitea. Its administrator is [Admin].
type Server struct {
	// URL is its address, without a slash at the end.
	URL string
	// Token is one of the administrator's, good for everything.
	Token string

	dir    string
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process has ended
	client http.Client
}

// Admin is the name of the administrator, and Password that of every user.
const (
	Admin    = "admin1"
	Password = "a-password-of-the-tests"
)

// startTries is how often another port is tried: between choosing a free port
// and the process listening on it, somebody else may take it.
const startTries = 5

// Start runs Gitea and waits until it answers. The caller stops it.
func Start(ctx context.Context, o Options) (*Server, error) {
	var last error
	for range startTries {
		s, err := start(ctx, o)
		if err == nil {
			return s, nil
		}
		last = err
	}
	return nil, last
}

func start(ctx context.Context, o Options) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	host := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	s := &Server{URL: "http://" + host, done: make(chan struct{}), client: http.Client{Timeout: time.Minute}}
	if s.dir, err = os.MkdirTemp("", "gitea"); err != nil {
		return nil, err
	}
	if err := s.run(ctx, o, host); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) run(ctx context.Context, o Options, host string) error {
	program, err := s.prepare(o, host)
	if err != nil {
		close(s.done)
		return err
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		close(s.done)
		return err
	}
	defer log.Close() // the process has its own
	s.cmd = s.command(context.WithoutCancel(ctx), program, "web")
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		close(s.done)
		return err
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is in its log
		close(s.done)
	}()
	if err := s.ready(ctx); err != nil {
		return err
	}
	out, err := s.command(ctx, program, "admin", "user", "create", "--admin", "--username", Admin, "--password", Password,
		"--email", Admin+"@example.com", "--must-change-password=false").CombinedOutput()
	if err != nil {
		return fmt.Errorf("gitea admin user create: %w\n%s", err, out)
	}
	s.Token, err = s.TokenOf(ctx, Admin, "all")
	return err
}

// prepare writes what Gitea needs and gives it to the user that it runs as, who may
// be unable to look into the folders of the caller.
func (s *Server) prepare(o Options, host string) (program string, err error) {
	program = filepath.Join(s.dir, "bin", "gitea")
	if err := os.Mkdir(filepath.Dir(program), 0o755); err != nil {
		return "", err
	}
	if err := linkOrCopy(o.Program, program); err != nil {
		return "", err
	}
	for _, name := range []string{"templates", "options", "public"} {
		if err := os.CopyFS(filepath.Join(s.dir, "static", name), os.DirFS(filepath.Join(o.Static, name))); err != nil {
			return "", err
		}
	}
	for _, name := range []string{"custom/conf", "data", "home", "tmp"} {
		if err := os.MkdirAll(filepath.Join(s.dir, name), 0o755); err != nil {
			return "", err
		}
	}
	key := filepath.Join(s.dir, "data", "signing")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "gitea@example.com", "-f", key).CombinedOutput(); err != nil {
		key = "none" // what it commits is not signed then
		fmt.Fprintf(os.Stderr, "no key to sign with: %v: %s\n", err, out)
	} else {
		key += ".pub"
	}
	if err := os.WriteFile(filepath.Join(s.dir, "custom", "conf", "app.ini"), []byte(s.config(host, key)), 0o644); err != nil {
		return "", err
	}
	return program, own(s.dir)
}

// linkOrCopy copies a program if it cannot be linked: it has 150 MB.
func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func (s *Server) config(host, key string) string {
	_, port, _ := net.SplitHostPort(host)
	return fmt.Sprintf(`APP_NAME = tests
RUN_MODE = prod
RUN_USER = %[1]s
WORK_PATH = %[2]s

[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = %[3]s
ROOT_URL = %[4]s/
LOCAL_ROOT_URL = %[4]s/
STATIC_ROOT_PATH = %[2]s/static
APP_DATA_PATH = %[2]s/data
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false

[database]
DB_TYPE = sqlite3
PATH = %[2]s/data/gitea.db
SQLITE_TIMEOUT = 5000
SQLITE_JOURNAL_MODE = WAL

[security]
INSTALL_LOCK = true
SECRET_KEY = tests
INTERNAL_TOKEN = eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJuYmYiOjE1NTU1NTU2MTh9.hhSVGOANkaKk3vfCd2jDOIww4pUk0xtg9JRde5UogyQ
PASSWORD_HASH_ALGO = pbkdf2_hi
PASSWORD_CHECK_PWN = false

[oauth2]
ENABLED = true
JWT_SIGNING_ALGORITHM = ES256
JWT_SECRET = AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8

[service]
DISABLE_REGISTRATION = true

[session]
PROVIDER = memory

[log]
MODE = console
LEVEL = Warn

[cron]
ENABLED = false

[actions]
ENABLED = false

[packages]
ENABLED = false

[indexer]
ISSUE_INDEXER_TYPE = db

[repository]
DEFAULT_BRANCH = main

[repository.pull-request]
WORK_IN_PROGRESS_PREFIXES = WIP:,[WIP]

[repository.signing]
SIGNING_FORMAT = ssh
SIGNING_KEY = %[5]s
SIGNING_NAME = Gitea
SIGNING_EMAIL = gitea@example.com
CRUD_ACTIONS = always

[webhook]
ALLOWED_HOST_LIST = loopback

[queue]
TYPE = channel
`, userName(), s.dir, port, s.URL, key)
}

// command prepares a run of Gitea as the user that it runs as.
func (s *Server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, append(args, "--config", filepath.Join(s.dir, "custom", "conf", "app.ini"))...)
	cmd.Dir = s.dir
	// Nothing of the caller's environment may reach it: GITEA_… variables change its
	// configuration, GIT_… ones that of git.
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(s.dir, "home"), "TMPDIR=" + filepath.Join(s.dir, "tmp"),
		"USER=" + userName(), "GITEA_WORK_DIR=" + s.dir, "GIT_CONFIG_NOSYSTEM=1",
	}
	runAs(cmd)
	return cmd
}

func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v1/version", nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.done:
			return fmt.Errorf("the server ended at once:\n%s", s.Log())
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer:\n%s", s.Log())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Log is what Gitea has said until now.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Stop ends the process, and no other, waits for its end and removes its data. A
// second call does nothing.
func (s *Server) Stop() {
	select {
	case <-s.done:
	default:
		_ = s.cmd.Process.Signal(os.Interrupt) // an error says that it has ended already
		select {
		case <-s.done:
		case <-time.After(10 * time.Second):
			_ = s.cmd.Process.Kill()
			<-s.done
		}
	}
	_ = os.RemoveAll(s.dir)
}

// Do asks Gitea's interface as the holder of a token, or the administrator where token
// is empty. path is below /api/v1; in is sent and out read where not nil.
func (s *Server) Do(ctx context.Context, token, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if token == "" {
		token = s.Token
	}
	return s.send(req, "token "+token, out)
}

func (s *Server) send(req *http.Request, authorization string, out any) error {
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", authorization)
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode > 299 {
		return fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, resp.Status, bytes.TrimSpace(text))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// User makes a user and gives a token of theirs with the scopes, such as
// write:repository.
func (s *Server) User(ctx context.Context, name string, scopes ...string) (token string, err error) {
	in := map[string]any{"username": name, "email": name + "@example.com", "password": Password, "must_change_password": false}
	if err := s.Do(ctx, "", http.MethodPost, "/admin/users", in, nil); err != nil {
		return "", err
	}
	return s.TokenOf(ctx, name, scopes...)
}

// TokenOf gives another token of a user.
func (s *Server) TokenOf(ctx context.Context, name string, scopes ...string) (string, error) {
	body, err := json.Marshal(map[string]any{"name": fmt.Sprintf("token-%d", time.Now().UnixNano()), "scopes": scopes})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/api/v1/users/"+name+"/tokens", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(name, Password)
	var out struct {
		SHA1 string `json:"sha1"`
	}
	err = s.send(req, req.Header.Get("Authorization"), &out)
	return out.SHA1, err
}

// Repository makes a repository of a user, with one commit on main unless it is to be
// empty, and gives its remote, without a token in it.
func (s *Server) Repository(ctx context.Context, owner, name string, empty bool) (remote string, err error) {
	in := map[string]any{"name": name, "auto_init": !empty, "default_branch": "main"}
	return s.Remote(owner, name), s.Do(ctx, "", http.MethodPost, "/admin/users/"+owner+"/repos", in, nil)
}

// Remote is the address of a repository.
func (s *Server) Remote(owner, name string) string {
	return s.URL + "/" + owner + "/" + name + ".git"
}

// RemoteWith is the address of a repository with a user and a token in it, as git
// takes them without a helper.
func (s *Server) RemoteWith(owner, name, user, token string) string {
	return strings.Replace(s.Remote(owner, name), "://", "://"+url.UserPassword(user, token).String()+"@", 1)
}
