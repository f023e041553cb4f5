package check

import (
	"bytes"
	"path"
	"slices"
	"strings"

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

// rules gives the files that the change touches and the pipeline judges by. Beside a policy
// are the keys that it names.
func (w *work) rules() []string {
	files := []string{pipeline.FileName}
	var folders []string
	policy := func(name string) {
		files = append(files, path.Clean(name))
		if dir := path.Dir(path.Clean(name)); dir != "." {
			folders = append(folders, dir+"/")
		}
	}
	var gates func(all []pipeline.Gate)
	gates = func(all []pipeline.Gate) {
		for _, g := range all {
			switch {
			case g.Promoted != nil:
				policy(g.Promoted.Policy)
			case g.Approvals != nil && g.Approvals.Policy != "":
				policy(g.Approvals.Policy)
			case g.Freeze != nil && g.Freeze.Calendar != "":
				files = append(files, path.Clean(g.Freeze.Calendar))
			case g.Exec != nil:
				for _, word := range g.Exec.Command { // a script may be an argument
					files = append(files, path.Clean(word))
				}
			}
			gates(g.AnyOf)
		}
	}
	for _, e := range w.Pipeline.Spec.Environments {
		if e.Verify != nil {
			policy(e.Verify.Policy)
		}
		gates(e.Gates)
	}
	var out []string
	for _, file := range w.changed {
		if slices.Contains(files, file) || slices.ContainsFunc(folders, func(dir string) bool { return strings.HasPrefix(file, dir) }) || isOwners(file) {
			out = append(out, file)
		}
	}
	return out
}

// isOwners tells of a file that forges read who has to review a change from.
func isOwners(file string) bool {
	return path.Base(file) == "CODEOWNERS" && slices.Contains([]string{".", ".github", ".gitlab", ".gitea", ".forgejo", "docs"}, path.Dir(file))
}
