package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/tables"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// stdout is the standard output. It keeps the first error: a command that has not
// looked at it must not end as if all had been written. A reader that has gone ends
// the program by SIGPIPE, as it does git and kubectl, unless that signal is ignored;
// an output that was closed from the start is /dev/null to all three.
type stdout struct {
	w     io.Writer
	err   error
	style tables.Style
}

// Write implements io.Writer.
func (o *stdout) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// terminal tells whether a person reads along.
func (o *stdout) terminal() bool {
	f, ok := o.w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// The values of --color.
const (
	colorAuto   = "auto"
	colorAlways = "always"
	colorNever  = "never"
)

// setStyle takes what --color and the terminal say of how the output is shown.
func (s *Session) setStyle(cmd *cobra.Command) error {
	o, ok := s.Out.(*stdout)
	switch s.color {
	case colorAlways, colorNever, colorAuto:
	default:
		return &UsageError{Msg: "--color is " + s.color, Hint: "--color auto, always or never"}
	}
	if !ok {
		return nil
	}
	o.style = tables.Style{Color: s.color == colorAlways}
	if o.terminal() {
		o.style.Color = o.style.Color || s.color == colorAuto && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		o.style.Width = o.width()
	}
	f := cmd.Flags().Lookup(noHeadersFlag)
	o.style.NoHeadings = f != nil && f.Value.String() == "true"
	return nil
}

// width is that of the terminal, by $COLUMNS where it does not tell; zero where it is not
// known.
func (o *stdout) width() int {
	if f, ok := o.w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	width, err := strconv.Atoi(os.Getenv("COLUMNS"))
	if err != nil || width < 0 {
		return 0
	}
	return width
}

// Style is how the output is shown.
func (s *Session) Style() tables.Style { return styleOf(s.Out) }

func styleOf(w io.Writer) tables.Style {
	if o, ok := w.(*stdout); ok {
		return o.style
	}
	return tables.Style{}
}

// Watched tells whether a person reads the output along.
func (s *Session) Watched() bool {
	o, ok := s.Out.(*stdout)
	return ok && o.terminal()
}

// Screen gives the terminal that the output is read on; nil where it is none.
func (s *Session) Screen() *os.File {
	o, ok := s.Out.(*stdout)
	if !ok || !o.terminal() {
		return nil
	}
	return o.w.(*os.File)
}

// Ended gives the error of a command that has ended with err. It is that the output could
// not be written where err says nothing of it: help, and findings that ended with a status
// alone. The status of findings stands.
func (s *Session) Ended(err error) error {
	lost := s.written()
	silent, ok := errors.AsType[*silentError](err)
	switch {
	case err == nil:
		return lost
	case ok && !silent.told && lost != nil:
		return s.FailAs(lost, silent.status)
	}
	return err
}

// written gives the error of a command that could not write all of its output.
func (s *Session) written() error {
	o, ok := s.Out.(*stdout)
	if !ok || o.err == nil {
		return nil
	}
	err := o.err
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		err = p.Err
	}
	return &promote.Error{Msg: "writing the output", Err: err}
}
