package diffcmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/cluster"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/spf13/cobra"
)

const driftLong = `Show how live objects differ from what Git has for an environment, object by object, field
by field, with the file and line that Git's value comes from, and who has set the live one
and when. The working tree is rendered.

The API server is asked what applying each object would make of the live one: a dry run,
which writes nothing, and needs leave to get and to patch. Its defaults, the status and what
controllers of Kubernetes write are no drift. Fields that others have added are: those of
field managers that do not apply what Git has. Argo CD, Flux, Helm and kubectl apply are
known to do so; --applier names more. Values of Secrets are masked. Objects that only the
cluster has are not looked for.

Where an environment runs is what its health says in the pipeline (context, namespace), or
--context. What may differ is what --allow says, in the patterns of parity. A request that has
no answer within 30 seconds has none; --timeout bounds them all.

Exit status: 0 nothing differs, 1 something does, 2 something failed, or could not be
compared.`

const driftExample = `  # what the clusters of production do not have as Git has it
  kubectl promote drift --env production

  # one service, in a cluster that the pipeline does not name, whatever an autoscaler says
  kubectl promote drift cart --env staging --context kind --allow spec.replicas`

// NewDrift makes kubectl promote drift.
func NewDrift(s *cli.Session) *cobra.Command {
	o := &drift{session: s}
	cmd := &cobra.Command{
		Use:               "drift [SERVICE...] --env ENVIRONMENT",
		Short:             "Show how live objects differ from what Git has",
		Long:              driftLong,
		Example:           driftExample,
		GroupID:           cli.GroupKnow,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: s.CompleteServices,
	}
	s.EnvironmentVar(cmd, &o.environment, "env", "environment whose objects are compared")
	f := cmd.Flags()
	cli.OnceVar(f, &o.context, "context", "context of the kubeconfig (default: what the environment's health says)")
	f.StringVarP(&o.namespace, "namespace", "n", "", "namespace of objects that name none (default: what the environment's health says, or the context)")
	cli.OnceVar(f, &o.kubeconfig, "kubeconfig", "kubeconfig file (default: those of KUBECONFIG, as kubectl has it)")
	f.StringArrayVar(&o.allow, "allow", nil, "pattern of fields that may differ; can be repeated")
	f.StringArrayVar(&o.appliers, "applier", nil, "field manager that applies what Git has, and adds nothing; can be repeated")
	cli.Must(cmd.MarkFlagFilename("kubeconfig"))
	cli.Must(cmd.RegisterFlagCompletionFunc("context", o.completeContexts))
	for _, name := range []string{"allow", "applier", "namespace"} {
		cli.Must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	o.output = cli.AddOutput(cmd, markdown)
	cmd.RunE = func(cmd *cobra.Command, services []string) error {
		all, err := o.run(cmd, services)
		if err != nil {
			return s.FailAs(err, exitFailed)
		}
		return cli.Silent(status(all))
	}
	return cmd
}

// drift are the flags of drift.
type drift struct {
	session                                     *cli.Session
	output                                      *cli.Output
	environment, context, namespace, kubeconfig string
	allow, appliers                             []string
}

func (o *drift) clusters() *cluster.Clusters {
	return cluster.New(cluster.Options{Kubeconfig: o.kubeconfig, UserAgent: cli.UserAgent()})
}

func (o *drift) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names, _ := o.clusters().Contexts() // what cannot be read offers nothing
	return names, cobra.ShellCompDirectiveNoFileComp
}

// run compares, and shows what was found also where something could not be compared.
func (o *drift) run(cmd *cobra.Command, services []string) ([]result, error) {
	services = cli.BareNames(services)
	printer, err := o.output.Printer()
	if err != nil {
		return nil, err
	}
	allowed, err := objects.ParseAllowed(o.allow)
	if err != nil {
		return nil, &cli.UsageError{Msg: "--allow: " + err.Error(), Hint: "spec.replicas, **.resources, ConfigMap/settings:data.HOST"}
	}
	if o.environment == "" {
		return nil, &cli.UsageError{Msg: "--env is missing", Command: cmd.CommandPath()}
	}
	p, repo, err := o.session.OpenOffline(cmd.Context())
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	e, names, err := o.services(cmd, p, services)
	if err != nil {
		return nil, err
	}
	all, faults := o.compare(cmd.Context(), p, e, names, allowed)
	if len(all) == 0 && len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return all, errors.Join(append([]error{show(o.session, o.output, printer, "Drift", all, faults...)}, faults...)...)
}

