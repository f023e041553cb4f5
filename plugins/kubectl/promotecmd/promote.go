// Package promotecmd implements the promotion itself, in the three forms that a
// command line has for it: the root command, run for services that have the name of
// a subcommand, and plan, which writes nothing. All three make the same plan.
package promotecmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/signing"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
)

// options are the flags of the promotion itself.
type options struct {
	session *cli.Session
	output  *cli.Output
	request promote.Request
	dryRun  bool
	commit  bool
	attest  signing.Options
}

const example = `  # show what promoting cart from staging to production would change
  kubectl promote cart --to production --dry-run

  # promote it and commit
  kubectl promote cart --to production --commit

  # promote all services that have an overlay in both environments, in one commit
  kubectl promote --all --to staging --commit`

// New makes the promotion command, which is also the root.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:     "promote SERVICE... --to ENVIRONMENT",
		Short:   "Promote services to an environment",
		Example: example,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !cmd.Flags().Changed("to") && !o.request.All && !cmd.HasParent() {
				return cmd.Help()
			}
			return o.run(cmd, args)
		},
		ValidArgsFunction: s.CompleteServices,
	}
	o.output = cli.AddOutput(cmd)
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "show the plan and change nothing")
	return cmd
}

func (o *options) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.request.To, "to", "", "environment to promote to")
	f.StringVar(&o.request.From, "from", "", "environment to promote from (default: the one the pipeline names)")
	f.BoolVar(&o.request.All, "all", false, "all services that have an overlay in both environments")
	f.StringArrayVar(&o.request.Images, "image", nil, "only this image, by the name of its entry; can be repeated")
	f.BoolVar(&o.request.AddMissing, "add-missing", false, "add entries that the target lacks, with the source's registry")
	f.BoolVar(&o.commit, "commit", false, "commit the edits, with the promotion's record")
	f.StringVar(&o.attest.Key, "attest-key", "", "private key file: sign what was committed, as kubectl promote attest does")
	f.BoolVar(&o.session.Offline, "offline", false, "ask no registry: promote recorded digests only, and verify nothing")
	for _, flag := range []string{"to", "from"} {
		cli.Must(cmd.RegisterFlagCompletionFunc(flag, o.session.CompleteEnvironments))
	}
	cli.Must(cmd.RegisterFlagCompletionFunc("image", o.session.CompleteImages))
}

// NewRun is the root's promotion for services whose names are commands.
func NewRun(s *cli.Session) *cobra.Command {
	cmd := New(s)
	cmd.Use = "run SERVICE... --to ENVIRONMENT"
	cmd.Short = "Promote services, whatever their names"
	cmd.Long = "Promote services. This is what kubectl promote does without a subcommand;\nuse it for a service that has the name of one."
	cmd.Example = "  # promote the service named status\n  kubectl promote run status --to production"
	cmd.GroupID = cli.GroupPromote
	return cmd
}

func NewPlan(s *cli.Session) *cobra.Command {
	o := &options{session: s, dryRun: true}
	cmd := &cobra.Command{
		Use:     "plan SERVICE... --to ENVIRONMENT",
		Short:   "Show what a promotion would change, and whether it may",
		Long:    "Show what a promotion would change, and whether it may. Nothing is written.\nThis is kubectl promote --dry-run, with the same exit status.",
		Example: "  # the plan as JSON\n  kubectl promote plan cart --to production -o json",
		GroupID: cli.GroupPromote,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, args)
		},
		ValidArgsFunction: s.CompleteServices,
	}
	o.output = cli.AddOutput(cmd)
	o.addFlags(cmd)
	return cmd
}

