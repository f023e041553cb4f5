package overlay

import (
	"slices"

	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"github.com/kubepromote/kubepromote/overlay/internal/unified"
	"go.yaml.in/yaml/v3"
)

// Series is several requests made of one file, one upon the other.
type Series struct {
	// After is the file with all of them.
	After *File
	steps *syntax.Steps
	of    []Step
}

// Step is what one request of a Series changes in what those before it have made.
type Step struct {
	Changes []FieldChange
	// Diff is a unified diff, as that of an Edit.
	Diff string
	// Before and After are the images that the request names, in the order of the file.
	Before, After []Pin
}

// Series makes several requests, as Edit would make each of what the one before it has
// made; but the outcome is parsed and proved once, so that the work goes with the file and
// not with its square. It is nil where the requests cannot be told apart in it, or Edit would
// refuse one or tell of something: then Edit has to make them one after the other.
func (f *File) Series(requests []Request) *Series {
	s := f.setter(false)
	out := &Series{of: make([]Step, len(requests))}
	of := make(map[int]int) // requests by the pins that they name
	for n, r := range requests {
		from := len(s.result.Changes)
		if len(r.Values) > 0 || r.FollowAliases || s.request(r) != nil || len(s.anchored)+len(s.added)+len(s.notes)+len(s.result.Warnings) > 0 {
			return nil
		}
		out.of[n].Changes = append([]FieldChange(nil), s.result.Changes[from:]...)
		for _, c := range r.Changes {
			for _, i := range s.sites(c) {
				if by, ok := of[i]; ok && by != n {
					return nil // what the second changes is up to what became of the first
				}
				of[i] = n
			}
		}
		s.edit(f.src).Mark()
	}
	chains := slices.ContainsFunc(f.found.sites, func(st site) bool { _, ok := st.(*chainedSite); return ok })
	if out.steps = s.edit(f.src).Steps(); out.steps == nil || chains || len(s.edits) > 1 {
		return nil
	}
	e, err := s.apply()
	if err != nil || len(e.Warnings) > 0 || len(e.After.pins) != len(f.pins) || !s.quotesStand(e) {
		return nil
	}
	out.After = e.After
	for i, p := range f.pins {
		if n, ok := of[i]; ok && p.Type == TypeImage {
			out.of[n].Before, out.of[n].After = append(out.of[n].Before, p), append(out.of[n].After, e.After.pins[i])
		}
	}
	return out
}

// Step gives what the request of an index changes, upon those that were taken before.
func (s *Series) Step(n int) Step {
	step := s.of[n]
	step.Changes = append([]FieldChange(nil), step.Changes...)
	for i := range step.Changes {
		step.Changes[i].Position.Line = s.steps.Line(step.Changes[i].Position.Line)
	}
	before, after, skipped := s.steps.Around(n, unified.Context+1)
	step.Diff = unified.DiffAt(s.After.Name(), skipped, before, after)
	return step
}

// Position is where something of the file, which the requests change nothing of, stands with
// the request of an index and those that were taken before it; false where a line of it is changed.
func (s *Series) Position(n int, p Position) (Position, bool) {
	line, ok := s.steps.LineWith(n, p.Line)
	return Position{line, p.Col}, ok
}

// quotesStand tells whether new fields take the same quotes whichever of the requests are
// made before: those of a sibling, which another of them may have given the field.
func (s *setter) quotesStand(e *Edit) bool {
	var after []*yaml.Node
	for _, h := range e.After.found.homes {
		after = append(after, *h.siblings...)
	}
	return s.memo.OneStyle(after, func(key string) bool {
		return slices.ContainsFunc(e.Changes, func(c FieldChange) bool { return c.Field == key && c.New == "" })
	})
}

// Take makes the request of an index, for those that follow.
func (s *Series) Take(n int) { s.steps.Take(n) }
