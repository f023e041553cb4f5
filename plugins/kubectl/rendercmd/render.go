// Package rendercmd implements kubectl promote render, which writes the objects of an
// environment as files, into a folder or to the environment's branch.
package rendercmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/hydrate"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/record"
	"github.com/spf13/cobra"
)

const long = `Write the objects that are applied for an environment as files: one for each object,
SERVICE/NAMESPACE/KIND-NAME.yaml, with sorted keys. An object that has not changed keeps its
bytes.

With -o they are written into a folder, as the working tree renders them. With --to-branch the
newest commit is rendered, and the files go to that branch of the remote by a commit of its
own, whose trailer Promotion-Source-Commit names what was rendered; hydrator.metadata has it
as drySha, where GitOps Promoter and Argo CD look for it. Files of objects that are no more are
deleted there, and where no service is named the folders of services that are no more. The
branch has to be there; a push that another one came before is refused.

A commit that is not pushed is not rendered to a branch, neither is one in the place of a newer
one, or of one that is not in the clone: --allow-downgrade goes back.

What Argo CD and Flux install for Applications and HelmReleases is not written: the objects
themselves are, and two would install it.

Secrets with values are refused unless there is --allow-secrets: whoever can read Git could
read them.`

const example = `  # what is applied for production, to look at
  kubectl promote render --env production -o rendered

  # the branch that Argo CD or Flux apply
  kubectl promote render cart --env production --to-branch 'env/{environment}'`

// New makes kubectl promote render.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:               "render [SERVICE...] --env ENVIRONMENT (-o DIR | --to-branch BRANCH)",
		Short:             "Write the objects of an environment as files, or to its branch",
		Long:              long,
		Example:           example,
		GroupID:           cli.GroupPromote,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: s.CompleteServices,
		RunE:              o.run,
	}
	s.EnvironmentVar(cmd, &o.environment, "env", "environment whose objects are written")
	f := cmd.Flags()
	f.StringVarP(&o.dir, "output", "o", "", "folder to write to")
	f.StringVar(&o.branch, "to-branch", "", "branch of the remote to push to; {environment} stands for the environment")
	f.BoolVar(&o.downgrade, "allow-downgrade", false, "with --to-branch, also in the place of what was rendered from a newer commit")
	f.BoolVar(&o.hydrate.AllowSecrets, "allow-secrets", false, "write Secrets with their values")
	cli.Must(cmd.MarkFlagDirname("output"))
	cli.Must(cmd.RegisterFlagCompletionFunc("to-branch", cobra.NoFileCompletions))
	cmd.MarkFlagsMutuallyExclusive("output", "to-branch")
	cmd.MarkFlagsMutuallyExclusive("output", "allow-downgrade")
	return cmd
}

// options are the flags of render.
type options struct {
	session                  *cli.Session
	environment, dir, branch string
	downgrade                bool
	hydrate                  hydrate.Options
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	switch {
	case o.environment == "":
		return &cli.UsageError{Msg: "--env is missing", Command: cmd.CommandPath()}
	case o.dir == "" && o.branch == "":
		return &cli.UsageError{Msg: "neither -o nor --to-branch says where to", Command: cmd.CommandPath()}
	}
	ctx := cmd.Context()
	p, repo, err := o.session.OpenOffline(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	e, err := p.Pipeline.Environment(o.environment)
	if err != nil {
		return err
	}
	if o.dir != "" {
		files, _, err := o.files(ctx, p, p.Repo, e, services)
		if err != nil {
			return err
		}
		return o.write(ctx, files)
	}
	return o.deliver(ctx, p, repo, e, services)
}

// files are what services of an environment are as files, and all services that it has.
func (o *options) files(ctx context.Context, p *promote.Promoter, tree promote.Tree, e *pipeline.Environment, named []string) (files map[string][]promote.File, all []string, err error) {
	known, err := p.Pipeline.Sites(tree).All(e.Name)
	if err != nil {
		return nil, nil, err
	}
	if err := known.Check(named); err != nil {
		return nil, nil, err
	}
	all = slices.Sorted(maps.Keys(known))
	switch {
	case len(all) == 0:
		return nil, nil, &promote.Error{Msg: "no service is in " + e.Name, Hint: "kubectl promote status", Err: pipeline.ErrUsage}
	case len(named) == 0:
		named = all
	}
	files = make(map[string][]promote.File)
	var faults []error
	for _, name := range named {
		found, err := o.session.Renderer.Of(ctx, tree, name, e.Name)
		if err == nil {
			found = slices.DeleteFunc(slices.Clone(found), func(o objects.Object) bool { return o.Release != nil })
			files[name], err = hydrate.Files(name, found, o.hydrate)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	return files, all, errors.Join(faults...)
}

// deliver renders the newest commit to a branch of the remote.
func (o *options) deliver(ctx context.Context, p *promote.Promoter, repo *git.Repo, e *pipeline.Environment, services []string) error {
	if e.Place() != (pipeline.Place{}) {
		return &promote.Error{Msg: e.Name + " is on a branch or in a repository of its own, and is not rendered to another"}
	}
	state, err := repo.State(ctx, nil)
	if err != nil {
		return err
	}
	if state.Head == "" {
		return &promote.Error{Msg: "there is no commit to render", Hint: "git commit"}
	}
	remote, upstream, err := branch.Upstream(ctx, repo, "", state.Branch)
	if err != nil {
		return err
	}
	name := strings.ReplaceAll(o.branch, "{environment}", e.Name)
	if name == upstream || name == state.Branch {
		return &cli.UsageError{Msg: name + " is the branch that is rendered", Hint: "--to-branch 'env/{environment}'"}
	}
	if err := shared(ctx, repo, remote, upstream, state.Head); err != nil {
		return err
	}
	to, err := branch.OfRemote(ctx, repo, remote, name)
	if err != nil {
		return err
	}
	defer to.Close()
	return o.render(ctx, p, repo, to, e, services, state.Head)
}

// render renders a commit, and writes to the branch what differs.
func (o *options) render(ctx context.Context, p *promote.Promoter, repo *git.Repo, to *branch.Branch, e *pipeline.Environment, services []string, head string) error {
	source, err := branch.OfCommit(ctx, repo, head)
	if err != nil {
		return err
	}
	defer source.Close()
	files, all, err := o.files(ctx, p, source, e, services)
	if err != nil {
		return err
	}
	var gone []string
	if len(services) == 0 {
		if gone, err = left(to, all); err != nil {
			return err
		}
	}
	if !o.downgrade {
		if err := newer(ctx, repo, to, slices.Concat(slices.Sorted(maps.Keys(files)), gone), head); err != nil {
			return err
		}
	}
	list, removed, err := changes(to, files, gone, all, head)
	if err != nil {
		return err
	}
	return o.commit(ctx, to, e, list, removed, head)
}

// commit writes the changes to the branch, if there are any.
func (o *options) commit(ctx context.Context, to *branch.Branch, e *pipeline.Environment, list []promote.File, removed int, head string) error {
	if len(list) == 0 {
		o.session.Note("%s has all of %.9s already", to.Where(), head)
		return nil
	}
	message := fmt.Sprintf("render(%s): %.9s\n\n%s: %s\n", e.Name, head, record.KeySourceCommit, head)
	made, err := to.Commit(ctx, promote.Delivery{Head: to.Tip(), Files: list, Message: message})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.session.Out, "[%s %.9s] %s written, %d deleted\n", cli.Clean(to.Where()), made, cli.Plural(len(list)-removed, "file"), removed)
	return err
}