// services are the environment, which has to say where it runs, and its services.
func (o *drift) services(cmd *cobra.Command, p *promote.Promoter, named []string) (*pipeline.Environment, []string, error) {
	e, err := p.Pipeline.Environment(o.environment)
	if err != nil {
		return nil, nil, err
	}
	if e.Health == nil && o.context == "" {
		return nil, nil, &cli.UsageError{Msg: fmt.Sprintf("environment %q does not say where it runs", e.Name), Hint: o.session.Retyped(cmd, "context", "CONTEXT")}
	}
	known, err := p.Pipeline.Sites(p.Repo).All(e.Name)
	if err != nil {
		return nil, nil, err
	}
	if err := known.Check(named); err != nil {
		return nil, nil, err
	}
	switch {
	case len(known) == 0:
		return nil, nil, &promote.Error{Msg: "no service is in " + e.Name, Err: pipeline.ErrUsage}
	case len(named) == 0:
		named = slices.Sorted(maps.Keys(known))
	}
	return e, named, nil
}

// where are the clusters in which a service runs.
func (o *drift) where(e *pipeline.Environment, service string) []pipeline.Cluster {
	h := e.Health
	if h == nil {
		h = &pipeline.Health{}
	}
	all := h.Clusters(service, e.Name)
	if o.context != "" {
		all = []pipeline.Cluster{{Context: o.context, Namespace: all[0].Namespace}}
	}
	for n := range all {
		if o.namespace != "" {
			all[n].Namespace = o.namespace
		}
	}
	return all
}

// compare asks the clusters, service by service: the objects of one are asked for side by
// side. The errors are what could not be compared, each once.
func (o *drift) compare(ctx context.Context, p *promote.Promoter, e *pipeline.Environment, names []string, allowed objects.Allowed) ([]result, []error) {
	clusters := o.clusters()
	bar := o.session.NewProgress()
	defer bar.Clear()
	var all []result
	var faults []error
	for n, name := range names {
		bar.Show("comparing", n, len(names))
		git, err := o.session.Renderer.Of(ctx, p.Repo, name, e.Name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for _, at := range o.where(e, name) {
			found, err := clusters.Drift(ctx, cluster.Desired{Context: at.Context, Namespace: at.Namespace, Objects: git, Appliers: o.appliers, Contexts: p.Pipeline.Spec.Clusters.Contexts})
			bar.Clear()
			for _, why := range found.Skipped {
				o.session.Warn("%s: %s", name, why)
			}
			r := result{service: name, to: e.Name, live: true, context: found.Context}
			for _, d := range found.Differences {
				if rest := without(d, allowed); rest != nil {
					r.differences = append(r.differences, *rest)
				}
			}
			if err != nil {
				faults = append(faults, cli.Split(err)...)
			}
			if err == nil || len(r.differences) > 0 {
				all = append(all, r)
			}
		}
	}
	return all, each(faults)
}

// each are errors, each once: one cluster may be that of several services.
func each(all []error) []error {
	var out []error
	for _, err := range all {
		if !slices.ContainsFunc(out, func(o error) bool { return o.Error() == err.Error() }) {
			out = append(out, err)
		}
	}
	return out
}

// without leaves out what patterns allow. An object that is not there has no field that one
// could allow.
func without(d objects.Difference, allowed objects.Allowed) *objects.Difference {
	if d.New != nil {
		return d.Without(allowed)
	}
	if allowed.Allows(d.Old, nil) {
		return nil
	}
	return &d
}
