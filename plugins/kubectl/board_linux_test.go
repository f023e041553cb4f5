package kubectl

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/kubepromote/kubepromote/plugins/kubectl/internal/loopback"
	"golang.org/x/sys/unix"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// terminal opens a terminal of so many columns, and gives what is shown on it.
func terminal(t *testing.T, columns uint16) (tty *os.File, shown func() string) {
	t.Helper()
	tty, master := terminalPair(t, columns)
	text := make(chan string)
	go func() {
		all, _ := io.ReadAll(master) // that its other end is closed is an error here
		text <- string(all)
	}()
	return tty, func() string { tty.Close(); defer master.Close(); return strings.ReplaceAll(<-text, "\r\n", "\n") }
}

// terminalPair opens a terminal, and what types and reads at it.
func terminalPair(t *testing.T, columns uint16) (tty, master *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal can be made here: %v", err)
	}
	zero := 0
	if _, _, no := unix.Syscall(unix.SYS_IOCTL, master.Fd(), unix.TIOCSPTLCK, uintptr(unsafe.Pointer(&zero))); no != 0 {
		t.Fatal(no)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal can be made here: %v", err)
	}
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return tty, master
}

// The board that is worked at promotes what is asked for, after a yes, by the commands that it
// shows; and what stands on the terminal afterwards is those commands and what they have said.
func TestWork(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	dir, file := serviceWithRegistry(t)
	press, ended := working(t, "-C", dir)
	press("", "PRODUCTION")
	press("\x1b[C", "cart")
	press("h", "history cart --env production")
	press("q", "promote")
	press("p", "y: kubectl promote apply")
	press("y", `enter: back to the board`)
	press("\r", "done: kubectl promote cart --to production")
	press("q", "leave")
	if status := <-ended; status != 0 {
		t.Errorf("exit status %d", status)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.Contains(string(data), "newTag: v2, digest: sha256:") {
		t.Errorf("it is not promoted: %s %v", data, err)
	}
}

// serviceWithRegistry makes a repository with a service that is behind, and its registry.
func serviceWithRegistry(t *testing.T) (dir, file string) {
	t.Helper()
	registry, err := loopback.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Stop)
	dir, file = oneService(t)
	for env, tag := range map[string]string{"staging": "v2", "production": "v1"} {
		if _, err := registry.Push(t.Context(), "cart", tag, nil); err != nil {
			t.Fatal(err)
		}
		text := "images:\n- {name: cart, newName: " + registry.Host + "/cart, newTag: " + tag + "}\n"
		if err := os.WriteFile(filepath.Join(dir, "apps/cart/overlays", env, "kustomization.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, "git", "-C", dir, "commit", "--quiet", "--all", "--message=the registry")
	return dir, file
}

// working runs the board that is worked at, and gives what presses keys until something is said.
func working(t *testing.T, args ...string) (press func(keys, until string), ended chan int) {
	t.Helper()
	tty, master := terminalPair(t, 200)
	t.Cleanup(func() { tty.Close(); master.Close() })
	var screen heard
	go func() { _, _ = io.Copy(&screen, master) }() // ends with the terminal
	ended = make(chan int, 1)
	go func() {
		ended <- Run(t.Context(), append([]string{"board", "-i", "--no-pending"}, args...), genericiooptions.IOStreams{In: tty, Out: tty, ErrOut: tty})
	}()
	return func(keys, until string) {
		t.Helper()
		if _, err := io.WriteString(master, keys); err != nil {
			t.Fatal(err)
		}
		screen.await(t, until)
	}, ended
}

// The keys of a board that shows a branch promote on that branch. They promoted on the
// repository's own, and said so nowhere.
func TestWorkOnBranch(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+who+"_NAME", "Ada")
		t.Setenv("GIT_"+who+"_EMAIL", "ada@example.com")
	}
	dir, _ := serviceWithRegistry(t)
	bare := filepath.Join(t.TempDir(), "infra.git")
	run(t, dir, "git", "clone", "--quiet", "--bare", dir, bare)
	for _, args := range [][]string{{"branch", "eu", "main"}, {"config", "uploadpack.allowFilter", "true"}, {"config", "uploadpack.allowAnySHA1InWant", "true"}} {
		run(t, dir, "git", append([]string{"-C", bare}, args...)...)
	}
	press, ended := working(t, "-C", "file://"+bare, "--branch", "eu")
	press("", "PRODUCTION")
	press("\x1b[C", "cart")
	press("g", `gates cart --to production -C \S+infra.git --branch eu`)
	press("q", "promote")
	press("p", "y: kubectl promote apply")
	press("y", `enter: back to the board`)
	press("\r", `done: kubectl promote cart --to production -C \S+infra.git --branch eu`)
	press("q", "leave")
	if status := <-ended; status != 0 {
		t.Errorf("exit status %d", status)
	}
	for branch, tag := range map[string]string{"eu": "newTag: v2", "main": "newTag: v1"} {
		out, err := exec.Command("git", "-C", bare, "show", branch+":apps/cart/overlays/production/kustomization.yaml").Output()
		if err != nil || !strings.Contains(string(out), tag) {
			t.Errorf("%s has %s %v", branch, out, err)
		}
	}
}

// kubectl promote alone says where things stand, on a terminal and in a repository with
// services; elsewhere, what it is.
func TestAlone(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	dir, _ := oneService(t)
	show := func(columns uint16, args ...string) string {
		tty, shown := terminal(t, columns)
		if status := Run(t.Context(), args, genericiooptions.IOStreams{In: strings.NewReader(""), Out: tty, ErrOut: io.Discard}); status != 0 {
			t.Errorf("%v: exit status %d", args, status)
		}
		return shown()
	}
	wide := show(120, "-C", dir)
	if !strings.Contains(wide, "\x1b[1mSERVICE\x1b[0m") || !strings.Contains(wide, "Ada") || !strings.Contains(wide, "kubectl promote cart --to production") {
		t.Errorf("on a terminal:\n%s", wide)
	}
	if narrow := show(40, "-C", dir, "--color", "never"); strings.Contains(narrow, "Ada") || !strings.Contains(narrow, "v1*") || strings.Contains(narrow, "\x1b") {
		t.Errorf("on a narrow one:\n%s", narrow)
	}
	for _, args := range [][]string{{"-C", t.TempDir()}, {"-C", dir, "--help"}} {
		if help := show(120, args...); !strings.Contains(help, "Usage:") {
			t.Errorf("%v: no help:\n%s", args, help)
		}
	}
	t.Setenv("NO_COLOR", "1")
	if plain := show(120, "-C", dir); strings.Contains(plain, "\x1b[") {
		t.Errorf("coloured, whatever NO_COLOR says:\n%s", plain)
	}
}
