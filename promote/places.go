package promote

import (
	"errors"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// RepoOf gives what an environment's files are in: the promoter's own repository, or what
// that has for other places, see [pipeline.Places]. Where nobody can tell what is there the
// error is a *Refused of the answer Unknown.
func (p *Promoter) RepoOf(e *pipeline.Environment) (Repo, error) {
	tree, err := e.TreeOf(p.Repo)
	var unreached *pipeline.Unreached
	if errors.As(err, &unreached) {
		out := &Error{Err: &Refused{Unknown, []Verdict{{Gate: gatePlan, Answer: Unknown, Reason: e.Name + ": " + unreached.Error()}}}}
		if h, ok := unreached.Err.(interface{ HintText() string }); ok {
			out.Hint = h.HintText()
		}
		return nil, out
	}
	repo, ok := tree.(Repo)
	if err == nil && !ok {
		err = failure("", "nothing can be written to %s", e.Place())
	}
	return repo, err
}

// places gives what the source and the target are in.
func (p *Promoter) places(from, to *pipeline.Environment) (source, target Repo, err error) {
	if source, err = p.RepoOf(from); err == nil {
		target, err = p.RepoOf(to)
	}
	return source, target, err
}

// listed are the services of all places that can be told.
func (w *planner) listed() (pipeline.ByService, error) {
	all, err := w.sites.All()
	var unreached *pipeline.Unreached
	if errors.As(err, &unreached) {
		err = nil
	}
	return all, err
}
