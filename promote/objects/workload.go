package objects

// PodSpec is what an object says of pods, and where.
type PodSpec struct {
	Path   Path
	Fields map[string]any
}

// podSpecs are the paths of pod specs in objects of Kubernetes' own and in most others.
var podSpecs = []Path{
	{"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}, {"spec"}, {"template", "spec"},
}

// Pods gives the pod spec of a workload: a Pod, or what makes pods by a template.
func (o *Object) Pods() (PodSpec, bool) {
	for _, at := range podSpecs {
		v, _ := at.Find(o.Fields)
		if m, ok := v.(map[string]any); ok && len(Maps(m["containers"])) > 0 {
			return PodSpec{at, m}, true
		}
	}
	return PodSpec{}, false
}

// Container is a container of a pod spec, and where it stands.
type Container struct {
	Path   Path
	Name   string
	Fields map[string]any
}

// Containers are all containers, those that run first and those for debugging among them.
func (p PodSpec) Containers() []Container {
	var out []Container
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		for n, m := range Maps(p.Fields[list]) {
			out = append(out, Container{p.Path.Join(list, Element(m, "name", n)), text(m["name"]), m})
		}
	}
	return out
}

// Join is the path with more steps.
func (p Path) Join(steps ...string) Path { return append(p[:len(p):len(p)], steps...) }

// Element is the step that leads to an element of a list, by a key or else by its number.
func Element(m map[string]any, key string, n int) string {
	if step := (listKey{key}).step(m); step != "" {
		return step
	}
	return number(n)
}

// Maps are the elements of a list that are mappings.
func Maps(v any) []map[string]any {
	list, _ := v.([]any)
	var out []map[string]any
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// Map is a value that is a mapping, or nil.
func Map(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// IsImage tells whether a path leads to the image of a container, or of a volume.
func IsImage(at Path) bool {
	n := len(at)
	if n < 2 || !isElement(at[max(n-2, 0)]) {
		return n >= 4 && at[n-1] == "reference" && at[n-2] == "image" && at[n-4] == "volumes"
	}
	if at[n-1] != "image" || n < 3 {
		return false
	}
	switch at[n-3] {
	case "containers", "initContainers", "ephemeralContainers":
		return true
	}
	return false
}
