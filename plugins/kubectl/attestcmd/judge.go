package attestcmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/signing"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/images"
	"github.com/kubepromote/kubepromote/promote/judge"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/kubepromote/kubepromote/verify"
	"github.com/kubepromote/kubepromote/verify/attest"
)

// judging finds out whether what a record says has happened. Whoever can commit can
// write a record; what is signed is what this finds.
type judging struct {
	session  *cli.Session
	promoter *promote.Promoter
	repo     *git.Repo
	to       *pipeline.Environment
}

// verdicts judges an image that stands in the environment. What may not be signed is
// an error.
func (j *judging) verdicts(ctx context.Context, service string, i status.Image) ([]attest.GateVerdict, error) {
	refuse := func(hint string, a promote.Answer, format string, args ...any) error {
		reason := fmt.Sprintf("%s in %s: image %q ", service, j.to.Name, i.Name) + fmt.Sprintf(format, args...)
		refused := &promote.Refused{Answer: a, Verdicts: []promote.Verdict{{Gate: "attest", Answer: a, Reason: reason}}}
		if hint == "" {
			return refused
		}
		return &promote.Error{Err: refused, Hint: hint}
	}
	switch {
	case i.Unknown != "":
		return nil, refuse("", promote.Fail, "has no repository that a statement could be kept in: %s", i.Unknown)
	case i.Digest == "":
		return nil, refuse("", promote.Fail, "is not pinned by its digest")
	case i.Last == nil:
		return nil, refuse("", promote.Fail, "stands so in no commit")
	case i.Last.From == "" && len(j.to.From) > 0:
		return nil, refuse("", promote.Fail, "was changed by commit %.9s, which has no promotion's record of it", i.Last.Commit)
	}
	missing, err := j.repo.Unshared(ctx, i.Last.Commit)
	if err != nil {
		return nil, err
	}
	if missing != "" {
		return nil, refuse("git push, then attest", promote.Fail, "is committed as %.9s%s, and not yet on %s", i.Last.Commit, j.branch(ctx), missing)
	}
	verdicts, err := j.again(ctx, service, i)
	if err != nil {
		return nil, err
	}
	for _, v := range verdicts {
		if v.Answer != promote.Pass {
			return nil, refuse(v.Hint, v.Answer, "is not attested: commit %.9s judged again: %s=%s; %s", i.Last.Commit, v.Gate, v.Answer, v.Text())
		}
	}
	return signing.Gates(verdicts), nil
}

// branch names the branch at hand, for a message.
func (j *judging) branch(ctx context.Context) string {
	state, err := j.repo.State(ctx, nil)
	if err != nil || state.Branch == "" {
		return ""
	}
	return " on " + state.Branch
}

// again judges a promotion by the pipeline and the policies that stood before it, on
// the shared side where it came by a merge. A pipeline that came later counts too:
// there was none before. One that was named by --pipeline stays.
func (j *judging) again(ctx context.Context, service string, i status.Image) ([]promote.Verdict, error) {
	before := j.repo.At(ctx, i.Last.Commit+"^")
	p := *j.promoter
	policies := images.Policies(j.session.LoadPolicy)
	data, err := before.ReadFile(pipeline.FileName)
	switch {
	case j.session.Pipeline != "" || errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if p.Pipeline, err = pipeline.Parse(pipeline.FileName, data); err != nil {
			return nil, err
		}
		then := images.PoliciesIn(before)
		policies = func(policy string) (*verify.Policy, error) {
			if policy == j.session.VerifyPolicy {
				return j.session.LoadPolicy(policy)
			}
			return then(policy)
		}
	}
	if p.Verifier != nil {
		v, err := j.session.NewVerifier("")
		if err != nil {
			return nil, err
		}
		p.Verifier = images.NewVerifier(v, policies)
	}
	req := judge.Request{Service: service, From: i.Last.From, To: j.to.Name, Image: i, Path: i.At, Sources: []promote.Tree{before}, Policy: j.session.VerifyPolicy}
	// The source may have moved on while a pull request was open.
	if planned := i.Last.SourceCommit; isHash(planned) {
		shared, err := j.repo.IsAncestor(ctx, planned, i.Last.Commit+"^")
		if err != nil {
			return nil, err
		}
		if shared {
			req.Sources = append(req.Sources, j.repo.At(ctx, planned))
		}
	}
	return judge.Image(ctx, &p, req)
}

// isHash tells that a record names a commit, and nothing else that git would take.
func isHash(s string) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 40 || len(s) == 64
}
