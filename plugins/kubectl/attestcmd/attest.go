// Package attestcmd implements kubectl promote attest: a signed summary (SLSA VSA)
// of each image that has been promoted to an environment, made from the record in
// the repository's history and put beside the image in its registry.
package attestcmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/signing"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify/attest"
	"github.com/spf13/cobra"
)

const long = `Sign that images have been promoted to an environment.

For each image of the services that stands in the environment by its digest, a
verification summary (SLSA VSA) is signed and put beside the image in its
registry: this digest came to this environment, by this commit, under these
verdicts. They are taken from the promotion's record in the repository's history;
a change that has none is refused. The next environment's gate "promoted" demands
such a summary.
` + signing.Long

const example = `  # after a promotion to staging
  kubectl promote attest cart --to staging --key cosign.key

  # show what would be signed
  kubectl promote attest cart --to staging --dry-run -o yaml`

func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:     "attest SERVICE...|--all --to ENVIRONMENT",
		Short:   "Sign that images have been promoted to an environment",
		Long:    long,
		Example: example,
		GroupID: cli.GroupPromote,
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,

		ValidArgsFunction: s.CompleteServices,
	}
	f := cmd.Flags()
	cli.OnceVar(f, &o.to, "to", "environment whose images are attested")
	f.BoolVar(&o.all, "all", false, "all services of the environment")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be signed and sign nothing")
	f.StringVar(&o.verifier, "verifier-id", signing.DefaultVerifierID, "URI of who has verified, for the summary")
	cli.Must(cmd.RegisterFlagCompletionFunc("to", s.CompleteEnvironments))
	cli.Must(cmd.RegisterFlagCompletionFunc("verifier-id", cobra.NoFileCompletions))
	o.sign.AddFlags(cmd)
	o.output = cli.AddOutput(cmd)
	return cmd
}

// options are the flags of attest.
type options struct {
	session     *cli.Session
	sign        signing.Options
	to          string
	all, dryRun bool
	verifier    string
	output      *cli.Output
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	s := o.session
	switch {
	case o.to == "":
		return &cli.UsageError{Msg: "--to is missing", Command: cmd.CommandPath()}
	case o.all == (len(services) > 0):
		return &cli.UsageError{Msg: "name services, or --all", Command: cmd.CommandPath()}
	}
	printer, err := o.output.Printer() // a wrong one is no reason to sign first
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	p, repo, err := s.OpenOffline(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	to, err := p.Pipeline.Environment(o.to)
	if err != nil {
		return err
	}
	statuses, err := p.Status(ctx, services)
	if err != nil {
		return err
	}
	if err := p.AddHistory(ctx, repo, statuses); err != nil {
		return err
	}
	source, err := signing.NewStateSource(ctx, s, repo, p.Pipeline)
	if err != nil {
		return err
	}
	statements, err := o.statements(statuses, to, source)
	if err != nil {
		return err
	}
	job := signing.Job{Session: s, Command: cmd.CommandPath(), Environment: o.to, Word: "attested", DryRun: o.dryRun}
	return o.sign.Finish(ctx, job, o.output, printer, statements)
}

// statements makes a summary for each image. All that is wrong is reported.
func (o *options) statements(statuses []promote.ServiceStatus, to *promote.Environment, source signing.StateSource) ([]signing.Statement, error) {
	var all []signing.Statement
	var errs []error
	for _, st := range statuses {
		for _, e := range st.Environments {
			if e.Environment != to.Name {
				continue
			}
			if !e.Exists && !o.all {
				errs = append(errs, &promote.Error{Msg: fmt.Sprintf("service %q has no overlay in %s", st.Service, to.Name)})
			}
			for _, i := range e.Images {
				one, err := o.recorded(st.Service, i, to, source)
				errs = append(errs, err)
				all = append(all, one)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, &promote.Error{Msg: "no image to attest in " + to.Name}
	}
	return all, nil
}

// recorded makes the summary of an image from the record of its promotion.
func (o *options) recorded(service string, i promote.ImageStatus, to *promote.Environment, source signing.StateSource) (signing.Statement, error) {
	refuse := func(format string, args ...any) (signing.Statement, error) {
		return signing.Statement{}, &promote.Refused{Answer: promote.Fail, Verdicts: []promote.Verdict{{
			Gate: "attest", Answer: promote.Fail, Reason: fmt.Sprintf("%s in %s: image %q ", service, to.Name, i.Name) + fmt.Sprintf(format, args...)}}}
	}
	switch {
	case i.Unknown != "":
		return refuse("has no repository that a statement could be kept in: %s", i.Unknown)
	case i.Digest == "":
		return refuse("is not pinned by its digest")
	case i.Last == nil:
		return refuse("stands so in no commit")
	case i.Last.From == "" && len(to.From) > 0:
		return refuse("was changed by commit %.9s, which has no promotion's record of it", i.Last.Commit)
	}
	var verdicts []attest.GateVerdict
	for _, g := range i.Last.Gates {
		verdicts = append(verdicts, recordedVerdict(g))
	}
	return source.Summary(attest.VSA{Image: i.Repository + "@" + i.Digest, Verifier: o.verifier,
		Environment: to.Name, Service: service, Commit: i.Last.Commit, Gates: verdicts})
}

// recordedVerdict reads "name=answer; reason", as records have it.
func recordedVerdict(text string) attest.GateVerdict {
	name, rest, _ := strings.Cut(text, "=")
	answer, reason, _ := strings.Cut(rest, "; ")
	if answer == promote.Overridden {
		return attest.GateVerdict{Gate: name, Verdict: string(promote.Fail), Override: reason}
	}
	return attest.GateVerdict{Gate: name, Verdict: answer, Reason: reason}
}
