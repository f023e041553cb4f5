package promote

import (
	"context"
	"strings"
)

// Applied is what carrying out a plan did.
type Applied struct {
	// Files were written; Commit is set where a commit was made.
	Files  []string `json:"files"`
	Commit string   `json:"commit,omitempty"`
}

// Refused is the error of Apply for a plan that may not be carried out.
type Refused struct {
	// Answer is Fail, Wait or Undecided.
	Answer Answer
	// Verdicts are those that say so, in the plan's order.
	Verdicts []Verdict
}

// Error is one line for the verdict that decides.
func (r *Refused) Error() string {
	var reasons []string
	for _, v := range r.Verdicts {
		if v.Answer == r.Answer {
			reasons = append(reasons, v.Gate+": "+v.Reason)
		}
	}
	return strings.Join(reasons, "; ")
}

// Refusal gives the error that Apply would return, or nil.
func (p *Plan) Refusal() *Refused {
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
	if r := plan.Refusal(); r != nil {
		return nil, r
	}
	done := &Applied{Files: []string{}}
	var files []File
	var paths []string
	for _, s := range plan.changed() {
		all, write := s.files()
		paths, files = append(paths, all...), append(files, write...)
		for _, f := range write {
			done.Files = append(done.Files, f.Path)
		}
	}
	if len(paths) == 0 {
		return done, nil
	}
	if err := p.unmoved(ctx, plan, paths, done.Files); err != nil {
		return nil, err
	}
	if len(files) > 0 {
		if err := p.Repo.Write(ctx, files); err != nil {
			return nil, err
		}
	}
	if plan.Mode != DeliverCommit {
		return done, nil
	}
	commit, err := p.Repo.Commit(ctx, paths, plan.Message())
	if err != nil {
		return nil, &Error{
			Msg:  "the files are written but not committed",
			Hint: "mend it and run the same command again, or git checkout -- " + strings.Join(firstFew(paths), " "),
			Err:  err,
		}
	}
	done.Commit = commit
	return done, nil
}

// unmoved makes sure that the repository still is as it was planned on.
func (p *Promoter) unmoved(ctx context.Context, plan *Plan, paths, write []string) error {
	state, err := p.Repo.State(ctx, paths)
	if err != nil {
		return err
	}
	if state.Head != plan.Head {
		return failure("run the same command again", "the repository has a new commit since the plan was made")
	}
	for _, file := range write {
		if how := state.Dirty[file]; how != "" {
			return uncommitted(file, how)
		}
	}
	return nil
}

func firstFew(paths []string) []string {
	const few = 3
	if len(paths) > few {
		return append(paths[:few:few], "…")
	}
	return paths
}
