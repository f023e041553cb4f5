// Package reportcmd implements kubectl promote report: how often images are delivered, how
// long they take and how often they are taken back, as the history of pins has it.
package reportcmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/report"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"
)

const long = `Count how often images are delivered, how long they take, and how often they are taken back.

The figures are those that DORA asks teams for, read from the history of pins, whoever
changed them. No registry is asked without --created.

  DEPLOYMENTS  commits that have changed the images of a service in an environment
  LEAD TIME    how long an image took from where it stood first, the middle of all;
               with --created from when it was made, as its registry has it: of an
               image without a date, or one that is not a date of the day, unknown
  FAILED       deployments that were taken back: by a rollback, or by a change that put
               back what the one before it took away
  RECOVERY     how soon, the middle of all

The first pin of a service is where its history begins, and no deployment.

With a folder in place of services (./DIR), the results of shards are put together: each
file in it is what a command with --shard K/N -o json has printed. The exit status is the
worst of them, and 5 where one is missing.`

const example = `  # the last three months
  kubectl promote report

  # one service, until now and as data
  kubectl promote report cart --since 2026-01-01 -o json

  # what the shards of a promotion have done, one after the other or side by side
  kubectl promote --all --to staging --push --shard 0/2 -o json > results/0.json
  kubectl promote --all --to staging --push --shard 1/2 -o json > results/1.json
  kubectl promote report ./results

  # lead times from when the images were made
  kubectl promote report --created

  # production alone, with what nine of ten do not exceed
  kubectl promote report --env production --since 30d -o wide`

// New makes kubectl promote report.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:               "report [SERVICE... | ./DIR]",
		Short:             "Count deliveries, how long they take, and how many fail",
		Long:              long,
		Example:           example,
		GroupID:           cli.GroupKnow,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: s.CompleteServices,
		RunE:              o.run,
	}
	s.EnvironmentVar(cmd, &o.request.Environment, "env", "only this environment")
	cmd.Flags().StringVar(&o.since, "since", "90d", "count from then on: 24h, 90d, 2026-11-28, '2026-11-28 18:00' or 2026-11-28T18:00:00Z")
	cmd.Flags().StringVar(&o.until, "until", "", "count until then (default: now)")
	cmd.Flags().BoolVar(&o.created, "created", false, "count lead times from when images were made: the registries are asked")
	for _, name := range []string{"since", "until"} {
		cli.Must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	o.output = cli.AddOutput(cmd)
	s.BranchVar(cmd)
	s.TakesURL(cmd)
	return cmd
}

// options are the flags of report.
type options struct {
	session      *cli.Session
	request      report.Request
	output       *cli.Output
	since, until string
	created      bool
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	services = cli.BareNames(services)
	s := o.session
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(services, isFolder) {
		if len(services) > 1 {
			return &cli.UsageError{Msg: "a folder with the results of shards stands beside others", Hint: "kubectl promote report " + shell.Path(services[0]), Command: cmd.CommandPath()}
		}
		return o.shards(printer, services[0])
	}
	if err := o.span(cmd, time.Now()); err != nil {
		return err
	}
	w, err := s.OpenToRead(cmd.Context())
	if err != nil {
		return err
	}
	defer w.Close()
	if o.request.Environment != "" {
		if _, err := w.Pipeline.Environment(o.request.Environment); err != nil {
			return err
		}
	}
	if o.request.Services = services; len(services) > 0 {
		if err := w.Whole(cmd.Context()); err != nil {
			return err
		}
		if err := status.CheckServices(w.Pipeline, w.Promoter.Repo, services); err != nil {
			if info, serr := os.Stat(services[0]); serr == nil && info.IsDir() && len(services) == 1 {
				return o.shards(printer, services[0]) // a folder that no service is called like
			}
			return err
		}
	}
	book := report.NewBook(w.Pipeline, o.request)
	err = history.Read(cmd.Context(), w.Pipeline, w.Promoter.Repo, w.Log(), history.Request{Services: services}, book.Add)
	_, cut := errors.AsType[*history.Truncated](err)
	if err := s.WarnTruncated(err); err != nil {
		return err
	}
	if o.created {
		failed, err := o.ask(cmd.Context(), book)
		if err != nil {
			return err
		}
		cut = cut || failed
	}
	if err := o.print(printer, book.Report(), cut); err != nil || !cut {
		return err
	}
	return cli.Silent(cli.ExitUnknown) // there may be more, which nobody can tell
}

// ask asks the registries when images were made; failed tells that some gave no answer.
func (o *options) ask(ctx context.Context, book *report.Book) (failed bool, err error) {
	resolver, err := o.session.NewResolver()
	if err != nil {
		return false, err
	}
	errs := book.Ask(ctx, resolver.Created)
	for n, err := range errs {
		if n == mostTold {
			o.session.Warn("and %d other images", len(errs)-n)
			break
		}
		o.session.Warn("when an image was made is not known: %v", err)
	}
	return len(errs) > 0, ctx.Err()
}

// mostTold is how many images are told of one by one that a registry gave no answer about.
const mostTold = 10

func (o *options) print(printer printers.ResourcePrinter, r *report.Report, cut bool) error {
	s := o.session
	if printer != nil {
		return cli.PrintObject(s.Out, printer, "Report", cli.Object{Name: "report", Content: r})
	}
	if len(r.Figures) == 0 && !cut {
		s.Note("nothing was delivered since %s", r.Since.Format(time.RFC3339))
	}
	return cli.Table(s.Out, rows(r, o.output.Wide()))
}

// span reads from when until when is counted.
func (o *options) span(cmd *cobra.Command, now time.Time) (err error) {
	if o.request.Since, err = cli.ParsePast(o.since, now); err != nil {
		return err
	}
	o.request.Until = now
	if o.until != "" {
		if o.request.Until, err = cli.ParsePast(o.until, now); err != nil {
			return err
		}
	}
	if !o.request.Since.Before(o.request.Until) {
		return &cli.UsageError{Msg: "--until is before --since", Command: cmd.CommandPath()}
	}
	return nil
}

func rows(r *report.Report, wide bool) [][]string {
	out := [][]string{{"ENVIRONMENT", "SERVICE", "DEPLOYMENTS", "PER WEEK", "LEAD TIME", "FAILED", "RECOVERY"}}
	if wide {
		out[0] = append(out[0], "LEAD TIME P90", "RECOVERY P90")
	}
	for _, f := range r.Figures {
		row := []string{f.Environment, cmp.Or(f.Service, "all"), fmt.Sprint(f.Deployments), fmt.Sprintf("%.1f", f.PerWeek),
			leadTime(f), fmt.Sprintf("%d (%.0f %%)", f.Failed, 100*f.FailureRate), median(f.Recovery)}
		if wide {
			row = append(row, p90(f.LeadTime), p90(f.Recovery))
		}
		out = append(out, row)
	}
	return out
}

func leadTime(f report.Figures) string {
	if f.LeadTimeUnknown == 0 {
		return median(f.LeadTime)
	}
	unknown := fmt.Sprintf("%d unknown", f.LeadTimeUnknown)
	if f.LeadTime == nil {
		return unknown
	}
	return median(f.LeadTime) + ", " + unknown
}

func median(s *report.Spread) string {
	if s == nil {
		return "-"
	}
	return duration.HumanDuration(time.Duration(s.Median) * time.Second)
}

func p90(s *report.Spread) string {
	if s == nil {
		return "-"
	}
	return duration.HumanDuration(time.Duration(s.P90) * time.Second)
}
