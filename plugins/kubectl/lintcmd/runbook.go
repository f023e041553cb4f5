package lintcmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/typed"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/lint"
	"github.com/kubepromote/kubepromote/promote/runbook"
)

// runbooks finds those of the working tree that say something else than their pipeline.
func runbooks(ctx context.Context, r *repository) []lint.Finding {
	const writeAnew = "kubectl promote runbook --file "
	const skip = "kubectl promote lint --skip runbook"
	var found []lint.Finding
	var now []byte
	entries := 0
	_ = filepath.WalkDir(r.root, func(path string, d fs.DirEntry, err error) error { // what cannot be read is no runbook
		entries++
		switch {
		case err != nil:
			return nil
		case ctx.Err() != nil:
			r.errs = append(r.errs, &promote.Error{Msg: "runbook: the search has not ended in time, at " + path, Err: ctx.Err(), Hint: skip})
			return fs.SkipAll
		case entries > r.most:
			r.errs = append(r.errs, &promote.Error{Msg: fmt.Sprintf("runbook: more than %d files and folders, at %s", r.most, path), Hint: skip})
			return fs.SkipAll
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case !d.Type().IsRegular() || !strings.EqualFold(filepath.Ext(path), ".md"):
			return nil
		}
		first, err := readUpTo(path, int64(len(runbook.Marker)+2))
		if err != nil || !runbook.Is(first) {
			return nil
		}
		data, err := cli.ReadBounded(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			r.errs = append(r.errs, err)
			return nil
		}
		if now == nil {
			now = runbook.Write(r.Pipeline)
		}
		name, err := filepath.Rel(r.root, path)
		if name = filepath.ToSlash(name); err == nil && !runbook.Same(data, now) {
			found = append(found, lint.Finding{File: name, Line: 1, Column: 1, Message: "the runbook is not what the pipeline would have written now", Hint: r.session.HintHere(writeAnew + shell.Path(typed.FromHere(path)))})
		}
		return nil
	})
	return found
}
