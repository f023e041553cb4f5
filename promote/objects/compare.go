package objects

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// Change is one field that differs. Old is nil where it was not there, New where it is not
// any more; a field may be null as well, which is the same.
type Change struct {
	Path Path
	Old  any
	New  any
	// By, if known, is who has set the field so in a cluster.
	By Manager
}

// Manager is who has set a field of a live object, as its managedFields have it.
type Manager struct {
	Name string `json:"name,omitempty"`
	// Time is when it was last at the object.
	Time time.Time `json:"time,omitzero"`
}

// String is the name and the time, or "" where nobody is known.
func (m Manager) String() string {
	if m.Name == "" || m.Time.IsZero() {
		return m.Name
	}
	return m.Name + ", " + m.Time.UTC().Format(time.RFC3339)
}

// Difference is what differs of one object.
type Difference struct {
	// Old and New are the object in either set; one of them is nil where it is in the other
	// alone.
	Old, New *Object
	// Changes are the fields, in the order of their paths.
	Changes []Change
}

// Object is the object as it would be, or as it was where it would be gone.
func (d *Difference) Object() *Object { return cmp.Or(d.New, d.Old) }

// Place is where a change comes from: the field in the object as it would be or, where it
// is gone, where it was.
func (d *Difference) Place(c Change) Place {
	if d.New == nil || c.New == nil && d.Old != nil {
		return d.Old.Place(c.Path)
	}
	return d.New.Place(c.Path)
}

// Without leaves out what patterns allow. Without changes it is nil, unless the object is
// in one set alone.
func (d Difference) Without(allowed Allowed) *Difference {
	d.Changes = slices.DeleteFunc(slices.Clone(d.Changes), func(c Change) bool { return allowed.Allows(d.Object(), c.Path) })
	if len(d.Changes) == 0 {
		return nil
	}
	return &d
}

// Pairing is how objects of two sets are paired.
type Pairing int

// The pairings.
const (
	// ByName pairs objects of one kind, namespace and name; of those that are left, objects
	// of one kind that have one name in their files.
	ByName Pairing = iota
	// ByOriginal pairs objects of one kind that have one name in their files, whatever their
	// namespaces: those of two environments.
	ByOriginal
)

// Compare gives what differs between two sets of objects, in the order of the new one;
// what is gone comes last.
func Compare(before, after []Object, pairing Pairing) []Difference {
	before, after = Flatten(before), Flatten(after)
	of := pair(before, after, pairing)
	var out []Difference
	gone := make(map[int]bool)
	for n := range before {
		gone[n] = true
	}
	for n := range after {
		d := Difference{New: &after[n]}
		if old, ok := of[n]; ok {
			d.Old = &before[old]
			delete(gone, old)
		}
		if d.Changes = fields(&d); len(d.Changes) > 0 {
			out = append(out, d)
		}
	}
	for n := range before {
		if gone[n] {
			d := Difference{Old: &before[n]}
			d.Changes = fields(&d)
			out = append(out, d)
		}
	}
	return out
}

// pair gives the old object of new ones, by their numbers. What has a name twice is paired
// in its order.
func pair(before, after []Object, pairing Pairing) map[int]int {
	exact := func(o *Object) string { return strings.Join([]string{o.Group(), o.Kind, o.Namespace, o.Name}, "\n") }
	original := func(o *Object) string {
		return strings.Join([]string{o.Group(), o.Kind, cmp.Or(o.Original, o.Name)}, "\n")
	}
	keys := []func(*Object) string{exact, original}
	if pairing == ByOriginal {
		// Two of one name in their files are told apart by what they are called in the end.
		keys = []func(*Object) string{func(o *Object) string { return original(o) + "\n" + o.Name }, original}
	}
	of, taken := make(map[int]int), make(map[int]bool)
	for _, key := range keys {
		free := make(map[string][]int)
		for n := range before {
			if !taken[n] {
				k := key(&before[n])
				free[k] = append(free[k], n)
			}
		}
		for n := range after {
			if _, done := of[n]; done {
				continue
			}
			k := key(&after[n])
			if list := free[k]; len(list) > 0 {
				of[n], taken[list[0]], free[k] = list[0], true, list[1:]
			}
		}
	}
	return of
}

