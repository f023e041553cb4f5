package promote

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Applied is what carrying out a plan did.
type Applied struct {
	// Files were written; Commit is set where a commit was made.
	Files  []string `json:"files"`
	Commit string   `json:"commit,omitempty"`
	// Attempts is how often the promotion was made anew because others were faster, and
	// once more; 0 where nobody else writes.
	Attempts int `json:"attempts,omitempty"`
}

// Refused is the error of Apply for a plan that may not be carried out.
type Refused struct {
	// Answer is Fail, Wait or Unknown.
	Answer Answer
	// Verdicts are those that say so, in the plan's order.
	Verdicts []Verdict
}

// Error is one line for the verdict that decides.
func (r *Refused) Error() string {
	var reasons []string
	for _, v := range r.Verdicts {
		if v.Answer == r.Answer {
			reasons = append(reasons, v.Gate+": "+v.Text())
		}
	}
	return strings.Join(reasons, "; ")
}

// Refusal gives the error that Apply would return, or nil.
func (p *Plan) Refusal() *Refused {
	if p.skip && slices.ContainsFunc(p.Services, func(s *ServicePlan) bool { return s.Answer() == Pass }) {
		return nil
	}
	return p.Refused()
}

// proposes tells whether a pull request may be opened in spite of a refusal: what only
// has to wait is waited for there.
func (p *Plan) proposes(r *Refused) bool {
	return p.Mode == pipeline.DeliverPullRequest && r.Answer == Wait
}

// Refused gives what is refused of a plan, or nil: all of it, or, where it is to be
// carried out without them, the services that are left out.
func (p *Plan) Refused() *Refused {
	if p.Answer == Pass {
		return nil
	}
	r := &Refused{Answer: p.Answer}
	for _, s := range p.Services {
		for _, v := range s.Verdicts {
			if v.Answer != Pass {
				r.Verdicts = append(r.Verdicts, v)
			}
		}
	}
	return r
}

// Apply carries out a plan that Plan made on the same repository: all files or
// none, then, in mode commit, one commit with the promotion's record. A plan that
// is refused gives a *Refused. A plan that changes nothing does nothing.
func (p *Promoter) Apply(ctx context.Context, plan *Plan) (*Applied, error) {
	if r := plan.Refusal(); r != nil && !plan.proposes(r) {
		return nil, r
	}
	if file := p.Rules.Uncommitted; file != "" && plan.Mode.Commits() {
		return nil, failure("git add "+shell.Pathspecs(file)+" && git commit", "%s is not committed, and what is committed is judged by committed rules", file)
	}
	if plan.Remote != "" && !plan.Mode.Shared() {
		return nil, failure("--push, or --pr", "%s is in %s, where nothing is left to be pushed later", plan.To, plan.Remote)
	}
	if err := p.checkAge(plan); err != nil {
		return nil, err
	}
	done := &Applied{Files: []string{}}
	all, write := plan.files()
	if len(all) == 0 {
		return done, nil
	}
	var paths []string
	for _, f := range all {
		paths = append(paths, f.Path)
	}
	for _, f := range write {
		done.Files = append(done.Files, f.Path)
	}
	ready := func(ctx context.Context) error { return p.unmoved(ctx, plan, paths, write) }
	var err error
	if !plan.Mode.Commits() {
		if err = ready(ctx); err == nil && len(write) > 0 {
			err = plan.at.Write(ctx, write)
		}
		if err != nil {
			return nil, err
		}
		return done, nil
	}
	done.Commit, err = plan.at.Commit(ctx, Delivery{Head: plan.Head, Files: all, Message: plan.message(), Proposal: plan.Proposal(), Check: plan.isRecordedBy, Ready: ready,
		Fork: plan.deliver.Fork, ByForge: map[bool]string{true: plan.To}[plan.deliver.ByForge(plan.Mode)]}) // in one repository each environment has its own
	var written *NotCommitted
	if errors.As(err, &written) {
		hint := "mend it and promote again"
		if len(paths) <= 3 {
			hint += ", or git checkout -- " + shell.Pathspecs(paths...)
		}
		return nil, &Error{Msg: "the files are written but not committed", Hint: hint, Err: written.Err}
	}
	if err != nil && done.Commit == "" {
		return nil, err
	}
	return done, err
}

// unmoved makes sure that the repository still is as it was planned on. What the
// files hold is compared when they are written; if nothing has been staged since,
// that is all there is to know of them.
func (p *Promoter) unmoved(ctx context.Context, plan *Plan, paths []string, write []File) error {
	state, err := plan.at.State(ctx, nil)
	if err == nil && (state.Index == "" || state.Index != plan.index) {
		state, err = plan.at.State(ctx, paths)
	}
	if err != nil {
		return err
	}
	if state.Head != plan.Head || state.Branch != plan.Branch {
		return failure("promote again", "the repository has a new commit since the plan was made, or another branch")
	}
	if plan.Mode.Commits() {
		if err := checkCommittable(state); err != nil {
			return err
		}
	}
	for _, f := range write {
		if how := state.Dirty[f.Path]; how != "" && (plan.Mode.Commits() || !plan.Keeps(f.Path)) {
			return uncommitted(f.Path, how)
		}
	}
	return nil
}
