package pipeline

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
)

var templateName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`) })

// useTemplates puts the gates of templates where environments name them, and notes of each
// gate where it stands in the file.
func (s *Spec) useTemplates(f *yamlfile.File) {
	used := make(map[string]bool)
	for i := range s.Environments {
		e := &s.Environments[i]
		var gates []Gate
		for n, g := range e.Gates {
			g.At = fmt.Sprintf("spec.environments[%d].gates[%d]", i, n)
			if g.Template == "" {
				gates = append(gates, g)
				continue
			}
			used[g.Template] = true
			gates = append(gates, s.template(f, g)...)
		}
		e.Gates = gates
	}
	for _, name := range slices.Sorted(maps.Keys(s.GateTemplates)) {
		at := templateAt(name)
		switch {
		case !templateName().MatchString(name):
			f.At(at, "letters, digits, '_' and '-'", "the name %q of gates is malformed", name)
		case len(s.GateTemplates[name]) == 0:
			f.At(at, name+": [{soak: {for: 10m}}]", "the gates %q are none", name)
		case !used[name]:
			f.At(at, "gates: [{template: "+name+"}]", "no environment has the gates %q", name)
		}
	}
}

// template gives the gates that one stands for, each with its own place.
func (s *Spec) template(f *yamlfile.File, g Gate) []Gate {
	named, known := s.GateTemplates[g.Template]
	switch {
	case !known:
		f.At(g.At+".template", spelling.Hint(g.Template, slices.Sorted(maps.Keys(s.GateTemplates))), "there are no gates %q in spec.gateTemplates", g.Template)
		return nil
	case len(g.kinds()) > 0 || g.Name != "" || g.When != "" || g.WarnOnly || g.Overridable || g.Timeout != "":
		f.At(g.At, "say it of the gates themselves", "beside template stands something else")
		return nil
	}
	out := slices.Clone(named)
	for n := range out {
		out[n].At = fmt.Sprintf("%s[%d]", templateAt(g.Template), n)
		if out[n].Template != "" {
			f.At(out[n].At+".template", "list its gates here", "template stands in a template")
			return nil
		}
	}
	return out
}

func templateAt(name string) string { return "spec.gateTemplates." + name }