// fields compares two objects.
func fields(d *Difference) []Change {
	var w walk
	var old, now any
	if d.Old != nil {
		old = d.Old.Fields
	}
	if d.New != nil {
		now = d.New.Fields
	}
	w.value(nil, old, now)
	for n, c := range w.changes {
		if d.Object().secret() && len(c.Path) > 0 && (c.Path[0] == "data" || c.Path[0] == "stringData") {
			w.changes[n].Old, w.changes[n].New = masked(c.Old, "before"), masked(c.New, "after")
		}
	}
	return w.changes
}

// masked stands for a value that nobody is to see, as kubectl diff has it.
func masked(v any, when string) any {
	if v == nil {
		return nil
	}
	return "*** (" + when + ")"
}

type walk struct{ changes []Change }

func (w *walk) add(at Path, old, now any) {
	w.changes = append(w.changes, Change{Path: slices.Clone(at), Old: old, New: now})
}

func (w *walk) value(at Path, old, now any) {
	a, aok := old.(map[string]any)
	b, bok := now.(map[string]any)
	if (aok || old == nil) && (bok || now == nil) && (len(a) > 0 || len(b) > 0) {
		w.mapping(at, a, b)
		return
	}
	x, xok := old.([]any)
	y, yok := now.([]any)
	if (xok || old == nil) && (yok || now == nil) && (xok || yok) && (xok && yok || mappings(x) && mappings(y)) {
		w.list(at, x, y)
		return
	}
	if !same(old, now) {
		w.add(at, old, now)
	}
}

func (w *walk) mapping(at Path, old, now map[string]any) {
	keys := make(map[string]bool, len(old)+len(now))
	for k := range old {
		keys[k] = true
	}
	for k := range now {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		w.value(append(at, k), old[k], now[k])
	}
}

// list compares lists: those of mappings that have a key element by element, others of
// mappings by what is left over when equal elements are paired, and those of texts and
// numbers as a whole.
func (w *walk) list(at Path, old, now []any) {
	if !mappings(old) || !mappings(now) {
		if !same(old, now) {
			w.add(at, old, now)
		}
		return
	}
	key := keyOf(old, now)
	if key == nil {
		w.unkeyed(at, old, now)
		return
	}
	var steps []string
	before, after := make(map[string]any), make(map[string]any)
	for _, v := range old {
		before[key.step(v)] = v
	}
	for _, v := range now {
		step := key.step(v)
		steps, after[step] = append(steps, step), v
		w.value(append(at, step), before[step], v)
	}
	var kept []any
	for _, v := range old {
		step := key.step(v)
		if _, ok := after[step]; !ok {
			w.value(append(at, step), v, nil)
			continue
		}
		kept = append(kept, step)
	}
	var order []any
	for _, step := range steps {
		if _, ok := before[step]; ok {
			order = append(order, step)
		}
	}
	if !same(kept, order) { // it counts for environment variables and init containers
		w.add(at, kept, order)
	}
}

func (w *walk) unkeyed(at Path, old, now []any) {
	left := slices.Clone(old)
	numbers := make([]int, len(old))
	for n := range numbers {
		numbers[n] = n
	}
	var more []int
	for n, v := range now {
		if i := slices.IndexFunc(left, func(o any) bool { return same(o, v) }); i >= 0 {
			left, numbers = slices.Delete(left, i, i+1), slices.Delete(numbers, i, i+1)
			continue
		}
		more = append(more, n)
	}
	if len(left)+len(more) == 0 && !same(old, now) {
		w.add(at, old, now)
	}
	for i := range max(len(left), len(more)) {
		switch {
		case i >= len(more):
			w.value(append(at, number(numbers[i])), left[i], nil)
		case i >= len(left):
			w.value(append(at, number(more[i])), nil, now[more[i]])
		default:
			w.value(append(at, number(more[i])), left[i], now[more[i]])
		}
	}
}

func mappings(list []any) bool {
	return !slices.ContainsFunc(list, func(v any) bool { _, ok := v.(map[string]any); return !ok })
}

// same compares values as they are written.
func same(a, b any) bool {
	if x, ok := scalar(a); ok {
		y, ok := scalar(b)
		return ok && x == y && quoted(a) == quoted(b)
	}
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

func quoted(v any) bool { _, ok := v.(string); return ok }

// scalar gives a text, a number or a truth value as a text.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}
