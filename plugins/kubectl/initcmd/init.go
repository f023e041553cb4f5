// Package initcmd implements kubectl promote init: a pipeline file written from what the
// repository holds, and beside it, where asked for, owners and a workflow.
package initcmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/discover"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/spf13/cobra"
)

const long = `Write promotion.yaml from what the repository holds: the layout that its pins show,
its environments in their order, and what was seen and is in no layout, as comments.

Nothing that is there is overwritten. With --owner, the last environments' files get
owners in CODEOWNERS; with --ci, a workflow that promotes. Where the layout
cannot be told from the files, name it: --layout and --environments.`

const example = `  # look at it first
  kubectl promote init --dry-run

  # write it, with owners for production and a workflow
  kubectl promote init --owner @acme/platform --ci github

  # a layout that the files do not show
  kubectl promote init --layout 'apps/{service}/{environment}.yaml' --environments staging,production`

// options are the flags of init.
type options struct {
	session      *cli.Session
	dryRun       bool
	ci           string
	owners       []string
	layout       []string
	environments []string
}

// New makes kubectl promote init.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use: "init", Short: "Write a pipeline file from what the repository holds",
		Long: long, Example: example, GroupID: cli.GroupOther, Args: cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.dryRun, "dry-run", false, "print the files and write none")
	f.StringVar(&o.ci, "ci", "", "write a workflow for github or gitlab")
	f.StringArrayVar(&o.owners, "owner", nil, "owner of the last environments' files in CODEOWNERS; can be repeated")
	f.StringArrayVar(&o.layout, "layout", nil, "template of a file or directory, in place of what the files show; can be repeated")
	f.StringSliceVar(&o.environments, "environments", nil, "the environments of --layout, in their order")
	cli.Must(cmd.RegisterFlagCompletionFunc("ci", cobra.FixedCompletions([]string{"github", "gitlab"}, cobra.ShellCompDirectiveNoFileComp)))
	for _, name := range []string{"owner", "layout", "environments"} {
		cli.Must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	cmd.MarkFlagsRequiredTogether("layout", "environments")
	return cmd
}

// file is a file to be written, and what to say where it is there already.
type file struct {
	path string
	data []byte
	// add is what somebody may put into a file that is there.
	add string
}

func (o *options) run(cmd *cobra.Command) error {
	if !slices.Contains([]string{"", "github", "gitlab"}, o.ci) {
		return &cli.UsageError{Msg: fmt.Sprintf("--ci %q is neither github nor gitlab", o.ci), Hint: "--ci github, or --ci gitlab", Command: cmd.CommandPath()}
	}
	repo, err := git.Open(cmd.Context(), o.session.Repo)
	if err != nil {
		return err
	}
	defer repo.Close()
	if _, err := os.Lstat(filepath.Join(repo.Root(), pipeline.FileName)); err == nil && !o.dryRun {
		return &promote.Error{Msg: filepath.Join(repo.Root(), pipeline.FileName) + " is there already", Hint: "kubectl promote status"}
	}
	p, left, err := o.pipeline(cmd.Context(), repo)
	if err != nil {
		for _, l := range left {
			fmt.Fprintln(o.session.ErrOut, cli.Clean(l.Path+": "+l.Reason))
		}
		return err
	}
	text := append([]byte("# How images move through the environments of this repository. kubectl promote status\n# shows where they are; docs/pipeline.md of kubepromote has all fields.\n"), discover.Write(p, left)...)
	if _, err := pipeline.Parse(pipeline.FileName, text); err != nil {
		return o.notWritten(cmd, err)
	}
	all := []file{{path: pipeline.FileName, data: text}}
	if len(o.owners) > 0 {
		all = append(all, o.codeowners(p, repo))
	}
	if o.ci != "" {
		all = append(all, workflow(o.ci, p))
	}
	return o.write(repo, all)
}

