package promote

import "github.com/kubepromote/kubepromote/promote/pipeline"

// RepoOf gives what an environment's files are in: the promoter's own repository, or what
// that has for other places, see [pipeline.Places]. Where nobody can tell what is there the
// error is a *pipeline.Unreached.
func (p *Promoter) RepoOf(e *pipeline.Environment) (Repo, error) {
	tree, err := e.TreeOf(p.Repo)
	repo, ok := tree.(Repo)
	if err == nil && !ok {
		err = failure("", "nothing can be written to %s", e.Place())
	}
	return repo, err
}
