package git

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/history"
)

var _ history.Dater = (*Repo)(nil)

// Dates gives the commits of the first-parent history from the head, newest first, and
// the dates that they bear.
func (r *Repo) Dates(ctx context.Context, most int) ([]history.Dated, error) {
	return r.dates(ctx, "HEAD", most)
}

// Dates implements [history.Dater].
func (l *logOf) Dates(ctx context.Context, most int) ([]history.Dated, error) {
	return l.dates(ctx, l.commit, most)
}

func (r *Repo) dates(ctx context.Context, from string, most int) ([]history.Dated, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git log", Args: []string{"log", "--first-parent", "--format=%H %ct", "-n", strconv.Itoa(most), "--no-show-signature", from, "--"},
		Reads: true, Env: []string{gitcmd.AsStored}})
	if err != nil {
		return nil, err
	}
	var all []history.Dated
	for line := range strings.Lines(string(out)) {
		commit, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, &Error{Op: "git log", Msg: "unexpected answer: " + gitcmd.Clean(line)}
		}
		all = append(all, history.Dated{Commit: commit, Time: time.Unix(seconds, 0).UTC()})
	}
	return all, nil
}
