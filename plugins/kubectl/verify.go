package kubectl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

const verifyLong = `Verify the signatures of images against a policy.

Images are named as references, by the overlays that hold them (-k, -f), or as
services of an environment (--env), whose policy the pipeline names. A tag is
resolved to its digest first. oci:DIRECTORY[:REF] is an image in an OCI layout: the
rules for the repository of --layout-name hold for it, and without that only those
for the pattern **. "-" reads references from the standard input, one a line.

There are three answers: verified, rejected, and unknown, where something could not
be read; exit status 0, 3 and 5. An image that only rules in warn mode reject is
shown as warned, with a warning, and does not change the exit status: a promotion
would let it through.

The policy is a VerificationPolicy, or a ClusterImagePolicy as it is; keys in files
are looked for beside it.`

const verifyExample = `  # what production would demand of the images in staging
  kubectl promote verify -k apps/cart/overlays/staging --verify-policy policies/images.yaml

  # the images of two services as they stand in production
  kubectl promote verify cart payments --env production

  # by whom and when it was signed
  kubectl promote verify registry.example.com/shop/cart:v1.2.3 --verify-policy policies/images.yaml -o wide

  # an image on disk, by the rules for the repository that it came from
  kubectl promote verify oci:cart --layout-name registry.example.com/shop/cart --verify-policy policies/images.yaml`

func newVerifyCommand(s *session) *cobra.Command {
	o := &verifyOptions{session: s}
	cmd := &cobra.Command{
		Use:     "verify [REF...|-|SERVICE... --env ENVIRONMENT]",
		Short:   "Verify the signatures of images against a policy",
		Long:    verifyLong,
		Example: verifyExample,
		GroupID: groupEdit,
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if o.env == "" {
				return nil, cobra.ShellCompDirectiveNoFileComp // references cannot be guessed
			}
			return s.completeServices(cmd, args, word)
		},
	}
	o.files.addFlags(cmd)
	cmd.Flags().StringVar(&o.env, "env", "", "the arguments are services; verify what this environment runs")
	must(cmd.RegisterFlagCompletionFunc("env", s.completeEnvironments))
	cmd.Flags().StringVar(&o.layoutName, "layout-name", "", "repository whose rules hold for images in OCI layouts")
	must(cmd.RegisterFlagCompletionFunc("layout-name", cobra.NoFileCompletions))
	o.output = addOutput(cmd)
	return cmd
}

// verifyOptions are the flags of verify.
type verifyOptions struct {
	session         *session
	files           fileOptions
	env, layoutName string
	output          *output
}

func (o *verifyOptions) run(cmd *cobra.Command, args []string) error {
	printer, err := o.output.printer()
	if err != nil {
		return err
	}
	if _, err := name.NewRepository(o.layoutName); o.layoutName != "" && err != nil {
		return &usageError{msg: fmt.Sprintf("--layout-name %q is no repository", o.layoutName), hint: "--layout-name registry.example.com/shop/cart", command: cmd.CommandPath()}
	}
	in, err := o.inputs(cmd, args)
	if err != nil {
		return err
	}
	if len(in.refs)+len(in.unpinned) == 0 {
		return &promote.Error{Msg: "no image to verify", Hint: "kubectl promote images lists what there is"}
	}
	results, err := o.verify(cmd, in.policy, in.refs)
	if err != nil {
		return err
	}
	return o.report(printer, append(results, in.unpinned...))
}

// report prints the results; its error has the exit status that they mean.
func (o *verifyOptions) report(printer printers.ResourcePrinter, results []verify.Result) error {
	s := o.session
	items, worst := []object{}, exitDone
	for _, r := range results {
		items = append(items, object{name: r.Image, content: r})
		worst = worse(worst, r)
		for _, w := range r.Warnings {
			s.warn("%s: NOT verified by a rule in warn mode: %s", r.Image, w)
		}
	}
	var err error
	if printer != nil {
		err = printList(s.Out, printer, "Verification", items)
	} else {
		err = s.printVerified("IMAGE", o.output, results)
	}
	if err != nil {
		return err
	}
	return silent(worst)
}

// verifyInput is what there is to verify.
type verifyInput struct {
	refs     []string
	unpinned []verify.Result // what is pinned to nothing, so that it cannot be verified
	policy   *verify.Policy
}

