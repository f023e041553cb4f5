package kubectl

import (
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify"
	"github.com/spf13/cobra"
)

const verifyLong = `Verify the signatures of images against a policy.

Images are named as references, by the overlays that hold them (-k, -f), or as
services of an environment (--env), whose policy the pipeline names. A tag is
resolved to its digest first. There are three answers: verified, rejected, and
unknown, where something could not be read; exit status 0, 3 and 5.`

const verifyExample = `  # what production would demand of the images in staging
  kubectl promote verify -k apps/cart/overlays/staging --verify-policy policies/images.yaml

  # the images of two services as they stand in production
  kubectl promote verify cart payments --env production`

func newVerifyCommand(s *session) *cobra.Command {
	files, env := &fileOptions{}, ""
	cmd := &cobra.Command{
		Use:     "verify [REF...|SERVICE... --env ENVIRONMENT]",
		Short:   "Verify the signatures of images against a policy",
		Long:    verifyLong,
		Example: verifyExample,
		GroupID: groupEdit,
		Args:    cobra.ArbitraryArgs,
	}
	files.addFlags(cmd)
	cmd.Flags().StringVar(&env, "env", "", "the arguments are services; verify what this environment runs")
	must(cmd.RegisterFlagCompletionFunc("env", s.completeEnvironments))
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		printer, err := out.printer()
		if err != nil {
			return err
		}
		refs, policy, err := s.verifyInput(cmd, files, env, args)
		if err != nil {
			return err
		}
		results := s.verifyRefs(cmd, policy, refs)
		items, worst := []object{}, exitDone
		for _, r := range results {
			items = append(items, object{r.Image, r})
			worst = worse(worst, r.Outcome)
		}
		if printer != nil {
			err = printList(s.Out, printer, "Verification", items)
		} else {
			err = s.printVerified(out, results)
		}
		if err == nil && worst != exitDone {
			err = &silentError{worst}
		}
		return err
	}
	return cmd
}

// worse gives the exit status for one more outcome: a no stands even where
// something else is unknown.
func worse(status int, o verify.Outcome) int {
	switch {
	case o == verify.Rejected || status == exitRefused:
		return exitRefused
	case o == verify.Verified:
		return status
	}
	return exitUnknown
}

// verifyInput gives the references to verify and the policy.
func (s *session) verifyInput(cmd *cobra.Command, files *fileOptions, env string, args []string) ([]string, *verify.Policy, error) {
	if env == "" {
		if s.verifyPolicy == "" {
			return nil, nil, &usageError{msg: "no policy named", hint: "--verify-policy FILE, or SERVICE --env ENVIRONMENT", command: cmd.CommandPath()}
		}
		refs, err := s.refs(cmd, files, args)
		if err != nil {
			return nil, nil, err
		}
		policy, err := loadPolicyFile(s.verifyPolicy)
		return refs, policy, err
	}
	if files.given() {
		return nil, nil, &usageError{msg: "--env stands beside -k or -f", command: cmd.CommandPath()}
	}
	s.offline = true
	p, repo, err := s.open(cmd.Context())
	if err != nil {
		return nil, nil, err
	}
	defer repo.Close()
	e, err := p.Pipeline.Environment(env)
	if err != nil {
		return nil, nil, err
	}
	if e.Verify == nil && s.verifyPolicy == "" {
		return nil, nil, &usageError{msg: fmt.Sprintf("the pipeline names no policy for %q", env), hint: "--verify-policy FILE", command: cmd.CommandPath()}
	}
	path := ""
	if e.Verify != nil {
		path = e.Verify.Policy
	}
	policy, err := s.loadPolicy(repo, path)
	if err != nil {
		return nil, nil, err
	}
	statuses, err := p.Status(cmd.Context(), args)
	return imagesOf(statuses, env), policy, err
}

func imagesOf(statuses []promote.ServiceStatus, env string) []string {
	var refs []string
	for _, st := range statuses {
		for _, e := range st.Environments {
			for _, i := range e.Images {
				if e.Environment == env && i.Pin != (promote.Pin{}) {
					refs = append(refs, i.Ref(i.Repository))
				}
			}
		}
	}
	return refs
}

// verifyRefs resolves tags and verifies the digests; what cannot be resolved is
// unknown, or rejected where the registry says that there is no such image.
func (s *session) verifyRefs(cmd *cobra.Command, policy *verify.Policy, refs []string) []verify.Result {
	bar, n := s.newProgress(), 0
	resolved := digest.NewResolver(digest.Options{UserAgent: userAgent()}).ResolveAll(cmd.Context(), refs, func(digest.Result) {
		n++
		bar.show("resolving", n, len(refs))
	})
	results := make([]verify.Result, len(refs))
	var images []string
	var at []int
	for i, r := range resolved {
		switch {
		case r.Err == nil:
			images, at = append(images, r.Repository+"@"+r.Digest), append(at, i)
		case errors.Is(r.Err, digest.ErrUnknown):
			results[i] = verify.Result{Image: r.Ref, Outcome: verify.Unknown, Reason: r.Err.Error()}
		default:
			results[i] = verify.Result{Image: r.Ref, Outcome: verify.Rejected, Reason: r.Err.Error()}
		}
	}
	v := newVerify()
	for start := 0; start < len(images); start += verifyBatch {
		end := min(start+verifyBatch, len(images))
		for i, r := range v.Verify(cmd.Context(), policy, images[start:end]...) {
			results[at[start+i]] = r
		}
		bar.show("verifying", end, len(images))
	}
	bar.clear()
	return results
}

func (s *session) printVerified(out *output, results []verify.Result) error {
	rows := [][]string{{"IMAGE", "RESULT", "REASON"}}
	if out.wide() {
		rows[0] = append(rows[0], "EVIDENCE", "LOCATION")
	}
	for _, r := range results {
		row := []string{r.Image, string(r.Outcome), dash(r.Reason)}
		if out.wide() {
			location := "-"
			if len(r.Evidence) > 0 {
				location = r.Evidence[0].Location
			}
			row = append(row, evidence(verification(r).Evidence), location)
		}
		rows = append(rows, row)
	}
	return table(s.Out, rows)
}
