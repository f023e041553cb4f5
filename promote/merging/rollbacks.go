package merging

import (
	"context"
	"slices"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
)

// overRollbacks merges once more where the last changes of a service in the target are
// rollbacks: git would keep what these have made, as the source has not changed since, or
// find a conflict. They are undone first, as the promotion is to come after them. What
// anybody else has changed there stays, and is refused.
func (c *carrier) overRollbacks(ctx context.Context, plan *promote.Plan) error {
	if c.how == HowRevert || c.how == HowTag {
		return nil
	}
	var undo []string
	for _, s := range plan.Services {
		if len(c.merge.Conflicts) == 0 && len(c.differing(ctx, s)) == 0 {
			continue
		}
		back, err := c.rollbacks(ctx, s.Service)
		if err != nil {
			return err
		}
		for _, commit := range back {
			if !slices.Contains(undo, commit) {
				undo = append(undo, commit)
			}
		}
	}
	if len(undo) == 0 {
		return nil
	}
	merge, err := c.target.Merge(ctx, c.source.Head, undo...)
	if err != nil {
		return err
	}
	c.merge = merge
	c.changes, err = c.changed(ctx)
	return err
}

// rollbacks are the newest changes of a service in the target as long as they are
// rollbacks, the newest first.
func (c *carrier) rollbacks(ctx context.Context, service string) (commits []string, err error) {
	places, ok := c.asked.Home.(history.Places)
	if !ok {
		return nil, nil
	}
	req := history.Request{Services: []string{service}, Environment: c.asked.To.Name}
	err = history.Read(ctx, c.asked.Pipeline, c.asked.Home, places, req, func(change history.Change) bool {
		if change.Record == nil || change.Mismatch != "" || change.Record.RollbackOf == "" {
			return false
		}
		commits = append(commits, change.Commit)
		return true
	})
	return commits, err
}
