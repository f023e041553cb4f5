package kubectl

import (
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/spf13/cobra"
)

const setLong = `Set image pins in kustomization files.

An argument has the form and the meaning that kustomize edit set image gives it:

  NAME=NEW:TAG@DIGEST   NAME=NEW   NAME:TAG   NAME@DIGEST   NAME=

It says what the image's whole entry shall be: a new name, tag or digest that it
does not name is removed, and "*" in the place of one keeps it. A missing entry
is added.

Every byte that need not change stays as it is. Several arguments and several
files make one edit: all files are written, or none. A file whose pins are
already as asked for is not touched.`

const setExample = `  # set a tag in the kustomization of this directory
  kubectl promote set web:v1.2.3

  # set the digest and keep the new name
  kubectl promote set web=*@sha256:0123... -k apps/web/overlays/staging

  # show what would change in two files
  kubectl promote set web:v1.2.3 -f a/kustomization.yaml -f b/kustomization.yaml --dry-run`

func newSetCommand(s *session) *cobra.Command {
	files, dryRun := &fileOptions{}, false
	cmd := &cobra.Command{
		Use:     "set IMAGE...",
		Short:   "Set image pins in kustomization files",
		Long:    setLong,
		Example: setExample,
		GroupID: groupEdit,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.set(cmd, files, args, dryRun)
		},
	}
	files.addFlags(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the diff and change nothing")
	return cmd
}

func (s *session) set(cmd *cobra.Command, files *fileOptions, args []string, dryRun bool) error {
	var changes []overlay.Change
	var errs []error
	for _, a := range args {
		c, err := overlay.ParseArgument(a)
		if err != nil {
			errs = append(errs, &usageError{msg: err.Error(), command: cmd.CommandPath()})
		}
		changes = append(changes, c)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	inputs, err := files.read(s, s.repo)
	if err != nil {
		return err
	}
	edits := make([]*overlay.Edit, len(inputs))
	for i, in := range inputs {
		var err error
		if edits[i], err = in.file.Set(changes...); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, e := range edits {
		for _, w := range e.Warnings {
			s.warn("%s", w)
		}
	}
	if dryRun {
		for _, e := range edits {
			fmt.Fprint(s.Out, e.Diff())
		}
		return nil
	}
	return s.writeSet(cmd, inputs, edits)
}

// writeSet writes the edits and says what became of each value. What came from
// the standard input goes to the standard output.
func (s *session) writeSet(cmd *cobra.Command, inputs []input, edits []*overlay.Edit) error {
	var named []input
	var namedEdits []*overlay.Edit
	for i, in := range inputs {
		if in.path == stdin {
			if _, err := s.Out.Write(edits[i].After.Bytes()); err != nil {
				return err
			}
			continue
		}
		named, namedEdits = append(named, in), append(namedEdits, edits[i])
	}
	if len(named) == 0 {
		return nil
	}
	if err := writeEdits(cmd.Context(), named, namedEdits); err != nil {
		return err
	}
	if s.quiet {
		return nil
	}
	for _, e := range namedEdits {
		for _, c := range e.Changes {
			fmt.Fprintln(s.ErrOut, clean(fmt.Sprintf("%s%s: image %q: %s", e.Before.Name(), place(c.Position), c.Image, describe(c))))
		}
		if len(e.Changes) == 0 {
			fmt.Fprintf(s.ErrOut, "%s: unchanged\n", e.Before.Name())
		}
	}
	return nil
}

func place(p overlay.Position) string {
	if p.Line == 0 {
		return ""
	}
	return fmt.Sprintf(":%d:%d", p.Line, p.Col)
}

func describe(c overlay.FieldChange) string {
	switch {
	case c.New == "":
		return fmt.Sprintf("%s %s removed", c.Field, c.Old)
	case c.Old == "":
		return fmt.Sprintf("%s %s added", c.Field, c.New)
	}
	return fmt.Sprintf("%s %s → %s", c.Field, c.Old, c.New)
}
