package kubectl

import (
	"context"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
)

// promoteOptions are the flags of the promotion itself.
type promoteOptions struct {
	session *session
	output  *output
	request promote.Request
	dryRun  bool
	commit  bool
	attest  signOptions
}

const promoteExample = `  # show what promoting cart from staging to production would change
  kubectl promote cart --to production --dry-run

  # promote it and commit
  kubectl promote cart --to production --commit

  # promote all services that have an overlay in both environments, in one commit
  kubectl promote --all --to staging --commit`

// newPromoteCommand makes the promotion command, which is also the root.
func newPromoteCommand(s *session) *cobra.Command {
	o := &promoteOptions{session: s}
	cmd := &cobra.Command{
		Use:     "promote SERVICE... --to ENVIRONMENT",
		Short:   "Promote services to an environment",
		Example: promoteExample,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !cmd.Flags().Changed("to") && !o.request.All && !cmd.HasParent() {
				return cmd.Help()
			}
			return o.run(cmd, args)
		},
		ValidArgsFunction: s.completeServices,
	}
	o.output = addOutput(cmd)
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "show the plan and change nothing")
	return cmd
}

func (o *promoteOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.request.To, "to", "", "environment to promote to")
	f.StringVar(&o.request.From, "from", "", "environment to promote from (default: the one the pipeline names)")
	f.BoolVar(&o.request.All, "all", false, "all services that have an overlay in both environments")
	f.StringArrayVar(&o.request.Images, "image", nil, "only this image, by the name of its entry; can be repeated")
	f.BoolVar(&o.request.AddMissing, "add-missing", false, "add entries that the target lacks, with the source's registry")
	f.BoolVar(&o.commit, "commit", false, "commit the edits, with the promotion's record")
	f.StringVar(&o.attest.key, "attest-key", "", "private key file: sign what was committed, as kubectl promote attest does")
	f.BoolVar(&o.session.offline, "offline", false, "ask no registry: promote recorded digests only, and verify nothing")
	for _, flag := range []string{"to", "from"} {
		must(cmd.RegisterFlagCompletionFunc(flag, o.session.completeEnvironments))
	}
	must(cmd.RegisterFlagCompletionFunc("image", o.session.completeImages))
}

// newRunCommand is the root's promotion for services whose names are commands.
func newRunCommand(s *session) *cobra.Command {
	cmd := newPromoteCommand(s)
	cmd.Use = "run SERVICE... --to ENVIRONMENT"
	cmd.Short = "Promote services, whatever their names"
	cmd.Long = "Promote services. This is what kubectl promote does without a subcommand;\nuse it for a service that has the name of one."
	cmd.Example = "  # promote the service named status\n  kubectl promote run status --to production"
	cmd.GroupID = groupPromote
	return cmd
}

func newPlanCommand(s *session) *cobra.Command {
	o := &promoteOptions{session: s, dryRun: true}
	cmd := &cobra.Command{
		Use:     "plan SERVICE... --to ENVIRONMENT",
		Short:   "Show what a promotion would change, and whether it may",
		Long:    "Show what a promotion would change, and whether it may. Nothing is written.\nThis is kubectl promote --dry-run, with the same exit status.",
		Example: "  # the plan as JSON\n  kubectl promote plan cart --to production -o json",
		GroupID: groupPromote,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, args)
		},
		ValidArgsFunction: s.completeServices,
	}
	o.output = addOutput(cmd)
	o.addFlags(cmd)
	return cmd
}

