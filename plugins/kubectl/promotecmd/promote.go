// Package promotecmd implements the promotion itself, in the three forms that a
// command line has for it: the root command, run for services that have the name of
// a subcommand, and plan, which writes nothing. All three make the same plan.
package promotecmd

import (
	"errors"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/signing"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/cli-runtime/pkg/printers"
)

// options are the flags of the promotion itself.
type options struct {
	session *cli.Session
	output  *cli.Output
	request promote.Request
	to      []string // environments, or groups of them
	dryRun  bool
	// how is how the promotion is delivered, as far as flags say it.
	how    delivery
	attest signing.Options
	// selector is a label selector as kubectl has it.
	selector string
}

const example = `  # show what promoting cart from staging to production would change
  kubectl promote cart --to production --dry-run

  # promote it and commit
  kubectl promote cart --to production --commit

  # promote all services that have an overlay in both environments, in one commit
  kubectl promote --all --to staging --commit

  # let the build that was just made into the first environment, or the newest there is
  kubectl promote cart --to dev --version v1.3.0 --commit
  kubectl promote --all --to dev --newest --commit

  # one team's, without those of one name, and without those that are refused
  kubectl promote -l team=money --except 'legacy-*' --skip-refused --to staging --commit`

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
	o.addDelivery(cmd)
	return cmd
}

func (o *options) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.to, "to", nil, "environment to promote to, or a group of them; can be repeated: all are planned before the first is promoted")
	cli.Must(cmd.RegisterFlagCompletionFunc("to", o.session.CompleteTargets))
	o.session.EnvironmentVar(cmd, &o.request.From, "from", "environment to promote from (default: the one the pipeline names)")
	f.BoolVar(&o.request.All, "all", false, "all services that have an overlay in both environments")
	f.StringVarP(&o.selector, "selector", "l", "", "services with these labels in the pipeline file, for example team=money")
	f.StringArrayVar(&o.request.Except, "except", nil, "not this service; a name or a glob, can be repeated")
	f.BoolVar(&o.request.SkipRefused, "skip-refused", false, "promote the other services where some are refused, wait or are unknown; the exit status tells")
	f.StringArrayVar(&o.request.Images, "image", nil, "only this image, by the name of its entry; can be repeated")
	f.StringVar(&o.request.Version, "version", "", "TAG[@DIGEST] that comes into the first environment, for all services asked for")
	f.BoolVar(&o.request.Newest, "newest", false, "the newest tag comes into the first environment, by the rule that the pipeline has for it (admit)")
	f.BoolVar(&o.request.AllowDowngrade, "allow-downgrade", false, "with --newest, also one that is older than what is there")
	f.BoolVar(&o.request.AddMissing, "add-missing", false, "add entries that the target lacks, with the source's registry")
	f.BoolVar(&o.session.Offline, "offline", false, "ask no registry: promote recorded digests only, and verify nothing")
	cli.Must(cmd.RegisterFlagCompletionFunc("image", o.session.CompleteImages))
	cli.Must(cmd.RegisterFlagCompletionFunc("except", o.session.CompleteServices))
	cli.Must(cmd.RegisterFlagCompletionFunc("selector", cobra.NoFileCompletions))
	cli.Must(cmd.RegisterFlagCompletionFunc("version", cobra.NoFileCompletions))
	for _, way := range []string{"version", "newest"} {
		cmd.MarkFlagsMutuallyExclusive(way, "from")
		cmd.MarkFlagsMutuallyExclusive(way, "add-missing")
	}
	cmd.MarkFlagsMutuallyExclusive("version", "newest")
	cmd.MarkFlagsMutuallyExclusive("version", "allow-downgrade")
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

// NewPlan makes kubectl promote plan: the promotion that is always a dry run.
func NewPlan(s *cli.Session) *cobra.Command {
	o := &options{session: s, dryRun: true}
	cmd := &cobra.Command{
		Use:     "plan SERVICE... --to ENVIRONMENT",
		Short:   "Show what a promotion would change, and whether it may",
		Long:    "Show what a promotion would change, and whether it may. Nothing is written.\nThis is kubectl promote --dry-run, with the same exit status.",
		Example: "  # the plan as JSON\n  kubectl promote plan cart --to production -o json",
		GroupID: cli.GroupPromote,
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,

		ValidArgsFunction: s.CompleteServices,
	}
	o.output = cli.AddOutput(cmd)
	o.addFlags(cmd)
	o.addMode(cmd)
	return cmd
}

