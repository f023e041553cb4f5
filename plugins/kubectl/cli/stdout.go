package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// stdout is the standard output. It keeps the first error: a command that has not
// looked at it must not end as if all had been written. A reader that has gone ends
// the program by SIGPIPE, as it does git and kubectl, unless that signal is ignored;
// an output that was closed from the start is /dev/null to all three.
type stdout struct {
	w   io.Writer
	err error
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

// AddColor gives a command the flag --color, and the function that tells whether its
// output is coloured: on a terminal, unless NO_COLOR is set.
func (s *Session) AddColor(cmd *cobra.Command) func() (bool, error) {
	color := ""
	cmd.Flags().StringVar(&color, "color", colorAuto, "colour the output: auto, which is on a terminal where NO_COLOR is not set, always or never")
	Must(cmd.RegisterFlagCompletionFunc("color", cobra.FixedCompletions([]string{colorAuto, colorAlways, colorNever}, cobra.ShellCompDirectiveNoFileComp)))
	return func() (bool, error) {
		switch color {
		case colorAlways, colorNever:
			return color == colorAlways, nil
		case colorAuto:
			o, ok := s.Out.(*stdout)
			return ok && o.terminal() && os.Getenv("NO_COLOR") == "", nil
		}
		return false, &UsageError{Msg: "--color is " + color, Hint: "auto, always or never"}
	}
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
