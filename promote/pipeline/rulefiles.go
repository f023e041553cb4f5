package pipeline

import (
	"path"
	"strings"
)

// Policies are the verification policies that the gate asks.
func (g Gate) Policies() []string {
	var out []string
	if g.Promoted != nil && g.Promoted.Policy != "" {
		out = append(out, g.Promoted.Policy)
	}
	if g.Approvals != nil && g.Approvals.Policy != "" {
		out = append(out, g.Approvals.Policy)
	}
	for _, one := range g.AnyOf {
		out = append(out, one.Policies()...)
	}
	return out
}

// Files are the files and folders of the repository that the gate judges by beside its
// policies, as they stand in it: calendars, rules, definitions, and the words of a command that may be
// scripts. Whoever changes one of them changes what the gate says. A name with holes is
// that of the folder which all that fit are in.
func (g Gate) Files() []string {
	var out []string
	add := func(names ...string) {
		for _, name := range names {
			if before, _, holes := strings.Cut(name, "{"); holes {
				name = path.Dir(before + "x")
			}
			if name != "" && name != "." {
				out = append(out, path.Clean(name))
			}
		}
	}
	if g.Freeze != nil {
		add(g.Freeze.Calendar)
		if a := g.Freeze.ArgoCD; a != nil {
			add(a.Project, a.Application)
		}
	}
	if g.Policy != nil {
		add(g.Policy.Rego, g.Policy.CEL)
		add(g.Policy.Data...)
	}
	if g.Schema != nil {
		add(g.Schema.CRDs...)
	}
	if g.Exec != nil {
		for _, word := range g.Exec.Command {
			_, value, _ := strings.Cut(word, "=") // --file=NAME
			add(word, value)
		}
	}
	for _, one := range g.AnyOf {
		add(one.Files()...)
	}
	return out
}
