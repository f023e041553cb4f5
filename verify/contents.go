package verify

import (
	"context"
	"errors"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/kubepromote/kubepromote/verify/internal/condition"
	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// checkSignedName compares the names a signature states with the repository it is found
// for. Both are names of repositories, whatever tag or digest stands behind.
func checkSignedName(r *policy.Rule, names []string, repository string) error {
	if !r.CheckName {
		return nil
	}
	for _, s := range names {
		ref, err := name.ParseReference(s)
		if err != nil {
			continue
		}
		signed := policy.CanonicalName(ref.Context())
		if signed == repository {
			return nil
		}
		for _, n := range r.Names {
			if n.Apply(signed) == repository {
				return nil
			}
		}
	}
	if len(names) == 0 {
		return mismatch.New(mismatch.RankOtherName, "it does not say for which repository it was made")
	}
	return mismatch.New(mismatch.RankOtherName, "made for the repository "+untrusted.Quoted(names[0]))
}

// holds evaluates the conditions on a statement whose signature holds.
func (j *judge) holds(ctx context.Context, r *policy.Attestation, c *signature.Signature) error {
	conditions := r.Conditions
	switch {
	case r.PredicateType == statement.ApprovalType:
		conditions = append([]condition.Condition{condition.Approval(r.Environment, j.service, j.now)}, conditions...)
	case r.Passed:
		conditions = append([]condition.Condition{condition.Promotion(r.Environment, j.service)}, conditions...)
	}
	if len(conditions) == 0 {
		return nil
	}
	digest := j.digest.String()
	fields, err := c.Decoded(digest)
	if err != nil {
		return err
	}
	in := condition.Input{Statement: fields, Image: j.repository, Digest: digest}
	for _, c := range conditions {
		err := c.Eval(ctx, in)
		if m, ok := errors.AsType[*mismatch.Error](err); ok {
			return mismatch.New(max(m.Rank, mismatch.RankCondition), m.Text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
