// Package standing is what commands that show where services stand share: what holds them,
// which pull requests are open, and to show it again when the repository changes.
package standing

import (
	"context"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/status"
)

// AddHolds adds what is held by what is committed: that counts.
func AddHolds(ctx context.Context, s *cli.Session, p *promote.Promoter, statuses []status.Service) error {
	holds, err := cli.ReadHolds(ctx, p.Repo)
	if err != nil {
		return err
	}
	if holds.How != "" {
		s.Warn("%s has uncommitted changes (%s): what is committed counts", hold.FileName, holds.How)
	}
	list, err := hold.Parse(hold.FileName, holds.Committed, p.Pipeline)
	if err != nil {
		return err
	}
	status.AddHolds(p.Pipeline, list, time.Now(), statuses)
	return nil
}
