package standing

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/spf13/cobra"
)

// pollEvery is how often a repository is looked at; one that takes long to look at, no
// more than a tenth of the time.
const pollEvery = time.Second

// mostLooked bounds how many files and directories are looked at.
const mostLooked = 200_000

// WatchVar adds the flag -w.
func WatchVar(cmd *cobra.Command, watch *bool) {
	cmd.Flags().BoolVarP(watch, "watch", "w", false, "show it again whenever the head or a file of the repository changes, until ctrl-C")
}

// Watch shows something, and again whenever the repository has changed, until the command
// is stopped. What fails then is told, and watched on: somebody edits a file. A terminal is
// cleared before.
func Watch(cmd *cobra.Command, s *cli.Session, show func() error) error {
	first := true
	return Follow(cmd, s, func() error {
		switch {
		case s.Watched():
			fmt.Fprint(s.Out, "\x1b[H\x1b[2J\x1b[3J")
		case !first:
			fmt.Fprintln(s.Out)
		}
		err := show()
		if first = false; err != nil && cmd.Context().Err() == nil {
			s.Fail(err)
			err = nil
		}
		return err
	})
}

// Follow calls changed at once, and then whenever the head of the session's repository or
// one of its files has changed, until changed fails or the command is stopped.
func Follow(cmd *cobra.Command, s *cli.Session, changed func() error) error {
	ctx := cmd.Context()
	if branch.IsURL(s.Repo) {
		return &cli.UsageError{Msg: "what is watched is a clone", Hint: "git clone URL, and -C DIR", Command: cmd.CommandPath()}
	}
	repo, err := git.Open(ctx, s.Repo)
	if err != nil {
		return err
	}
	defer repo.Close()
	seen := uint64(0)
	for first := true; ; first = false {
		began := time.Now()
		mark, err := look(ctx, repo)
		if err == nil && (first || mark != seen) {
			seen, err = mark, changed()
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return cli.Silent(cli.ExitInterrupted)
			}
			return ctx.Err()
		case <-time.After(max(pollEvery, 9*time.Since(began))):
		}
	}
}

// look gives a number that is another once the head, or a file, is: by names, sizes and
// times, and without git's own directory but for the head.
func look(ctx context.Context, repo *git.Repo) (uint64, error) {
	state, err := repo.State(ctx, nil)
	if err != nil {
		return 0, err
	}
	sum := fnv.New64a()
	fmt.Fprintln(sum, state.Head, state.Branch)
	left := mostLooked
	err = filepath.WalkDir(repo.Root(), func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return nil //nolint:nilerr // it has gone, or cannot be read: the next look may tell
		case d.IsDir() && d.Name() == ".git":
			return filepath.SkipDir
		case left == 0:
			return filepath.SkipAll
		}
		left--
		if info, err := d.Info(); err == nil {
			fmt.Fprintln(sum, path, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return sum.Sum64(), err
}
