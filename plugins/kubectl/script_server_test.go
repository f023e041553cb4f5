package kubectl

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// servers are those that scripts have started, by address.
var servers = struct {
	sync.Mutex
	stop map[string]func()
}{stop: map[string]func(){}}

// server start DIR|stop: answer requests on the loopback interface with the files of a
// directory, as they are at the moment; its URL is in $SERVER. A directory is answered with
// the file index in it. Beside a file, NAME.status holds the status that it is answered
// with, NAME.auth the header Authorization without which that is 401, and NAME.posted is
// what was sent to it last; NAME.made is what that is answered with, if it is there. NAME.next takes the file's place once that was asked for.
// server silent: one that accepts and never answers.
func cmdServer(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case len(args) == 2 && args[0] == "start":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		s := &http.Server{Handler: &fileAnswers{ts.MkAbs(args[1])}}
		go s.Serve(l) //nolint:errcheck // it ends with the script
		at := "http://" + l.Addr().String()
		stop := func() { s.Close() }
		ts.Defer(stop)
		ts.Setenv("SERVER", at)
		servers.Lock()
		defer servers.Unlock()
		servers.stop[at] = stop
	case len(args) == 1 && args[0] == "silent":
		l, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts for it
		ts.Check(err)
		ts.Defer(func() { l.Close() })
		ts.Setenv("SERVER", l.Addr().String())
	case len(args) == 1 && args[0] == "stop":
		servers.Lock()
		defer servers.Unlock()
		servers.stop[ts.Getenv("SERVER")]()
	default:
		ts.Fatalf("usage: server start DIR|silent|stop")
	}
}

type fileAnswers struct{ dir string }

// ServeHTTP implements [http.Handler].
func (f *fileAnswers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := filepath.Join(f.dir, filepath.FromSlash(strings.Trim(r.URL.Path, "/")))
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		name = filepath.Join(name, "index")
	}
	data, err := os.ReadFile(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if sent, err := io.ReadAll(r.Body); err == nil && r.Method == http.MethodPost {
		os.WriteFile(name+".posted", append(sent, '\n'), 0o644) //nolint:errcheck // the script sees what has become of it
		if made, err := os.ReadFile(name + ".made"); err == nil {
			data = made
		}
	}
	if auth, err := os.ReadFile(name + ".auth"); err == nil && strings.TrimSpace(string(auth)) != r.Header.Get("Authorization") {
		http.Error(w, `{"error": "who are you?"}`, http.StatusUnauthorized)
		return
	}
	if text, err := os.ReadFile(name + ".status"); err == nil {
		if status, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			w.WriteHeader(status)
		}
	}
	if _, err := os.Stat(name + ".next"); err == nil {
		if err := os.Rename(name+".next", name); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	w.Write(data) //nolint:errcheck // the script sees what has become of it
}
