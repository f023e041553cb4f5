// Package buildcmd implements kubectl promote build: kustomize build with the
// project's functions built in. The objects go to the standard output, to a file, or
// to a file each; nothing is written unless the whole build succeeds.
package buildcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/internal/remarks"
	"github.com/kubepromote/kubepromote/plugins/kustomize"
	"github.com/kubepromote/kubepromote/plugins/kustomize/build"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/yaml"
)

const long = `Build a kustomization as kustomize build does, with the functions of
kubepromote.dev/v1alpha1 built in: PinImages, SetImages, VerifyImages,
PromotionGuard and ImageInventory run without any flag and cannot be skipped.

In a Git repository with a pipeline, what is built for an environment must meet the
environment's verify policy too, whatever the kustomization lists: each image is
pinned by digest and the policy lets it in. The environment is the one that the
directory is part of, by the pipeline's layout, or the one that --env names; with
--env, an argument that is no path is a service. Where there is neither, only what
the kustomization lists is demanded.

A service that has no kustomization is built as gates see it: a chart with its values,
plain objects, an Application or a HelmRelease with what it installs. Charts need
promote-helm, or helm.

Bases must lie in the repository, and files in the directory of the kustomization
that names them; --load-restrictor LoadRestrictionsNone reads both from anywhere.

Functions that are other programs or containers need the flags that kustomize
build wants for them. One that kustomize would skip in silence is an error here.

Exit status: 0 built, 1 failed, 3 an image was refused, 5 something about an
image could not be found out. Nothing is written unless the build succeeds.`

const example = `  # what would be applied to production
  kubectl promote build apps/cart/overlays/production

  # the same, by the pipeline's names
  kubectl promote build cart --env production

  # one file for each object
  kubectl promote build apps/cart/overlays/production -o rendered`

type options struct {
	session *cli.Session
	build.Options
	restrictor string
	to         string
	env        string
}

// New makes kubectl promote build.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:     "build [DIR|SERVICE]",
		Short:   "Build a kustomization, with the project's functions built in",
		Long:    long,
		Example: example,
		GroupID: cli.GroupKnow,
		Args:    cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.env, "env", "", "build for this environment of the pipeline (default: the one that the directory is part of)")
	flags.StringVarP(&o.to, "output", "o", "", "write to this file or, if it is a directory, to a file for each object in it")
	flags.BoolVar(&o.EnablePlugins, "enable-alpha-plugins", false, "allow functions that are containers and, with --enable-exec, programs")
	flags.BoolVar(&o.EnableExec, "enable-exec", false, "allow functions that are programs; do not use with kustomizations that you do not trust")
	flags.BoolVar(&o.EnableHelm, "enable-helm", false, "allow helmCharts")
	flags.StringVar(&o.HelmCommand, "helm-command", "helm", "program that is run for helmCharts")
	flags.BoolVar(&o.Network, "network", false, "allow the network to functions in containers that ask for it")
	flags.StringVar(&o.restrictor, "load-restrictor", restrictRoot, "LoadRestrictionsNone allows files outside of a kustomization's directory, and bases outside of the repository")
	cli.MayBeEmpty(cmd, "output")
	cli.Must(cmd.RegisterFlagCompletionFunc("env", s.CompleteEnvironments))
	cli.Must(cmd.RegisterFlagCompletionFunc("load-restrictor", cobra.FixedCompletions([]string{restrictRoot, restrictNone}, cobra.ShellCompDirectiveNoFileComp)))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		arg := ""
		if len(args) == 1 {
			arg = args[0]
			if arg == "" {
				return &cli.UsageError{Msg: "a directory with an empty name", Hint: cli.UnsetHint}
			}
		}
		return o.run(cmd, arg)
	}
	return cmd
}

// The values of --load-restrictor, as kustomize has them.
const (
	restrictRoot = "LoadRestrictionsRootOnly"
	restrictNone = "LoadRestrictionsNone"
)

