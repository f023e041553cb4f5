package promote

import (
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Source gives the environment that images come from on their way to another: the one that
// is asked for, or the only one that the pipeline names. Its errors are of [ErrUsage].
func (p *Promoter) Source(to *pipeline.Environment, from string) (*pipeline.Environment, error) {
	switch {
	case from == to.Name:
		return nil, usage("", "source and target are the same environment, %q", from)
	case from == "" && len(to.From) == 1:
		from = to.From[0]
	case from == "" && len(to.From) == 0:
		return nil, usage("", "nothing is promoted to %q: it is the first environment", to.Name).advising(advise(DoEnter, "to", to.Name))
	case from == "":
		return nil, usage("", "%q has several sources: %s", to.Name, strings.Join(to.From, ", ")).
			advising(advise(DoPromote, "from", to.From[0], "to", to.Name))
	}
	src, err := p.Pipeline.Environment(from)
	if err != nil {
		return nil, err
	}
	if slices.Contains(to.From, from) {
		return src, nil
	}
	e := usage("", "the pipeline does not promote from %q to %q", from, to.Name)
	if len(to.From) == 0 {
		return nil, e.advising(advise(DoEnter, "to", to.Name))
	}
	return nil, e.advising(advise(DoPromote, "from", to.From[0], "to", to.Name))
}
