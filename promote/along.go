package promote

import (
	"fmt"
	"slices"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// AlongPlan is what moves with a service's images: a chart's version, a revision, or a
// value, as it stands in the source.
type AlongPlan struct {
	// Kind is chart, revision or value.
	Kind string `json:"kind"`
	// Name is the chart's or the repository's, or the value's path.
	Name string `json:"name"`
	File string `json:"file"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new"`
}

// along is what moves with the images of a part.
type along struct {
	changes []overlay.Change
	values  []overlay.ValueChange
	plans   []AlongPlan
}

// takeAlong finds what moves with the images into a target's file, and says what
// differs there and stays.
func (w *planner) takeAlong(c *draft, p *part, source, target siteFile) {
	for _, pin := range source.Pins() {
		if pin.Type != overlay.TypeImage && p.site.Within == "" && pin.Tag != "" {
			w.takePin(c, p, source, target, pin)
		}
	}
	for _, path := range w.Pipeline.Spec.Values {
		for _, v := range source.Scalars(location.Fill(path, w.Pipeline.Holes(source.site))) {
			w.takeValue(c, p, target, v, pathOf(p.site, source.site, v.Path))
		}
	}
}

// takePin takes a chart's version or a revision along, where the pipeline says so.
func (w *planner) takePin(c *draft, p *part, source, target siteFile, pin overlay.Pin) {
	there, ok := overlay.Pin{}, false
	for _, other := range target.Pins() {
		if other.Type == pin.Type && other.Format == pin.Format && other.Name == pin.Name {
			there, ok = other, true
			break
		}
	}
	if !ok || there.Tag == pin.Tag {
		return
	}
	what := pipeline.Kind(pin.Type + "s")
	if !slices.Contains(w.Pipeline.Spec.Promote, what) {
		if w.carrier == nil && !slices.ContainsFunc(target.pins, func(p overlay.Pin) bool { return p.Tag == there.Tag }) { // else it is told with the image that has it
			w.warn(c, "%s:%d:%d: %s %q has %s, and %s in %s; it stays, as promote: [images, %s] is not in the pipeline",
				target.Name(), there.Position.Line, there.Position.Col, pin.Type, pin.Name, there.Tag, pin.Tag, w.from.Name, what)
		}
		return
	}
	p.along.changes = append(p.along.changes, overlay.Change{Path: there.Path, Type: pin.Type, Tag: overlay.To(pin.Tag)})
	p.along.plans = append(p.along.plans, AlongPlan{Kind: string(pin.Type), Name: pin.Name, File: target.Name(), Old: there.Tag, New: pin.Tag})
}

// takeValue takes a value along that the pipeline names. One that the target does not
// have is said.
func (w *planner) takeValue(c *draft, p *part, target siteFile, v overlay.Scalar, path string) {
	there := target.Scalars(path)
	if len(there) == 0 {
		w.warn(c, "%s: %s is not here, and %s in %s; it stays", target.Name(), path, v.Text, w.from.Name)
		return
	}
	change, ok := v.Change(path)
	if !ok || there[0].Text == v.Text && there[0].Kind == v.Kind {
		return
	}
	p.along.values = append(p.along.values, change)
	p.along.plans = append(p.along.plans, AlongPlan{Kind: "value", Name: path, File: target.Name(), Old: there[0].Text, New: v.Text})
}

func (w *planner) warn(c *draft, format string, args ...any) {
	c.plan.Warnings = append(c.plan.Warnings, fmt.Sprintf(format, args...))
}