func (o *options) run(cmd *cobra.Command, arg string) error {
	s := o.session
	if o.restrictor != restrictRoot && o.restrictor != restrictNone {
		return &cli.UsageError{Msg: "--load-restrictor is " + o.restrictor, Hint: restrictRoot + " or " + restrictNone}
	}
	dir, all, demands, err := o.place(cmd.Context(), arg)
	if err != nil {
		return err
	}
	defer demands.close()
	if all != nil {
		m, err := resources(all)
		if err != nil {
			return err
		}
		return o.judged(cmd.Context(), demands, m, nil)
	}
	file, err := cli.FindKustomization(dir)
	if err != nil {
		if e, ok := errors.AsType[*promote.Error](err); ok && e.Hint != "" {
			e.Hint = "kubectl promote build DIR"
		}
		return err
	}
	o.LoadAnywhere = o.restrictor == restrictNone
	client, err := s.CachedRegistries()
	if err != nil {
		return err
	}
	o.Client = client
	if s.Quiet {
		remarks.Silence()
	}
	result, err := build.Run(cmd.Context(), dir, o.Options)
	if err != nil {
		return buildError(filepath.ToSlash(file), err)
	}
	return o.judged(cmd.Context(), demands, result.Resources, result.Results)
}

// judged writes what was built, if what is demanded of it holds. The results are what its
// functions have said.
func (o *options) judged(ctx context.Context, d *demands, m resmap.ResMap, results framework.Results) error {
	judged, err := d.judge(ctx, m)
	if refused := (*kustomize.Refused)(nil); errors.As(err, &refused) {
		return &functionError{refused}
	} else if err != nil {
		return err
	}
	for _, line := range kustomize.Lines(append(results, judged...)) {
		if text, ok := strings.CutPrefix(line, "warning: "); ok {
			o.session.Warn("%s", text)
		} else if !o.session.Quiet {
			fmt.Fprintln(o.session.ErrOut, line)
		}
	}
	return o.write(m)
}

// write writes resources as kustomize build does.
func (o *options) write(m resmap.ResMap) error {
	to := o.to
	if info, err := os.Stat(to); to != "" && err == nil && info.IsDir() {
		return writeObjects(m, to)
	}
	text, err := m.AsYaml()
	if err != nil {
		return &promote.Error{Msg: "writing the objects", Err: err}
	}
	if to != "" {
		return cli.FileError(os.WriteFile(to, text, 0o666))
	}
	_, err = o.session.Out.Write(text)
	return err
}

// writeObjects writes a file for each object, under the name that kustomize gives.
func writeObjects(m resmap.ResMap, dir string) error {
	files := make(map[string][]byte)
	add := func(prefix string, r *resource.Resource) error {
		fields, err := r.Map()
		if err != nil {
			return &promote.Error{Msg: "writing " + r.CurId().String(), Err: err}
		}
		name := prefix + strings.ToLower(r.GetGvk().StringWoEmptyField()) + "_" + strings.ToLower(r.GetName()) + ".yaml"
		if strings.ContainsAny(name, `/\`) {
			return &promote.Error{Msg: "object " + r.GetName() + " has a name that is no file's"}
		}
		files[name], err = yaml.Marshal(fields)
		return err
	}
	byNamespace := m.GroupedByCurrentNamespace()
	var errs []error
	for namespace, list := range byNamespace {
		prefix := ""
		if len(byNamespace) > 1 {
			prefix = strings.ToLower(namespace) + "_"
		}
		for _, r := range list {
			errs = append(errs, add(prefix, r))
		}
	}
	for _, r := range m.ClusterScoped() {
		errs = append(errs, add("", r))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			return cli.FileError(err)
		}
	}
	return nil
}

// buildError gives an error the exit status that it means. What functions have
// found is printed as it is, and stands in it line by line. Kustomize does not name
// the file when it cannot read the one that it was started with.
func buildError(file string, err error) error {
	if refused, ok := errors.AsType[*kustomize.Refused](err); ok {
		return &functionError{refused}
	}
	var ours interface{ HintText() string }
	if errors.As(err, &ours) {
		return err
	}
	if text, found := strings.CutPrefix(err.Error(), "invalid Kustomization: "); found {
		if text, found := strings.CutPrefix(text, "json: "); found {
			return &promote.Error{Msg: file + ": " + text}
		}
		return cli.YAMLError(file, errors.New(text))
	}
	return &promote.Error{Msg: "kustomize", Err: err}
}

// functionError is what functions have refused.
type functionError struct{ refused *kustomize.Refused }

// Error has a line for each finding.
func (e *functionError) Error() string { return e.refused.Error() }

// Unwrap gives a line each, for printing.
func (e *functionError) Unwrap() []error {
	var errs []error
	for _, line := range strings.Split(e.refused.Error(), "\n") {
		errs = append(errs, errors.New(line))
	}
	return errs
}

// ExitStatus is the worst of what the functions have said.
func (e *functionError) ExitStatus() int {
	switch e.refused.Answer() {
	case kustomize.No:
		return cli.ExitRefused
	case kustomize.Unknown:
		return cli.ExitUnknown
	}
	return cli.ExitFailed
}
