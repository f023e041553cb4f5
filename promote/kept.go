package promote

import (
	"bytes"
	"context"
	"slices"

	"github.com/kubepromote/kubepromote/promote/internal/textdiff"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/versions"
)

// KeptPlan is a file of versions that changes with a promotion. It follows from the pins.
type KeptPlan struct {
	Path string `json:"path"`
	Diff string `json:"diff,omitempty"`

	file  File
	write bool
}

// Keeps tells whether a file that is written is one of versions, which follows from the others.
func (p *Plan) Keeps(path string) bool {
	return slices.ContainsFunc(p.Kept, func(k KeptPlan) bool { return k.Path == path })
}

// keepVersions has the files of versions changed by what is promoted, where they are on the
// branch that it is written to.
func (w *planner) keepVersions(ctx context.Context) error {
	k := versions.Keeper{Pipeline: w.Pipeline, Home: w.Repo, To: w.to, Writes: make(map[string][]byte), Base: w.keptBase}
	for _, f := range w.plan.Writes() {
		k.Writes[f.Path] = f.Data
	}
	for _, s := range w.plan.changed() {
		k.Services = append(k.Services, s.Service)
	}
	changes, warnings, err := k.Keep(ctx)
	w.plan.Warnings = append(w.plan.Warnings, warnings...)
	for _, c := range changes {
		kept := KeptPlan{Path: c.Path, file: File{Path: c.Path, Data: c.Now, Old: c.Before}, write: !c.Written}
		if !w.req.NoDiff {
			kept.Diff = textdiff.Unified(c.Path, c.Before, c.Now)
		}
		w.plan.Kept = append(w.plan.Kept, kept)
	}
	return err
}

// keptBase gives a file as it is to be changed, and as it stands: what is committed counts
// where there is a commit.
func (w *planner) keptBase(ctx context.Context, name string) (before, there []byte, err error) {
	how := w.states[pipeline.Place{}].Dirty[name]
	switch {
	case how == "" || how == "modified" || how == "staged" || how == "untracked" && !w.plan.Mode.Commits():
		there, err = w.Repo.ReadFile(name)
	default:
		err = uncommitted(name, how)
	}
	if err != nil || how == "" || !w.plan.Mode.Commits() {
		return bytes.Clone(there), there, err
	}
	committed, err := w.Repo.Committed(ctx, []string{name})
	return committed[name], there, err
}