// run takes one promotion from the command line to its report.
func (o *options) run(cmd *cobra.Command, services []string) error {
	printer, err := o.check(cmd, services)
	if err != nil {
		return err
	}
	w, err := o.session.OpenFor(cmd.Context(), o.to, o.request.Mode)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := o.adaptMode(cmd, w); err != nil {
		return err
	}
	plans, applied, failed := o.deliver(cmd, w)
	if errors.Is(failed, promote.ErrUsage) && !cmd.HasParent() {
		return meant(failed, services)
	}
	if failed != nil && len(applied) == 0 {
		return failed
	}
	if err := o.report(printer, plans, applied); err != nil {
		return errors.Join(failed, err)
	}
	if err := o.follow(cmd.Context(), w, plans, applied); err != nil {
		return errors.Join(failed, err)
	}
	for n, a := range applied {
		if err := o.attestCommit(cmd, w, plans.All[n], a); err != nil {
			return errors.Join(failed, err)
		}
	}
	if failed != nil {
		return failed
	}
	return o.refusal(plans)
}

// check makes the request of what the command line says, and gives the printer,
// which is nil for a table.
func (o *options) check(cmd *cobra.Command, services []string) (printers.ResourcePrinter, error) {
	printer, err := o.output.Printer()
	if err != nil {
		return nil, err
	}
	if len(o.to) == 0 {
		return nil, o.noTarget(cmd, services)
	}
	if o.request.AllowDowngrade && !o.request.Newest {
		return nil, &cli.UsageError{Msg: "--allow-downgrade stands without --newest", Command: cmd.CommandPath()}
	}
	if o.selector != "" {
		selector, err := labels.Parse(o.selector)
		if err != nil {
			return nil, &cli.UsageError{Msg: "-l " + o.selector + ": " + err.Error(), Hint: "-l team=money, or -l 'team in (money, web)'", Command: cmd.CommandPath()}
		}
		o.request.Select = func(has map[string]string) bool { return selector.Matches(labels.Set(has)) }
	}
	o.request.Services = bareNames(services)
	o.request.Policy = o.session.VerifyPolicy
	o.request.NoDiff = printer == nil && !o.dryRun
	o.request.Preview = o.dryRun
	return printer, o.chooseMode(cmd)
}

// bareNames takes back names as -o name prints them, and service/NAME.
func bareNames(services []string) []string {
	var out []string
	for _, s := range services {
		if kind, name, ok := strings.Cut(s, "/"); ok && (kind == "service" || strings.HasSuffix(kind, ".kubepromote.dev")) {
			s = name
		}
		out = append(out, s)
	}
	return out
}

// report prints the plans and what became of them: all, or those that were carried out
// before an error.
func (o *options) report(printer printers.ResourcePrinter, plans *promote.Plans, applied []*promote.Applied) error {
	commits := ""
	var objects []cli.Object
	for n, a := range applied {
		o.session.PrintWarnings(plans.All[n])
		objects = append(objects, o.objects(plans.All[n], a)...)
		if a.Commit != "" {
			commits = strings.TrimPrefix(commits+", "+a.Commit, ", ")
		}
	}
	var err error
	if printer != nil {
		err = cli.PrintList(o.session.Out, printer, "Promotion", objects)
	} else {
		err = o.printPlans(plans, applied)
	}
	if err != nil && commits != "" {
		return &promote.Error{Msg: "the promotion is committed as " + commits + ", but what it did could not be printed", Err: err}
	}
	return err
}

// refusal says why nothing was done, where that is so, and gives the exit status: the
// worst of all environments.
func (o *options) refusal(plans *promote.Plans) error {
	refused := plans.Refused()
	if refused == nil {
		return nil
	}
	o.printRefusal(plans)
	if plans.Failed() != nil && refused.Answer != promote.Fail {
		return cli.Silent(cli.ExitFailed)
	}
	return cli.Silent(cli.AnswerStatus(refused.Answer))
}
