package promote

import (
	"bytes"
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
	var all, write []File
	var paths []string
	for _, s := range plan.changed() {
		a, w := s.files()
		all, write = append(all, a...), append(write, w...)
	}
	if len(all) == 0 {
		return done, nil
	}
	for _, f := range all {
		paths = append(paths, f.Path)
	}
	if err := p.unmoved(ctx, plan, paths, write); err != nil {
		return nil, err
	}
	if len(write) > 0 {
		if err := p.Repo.Write(ctx, write); err != nil {
			return nil, err
		}
	}
	for _, f := range write {
		done.Files = append(done.Files, f.Path)
	}
	if plan.Mode != DeliverCommit {
		return done, nil
	}
	if err := p.asPlanned(all); err != nil {
		return nil, err
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
	return done, p.committed(context.WithoutCancel(ctx), all, commit)
}

// unmoved makes sure that the repository still is as it was planned on.
func (p *Promoter) unmoved(ctx context.Context, plan *Plan, paths []string, write []File) error {
	state, err := p.Repo.State(ctx, paths)
	if err != nil {
		return err
	}
	if state.Head != plan.Head {
		return failure("run the same command again", "the repository has a new commit since the plan was made")
	}
	for _, f := range write {
		if how := state.Dirty[f.Path]; how != "" {
			return uncommitted(f.Path, how)
		}
	}
	return nil
}

// asPlanned makes sure that the files to be committed hold what was planned, and
// verified: those too that an earlier run has written.
func (p *Promoter) asPlanned(all []File) error {
	for _, f := range all {
		data, err := p.Repo.ReadFile(f.Path)
		if err != nil {
			return err
		}
		if !bytes.Equal(data, f.Data) {
			return failure("run the same command again", "%s has been changed by somebody else in the meantime; nothing was committed", f.Path)
		}
	}
	return nil
}

// committed looks once more, at the commit itself: a hook may have rewritten the
// files. Git may store line endings otherwise than the working tree has them.
func (p *Promoter) committed(ctx context.Context, all []File, commit string) error {
	paths := make([]string, len(all))
	for i, f := range all {
		paths[i] = f.Path
	}
	blobs, err := p.Repo.Committed(ctx, paths)
	if err != nil {
		return &Error{Msg: "commit " + commit + " was made and could not be read back", Err: err}
	}
	for _, f := range all {
		if !bytes.Equal(unixLines(blobs[f.Path]), unixLines(f.Data)) {
			return failure("git show "+commit, "commit %.9s does not hold what was planned for %s", commit, f.Path)
		}
	}
	return nil
}

func unixLines(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }

func firstFew(paths []string) []string {
	const few = 3
	if len(paths) > few {
		return append(paths[:few:few], "…")
	}
	return paths
}
