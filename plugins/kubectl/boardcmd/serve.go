package boardcmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/plugins/kubectl/boardcmd/page"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/standing"
	"github.com/spf13/cobra"
)

// served is the page as it is now.
type served struct {
	mu   sync.RWMutex
	html []byte
	json []byte
	mark string // of the board: a browser that has it is told so

	board *page.Board
}

// servePage serves the page until the command is stopped, on the loopback interface alone:
// it tells what runs where, and asks nobody who they are.
func (o *options) servePage(cmd *cobra.Command) error {
	addr, err := netip.ParseAddrPort(o.serve)
	if err != nil || !addr.Addr().IsLoopback() {
		return &cli.UsageError{Msg: "--serve " + cli.Clean(o.serve) + " is no address of the loopback interface", Hint: "--serve 127.0.0.1:8080", Command: cmd.CommandPath()}
	}
	var at served
	l, err := (&net.ListenConfig{}).Listen(cmd.Context(), "tcp", addr.String())
	if err != nil {
		return fmt.Errorf("serving the board: %w", err)
	}
	server := &http.Server{Handler: &at, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	defer server.Close()
	started := false
	return standing.Follow(cmd, o.session, func(gone error) error {
		var v *view
		failed := gone
		if gone == nil {
			v, failed = o.read(cmd.Context())
		}
		if failed != nil {
			if v == nil && !started || cmd.Context().Err() != nil {
				return failed
			}
			o.session.Fail(failed)
		}
		if v == nil {
			return at.fail(failed)
		}
		if err := at.set(pageOf(v.title, []*view{v}, o.commands)); err != nil {
			return err
		}
		if !started {
			started = true
			fmt.Fprintf(o.session.ErrOut, "http://%s/ until ctrl-C\n", l.Addr())
			go func() { _ = server.Serve(l) }() // ends with Close
		}
		return nil
	})
}

// set has another board served.
func (s *served) set(b *page.Board) error {
	var html bytes.Buffer
	data, err := json.Marshal(b)
	if err := errors.Join(err, page.Write(&html, b, true)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.html, s.json, s.mark, s.board = html.Bytes(), data, markOf(fmt.Sprint(b.Made), b.Head, b.Error), b
	return nil
}

// fail has the board that was read last served, with what keeps another from being read.
func (s *served) fail(err error) error {
	b := *s.board
	b.Error = fault.OneLine(err.Error())
	return s.set(&b)
}

func markOf(made, head, failed string) string { return made + " " + head + " " + failed }

// ServeHTTP serves the page, and the board that is on it, to who names this machine by its
// loopback address: a name that somebody has led here is another site's.
func (s *served) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", page.Policy(true)+"; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if !isLoopback(r.Host) {
		http.Error(w, "this is the loopback interface's", http.StatusForbidden)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "it is only shown", http.StatusMethodNotAllowed)
		return
	}
	s.mu.RLock()
	html, data, mark := s.html, s.json, s.mark
	s.mu.RUnlock()
	switch r.URL.Path {
	case "/":
		h.Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(html) // a browser that has gone wants no answer
	case "/board.json":
		if markOf(r.FormValue("made"), r.FormValue("head"), r.FormValue("error")) == mark {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h.Set("Content-Type", "application/json")
		_, _ = w.Write(data)
	default:
		http.NotFound(w, r)
	}
}

// isLoopback tells whether the host of a request is this machine's own name for itself.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