func (o *promoteOptions) run(cmd *cobra.Command, args []string) error {
	printer, err := o.output.printer()
	if err != nil {
		return err
	}
	o.request.Services = args
	o.request.Policy = o.session.verifyPolicy
	if o.request.To == "" {
		return o.noTarget(cmd, args)
	}
	if o.commit {
		o.request.Mode = promote.DeliverCommit
	}
	o.request.NoDiff = printer == nil && !o.dryRun
	ctx := cmd.Context()
	p, repo, err := o.session.open(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	bar := o.session.newProgress()
	p.Progress = bar.show
	plan, err := p.Plan(ctx, o.request)
	bar.clear()
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
	o.session.printWarnings(plan)
	if printer != nil {
		err = printList(o.session.Out, printer, "Promotion", o.objects(plan, applied))
	} else {
		err = o.printPlan(plan, applied)
	}
	if err != nil && applied.Commit != "" {
		return &promote.Error{Msg: "the promotion is committed as " + applied.Commit + ", but what it did could not be printed", Err: err}
	}
	if err != nil {
		return err
	}
	if o.attest.key != "" && applied.Commit != "" {
		if err := o.attestPromotion(ctx, cmd.CommandPath(), p, repo, plan, applied.Commit); err != nil {
			return &promote.Error{Msg: "the promotion is committed as " + applied.Commit + ", but not attested", Err: err,
				Hint: fmt.Sprintf("kubectl promote attest %s --to %s --key %s", strings.Join(planned(plan), " "), plan.To, o.attest.key)}
		}
	}
	if o.attest.key != "" && applied.Commit == "" && refused == nil && !o.dryRun {
		o.session.warn("nothing was committed, so nothing is attested; kubectl promote attest %s --to %s --key %s attests what is there", strings.Join(planned(plan), " "), plan.To, o.attest.key)
	}
	if refused != nil {
		o.session.printRefusal(plan)
		return &silentError{answerStatus(refused.Answer)}
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
func (o *promoteOptions) ready(cmd *cobra.Command, plan *promote.Plan) error {
	if o.attest.key != "" {
		if plan.Mode != promote.DeliverCommit {
			return &usageError{msg: "--attest-key stands without --commit: there is no commit to attest", hint: "--commit --attest-key " + o.attest.key, command: cmd.CommandPath()}
		}
		if _, err := o.attest.signer(cmd.Context(), o.session, cmd.CommandPath()); err != nil {
			return err
		}
	}
	return nil
}

// noTarget says that --to is missing, or that a command's name is mistyped.
func (o *promoteOptions) noTarget(cmd *cobra.Command, args []string) error {
	var commands []string
	for _, c := range cmd.Root().Commands() {
		commands = append(commands, c.Name())
	}
	if len(args) > 0 && !cmd.HasParent() {
		if near := spelling.Nearest(args[0], commands); near != "" {
			return &usageError{msg: fmt.Sprintf("%q is no command, and --to is missing to promote a service of that name", args[0]), hint: "did you mean kubectl promote " + near + "?"}
		}
	}
	return &usageError{msg: "--to is missing", hint: "kubectl promote " + strings.Join(append(args[:len(args):len(args)], "--to", "ENVIRONMENT"), " ")}
}

// apply carries the plan out. A promotion that has passed the point where it can
// be stopped without a trace is finished, not interrupted.
func (o *promoteOptions) apply(ctx context.Context, p *promote.Promoter, plan *promote.Plan) (*promote.Applied, error) {
	applied, err := p.Apply(ctx, plan)
	if err != nil && ctx.Err() != nil {
		return nil, &promote.Error{Msg: "interrupted; running the same command again is safe", Err: err}
	}
	return applied, err
}

// promotion is one service's plan as an API object.
type promotion struct {
	From   string              `json:"from"`
	To     string              `json:"to"`
	Mode   promote.DeliverMode `json:"mode"`
	DryRun bool                `json:"dryRun,omitempty"`
	// Answer is that of the whole plan: one service refused refuses all.
	Answer promote.Answer `json:"answer"`
	// Changed tells that the target's file differs; Commit is the commit made.
	Changed bool   `json:"changed"`
	Head    string `json:"head,omitempty"`
	Commit  string `json:"commit,omitempty"`
	*promote.ServicePlan
}

func (o *promoteOptions) objects(plan *promote.Plan, applied *promote.Applied) []object {
	var out []object
	for _, s := range plan.Services {
		out = append(out, object{name: s.Service, content: promotion{
			From: plan.From, To: plan.To, Mode: plan.Mode, DryRun: o.dryRun, Answer: plan.Answer,
			Changed: s.Changed(), Head: plan.Head, Commit: applied.Commit, ServicePlan: s,
		}})
	}
	return out
}

// printPlan prints a table of the images and, for a dry run, the diff.
func (o *promoteOptions) printPlan(plan *promote.Plan, applied *promote.Applied) error {
	rows := [][]string{{"SERVICE", "IMAGE", strings.ToUpper(plan.To), "BECOMES", "DIGEST", "RESULT"}}
	if o.output.wide() {
		rows[0] = append(rows[0], "REPOSITORY", "FILE", "EVIDENCE")
	}
	for _, s := range plan.Services {
		for _, i := range s.Images {
			row := []string{s.Service, i.Name, i.Old.Short(), i.New.Short(), shortDigest(i.New.Digest), o.result(plan, s)}
			if o.output.wide() {
				row = append(row, i.Repository, s.TargetFile, evidence(i.Evidence))
			}
			rows = append(rows, row)
		}
	}
	if err := table(o.session.Out, rows); err != nil {
		return err
	}
	for _, s := range plan.Services {
		for _, v := range s.Verdicts {
			o.session.note("%s: %s: %s: %s", s.Service, v.Gate, v.Answer, v.Reason)
		}
		if o.dryRun && s.Diff != "" {
			fmt.Fprint(forTerminal(o.session.Out), "\n"+s.Diff)
		}
		for _, c := range s.Copies {
			if o.dryRun && c.Changed {
				fmt.Fprint(forTerminal(o.session.Out), "\n"+c.Diff)
			}
		}
	}
	if applied.Commit != "" {
		fmt.Fprintf(o.session.Out, "\n[%s %.9s] %s\n", plan.Branch, applied.Commit, plan.Subject())
	}
	return nil
}

// result says in a word what became of a service.
func (o *promoteOptions) result(plan *promote.Plan, s *promote.ServicePlan) string {
	switch s.Answer() {
	case promote.Fail:
		return "refused"
	case promote.Unknown:
		return "unknown"
	case promote.Wait:
		return "waiting"
	}
	switch {
	case !s.Changed():
		return "unchanged"
	case plan.Answer != promote.Pass:
		return "held back"
	case o.dryRun:
		return "would change"
	case plan.Mode == promote.DeliverCommit:
		return "committed"
	}
	return "written"
}

func evidence(all []promote.Evidence) string {
	if len(all) == 0 {
		return "-"
	}
	var out []string
	for _, e := range all {
		who := shortDigest(e.KeyID)
		if e.Subject != "" {
			who = e.Subject + " (" + e.Issuer + ")"
		}
		out = append(out, fmt.Sprintf("%s %s %s", e.Kind, e.Authority, who))
	}
	return strings.Join(out, ", ")
}

// shortDigest gives the first twelve digits of a digest.
func shortDigest(digest string) string {
	if digest == "" {
		return "-"
	}
	_, hex, ok := strings.Cut(digest, ":")
	if !ok || len(hex) < 12 {
		return digest
	}
	return hex[:12]
}

func (s *session) printWarnings(plan *promote.Plan) {
	for _, w := range plan.Warnings {
		s.warn("%s", w)
	}
	for _, sp := range plan.Services {
		for _, w := range sp.Warnings {
			s.warn("%s: %s", sp.Service, w)
		}
	}
}

// printRefusal says why nothing was done, a line for each verdict.
func (s *session) printRefusal(plan *promote.Plan) {
	words := map[promote.Answer]string{promote.Fail: "refused", promote.Wait: "waiting", promote.Unknown: "unknown"}
	for _, sp := range plan.Services {
		for _, v := range sp.Verdicts {
			if word := words[v.Answer]; word != "" {
				fmt.Fprintln(s.ErrOut, clean(fmt.Sprintf("%s: %s: %s: %s", sp.Service, word, v.Gate, v.Reason)))
				if hint := withAdvice(v.Hint, string(v.Advice.Do), v.Advice.With); hint != "" {
					fmt.Fprintln(s.ErrOut, "hint: "+clean(hint))
				}
			}
		}
	}
}