func (o *options) run(cmd *cobra.Command, args []string) error {
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	o.request.Services = args
	o.request.Policy = o.session.VerifyPolicy
	if o.request.To == "" {
		return o.noTarget(cmd, args)
	}
	if o.commit {
		o.request.Mode = promote.DeliverCommit
	}
	o.request.NoDiff = printer == nil && !o.dryRun
	ctx := cmd.Context()
	p, repo, err := o.session.Open(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	bar := o.session.NewProgress()
	p.Progress = bar.Show
	plan, err := p.Plan(ctx, o.request)
	bar.Clear()
	if err != nil {
		return err
	}
	applied := &promote.Applied{}
	refused := plan.Refusal()
	if refused == nil && !o.dryRun {
		if err := o.ready(cmd, plan); err != nil {
			return err
		}
		if applied, err = o.apply(ctx, p, plan); err != nil {
			return err
		}
	}
	o.session.PrintWarnings(plan)
	if printer != nil {
		err = cli.PrintList(o.session.Out, printer, "Promotion", o.objects(plan, applied))
	} else {
		err = o.printPlan(plan, applied)
	}
	if err != nil && applied.Commit != "" {
		return &promote.Error{Msg: "the promotion is committed as " + applied.Commit + ", but what it did could not be printed", Err: err}
	}
	if err != nil {
		return err
	}
	if o.attest.Key != "" && applied.Commit != "" {
		if err := o.attestPromotion(ctx, cmd.CommandPath(), p, repo, plan, applied.Commit); err != nil {
			return &promote.Error{Msg: "the promotion is committed as " + applied.Commit + ", but not attested", Err: err,
				Hint: fmt.Sprintf("kubectl promote attest %s --to %s --key %s", strings.Join(planned(plan), " "), plan.To, o.attest.Key)}
		}
	}
	if o.attest.Key != "" && applied.Commit == "" && refused == nil && !o.dryRun {
		o.session.Warn("nothing was committed, so nothing is attested; kubectl promote attest %s --to %s --key %s attests what is there", strings.Join(planned(plan), " "), plan.To, o.attest.Key)
	}
	if refused != nil {
		o.printRefusal(plan)
		return cli.Silent(cli.AnswerStatus(refused.Answer))
	}
	return nil
}

// planned are the names of a plan's services.
func planned(plan *promote.Plan) []string {
	var names []string
	for _, s := range plan.Services {
		names = append(names, s.Service)
	}
	return names
}

// ready makes sure, before anything is written, that a commit can be signed for.
func (o *options) ready(cmd *cobra.Command, plan *promote.Plan) error {
	if o.attest.Key != "" {
		if plan.Mode != promote.DeliverCommit {
			return &cli.UsageError{Msg: "--attest-key stands without --commit: there is no commit to attest", Hint: "--commit --attest-key " + o.attest.Key, Command: cmd.CommandPath()}
		}
		if _, err := o.attest.Signer(cmd.Context(), o.session, cmd.CommandPath()); err != nil {
			return err
		}
	}
	return nil
}

// noTarget says that --to is missing, or that a command's name is mistyped.
func (o *options) noTarget(cmd *cobra.Command, args []string) error {
	var commands []string
	for _, c := range cmd.Root().Commands() {
		commands = append(commands, c.Name())
	}
	if len(args) > 0 && !cmd.HasParent() {
		if near := overlay.Nearest(args[0], commands); near != "" {
			return &cli.UsageError{Msg: fmt.Sprintf("%q is no command, and --to is missing to promote a service of that name", args[0]), Hint: "did you mean kubectl promote " + near + "?"}
		}
	}
	return &cli.UsageError{Msg: "--to is missing", Hint: "kubectl promote " + strings.Join(append(args[:len(args):len(args)], "--to", "ENVIRONMENT"), " ")}
}

// apply carries the plan out. A promotion that has passed the point where it can
// be stopped without a trace is finished, not interrupted.
func (o *options) apply(ctx context.Context, p *promote.Promoter, plan *promote.Plan) (*promote.Applied, error) {
	applied, err := p.Apply(ctx, plan)
	if err != nil && ctx.Err() != nil {
		return nil, &promote.Error{Msg: "interrupted; running the same command again is safe", Err: err}
	}
	return applied, err
}
