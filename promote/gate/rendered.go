package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/objects/references"
	"github.com/kubepromote/kubepromote/promote/objects/resources"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Renderer gives the objects that are applied for a request's service. Package
// promote/render has one. It may be called for several gates at once.
type Renderer interface {
	// Rendered gives the objects of the environment that is asked about, as they are and as
	// they would be.
	Rendered(ctx context.Context, q promote.GateRequest) (before, after []objects.Object, err error)
	// In gives the objects of another environment, as they are.
	In(ctx context.Context, q promote.GateRequest, environment string) ([]objects.Object, error)
}

// errNoRenderer is the error of a gate that needs one.
var errNoRenderer = errors.New("nothing can be rendered here")

// render gives the objects before and after. What cannot be rendered is unknown.
func (d Deps) render(ctx context.Context, q promote.GateRequest) (before, after []objects.Object, v *promote.Verdict) {
	if d.Renderer == nil {
		return nil, nil, notRendered(errNoRenderer)
	}
	before, after, err := d.Renderer.Rendered(ctx, q)
	if err != nil {
		return nil, nil, notRendered(err)
	}
	return before, after, nil
}

// in gives the objects of another environment.
func (d Deps) in(ctx context.Context, q promote.GateRequest, environment string) ([]objects.Object, *promote.Verdict) {
	if d.Renderer == nil {
		return nil, notRendered(errNoRenderer)
	}
	all, err := d.Renderer.In(ctx, q, environment)
	if err != nil {
		return nil, notRendered(err)
	}
	return all, nil
}

func notRendered(err error) *promote.Verdict {
	v := unknown("it could not be rendered: %s", fault.OneLine(err.Error()))
	v.Hint = fault.HintOf(err)
	return &v
}

// mostFindings is how many findings a verdict names.
const mostFindings = 5

// refuse is the verdict on findings, with what shows them all.
func refuse(q promote.GateRequest, findings []string) promote.Verdict {
	all := strings.Join(findings[:min(len(findings), mostFindings)], "; ")
	if more := len(findings) - mostFindings; more > 0 {
		all += fmt.Sprintf("; and %d more", more)
	}
	v := say(promote.Fail, "%s", fault.OneLine(all))
	v.Advice = promote.Advice{Do: promote.DoDiff, With: map[string]string{"service": q.Service, "to": q.To}}
	return v
}

// renderedGate refuses changes of anything else than images and what is allowed.
type renderedGate struct {
	cfg     *pipeline.RenderedGate
	deps    Deps
	allowed objects.Allowed
}

func newRendered(cfg *pipeline.RenderedGate, d Deps) (*renderedGate, error) {
	allowed, err := objects.ParseAllowed(cfg.Allow)
	return &renderedGate{cfg, d, allowed}, err
}

func (g *renderedGate) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	before, after, v := g.deps.render(ctx, q)
	if v != nil {
		return *v
	}
	images, findings := 0, []string{}
	all := objects.Compare(before, after, objects.ByName)
	named := rehashed(all)
	for _, d := range all {
		if d.Old == nil || d.New == nil {
			if rest := d.Without(g.allowed); rest != nil {
				findings = append(findings, d.Summary()[2:])
			}
			continue
		}
		for _, c := range d.Changes {
			if isPinned(c, q.Images) {
				images++
			} else if !named(&d, c) && !g.allowed.Allows(d.New, c.Path) {
				findings = append(findings, becomes(&d, c))
			}
		}
	}
	if len(findings) == 0 && g.cfg.Against != "" {
		source, v := g.deps.in(ctx, q, g.cfg.Against)
		if v != nil {
			return *v
		}
		findings = parity(source, after, g.allowed, g.cfg.Against)
	}
	if len(findings) > 0 {
		return refuse(q, findings)
	}
	return pass("nothing changes but images (%d)", images)
}

