package promotecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/images"
	"github.com/kubepromote/kubepromote/promote/planfile"
	"github.com/spf13/cobra"
)

const applyLong = `Carry out a plan that kubectl promote plan -o json has written: exactly that, or nothing.

Nothing in the file is taken on trust. The promotion that it asks for is planned again on
what the repository has now, its registry, policy and gates are asked again, and what would
be written is compared with what the file says: services, pins, digests, files before and
after, verdicts, evidence and the rules themselves. Where anything differs, nothing is
written, each difference is a line, and the exit status is 3. A commit that has changed
nothing of this does not matter.

A gate that waited when it was planned may have passed since; one that passed may wait
now, which is then the exit status. Where everything is there already there is nothing to do.

It is delivered as the plan says, or as a flag says.`

const applyExample = `  # one job plans, a person looks at it, another job applies it
  kubectl promote plan cart --to production -o json > plan.json
  kubectl promote apply -f plan.json --push

  # without a clone
  kubectl promote apply -f plan.json -C https://git.example.com/infra.git

  # does it still hold?
  kubectl promote apply -f plan.json --dry-run`

// applying is what apply has beside a promotion.
type applying struct {
	options *options
	file    string
	planned *planfile.Document
}

// NewApply makes kubectl promote apply.
func NewApply(s *cli.Session) *cobra.Command {
	o := &options{session: s, clock: cli.SystemClock()}
	a := &applying{options: o}
	o.make = a.plan
	cmd := &cobra.Command{
		Use:     "apply -f PLAN",
		Short:   "Carry out a plan that was reviewed, exactly or not at all",
		Long:    applyLong,
		Example: applyExample,
		GroupID: cli.GroupPromote,
		Args:    cobra.ArbitraryArgs,
		RunE:    a.run,

		ValidArgsFunction: cobra.NoFileCompletions,
	}
	s.AddCluster(cmd)
	f := cmd.Flags()
	f.StringVarP(&a.file, "filename", "f", "", "file with the plan, or - for the standard input")
	f.BoolVar(&s.Offline, "offline", false, "ask no registry and no server: promote recorded digests only, and verify nothing")
	cli.Must(cmd.MarkFlagFilename("filename", "json"))
	o.addDelivery(cmd)
	o.output = cli.AddOutput(cmd)
	return cmd
}

func (a *applying) run(cmd *cobra.Command, args []string) error {
	o := a.options
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	switch {
	case a.file == "":
		return &cli.UsageError{Msg: "-f is missing", Hint: cmd.CommandPath() + " -f plan.json", Command: cmd.CommandPath()}
	case len(args) > 0:
		return &cli.UsageError{Msg: "what is promoted stands in the plan, and is not named", Hint: cmd.CommandPath() + " -f " + shell.Quote(a.file), Command: cmd.CommandPath()}
	}
	if a.planned, err = a.read(); err != nil {
		return err
	}
	asked := a.planned.Request
	if err := o.request.Ask(cmd, *asked); err != nil {
		return err
	}
	if err := o.settle(cmd, printer); err != nil {
		return err
	}
	o.request.NoDiff = false // it is compared
	if o.request.Mode == "" {
		o.request.Mode = asked.Deliver
	}
	if o.session.Branch == "" {
		o.session.Branch = asked.Branch
	}
	return o.carryOut(cmd, printer, asked.Services)
}

// read reads the plan.
func (a *applying) read() (*planfile.Document, error) {
	if a.file != cli.Stdin {
		data, err := cli.ReadUpTo(a.file, planfile.MaxSize+1)
		if err != nil {
			return nil, cli.FileError(err)
		}
		return planfile.Decode(a.file, data)
	}
	data, err := io.ReadAll(io.LimitReader(a.options.session.Stdin, planfile.MaxSize+1))
	if err != nil {
		return nil, &promote.Error{Msg: "reading the standard input", Err: err}
	}
	return planfile.Decode("<stdin>", data)
}

// plan makes the plans anew, and makes sure that they are those of the file.
func (a *applying) plan(ctx context.Context, w *cli.Workspace) (*promote.Plans, error) {
	o := a.options
	if t, ok := w.Tags.(*images.Tags); ok && o.request.Newest {
		w.Tags = t.As(a.planned.Chosen())
	}
	plans, err := w.PlanAll(ctx, o.request.Request, o.request.Targets...)
	if err != nil {
		return nil, err
	}
	var done []string
	for _, plan := range plans.All {
		there, err := a.isThere(w, plan)
		if err != nil {
			return nil, err
		}
		if there {
			done = append(done, plan.To)
		}
	}
	now := planfile.Of(*a.planned.Request, plans, o.session.RulesRead())
	differences := planfile.Compare(a.planned, now, planfile.Options{AnyMode: o.request.Mode != a.planned.Request.Deliver || w.Repo == nil, Done: done})
	if len(done) == len(plans.All) {
		return plans, nil // whatever has become of the rest, there is nothing to write
	}
	return plans, a.changed(differences)
}

