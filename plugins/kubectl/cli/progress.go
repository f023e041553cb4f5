package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"
)

// Progress shows how far a long step is: a bar on a terminal, a line now and
// then elsewhere. Short steps show nothing.
type Progress struct {
	out      io.Writer
	terminal bool
	started  time.Time
	shown    time.Time
	step     string
	drawn    bool
}

const (
	barAfter   = 300 * time.Millisecond
	barEvery   = 100 * time.Millisecond
	linesAfter = 5 * time.Second
	linesEvery = 5 * time.Second
	barWidth   = 30
)

// NewProgress gives nil, which shows nothing, where the user wants quiet, and for one of
// several repositories: how many of them are done is shown.
func (s *Session) NewProgress() *Progress {
	if s.Quiet || s.member {
		return nil
	}
	f, ok := s.ErrOut.(*os.File)
	return &Progress{out: s.ErrOut, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// Show is called after each finished part of a step.
func (p *Progress) Show(step string, done, total int) {
	p.draw(step, int64(done), int64(total), func(n int64) string { return strconv.FormatInt(n, 10) })
}

// ShowBytes is Show for a step whose parts are bytes.
func (p *Progress) ShowBytes(step string, done, total int64) {
	p.draw(step, done, total, func(n int64) string { return humanize.IBytes(uint64(max(n, 0))) })
}

func (p *Progress) draw(step string, done, total int64, text func(int64) string) {
	if p == nil {
		return
	}
	now := time.Now()
	if step != p.step {
		p.Clear()
		p.step, p.started, p.shown = step, now, time.Time{}
	}
	after, every := linesAfter, linesEvery
	if p.terminal {
		after, every = barAfter, barEvery
	}
	if now.Sub(p.started) < after || now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	if !p.terminal {
		fmt.Fprintf(p.out, "%s: %s of %s\n", step, text(done), text(total))
		return
	}
	full := int(min(barWidth, barWidth*done/max(total, 1)))
	fmt.Fprintf(p.out, "\r%s [%s%s] %s/%s", step, strings.Repeat("#", full), strings.Repeat(".", barWidth-full), text(done), text(total))
	p.drawn = true
}

// Clear removes the bar before other text is printed.
func (p *Progress) Clear() {
	if p != nil && p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}
