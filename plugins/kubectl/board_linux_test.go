package kubectl

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// terminal opens a terminal of so many columns, and gives what is shown on it.
func terminal(t *testing.T, columns uint16) (tty *os.File, shown func() string) {
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
	text := make(chan string)
	go func() {
		all, _ := io.ReadAll(master) // that its other end is closed is an error here
		text <- string(all)
	}()
	return tty, func() string { tty.Close(); defer master.Close(); return strings.ReplaceAll(<-text, "\r\n", "\n") }
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
