// Package resources finds what a change takes away from running workloads: limits,
// requests, probes, security settings, replicas and disruption budgets that are lost or
// lowered. It compares the objects of before and after as package objects has them; what is
// added or raised is nothing to tell.
package resources

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/promote/objects"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Finding is one thing that is lost or lowered.
type Finding struct {
	// Object is as it would be, or as it was where it would be gone.
	Object *objects.Object
	Path   objects.Path
	Text   string
	place  objects.Place
}

// String is a line: whose, what, and where that is said.
func (f Finding) String() string {
	line := f.Object.String() + ": " + f.Path.String() + " " + f.Text
	if len(f.Path) == 0 {
		line = f.Object.String() + " " + f.Text
	}
	if at := f.place.String(); at != "" {
		line += " (" + at + ")"
	}
	return line
}

// Lost compares what is there with what would be there. Fields that are allowed to are
// left out, and so are workloads that are gone altogether: that is another question.
func Lost(before, after []objects.Object, allowed objects.Allowed) []Finding {
	w := &work{allowed: allowed, scaled: make(map[string]bool)}
	for _, o := range objects.Flatten(after) {
		if target := objects.Map(objects.Map(o.Fields["spec"])["scaleTargetRef"]); o.Kind == "HorizontalPodAutoscaler" || o.Kind == "ScaledObject" {
			w.scaled[fmt.Sprint(target["name"])] = true
		}
	}
	for _, d := range objects.Compare(before, after, objects.ByName) {
		switch {
		case d.Old == nil:
		case d.New == nil:
			if d.Old.Kind == "PodDisruptionBudget" || d.Old.Kind == "HorizontalPodAutoscaler" {
				w.add(&d, nil, "would be gone")
			}
		default:
			w.object(&d)
		}
	}
	return w.out
}

type work struct {
	allowed objects.Allowed
	scaled  map[string]bool // workloads whose replicas an autoscaler sets
	out     []Finding
}

func (w *work) add(d *objects.Difference, at objects.Path, format string, args ...any) {
	if o := d.Object(); !w.allowed.Allows(o, at) {
		place := o.Place(at)
		if _, there := at.Find(o.Fields); !there && d.Old != nil && len(at) > 0 {
			place = d.Old.Place(at)
		}
		w.out = append(w.out, Finding{o, at, fmt.Sprintf(format, args...), place})
	}
}

func (w *work) object(d *objects.Difference) {
	spec := objects.Path{"spec"}
	switch d.New.Kind {
	case "PodDisruptionBudget":
		w.lower(d, spec.Join("minAvailable"))
		w.higher(d, spec.Join("maxUnavailable"))
	case "HorizontalPodAutoscaler":
		w.lower(d, spec.Join("minReplicas"))
		w.lower(d, spec.Join("maxReplicas"))
	}
	old, ok := d.Old.Pods()
	if !ok {
		return
	}
	now, ok := d.New.Pods()
	if !ok {
		w.add(d, old.Path, "has no containers any more")
		return
	}
	if d.New.Kind != "HorizontalPodAutoscaler" && !w.scaled[d.New.Name] {
		w.lower(d, spec.Join("replicas"))
	}
	w.security(d, now.Path.Join("securityContext"))
	w.below(d, now.Path.Join("resources"), w.lower)
	for _, c := range old.Containers() {
		at := slices.IndexFunc(now.Containers(), func(o objects.Container) bool { return o.Name == c.Name })
		if at < 0 {
			continue // a container that is gone has no use for limits
		}
		path := now.Containers()[at].Path
		for _, kind := range []string{"limits", "requests"} {
			w.below(d, path.Join("resources", kind), w.lower)
		}
		for _, name := range []string{"livenessProbe", "readinessProbe", "startupProbe", "lifecycle"} {
			w.gone(d, path.Join(name))
		}
		w.security(d, path.Join("securityContext"))
	}
}

// both gives a field of the old and of the new object.
func both(d *objects.Difference, at objects.Path) (old, now any) {
	old, _ = at.Find(d.Old.Fields)
	now, _ = at.Find(d.New.Fields)
	return old, now
}

func (w *work) gone(d *objects.Difference, at objects.Path) {
	if old, now := both(d, at); old != nil && now == nil {
		w.add(d, at, "would be gone")
	}
}

