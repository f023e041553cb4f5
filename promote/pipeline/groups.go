package pipeline

import (
	"fmt"
	"slices"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
)

// checkGroups finds groups that cannot be told from environments.
func (p *Pipeline) checkGroups(f *yamlfile.File, names []string) {
	for i, e := range p.Spec.Environments {
		at := fmt.Sprintf("spec.environments[%d].group", i)
		switch {
		case e.Group == "":
		case !IsFolder(e.Group):
			f.At(at, "letters, digits, '.', '_' and '-'", "group name %q is malformed", e.Group)
		case slices.Contains(names, e.Group):
			f.At(at, "give one of them another name", "group %q has the name of an environment", e.Group)
		}
	}
}

// Groups names the groups of environments, in the order of the pipeline.
func (p *Pipeline) Groups() []string {
	var out []string
	for _, e := range p.Spec.Environments {
		if e.Group != "" && !slices.Contains(out, e.Group) {
			out = append(out, e.Group)
		}
	}
	return out
}

// Targets gives the environments of some names, which may be those of groups: each
// environment once, in the order of the pipeline.
func (p *Pipeline) Targets(names []string) ([]*Environment, error) {
	known := make(map[string]bool)
	var out []*Environment
	for i := range p.Spec.Environments {
		e := &p.Spec.Environments[i]
		known[e.Name], known[e.Group] = true, true
		if slices.Contains(names, e.Name) || e.Group != "" && slices.Contains(names, e.Group) {
			out = append(out, e)
		}
	}
	for _, name := range names {
		if !known[name] || name == "" {
			var all []string
			for _, e := range p.Spec.Environments {
				all = append(all, e.Name)
			}
			return nil, &lookupError{fmt.Sprintf("unknown environment %q", name), spelling.Hint(name, append(all, p.Groups()...)), ErrUsage}
		}
	}
	return out, nil
}
