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
	return Follow(cmd, s, func(gone error) error {
		err := gone
		if gone == nil {
			switch {
			case s.Watched():
				fmt.Fprint(s.Out, "\x1b[H\x1b[2J\x1b[3J")
			case !first:
				fmt.Fprintln(s.Out)
			}
			err = show()
		}
		if first = false; err != nil && cmd.Context().Err() == nil {
			s.Fail(err)
			err = nil
		}
		return err
	})
}

// Follow calls changed at once, and then whenever the head of the session's repository or
// one of its files has changed, until changed fails or the command is stopped. Once the
// repository cannot be looked at any more it is told why: what is shown is of before. It may
// come back.
func Follow(cmd *cobra.Command, s *cli.Session, changed func(gone error) error) error {
	ctx := cmd.Context()
	if branch.IsURL(s.Repo) {
		return &cli.UsageError{Msg: "what is watched is a clone", Hint: "git clone URL, and -C DIR", Command: cmd.CommandPath()}
	}
	f := &follower{dir: s.Repo}
	defer f.close()
	if err := f.open(ctx); err != nil {
		return err
	}
	for {
		began := time.Now()
		if err := f.step(ctx, changed); err != nil && ctx.Err() == nil {
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

// follower is a repository that is followed.
type follower struct {
	dir    string
	repo   *git.Repo // nil while it cannot be opened
	looked bool
	seen   uint64
	gone   string // why it could not be looked at the last time
}

func (f *follower) open(ctx context.Context) (err error) {
	f.repo, err = git.Open(ctx, f.dir)
	return err
}

func (f *follower) close() {
	if f.repo != nil {
		f.repo.Close()
		f.repo = nil
	}
}

// step looks at the repository once. One that has failed is opened anew: another may stand in
// its place.
func (f *follower) step(ctx context.Context, changed func(gone error) error) error {
	var mark uint64
	var err error
	if f.repo == nil {
		err = f.open(ctx)
	}
	if err == nil {
		mark, err = look(ctx, f.repo)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil
	case err != nil:
		f.close()
		if again := f.gone == err.Error(); again {
			return nil
		}
		f.gone = err.Error()
		return changed(err)
	case f.looked && f.gone == "" && mark == f.seen:
		return nil
	}
	f.looked, f.gone, f.seen = true, "", mark
	return changed(nil)
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
