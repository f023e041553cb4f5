// Package runbookcmd implements kubectl promote runbook: the team's process, written from its
// own pipeline.
package runbookcmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/discover"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/runbook"
	"github.com/spf13/cobra"
)

const long = `Write the process of the pipeline as Markdown: the environments in their order, what is
asked before anything comes to one, who may say yes, what to type, and how to take it back.

It is made of the pipeline file of the working tree alone, so that the same file gives the
same text. Nobody is asked. kubectl promote lint finds a runbook in the repository that is not
what would be written now.`

const example = `  # read it
  kubectl promote runbook

  # keep it beside the pipeline
  kubectl promote runbook > RUNBOOK.md

  # the same, whatever stands there; a file that is no runbook is left alone
  kubectl promote runbook --file docs/RUNBOOK.md`

// New makes kubectl promote runbook.
func New(s *cli.Session) *cobra.Command {
	file := ""
	cmd := &cobra.Command{
		Use:     "runbook",
		Short:   "Write the team's process from its pipeline",
		Long:    long,
		Example: example,
		GroupID: cli.GroupKnow,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := read(cmd.Context(), s)
			if err != nil {
				return err
			}
			text := runbook.Write(p)
			if file == "" {
				_, err := cli.ForTerminal(s.Out).Write(text)
				return err
			}
			return write(cmd.Context(), s, file, text)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "write it to this file, in place of the runbook that stands there")
	cli.Must(cmd.MarkFlagFilename("file", "md"))
	return cmd
}

// read reads the pipeline as the working tree has it, which is what lint looks at.
func read(ctx context.Context, s *cli.Session) (*pipeline.Pipeline, error) {
	if s.Pipeline != "" {
		data, err := cli.ReadBounded(s.Pipeline)
		if err != nil {
			return nil, err
		}
		return pipeline.Parse(filepath.ToSlash(s.Pipeline), data)
	}
	repo, err := git.Open(ctx, s.Repo)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	data, err := repo.ReadFile(pipeline.FileName)
	if errors.Is(err, fs.ErrNotExist) {
		p, _, err := discover.Pipeline(ctx, repo)
		if errors.Is(err, pipeline.ErrNone) {
			err = &promote.Error{Err: err, Hint: "kubectl promote init"}
		}
		return p, err
	}
	if err != nil {
		return nil, err
	}
	return pipeline.Parse(pipeline.FileName, data)
}

// write replaces a runbook, or makes a new file. What somebody else has written stays.
func write(ctx context.Context, s *cli.Session, name string, text []byte) error {
	there, err := cli.ReadBounded(name)
	switch {
	case err == nil && !runbook.Is(there):
		return &promote.Error{Msg: name + " is no runbook that this command has written", Hint: "kubectl promote runbook --file RUNBOOK.md"}
	case err == nil && runbook.Same(there, text):
		fmt.Fprintln(s.Out, "unchanged")
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	dir, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return cli.FileError(err)
	}
	defer dir.Close()
	if err := files.Write(ctx, dir, []files.File{{Path: filepath.Base(name), Data: text, Old: there, New: there == nil}}); err != nil {
		return err
	}
	fmt.Fprintln(s.Out, cli.Clean(name)+" written")
	return nil
}
