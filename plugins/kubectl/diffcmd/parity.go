package diffcmd

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

const parityLong = `Show what the objects of two environments do not have in common, beyond what may differ,
with the file and line that it comes from. The working tree is read.

What may differ is what --allow says, and the gates of the second environment that are
"rendered: {against: FIRST, allow: […]}". A pattern is the path of a field; * stands for a
step, ** for any number of them, [*] for any element of a list, and KIND: or KIND/NAME: may
stand in front. Namespaces, and names that kustomize makes, are environments' own; an image
is the same at another registry. Objects are told apart by the names that their files have.
A service that is named has to be in both environments; of others it is said that they are not.

Exit status: 0 nothing differs, 1 something does, 2 something failed.`

const parityExample = `  # what production has that staging has not, of all services
  kubectl promote parity staging production

  # of one, with what may differ
  kubectl promote parity staging production cart --allow spec.replicas --allow '**.resources'`

// NewParity makes kubectl promote parity.
func NewParity(s *cli.Session) *cobra.Command {
	o := &parity{session: s}
	cmd := &cobra.Command{
		Use:     "parity ENVIRONMENT ENVIRONMENT [SERVICE...]",
		Short:   "Show what two environments do not have in common",
		Long:    parityLong,
		Example: parityExample,
		GroupID: cli.GroupKnow,
		Args:    cobra.MinimumNArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
			if len(args) < 2 {
				return s.CompleteEnvironments(cmd, args, text)
			}
			return s.CompleteServices(cmd, args, text)
		},
	}
	cmd.Flags().StringArrayVar(&o.allow, "allow", nil, "pattern of fields that may differ; can be repeated")
	cli.Must(cmd.RegisterFlagCompletionFunc("allow", cobra.NoFileCompletions))
	o.output = cli.AddOutput(cmd, markdown)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		all, err := o.run(cmd.Context(), args[0], args[1], args[2:])
		if err != nil {
			return s.FailAs(err, exitFailed)
		}
		return cli.Silent(status(all))
	}
	return cmd
}

// parity are the flags of parity.
type parity struct {
	session *cli.Session
	output  *cli.Output
	allow   []string
}

func (o *parity) run(ctx context.Context, first, second string, services []string) ([]result, error) {
	printer, err := o.output.Printer()
	if err != nil {
		return nil, err
	}
	p, repo, err := o.session.OpenOffline(ctx)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	allowed, err := o.allowed(p, first, second)
	if err != nil {
		return nil, err
	}
	names, err := o.services(p, first, second, services)
	if err != nil {
		return nil, err
	}
	all := make([]result, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(mostAtOnce)
	for n, name := range names {
		group.Go(func() error {
			source, err := o.session.Renderer.Of(ctx, p.Repo, name, first)
			if err != nil {
				return err
			}
			target, err := o.session.Renderer.Of(ctx, p.Repo, name, second)
			all[n] = result{service: name, from: first, to: second, differences: objects.Parity(source, target, allowed), parity: true}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return all, show(o.session, o.output, printer, "ParityDifference", all)
}

// allowed is what flags and gates say may differ.
func (o *parity) allowed(p *promote.Promoter, first, second string) (objects.Allowed, error) {
	allowed, err := objects.ParseAllowed(o.allow)
	if err != nil {
		return nil, &cli.UsageError{Msg: "--allow: " + err.Error(), Hint: "spec.replicas, **.resources, ConfigMap/settings:data.HOST"}
	}
	if _, err := p.Pipeline.Environment(first); err != nil {
		return nil, err
	}
	e, err := p.Pipeline.Environment(second)
	if err != nil {
		return nil, err
	}
	if first == second {
		return nil, &cli.UsageError{Msg: first + " is compared with itself", Command: "kubectl promote parity"}
	}
	for _, g := range e.Gates {
		if g.Rendered != nil && g.Rendered.Against == first {
			more, err := objects.ParseAllowed(g.Rendered.Allow)
			if err != nil {
				return nil, err
			}
			allowed = append(allowed, more...)
		}
	}
	return allowed, nil
}

// services are those that are named, which have to be in both environments, or all that are.
func (o *parity) services(p *promote.Promoter, first, second string, named []string) ([]string, error) {
	known, err := p.Pipeline.Sites(p.Repo).All(first, second)
	if err != nil {
		return nil, err
	}
	if err := known.Check(named); err != nil {
		return nil, err
	}
	missing := func(name string) string {
		for _, e := range []string{first, second} {
			if len(known[name][e]) == 0 {
				return fmt.Sprintf("%s has nothing in %s to compare", name, e)
			}
		}
		return ""
	}
	for _, name := range named { // nobody is told that it is the same
		if msg := missing(name); msg != "" {
			return nil, &promote.Error{Msg: msg, Err: pipeline.ErrUsage}
		}
	}
	if len(named) > 0 {
		return named, nil
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if msg := missing(name); msg != "" {
			o.session.Warn("%s", msg)
			continue
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, &promote.Error{Msg: "no service is in both " + first + " and " + second, Err: pipeline.ErrUsage}
	}
	return names, nil
}
