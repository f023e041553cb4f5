package check

import (
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// ForBranch is the pipeline for a change of a branch, by any of the names that it may have:
// where an environment has a branch for each service, as the service of that one has it.
func ForBranch(p *pipeline.Pipeline, names ...string) *pipeline.Pipeline {
	for i := range p.Spec.Environments {
		e := &p.Spec.Environments[i]
		if !e.EachService() || e.Repository != "" {
			continue
		}
		for _, name := range names {
			if found, ok := location.Match(e.Place().Branch, name, nil); ok {
				return p.Of(found.Holes[location.Service])
			}
		}
	}
	return p
}
