package kubectl

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
)

// heard is what a command that runs on has said until now.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

func (h *heard) await(t *testing.T, pattern string) []string {
	t.Helper()
	for range 600 {
		if found := regexp.MustCompile(pattern).FindStringSubmatch(h.String()); found != nil {
			return found
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%q is never said:\n%s", pattern, h)
	return nil
}

// oneService makes a repository with a service, and gives the file with its pin.
func oneService(t *testing.T) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	for env, tag := range map[string]string{"staging": "v2", "production": "v1"} {
		file = filepath.Join(dir, "apps", "cart", "overlays", env, "kustomization.yaml")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("images:\n- {name: cart, newTag: "+tag+"}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const pipeline = "apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  layout: apps/{service}/overlays/{environment}\n  environments: [{name: staging}, {name: production, from: [staging]}]\n"
	if err := os.WriteFile(filepath.Join(dir, "promotion.yaml"), []byte(pipeline), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"config", "user.name", "Ada"}, {"config", "user.email", "ada@example.com"},
		{"add", "--all"}, {"commit", "--quiet", "--message=start"},
	} {
		run(t, dir, "git", append([]string{"-C", dir}, args...)...)
	}
	return dir, filepath.Join(dir, "apps", "cart", "overlays", "production", "kustomization.yaml")
}

// runOn runs a command until it is stopped, which gives its exit status.
func runOn(t *testing.T, args ...string) (out, errOut *heard, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, errOut = &heard{}, &heard{}
	status := make(chan int, 1)
	go func() {
		status <- Run(ctx, args, genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: errOut})
	}()
	return out, errOut, func() int { cancel(); return <-status }
}

// A board that is watched is drawn again when somebody edits a file or moves the head, and
// a file that is not YAML for a moment does not end it.
func TestWatch(t *testing.T) {
	for _, command := range []string{"board", "status"} {
		t.Run(command, func(t *testing.T) {
			dir, file := oneService(t)
			out, errOut, stop := runOn(t, command, "-w", "-C", dir)
			out.await(t, `cart +v2.* v1`)
			if err := os.WriteFile(file, []byte("images: {\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			errOut.await(t, `kustomization.yaml:`)
			if err := os.WriteFile(file, []byte("images:\n- {name: cart, newTag: v3}\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			out.await(t, `cart +v2.* v3`)
			if status := stop(); status != cli.ExitInterrupted {
				t.Errorf("exit status %d", status)
			}
		})
	}
}

// A repository that goes away while it is watched is told as that, and watched on: another may
// come in its place. It ended the command, and a board to work at stood there as if it were the
// newest.
func TestWatchGone(t *testing.T) {
	dir, file := oneService(t)
	out, errOut, stop := runOn(t, "board", "-w", "-C", dir)
	out.await(t, `cart +v2.* v1`)
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	errOut.await(t, `is not a directory that can be entered`)
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("images:\n- {name: cart, newTag: v3}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out.await(t, `cart +v2.* v3`)
	if status := stop(); status != cli.ExitInterrupted {
		t.Errorf("exit status %d", status)
	}
}

// The page that is served is the repository's as it is now, and ends with the command.
func TestServe(t *testing.T) {
	dir, file := oneService(t)
	_, errOut, stop := runOn(t, "board", "--serve", "127.0.0.1:0", "-C", dir)
	address := errOut.await(t, `(http://127\.0\.0\.1:\d+/) until ctrl-C`)[1]
	get := func(path string) string {
		t.Helper()
		resp, err := http.Get(address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %v, %v", path, err, resp.Header)
		}
		return string(body)
	}
	if html := get(""); !strings.Contains(html, `data-follows="true"`) || !strings.Contains(html, `"v1"`) {
		t.Errorf("the page is\n%s", html)
	}
	if err := os.WriteFile(file, []byte("images:\n- {name: cart, newTag: v3}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	await := func(what string) (board string) {
		for range 300 {
			if board = get("board.json"); strings.Contains(board, what) {
				return board
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Fatalf("%s is never served", what)
		return ""
	}
	await(`"v3"`)
	// The old board stood there as if it were the newest.
	if err := os.WriteFile(filepath.Join(dir, "promotion.yaml"), []byte("spec: [\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "git", "-C", dir, "commit", "--quiet", "--all", "--message=broken") // the rules are those that are committed
	if board := await(`"error":"promotion.yaml`); !strings.Contains(board, `"v3"`) {
		t.Errorf("the board is\n%s", board)
	}
	if status := stop(); status != cli.ExitInterrupted {
		t.Errorf("exit status %d", status)
	}
}
