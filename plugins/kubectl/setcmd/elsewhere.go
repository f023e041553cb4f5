package setcmd

import (
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/overlay"
)

// elsewhere adds to an error where the images stand that a file has at no place that
// a convention finds, and what would set them there.
func elsewhere(file *overlay.File, r overlay.Request, err error) error {
	errs := []error{err}
	for _, c := range r.Changes {
		if _, ok := file.Image(c.Name); ok || c.Name == "" {
			continue
		}
		for _, m := range file.Mentions(c.Name) {
			errs = append(errs, &overlay.Error{
				File: file.Name(), Line: m.Position.Line, Col: m.Position.Col,
				Msg:  fmt.Sprintf("has %s at %s, which no convention finds", m.Text, m.Path),
				Hint: fmt.Sprintf("kubectl promote set --value %s -f %s", shell.Quote(m.Path+"="+c.Over(m.Text)), shell.Quote(file.Name())),
			})
		}
	}
	return errors.Join(errs...)
}

// left tells which mentions of an image stay as they were beside the pins that changed.
func left(e *overlay.Edit, r overlay.Request) []string {
	var out []string
	for _, c := range r.Changes {
		for _, m := range e.After.Mentions(c.Name) {
			if to := c.Over(m.Text); to != m.Text {
				out = append(out, fmt.Sprintf("%s:%d:%d: %s is %s as well and stays: --value %s sets it",
					e.After.Name(), m.Position.Line, m.Position.Col, m.Path, m.Text, shell.Quote(m.Path+"="+to)))
			}
		}
	}
	return out
}
