package check

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// along finds what else the change touches than pins and rules.
func (w *work) along() {
	for _, file := range w.changed {
		old, err := w.req.Before.ReadFile(file)
		now, nerr := w.req.After.ReadFile(file)
		if e := w.edited[file]; e != nil && err == nil {
			if edit, err := e.old.Set(e.changes...); err == nil {
				old = edit.After.Bytes()
			}
		}
		switch {
		case slices.Contains(w.report.Rules, file) || slices.Contains(w.broken, file) || slices.Contains(w.broken, path.Dir(file)) || err == nil && nerr == nil && bytes.Equal(old, now):
		case nerr != nil:
			w.report.Along = append(w.report.Along, Place{File: file})
		default:
			w.report.Along = append(w.report.Along, Place{File: file, Line: differing(old, now)})
		}
	}
}

// differing gives the first line that differs; 0 where it is no text.
func differing(old, now []byte) int {
	if bytes.IndexByte(now, 0) >= 0 {
		return 0
	}
	line := 1
	for i := 0; i < len(now); i++ {
		if i >= len(old) || old[i] != now[i] {
			return line
		}
		if now[i] == '\n' {
			line++
		}
	}
	return line
}

// rules gives the files that the change touches and its successors are judged by: the
// pipeline, holds, owners, what gates read, and policies with the keys that they name.
func (w *work) rules() []string {
	files := []string{pipeline.FileName, hold.FileName}
	var policies [][]byte
	policy := func(name string) {
		name = path.Clean(name)
		files = append(files, name)
		if dir := path.Dir(name); dir != "." {
			files = append(files, dir)
		} else if text, err := w.req.Rules.ReadFile(name); err == nil {
			policies = append(policies, text) // all of the repository lies beside it
		}
	}
	for _, e := range w.Pipeline.Spec.Environments {
		if e.Verify != nil {
			policy(e.Verify.Policy)
		}
		for _, g := range e.Gates {
			files = append(files, g.Files()...)
			for _, name := range g.Policies() {
				policy(name)
			}
		}
	}
	var out []string
	for _, file := range w.changed {
		is := func(name string) bool { return name == file || strings.HasPrefix(file, name+"/") }
		named := func(text []byte) bool { return bytes.Contains(text, []byte(file)) }
		if slices.ContainsFunc(files, is) || slices.ContainsFunc(policies, named) || isOwners(file) {
			out = append(out, file)
		}
	}
	return out
}

// isOwners tells of a file that forges read who has to review a change from.
func isOwners(file string) bool {
	return path.Base(file) == "CODEOWNERS" && slices.Contains([]string{".", ".github", ".gitlab", ".gitea", ".forgejo", "docs"}, path.Dir(file))
}
