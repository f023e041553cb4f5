package gate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/schema"
)

// schemaGate refuses objects with fields that no API server would know.
type schemaGate struct {
	cfg  *pipeline.SchemaGate
	deps Deps

	mu  sync.Mutex
	set *schema.Set
}

// schemas reads the definitions of the repository, once.
func (g *schemaGate) schemas() (*schema.Set, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.set != nil {
		return g.set, nil
	}
	set, err := schema.Load(g.deps.Tree, schema.Options{Version: g.cfg.Version, CRDs: g.cfg.CRDs, Ignore: g.cfg.Ignore})
	if err == nil {
		g.set = set
	}
	return set, err
}

func (g *schemaGate) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	if g.deps.Tree == nil && len(g.cfg.CRDs) > 0 {
		return unknown("there is no repository to read definitions from")
	}
	set, err := g.schemas()
	if err != nil {
		return cannot(err)
	}
	_, after, v := g.deps.render(ctx, q)
	if v != nil {
		return *v
	}
	found, err := set.Check(ctx, after)
	if err != nil {
		return cannot(err)
	}
	switch lines := sentences(found.Findings); {
	case len(lines) > 0:
		v := refuse(q, lines)
		v.Advice = promote.Advice{} // no difference need be at fault
		return v
	case len(found.Unknown) > 0:
		return noSchema(found.Unknown)
	}
	said := fmt.Sprintf("Kubernetes %s knows all fields of %d objects", set.Version(), found.Known)
	if lines := sentences(found.Deprecated); len(lines) > 0 {
		said += ", but: " + refuse(q, lines).Reason
	}
	return pass("%s", said)
}

func sentences(all []schema.Finding) []string {
	var out []string
	for _, f := range all {
		out = append(out, f.String())
	}
	return out
}

// noSchema is the verdict on objects of kinds that nobody has defined.
func noSchema(all []objects.Object) promote.Verdict {
	var kinds []string
	for _, o := range all {
		kinds = append(kinds, o.Kind+"."+o.Group())
	}
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	shown := strings.Join(kinds[:min(len(kinds), mostFindings)], ", ")
	if more := len(kinds) - mostFindings; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	v := unknown("there is no schema of %s, such as for %s%s", shown, all[0].String(), in(all[0].Place(nil)))
	v.Hint = "crds: [FOLDER] with its CustomResourceDefinition, or ignore: [" + kinds[0] + "]"
	return v
}