// rehashed tells which changes are of a name that has another hash of what is in the object,
// which is told by itself: the name, and where others have it. Any other name or namespace
// is another object to a cluster.
func rehashed(all []objects.Difference) func(*objects.Difference, objects.Change) bool {
	names := make(map[[2]string]bool)
	for n := range all {
		if d := &all[n]; d.Rehashed() {
			names[[2]string{d.Old.Name, d.New.Name}] = true
		}
	}
	return func(d *objects.Difference, c objects.Change) bool {
		switch c.Path.String() {
		case "metadata.namespace":
			return false
		case "metadata.name":
			return d.Rehashed()
		}
		return names[[2]string{objects.Text(c.Old), objects.Text(c.New)}]
	}
}

// isPinned tells whether a field becomes one of the promotion's images. In custom resources
// it may be the tag or the digest alone.
func isPinned(c objects.Change, images []promote.ImagePlan) bool {
	now, ok := c.New.(string)
	return ok && slices.ContainsFunc(images, func(i promote.ImagePlan) bool {
		switch {
		case now == "" || i.New == promote.Pin{}:
			return false
		case i.New.Digest != "" && strings.HasSuffix(now, "@"+i.New.Digest), i.New.Digest == "" && strings.HasSuffix(now, ":"+i.New.Tag):
			return true
		}
		return !objects.IsImage(c.Path) && (now == i.New.Tag || now == i.New.Digest)
	})
}

// becomes is a changed field in a line.
func becomes(d *objects.Difference, c objects.Change) string {
	line := fmt.Sprintf("%s: %s becomes %s, and is %s", d.Object(), c.Path, orAbsent(c.New), orAbsent(c.Old))
	return line + in(d.Place(c))
}

// parity is what differs between two environments, a line each.
func parity(source, target []objects.Object, allowed objects.Allowed, name string) []string {
	var out []string
	for _, d := range objects.Parity(source, target, allowed) {
		switch at := in(d.Object().Place(nil)); {
		case d.Old == nil:
			out = append(out, d.Object().String()+" is not in "+name+at)
			continue
		case d.New == nil:
			out = append(out, d.Object().String()+" is in "+name+" alone"+at)
			continue
		}
		for _, c := range d.Changes {
			out = append(out, fmt.Sprintf("%s: %s is %s, and in %s %s", d.Object(), c.Path, orAbsent(c.New), name, orAbsent(c.Old))+in(d.Place(c)))
		}
	}
	return out
}

func in(p objects.Place) string {
	if p.File == "" {
		return ""
	}
	return " (" + p.String() + ")"
}

func orAbsent(v any) string {
	if v == nil {
		return "absent"
	}
	return objects.Text(v)
}

// referencesGate refuses workloads that name what is not there.
type referencesGate struct {
	cfg  *pipeline.ReferencesGate
	deps Deps
}

func (g *referencesGate) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	_, after, v := g.deps.render(ctx, q)
	if v != nil {
		return *v
	}
	all := references.Missing(after, g.cfg.Declared)
	if q.From != "" && q.From != q.To {
		source, v := g.deps.in(ctx, q, q.From)
		if v != nil {
			return *v
		}
		all = append(all, references.Lost(source, after, g.cfg.Allow)...)
	}
	if len(all) == 0 {
		return pass("all that workloads name is there")
	}
	var lines []string
	for _, f := range all {
		lines = append(lines, f.String())
	}
	v2 := refuse(q, lines)
	v2.Advice, v2.Hint = promote.Advice{}, "add it to the environment, or declared: [KIND/NAME] where the cluster has it"
	return v2
}

// resourcesGate refuses to take limits, probes and the like away.
type resourcesGate struct {
	deps    Deps
	allowed objects.Allowed
}

func newResources(cfg *pipeline.ResourcesGate, d Deps) (*resourcesGate, error) {
	allowed, err := objects.ParseAllowed(cfg.Allow)
	return &resourcesGate{d, allowed}, err
}

func (g *resourcesGate) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	before, after, v := g.deps.render(ctx, q)
	if v != nil {
		return *v
	}
	var lines []string
	for _, f := range resources.Lost(before, after, g.allowed) {
		lines = append(lines, f.String())
	}
	if len(lines) > 0 {
		return refuse(q, lines)
	}
	return pass("nothing is lost or lowered")
}
