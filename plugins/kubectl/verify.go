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
	files, env, layoutName := &fileOptions{}, "", ""
	cmd := &cobra.Command{
		Use:     "verify [REF...|-|SERVICE... --env ENVIRONMENT]",
		Short:   "Verify the signatures of images against a policy",
		Long:    verifyLong,
		Example: verifyExample,
		GroupID: groupEdit,
		Args:    cobra.ArbitraryArgs,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if env == "" {
				return nil, cobra.ShellCompDirectiveNoFileComp // references cannot be guessed
			}
			return s.completeServices(cmd, args, word)
		},
	}
	files.addFlags(cmd)
	cmd.Flags().StringVar(&env, "env", "", "the arguments are services; verify what this environment runs")
	must(cmd.RegisterFlagCompletionFunc("env", s.completeEnvironments))
	cmd.Flags().StringVar(&layoutName, "layout-name", "", "repository whose rules hold for images in OCI layouts")
	must(cmd.RegisterFlagCompletionFunc("layout-name", cobra.NoFileCompletions))
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		printer, err := out.printer()
		if err != nil {
			return err
		}
		if _, err := name.NewRepository(layoutName); layoutName != "" && err != nil {
			return &usageError{msg: fmt.Sprintf("--layout-name %q is no repository", layoutName), hint: "--layout-name registry.example.com/shop/cart", command: cmd.CommandPath()}
		}
		refs, unpinned, policy, err := s.verifyInput(cmd, files, env, args)
		if err != nil {
			return err
		}
		if len(refs)+len(unpinned) == 0 {
			return &promote.Error{Msg: "no image to verify", Hint: "kubectl promote images lists what there is"}
		}
		results, err := s.verifyRefs(cmd, policy, refs, layoutName)
		if err != nil {
			return err
		}
		results = append(results, unpinned...)
		items, worst := []object{}, exitDone
		for _, r := range results {
			items = append(items, object{r.Image, r})
			worst = worse(worst, r)
			for _, w := range r.Warnings {
				s.warn("%s: NOT verified by a rule in warn mode: %s", r.Image, w)
			}
		}
		if printer != nil {
			err = printList(s.Out, printer, "Verification", items)
		} else {
			err = s.printVerified("IMAGE", out, results)
		}
		if err == nil && worst != exitDone {
			err = &silentError{worst}
		}
		return err
	}
	return cmd
}

// worse gives the exit status for one more result: a no stands even where
// something else is unknown.
func worse(status int, r verify.Result) int {
	switch {
	case r.Outcome == verify.Verified || r.Warned:
		return status
	case r.Outcome == verify.Rejected || status == exitRefused:
		return exitRefused
	}
	return exitUnknown
}

// verifyInput gives the references to verify, what cannot be verified because it
// is pinned to nothing, and the policy.
func (s *session) verifyInput(cmd *cobra.Command, files *fileOptions, env string, args []string) (refs []string, unpinned []verify.Result, policy *verify.Policy, err error) {
	if env != "" {
		return s.verifyServices(cmd, files, env, args)
	}
	if s.verifyPolicy == "" {
		return nil, nil, nil, &usageError{msg: "no policy named", hint: "--verify-policy FILE, or SERVICE --env ENVIRONMENT", command: cmd.CommandPath()}
	}
	if len(args) == 0 && !files.given() {
		return nil, nil, nil, &usageError{msg: "no reference named", command: cmd.CommandPath()}
	}
	if refs, err = s.expandStdin(args, files); err != nil {
		return nil, nil, nil, err
	}
	refs = slices.Clone(refs)
	if files.given() {
		inputs, err := files.readImages(s)
		if err != nil {
			return nil, nil, nil, err
		}
		for _, in := range inputs {
			for _, i := range in.file.Images() {
				if i.Tag == "" && i.Digest == "" {
					unpinned = append(unpinned, notPinned(i.Repository()))
				} else {
					refs = append(refs, i.Ref())
				}
			}
		}
	}
	policy, err = s.loadPolicy(nil, s.verifyPolicy)
	return refs, unpinned, policy, err
}

func notPinned(image string) verify.Result {
	return verify.Result{Image: image, Outcome: verify.Unknown, Reason: "it has neither tag nor digest here"}
}

// verifyServices is verifyInput for services of an environment.
func (s *session) verifyServices(cmd *cobra.Command, files *fileOptions, env string, args []string) (refs []string, unpinned []verify.Result, policy *verify.Policy, err error) {
	if files.given() {
		return nil, nil, nil, &usageError{msg: "--env stands beside -k or -f", command: cmd.CommandPath()}
	}
	s.offline = true
	p, repo, err := s.open(cmd.Context())
	if err != nil {
		return nil, nil, nil, err
	}
	defer repo.Close()
	e, err := p.Pipeline.Environment(env)
	if err != nil {
		return nil, nil, nil, err
	}
	path := s.verifyPolicy
	switch {
	case path != "":
	case e.Verify != nil:
		path = e.Verify.Policy
	default:
		return nil, nil, nil, &usageError{msg: fmt.Sprintf("the pipeline names no policy for %q", env), hint: "--verify-policy FILE", command: cmd.CommandPath()}
	}
	if policy, err = s.loadPolicy(repo, path); err != nil {
		return nil, nil, nil, err
	}
	statuses, err := p.Status(cmd.Context(), args)
	if statuses == nil && err != nil {
		return nil, nil, nil, err
	}
	refs, unpinned, err = imagesOf(statuses, env, len(args) > 0)
	return refs, unpinned, policy.For(env), err
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

// verifyRefs resolves tags and verifies the digests; what cannot be resolved is
// unknown, or rejected where the registry says that there is no such image.
func (s *session) verifyRefs(cmd *cobra.Command, policy *verify.Policy, refs []string, layoutName string) ([]verify.Result, error) {
	registries, err := s.newResolver()
	if err != nil {
		return nil, err
	}
	resolver := &sourceResolver{registries}
	v, err := s.newVerifier(layoutName)
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

// printVerified prints results; what is the heading of that which was verified.
func (s *session) printVerified(what string, out *output, results []verify.Result) error {
	rows := [][]string{{what, "RESULT", "REASON"}}
	if out.wide() {
		rows[0] = append(rows[0], "EVIDENCE", "LOCATION")
	}
	for _, r := range results {
		outcome := string(r.Outcome)
		if r.Warned {
			outcome = "warned"
		}
		row := []string{digest.Redact(r.Image), outcome, dash(r.Reason)}
		if out.wide() {
			var locations []string
			for _, e := range r.Evidence {
				locations = append(locations, e.Location)
			}
			row = append(row, evidence(verification(r).Evidence), dash(strings.Join(locations, ", ")))
		}
		rows = append(rows, row)
	}
	return table(s.Out, rows)
}
