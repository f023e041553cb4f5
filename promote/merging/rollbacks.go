package merging

import (
	"context"
	"slices"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
)

// overRollbacks merges once more where the target has pins of a rollback: git would keep
// these, as the source has not changed since, or find a conflict. They are what the next
// promotion is to replace. What anybody else has changed there stays, and is refused.
func (c *carrier) overRollbacks(ctx context.Context, plan *promote.Plan) error {
	if c.how == HowRevert {
		return nil
	}
	var set []promote.File
	for _, s := range plan.Services {
		if len(c.merge.Conflicts) == 0 && len(c.differing(s)) == 0 {
			continue
		}
		back, err := c.wentBack(ctx, s.Service)
		if err != nil {
			return err
		}
		if !back {
			continue
		}
		for _, f := range plan.Writes() {
			if slices.ContainsFunc(s.Files, func(of promote.FilePlan) bool { return of.Target == f.Path }) {
				set = append(set, f)
			}
		}
	}
	if len(set) == 0 {
		return nil
	}
	merge, err := c.target.Merge(ctx, c.source.Head, set)
	if err != nil {
		return err
	}
	c.merge = merge
	c.changes, err = c.changed(ctx)
	return err
}

// wentBack tells whether the newest change of a service in the target is a rollback.
func (c *carrier) wentBack(ctx context.Context, service string) (back bool, err error) {
	places, ok := c.asked.Home.(history.Places)
	if !ok {
		return false, nil
	}
	req := history.Request{Services: []string{service}, Environment: c.asked.To.Name}
	err = history.Read(ctx, c.asked.Pipeline, c.asked.Home, places, req, func(change history.Change) bool {
		back = change.Record != nil && change.Mismatch == "" && change.Record.RollbackOf != ""
		return false
	})
	return back, err
}