// below looks at each field of a mapping.
func (w *work) below(d *objects.Difference, at objects.Path, look func(*objects.Difference, objects.Path)) {
	old, _ := both(d, at)
	for _, key := range sorted(objects.Map(old)) {
		look(d, at.Join(key))
	}
}

func sorted(m map[string]any) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// lower finds a quantity that is lost or smaller.
func (w *work) lower(d *objects.Difference, at objects.Path) { w.compare(d, at, -1, "lowered") }

// higher finds one that is lost or larger.
func (w *work) higher(d *objects.Difference, at objects.Path) { w.compare(d, at, 1, "raised") }

func (w *work) compare(d *objects.Difference, at objects.Path, wrong int, word string) {
	old, now := both(d, at)
	switch {
	case old == nil:
		return
	case now == nil:
		w.add(d, at, "%s would be gone", objects.Text(old))
		return
	}
	a, err1 := quantity(old)
	b, err2 := quantity(now)
	switch {
	case err1 != nil || err2 != nil || isPart(old) != isPart(now):
		if objects.Text(old) != objects.Text(now) { // nobody can tell which is more
			w.add(d, at, "changes from %s to %s, which cannot be compared", objects.Text(old), objects.Text(now))
		}
	case b.Cmp(a) == wrong:
		w.add(d, at, "is %s from %s to %s", word, objects.Text(old), objects.Text(now))
	}
}

// isPart tells whether a value is a percentage.
func isPart(v any) bool { s, _ := v.(string); return strings.HasSuffix(s, "%") }

// quantities are numbers with a suffix or a small exponent. What is larger than all that
// there is takes Kubernetes' parser hours and all memory.
var quantities = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[+-]?[0-9.]{1,64}([a-zA-Z]{0,2}|[eE][+-]?0{0,9}[0-9]{1,2})$`)
})

// quantity reads a quantity, or a percentage.
func quantity(v any) (resource.Quantity, error) {
	text := ""
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSuffix(v, "%")
	}
	if !quantities().MatchString(text) {
		return resource.Quantity{}, resource.ErrFormatWrong
	}
	return resource.ParseQuantity(text)
}

// weaker are settings that are false or true where they protect least.
var weaker = map[string]bool{"privileged": true, "allowPrivilegeEscalation": true, "runAsNonRoot": false, "readOnlyRootFilesystem": false}

// security finds settings that are lost or weaker.
func (w *work) security(d *objects.Difference, at objects.Path) {
	old, now := both(d, at)
	for _, key := range sorted(objects.Map(old)) {
		path, had := at.Join(key), objects.Map(old)[key]
		has, ok := objects.Map(now)[key]
		if weak, known := weaker[key]; known {
			if ok && has == weak && had != weak {
				w.add(d, path, "is weakened from %s to %s", objects.Text(had), objects.Text(has))
			} else if !ok && had != weak {
				w.add(d, path, "%s would be gone", objects.Text(had))
			}
			continue
		}
		switch {
		case key == "capabilities":
			w.capabilities(d, path, objects.Map(had), objects.Map(has))
		case !ok:
			w.add(d, path, "would be gone")
		case key == "runAsUser" && objects.Text(has) == "0" && objects.Text(had) != "0":
			w.add(d, path, "is root, and was %s", objects.Text(had))
		}
	}
	for key, weak := range weaker { // what protects by default, and would not any more
		if _, had := objects.Map(old)[key]; !had && weak && objects.Map(now)[key] == true {
			w.add(d, at.Join(key), "is weakened to true")
		}
	}
	if _, had := objects.Map(old)["capabilities"]; !had {
		w.capabilities(d, at.Join("capabilities"), nil, objects.Map(objects.Map(now)["capabilities"]))
	}
}

// capabilities finds such as are added, or not dropped any more.
func (w *work) capabilities(d *objects.Difference, at objects.Path, old, now map[string]any) {
	for _, c := range texts(old["drop"]) {
		if has := texts(now["drop"]); !slices.Contains(has, c) && !slices.Contains(has, "ALL") {
			w.add(d, at.Join("drop"), "has no %s any more", c)
		}
	}
	for _, c := range texts(now["add"]) {
		if !slices.Contains(texts(old["add"]), c) {
			w.add(d, at.Join("add"), "has %s, which is new", c)
		}
	}
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
