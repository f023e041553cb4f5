package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/promote"
	"golang.org/x/term"
)

// interruptible is the standard input for as long as a context lasts: a terminal or
// a pipe may never end, and a signal does not end a read from it.
type interruptible struct {
	ctx context.Context
	in  io.Reader
	// asks, if not nil, says before the first read that it is waited for.
	asks func()
}

// asksTerminal gives what says on a terminal that something is to be typed there; nil
// where the standard input is none.
func (s *Session) asksTerminal() func() {
	in, ok := s.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	return sync.OnceFunc(func() {
		fmt.Fprintln(s.ErrOut, "reading the standard input, up to a line with ctrl-D")
	})
}

// Read implements [io.Reader], and returns at once where the command is stopped.
func (r *interruptible) Read(p []byte) (int, error) {
	if r.asks != nil {
		r.asks()
	}
	// The read that is left behind has a buffer of its own.
	buffer := make([]byte, len(p))
	n, err := 0, error(nil)
	if stopped := wait(r.ctx, func() { n, err = r.in.Read(buffer) }); stopped != nil {
		return 0, stopped
	}
	return copy(p, buffer[:n]), err
}

// wait waits for a function, or for the end of the context.
func wait(ctx context.Context, f func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// KeyPassword finds the password of a private key without ever having it in an
// argument.
func (s *Session) KeyPassword(ctx context.Context) ([]byte, error) {
	if password, ok := os.LookupEnv("COSIGN_PASSWORD"); ok {
		return []byte(password), nil
	}
	in, ok := s.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, &promote.Error{Msg: "it is encrypted, and there is no password", Hint: "set COSIGN_PASSWORD, or run this on a terminal"}
	}
	fd := int(in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, &promote.Error{Msg: "the terminal cannot be asked for the password", Err: err}
	}
	if _, err := s.ErrOut.Write([]byte("password of the private key: ")); err != nil {
		return nil, err
	}
	var password []byte
	stopped := wait(ctx, func() { password, err = term.ReadPassword(fd) })
	s.ErrOut.Write([]byte("\n")) //nolint:errcheck // the password has been read
	if stopped != nil {
		_ = term.Restore(fd, before) // what is typed shall be seen again
		return nil, stopped
	}
	return password, err
}

// maxStdin bounds the references that are read from the standard input.
const maxStdin = 16 << 20

// ExpandStdin puts the lines of the standard input in the place of "-".
func (s *Session) ExpandStdin(args []string, files *FileOptions) ([]string, error) {
	at := slices.Index(args, Stdin)
	if at < 0 {
		return args, nil
	}
	if slices.Contains(args[at+1:], Stdin) || files.ReadsStdin() {
		return nil, readTwice()
	}
	var read []string
	lines := bufio.NewScanner(io.LimitReader(s.Stdin, maxStdin))
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			read = append(read, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, &promote.Error{Msg: "reading the standard input", Err: err}
	}
	if len(read) == 0 {
		return nil, &promote.Error{Msg: "<stdin>: no reference in it"}
	}
	return slices.Concat(args[:at], read, args[at+1:]), nil
}
