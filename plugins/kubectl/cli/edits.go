package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/spf13/cobra"
)

// FinishEdits writes the edits, or shows what they would do.
func (s *Session) FinishEdits(cmd *cobra.Command, inputs []Input, edits []*overlay.Edit, dryRun bool) error {
	if !dryRun {
		return s.writeSet(cmd, inputs, edits)
	}
	for _, e := range edits {
		PrintDiff(s.Out, e.Diff())
	}
	return nil
}

// writeSet writes the edits and says what became of each value. What came from
// the standard input goes to the standard output.
func (s *Session) writeSet(cmd *cobra.Command, inputs []Input, edits []*overlay.Edit) error {
	var named []Input
	var namedEdits []*overlay.Edit
	for i, in := range inputs {
		if in.path == Stdin {
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
	if s.Quiet {
		return nil
	}
	for _, e := range namedEdits {
		for _, c := range e.Changes {
			fmt.Fprintln(s.ErrOut, Clean(fmt.Sprintf("%s%s: %s", e.Before.Name(), place(c.Position), describe(c))))
		}
		if len(e.Changes) == 0 {
			fmt.Fprintln(s.ErrOut, Clean(e.Before.Name())+": unchanged")
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

// describe says what became of a value: of a pin, by the pin's name and the key,
// or of any other scalar, by its path.
func describe(c overlay.FieldChange) string {
	what := fmt.Sprintf("%q: %s", c.Image, c.Field)
	if c.Field == overlay.FieldValue {
		what = c.Image
	}
	switch {
	case c.New == "":
		return fmt.Sprintf("%s %s removed", what, c.Old)
	case c.Old == "":
		return fmt.Sprintf("%s %s added", what, c.New)
	}
	return fmt.Sprintf("%s %s → %s", what, c.Old, c.New)
}

// writeEdits writes all changed files, or none.
func writeEdits(ctx context.Context, inputs []Input, edits []*overlay.Edit) error {
	base := filepath.Dir(inputs[0].real)
	for _, in := range inputs[1:] {
		for !strings.HasPrefix(in.real, strings.TrimSuffix(base, string(filepath.Separator))+string(filepath.Separator)) {
			base = filepath.Dir(base)
		}
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return FileError(err)
	}
	defer root.Close()
	var list []files.File
	for i, e := range edits {
		if !e.Changed() {
			continue
		}
		rel, err := filepath.Rel(base, inputs[i].real)
		if err != nil {
			return FileError(err)
		}
		list = append(list, files.File{Path: filepath.ToSlash(rel), Data: e.After.Bytes(), Old: e.Before.Bytes()})
	}
	if len(list) == 0 {
		return nil
	}
	return files.Write(ctx, root, list)
}