// isThere tells whether an environment has all that the plan has for it already.
func (a *applying) isThere(w *cli.Workspace, plan *promote.Plan) (bool, error) {
	if plan.Changed() {
		return false, nil
	}
	e, err := w.Pipeline.Environment(plan.To)
	if err != nil {
		return false, err
	}
	tree, err := e.TreeOf(w.Promoter.Repo)
	if err != nil {
		return false, err
	}
	planned := false
	for _, write := range a.planned.Writes {
		if write.To != plan.To {
			continue
		}
		in := tree
		if e.Tagging() != nil && slices.Contains(e.FollowedBy(), write.Path) {
			in = w.Promoter.Repo // the files that name a tag are not in it
		}
		if is, err := stands(in, write); err != nil || !is {
			return false, err
		}
		planned = true
	}
	return planned, nil
}

// stands tells whether a file is as it was to be written; or gone, if it was to go.
func stands(tree promote.Tree, write planfile.Write) (bool, error) {
	if b, ok := tree.(interface {
		Object(name string) (string, error)
	}); ok && write.Was+write.Is != "" {
		is, err := b.Object(write.Path)
		return is == write.Is, err
	}
	data, err := tree.ReadFile(write.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return write.After == "", nil
	}
	return err == nil && write.After == planfile.Digest(data), err
}

// mostDifferences is how many are told.
const mostDifferences = 50

// planChanged is the error of a plan that is not what would be done now.
type planChanged struct{ msg string }

// Error is one line.
func (e *planChanged) Error() string { return e.msg }

// ExitStatus is that of a refusal.
func (e *planChanged) ExitStatus() int { return cli.ExitRefused }

// changed says what is not as it was planned: verdicts alone stop a promotion by
// themselves, where they do.
func (a *applying) changed(differences []planfile.Difference) error {
	var errs []error
	stops := 0
	for _, d := range differences {
		if !d.Verdict {
			stops++
		}
	}
	for n, d := range differences {
		switch {
		case stops == 0:
			a.options.session.Warn("since it was planned: %s", d)
		case n < mostDifferences:
			errs = append(errs, &planChanged{d.String()})
		case n == mostDifferences:
			errs = append(errs, &planChanged{fmt.Sprintf("and %d more", len(differences)-n)})
		}
	}
	if stops == 0 {
		return nil
	}
	last := "nothing is applied: what would be done now is not what was planned"
	if head := a.planned.Items[0].Head; head != "" {
		last += fmt.Sprintf(" on commit %.9s", head)
	}
	return errors.Join(append(errs, &promote.Error{Msg: last, Hint: a.again()})...)
}

// again is how the same plan is made once more.
func (a *applying) again() string {
	r := a.planned.Request
	words := []string{"kubectl promote plan"}
	add := func(flag string, values ...string) {
		for _, v := range values {
			if v != "" {
				words = append(words, strings.TrimSpace(flag+" "+shell.Quote(v)))
			}
		}
	}
	set := func(flag string, is bool) {
		if is {
			words = append(words, flag)
		}
	}
	add("", r.Services...)
	set("--all", r.All)
	add("-l", r.Selector)
	add("--except", r.Except...)
	add("--shard", r.Shard.String())
	add("--from", r.From)
	add("--to", r.To...)
	add("--image", r.Images...)
	add("--version", r.Version)
	set("--newest", r.Newest)
	set("--allow-downgrade", r.AllowDowngrade)
	set("--add-missing", r.AddMissing)
	set("--skip-refused", r.SkipRefused)
	for _, gate := range slices.Sorted(maps.Keys(r.Override)) {
		add("--override", gate)
	}
	if reasons := slices.Sorted(maps.Values(r.Override)); len(reasons) > 0 {
		add("--reason", reasons[0]) // the command line has one for all
	}
	if !r.OverrideUntil.IsZero() {
		add("--until", r.OverrideUntil.UTC().Format(time.RFC3339))
	}
	add("--deliver", string(r.Deliver))
	s := a.options.session
	add("--branch", s.Branch)
	set("--offline", s.Offline)
	add("--pipeline", s.Pipeline)
	add("--verify-policy", s.VerifyPolicy)
	if s.Repo != "." {
		add("-C", branch.WithoutCredentials(s.Repo))
	}
	return strings.Join(words, " ") + " -o json > plan.json"
}

// head is what a plan that is only shown has beside its services, so that it can be
// applied later; of anything else it is the shard.
func (o *options) head(plans *promote.Plans) any {
	if !o.dryRun || o.rollback {
		return o.session.Part
	}
	return planfile.Of(o.request.Asked(o.session.Branch), plans, o.session.RulesRead()).Head
}
