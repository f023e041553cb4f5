package kubectl

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// requestLog is what a registry of a script was asked.
type requestLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *requestLog) handle(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.lines = append(l.lines, r.Method+" "+r.URL.Path)
		l.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// requests FILE: write what the registry was asked since the last time, a
// request a line.
func cmdRequests(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: requests FILE")
	}
	registries.Lock()
	l := registries.logs[scriptRegistryHost(ts)]
	registries.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(l.lines, "\n")+"\n"), 0o644))
	l.lines = nil
}

// damage DIR: change a byte of each file in a directory, of which there must be
// some, and none that is not named by its digest.
func cmdDamage(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: damage DIR")
	}
	files, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("no file in %s", args[0])
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), "sha256-") {
			ts.Fatalf("%s is in %s", f.Name(), args[0])
		}
		file := filepath.Join(ts.MkAbs(args[0]), f.Name())
		data, err := os.ReadFile(file)
		ts.Check(err)
		data[len(data)/2] ^= 1
		ts.Check(os.WriteFile(file, data, 0o600))
	}
}
