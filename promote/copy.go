package promote

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/kubepromote/kubepromote/promote/internal/textdiff"
)

// CopyPlan is a file that is promoted as it is.
type CopyPlan struct {
	Source string `json:"source"`
	Target string `json:"target"`
	// Changed tells that the target differs; Diff is the unified diff of a text.
	Changed bool   `json:"changed"`
	Diff    string `json:"diff,omitempty"`

	data, old []byte
	write     bool
}

// copyPaths gives the source and target of each file to be copied.
func (w *planner) copyPaths(c *draft) [][2]string {
	if w.req.enters() || w.carrier != nil { // which brings them
		return nil
	}
	var out [][2]string
	seen := make(map[[2]string]bool)
	for _, p := range c.parts {
		if p.site.IsFile() {
			continue // what lies beside a file is not its service's
		}
		for _, file := range w.Pipeline.Spec.Copy {
			pair := [2]string{path.Join(path.Dir(p.plan.Source), file), path.Join(path.Dir(p.plan.Target), file)}
			if !seen[pair] {
				seen[pair], out = true, append(out, pair)
			}
		}
	}
	return out
}

// copies plans the files that the pipeline has copied. A file that the source
// does not have is none of this service's; one that the target does not have is
// refused, because something there would have to refer to it.
func (w *planner) copies(ctx context.Context) error {
	var all []error
	for _, c := range slices.Clone(w.drafts) {
		var errs []error
		for _, p := range w.copyPaths(c) {
			data, err := w.source.ReadFile(p[0])
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
			old, err := w.target.ReadFile(p[1])
			if errors.Is(err, fs.ErrNotExist) {
				err = failure("cp "+p[0]+" "+p[1]+", refer to it, and commit both", "%s: is to be copied from %s and is not there yet", p[1], w.from.Name)
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
			plan := CopyPlan{Source: p[0], Target: p[1], data: data, old: old, write: !bytes.Equal(old, data)}
			if err := w.compareCopy(ctx, c, &plan, old); err != nil {
				errs = append(errs, err)
			}
			c.plan.Copies = append(c.plan.Copies, plan)
		}
		all = append(all, w.setAside(c.plan.Service, errs...))
	}
	return errors.Join(all...)
}

// compareCopy compares with what is committed: a target that is not may have been
// written by an earlier, interrupted run of the same promotion, and by nobody else.
func (w *planner) compareCopy(ctx context.Context, c *draft, plan *CopyPlan, old []byte) error {
	if how := w.states[w.to.Place()].Dirty[plan.Target]; how != "" {
		if plan.write || how != "modified" && how != "staged" {
			return uncommitted(plan.Target, how)
		}
		committed, err := w.target.Committed(ctx, []string{plan.Target})
		if err != nil {
			return err
		}
		old = committed[plan.Target]
	}
	if plan.Changed = !bytes.Equal(old, plan.data); plan.Changed {
		plan.Diff = textdiff.Unified(plan.Target, old, plan.data)
	}
	return nil
}
