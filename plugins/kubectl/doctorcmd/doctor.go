// Package doctorcmd implements kubectl promote doctor: what is missing on this machine and in
// this repository for what the pipeline asks for, and how to mend it.
package doctorcmd

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/spf13/cobra"
)

const long = `Say what is missing on this machine and in this repository: git and its settings, the
pipeline, credentials of registries and of the forge, contexts of the kubeconfig, variables
that gates and events name, leave to run commands, programs, completion. Under each thing
that is missing stands what mends it.

Whether there are credentials is looked up, also by the helpers that know them; none is
shown. Nobody is asked over the network unless with --reach: then each registry is asked for
one image that stands in the repository, and the forge whether it protects the branches.

Exit status: 0 nothing is missing, 1 something is, 2 usage error, 5 something could not be told.`

const example = `  # what is missing?
  kubectl promote doctor

  # the same, and whether registries let in and branches are protected
  kubectl promote doctor --reach

  # only what is missing
  kubectl promote doctor -q`

// The states of a check.
const (
	ok      = "ok"
	missing = "missing"
	unknown = "unknown"
)

// finding is what a check has found.
type finding struct {
	Check   string `json:"check"`
	State   string `json:"state"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// maxTime is how long all of it may take.
const maxTime = 2 * time.Minute

// New makes kubectl promote doctor.
func New(s *cli.Session) *cobra.Command {
	d := &doctor{session: s}
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Say what is missing on this machine and in this repository",
		Long:    long,
		Example: example,
		GroupID: cli.GroupKnow,
	}
	cmd.Flags().BoolVar(&d.reach, "reach", false, "ask each registry for one image, and the forge whether branches are protected")
	output := cli.AddOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		printer, err := output.Printer()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), maxTime)
		defer cancel()
		d.examine(ctx)
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		if printer != nil {
			items := []cli.Object{}
			for _, f := range d.found {
				items = append(items, cli.Object{Name: f.Check, Content: f})
			}
			err = cli.PrintList(s.Out, printer, "Check", items)
		} else {
			d.print()
		}
		if err != nil {
			return err
		}
		return cli.Silent(d.status())
	}
	return cmd
}

// doctor is one examination.
type doctor struct {
	session *cli.Session
	reach   bool
	found   []finding
}

func (d *doctor) note(state, check, hint, format string, args ...any) {
	f := finding{check, state, cli.Clean(fmt.Sprintf(format, args...)), cli.Clean(d.session.HintHere(hint))}
	if !slices.Contains(d.found, f) {
		d.found = append(d.found, f)
	}
}

func (d *doctor) ok(check, format string, args ...any) { d.note(ok, check, "", format, args...) }

func (d *doctor) missing(check, hint, format string, args ...any) {
	d.note(missing, check, hint, format, args...)
}

func (d *doctor) unknown(check, hint, format string, args ...any) {
	d.note(unknown, check, hint, format, args...)
}

// fails notes an error as something that is missing, with its own hint or another.
func (d *doctor) fails(state, check string, err error, hint string) {
	for _, e := range cli.Split(err) {
		own := d.session.HintOf(e)
		if own == "" {
			own = hint
		}
		d.note(state, check, own, "%v", e)
	}
}

func (d *doctor) examine(ctx context.Context) {
	if d.git(ctx) {
		d.repository(ctx)
	}
	d.completion()
}

func (d *doctor) print() {
	for _, f := range d.found {
		if f.State == ok && d.session.Quiet {
			continue
		}
		fmt.Fprintf(d.session.Out, "%-8s %s: %s\n", f.State, f.Check, f.Message)
		if f.Hint != "" {
			fmt.Fprintln(d.session.Out, "hint: "+f.Hint)
		}
	}
}

// status is 1 where something is missing, 5 where something could not be told.
func (d *doctor) status() int {
	status := cli.ExitDone
	for _, f := range d.found {
		switch f.State {
		case missing:
			return cli.ExitFailed
		case unknown:
			status = cli.ExitUnknown
		}
	}
	return status
}