// pipeline is what the flags say, or what the repository shows.
func (o *options) pipeline(ctx context.Context, repo *git.Repo) (*pipeline.Pipeline, []discover.Leftover, error) {
	if len(o.layout) == 0 {
		p, left, err := discover.Pipeline(ctx, repo)
		if errors.Is(err, pipeline.ErrNone) {
			err = &promote.Error{Err: err, Hint: "kubectl promote init --layout 'apps/{service}/{environment}.yaml' --environments staging,production"}
		}
		if err == nil {
			p.Metadata.Name = cli.PipelineName(repo.Root())
			text(p, repo)
		}
		return p, left, err
	}
	p := &pipeline.Pipeline{}
	p.Metadata.Name = cli.PipelineName(repo.Root())
	for _, l := range o.layout {
		p.Spec.Layout = append(p.Spec.Layout, pipeline.Location{Path: l})
	}
	for i, e := range o.environments {
		one := pipeline.Environment{Name: e}
		if i > 0 {
			one.From = o.environments[i-1 : i]
		}
		p.Spec.Environments = append(p.Spec.Environments, one)
	}
	text(p, repo)
	return p, nil, nil
}

// notWritten tells what is wrong with the layout that was named, rather than where that
// would have stood in the file.
func (o *options) notWritten(cmd *cobra.Command, err error) error {
	fault, ok := errors.AsType[*overlay.Error](err)
	if !ok || len(o.layout) == 0 {
		return err
	}
	return &cli.UsageError{Msg: fault.Msg, Hint: "kubectl promote init --layout 'apps/{service}/{environment}.yaml' --environments staging,production", Command: cmd.CommandPath()}
}

// text has tags promoted as they stand where no file says which images they are of: no
// promotion would pass otherwise, and the file says so.
func text(p *pipeline.Pipeline, repo *git.Repo) {
	if discover.Text(p, repo) {
		p.Spec.Pin, p.Spec.AllowMutable = pipeline.PinTag, true
	}
}

// codeowners gives the files of the environments that nothing comes from their owners.
func (o *options) codeowners(p *pipeline.Pipeline, repo *git.Repo) file {
	feeds := make(map[string]bool)
	for _, e := range p.Spec.Environments {
		for _, f := range e.From {
			feeds[f] = true
		}
	}
	var lines []string
	for _, e := range p.Spec.Environments {
		if feeds[e.Name] {
			continue
		}
		for i := range p.Spec.Layout {
			lines = append(lines, "/"+p.Spec.Layout[i].Glob(&e)+" "+strings.Join(o.owners, " "))
		}
	}
	lines = append(lines, "/"+pipeline.FileName+" "+strings.Join(o.owners, " "))
	at := "CODEOWNERS"
	for _, there := range []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"} {
		if _, err := os.Lstat(filepath.Join(repo.Root(), there)); err == nil {
			at = there
			break
		}
	}
	text := strings.Join(lines, "\n") + "\n"
	return file{at, []byte("# Who has to look at what changes the last environments, and the rules.\n" + text), text}
}

// write writes the files, all of which are new; what is there is left as it is.
func (o *options) write(repo *git.Repo, all []file) error {
	if o.dryRun {
		for i, f := range all {
			if len(all) > 1 {
				fmt.Fprintf(o.session.Out, "%s# --- %s\n", strings.Repeat("\n", min(i, 1)), f.path)
			}
			if _, err := o.session.Out.Write(f.data); err != nil {
				return err
			}
		}
		return nil
	}
	root, err := os.OpenRoot(repo.Root())
	if err != nil {
		return cli.FileError(err)
	}
	defer root.Close()
	var wrote []string
	for _, f := range all {
		err := create(root, f.path, f.data)
		if errors.Is(err, fs.ErrExist) {
			o.session.Warn("%s is there already and stays as it is; what it may lack:\n%s", f.path, bytes.TrimSpace([]byte(f.add)))
			continue
		}
		if err != nil {
			return &promote.Error{Msg: f.path + " is not written", Err: err}
		}
		wrote = append(wrote, f.path)
		fmt.Fprintln(o.session.Out, "wrote "+f.path)
	}
	if !o.session.Quiet {
		fmt.Fprintf(o.session.ErrOut, "next: git add %s && git commit -m 'promotions', then kubectl promote status\n", shell.Pathspecs(wrote...))
	}
	return nil
}

// create writes a new file whole, or none.
func create(root *os.Root, name string, data []byte) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, root.Remove(name))
	}
	return nil
}