// inputs finds what there is to verify, and the policy.
func (o *verifyOptions) inputs(cmd *cobra.Command, args []string) (*verifyInput, error) {
	s := o.session
	switch {
	case o.env != "":
		return o.services(cmd, args)
	case s.verifyPolicy == "":
		return nil, &usageError{msg: "no policy named", hint: "--verify-policy FILE, or SERVICE --env ENVIRONMENT", command: cmd.CommandPath()}
	case len(args) == 0 && !o.files.given():
		return nil, &usageError{msg: "no reference named", command: cmd.CommandPath()}
	}
	refs, err := s.expandStdin(args, &o.files)
	if err != nil {
		return nil, err
	}
	in := &verifyInput{refs: slices.Clone(refs)}
	if o.files.given() {
		files, err := o.files.readImages(s)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			for _, i := range f.file.Images() {
				if i.Tag == "" && i.Digest == "" {
					in.unpinned = append(in.unpinned, notPinned(i.Repository()))
				} else {
					in.refs = append(in.refs, i.Ref())
				}
			}
		}
	}
	in.policy, err = s.loadPolicy(nil, s.verifyPolicy)
	return in, err
}

func notPinned(image string) verify.Result {
	return verify.Result{Image: image, Outcome: verify.Unknown, Reason: "it has neither tag nor digest here"}
}

// services is inputs for services of an environment.
func (o *verifyOptions) services(cmd *cobra.Command, args []string) (*verifyInput, error) {
	s := o.session
	if o.files.given() {
		return nil, &usageError{msg: "--env stands beside -k or -f", command: cmd.CommandPath()}
	}
	p, repo, err := s.openOffline(cmd.Context())
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	e, err := p.Pipeline.Environment(o.env)
	if err != nil {
		return nil, err
	}
	path := s.verifyPolicy
	switch {
	case path != "":
	case e.Verify != nil:
		path = e.Verify.Policy
	default:
		return nil, &usageError{msg: fmt.Sprintf("the pipeline names no policy for %q", o.env), hint: "--verify-policy FILE", command: cmd.CommandPath()}
	}
	policy, err := s.loadPolicy(repo, path)
	if err != nil {
		return nil, err
	}
	statuses, err := p.Status(cmd.Context(), args)
	if statuses == nil && err != nil {
		return nil, err
	}
	in := &verifyInput{policy: policy.For(o.env)}
	in.refs, in.unpinned, err = imagesOf(statuses, o.env, len(args) > 0)
	return in, err
}

// imagesOf gives the images of an environment. Services that are named must be
// there; what cannot be read in other environments does not matter.
func imagesOf(statuses []promote.ServiceStatus, env string, named bool) (refs []string, unpinned []verify.Result, err error) {
	var errs []error
	for _, st := range statuses {
		for _, e := range st.Environments {
			switch {
			case e.Environment != env:
				continue
			case e.Error != "":
				errs = append(errs, errors.New(e.Error))
			case !e.Exists && named:
				errs = append(errs, &promote.Error{Msg: fmt.Sprintf("service %q has no overlay in %s", st.Service, env)})
			}
			for _, i := range e.Images {
				if i.Pin == (promote.Pin{}) {
					unpinned = append(unpinned, notPinned(i.Repository))
				} else {
					refs = append(refs, i.Ref(i.Repository))
				}
			}
		}
	}
	return refs, unpinned, errors.Join(errs...)
}

// verify resolves tags and verifies the digests; what cannot be resolved is
// unknown, or rejected where the registry says that there is no such image.
func (o *verifyOptions) verify(cmd *cobra.Command, policy *verify.Policy, refs []string) ([]verify.Result, error) {
	s := o.session
	registries, err := s.newResolver()
	if err != nil {
		return nil, err
	}
	resolver := &sourceResolver{registries}
	v, err := s.newVerifier(o.layoutName)
	if err != nil {
		return nil, err
	}
	bar, n := s.newProgress(), 0
	resolved := resolver.ResolveAll(cmd.Context(), refs, func(digest.Result) {
		n++
		bar.show("resolving", n, len(refs))
	})
	results := make([]verify.Result, len(refs))
	var images []string
	var at []int
	for i, r := range resolved {
		switch {
		case r.Err == nil && strings.HasPrefix(r.Ref, "docker-archive:"):
			results[i] = verify.Result{Image: r.Ref, Outcome: verify.Unknown, Reason: "an archive has no place for signatures"}
		case r.Err == nil:
			images, at = append(images, r.Repository+"@"+r.Digest), append(at, i)
		case errors.Is(r.Err, digest.ErrUnknown):
			results[i] = verify.Result{Image: r.Ref, Outcome: verify.Unknown, Reason: r.Err.Error()}
		default:
			results[i] = verify.Result{Image: r.Ref, Outcome: verify.Rejected, Reason: r.Err.Error()}
		}
	}
	for start := 0; start < len(images); start += verifyBatch {
		end := min(start+verifyBatch, len(images))
		for i, r := range v.Verify(cmd.Context(), policy, images[start:end]...) {
			results[at[start+i]] = r
		}
		bar.show("verifying", end, len(images))
	}
	bar.clear()
	return results, nil
}
