package cluster

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote/objects"
)

// managed is an entry of an object's managedFields: who owns which fields of it.
type managed struct {
	Manager, Operation, Subresource string
	Time                            time.Time
	FieldsV1                        map[string]any
}

// appliers apply what Git has, or did so before anybody kept account. With client-side apply
// and with create they own what the server has added as defaults, too.
var appliers = []string{"argocd-controller", "argocd-application-controller", "kustomize-controller", "helm-controller", "flux", "helm", "Helm",
	"kubectl-client-side-apply", "kubectl-create", "kubectl-replace", "before-first-apply", fieldManager}

// controllers are Kubernetes' own, which write what they are there for.
var controllers = []string{"kube-controller-manager", "cloud-controller-manager", "kube-scheduler", "kubelet", "kube-apiserver"}

// stranger tells whether what an entry owns has come neither from Git nor from Kubernetes.
func (m *managed) stranger(more []string) bool {
	switch {
	case m.Subresource == "status", m.Manager == "kubectl" && m.Operation == "Apply":
		return false
	}
	return !slices.Contains(appliers, m.Manager) && !slices.Contains(controllers, m.Manager) && !slices.Contains(more, m.Manager)
}

func (m *managed) who() objects.Manager {
	return objects.Manager{Name: fault.Shorten(m.Manager), Time: m.Time}
}

// managers reads the managedFields of a live object. What is none says nothing.
func managers(o map[string]any) []managed {
	list, _ := objects.Map(o["metadata"])["managedFields"].([]any)
	var all []managed
	for _, entry := range list {
		text, err := json.Marshal(entry)
		if err != nil {
			continue
		}
		var m managed
		if json.Unmarshal(text, &m) == nil && len(m.FieldsV1) > 0 {
			all = append(all, m)
		}
	}
	return all
}

// withhold takes out of a value what an entry owns and Git does not have.
func withhold(value, git any, owned map[string]any) any {
	switch value := value.(type) {
	case map[string]any:
		own := objects.Map(git)
		for key, below := range owned {
			name, ok := strings.CutPrefix(key, "f:")
			child, there := value[name]
			if !ok || !there {
				continue
			}
			inner := objects.Map(below)
			if len(inner) > 0 {
				value[name] = withhold(child, own[name], inner)
			}
			if own[name] == nil && (len(inner) == 0 || empty(value[name])) {
				delete(value, name)
			}
		}
		return value
	case []any:
		own, _ := git.([]any)
		kept := []any{}
		for _, e := range value {
			key, below := memberOf(owned, e)
			if key == "" {
				kept = append(kept, e)
				continue
			}
			n := slices.IndexFunc(own, func(o any) bool { return stands(key, o) })
			_, whole := below["."]
			switch {
			case n >= 0:
				kept = append(kept, withhold(e, own[n], besideKey(below, key)))
			case !whole && len(below) > 0:
				kept = append(kept, withhold(e, nil, besideKey(below, key)))
			}
		}
		return kept
	}
	return value
}

// besideKey is what is owned of an element without the fields that tell it apart, which are
// everybody's who owns something of it.
func besideKey(owned map[string]any, key string) map[string]any {
	out := maps.Clone(owned)
	fields, err := decoded([]byte(strings.TrimPrefix(key, "k:")))
	if err != nil {
		return out
	}
	for name := range fields {
		delete(out, "f:"+name)
	}
	return out
}

func empty(v any) bool {
	m, isMap := v.(map[string]any)
	l, isList := v.([]any)
	return isMap && len(m) == 0 || isList && len(l) == 0
}

// memberOf finds what is owned of an element of a list; an empty key is nothing.
func memberOf(owned map[string]any, e any) (key string, below map[string]any) {
	for key, below := range owned {
		if stands(key, e) {
			return key, objects.Map(below)
		}
	}
	return "", nil
}

// stands tells whether a key of managedFields stands for an element: v:"text" for one that
// is it, k:{"name":"web"} for one that has these fields. Git may leave out those that have a
// default.
func stands(key string, e any) bool {
	if text, ok := strings.CutPrefix(key, "v:"); ok {
		return written(text) == encoded(e)
	}
	text, ok := strings.CutPrefix(key, "k:")
	fields, err := decoded([]byte(text))
	element, isMap := e.(map[string]any)
	if !ok || err != nil || !isMap {
		return false
	}
	some := false
	for name, want := range fields {
		got, has := element[name]
		if has && encoded(got) != encoded(want) {
			return false
		}
		some = some || has
	}
	return some
}

// written is JSON in the form that encoding/json gives it.
func written(text string) string {
	var v any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return ""
	}
	return encoded(v)
}

func encoded(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(text)
}

// decoded reads an object with its numbers as they are written.
func decoded(text []byte) (map[string]any, error) {
	var fields map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	err := dec.Decode(&fields)
	return fields, err
}

// owns tells whether the field at a path of a live value is among those that are owned, or
// part of one that is owned as a whole.
func owns(owned map[string]any, value any, path objects.Path) bool {
	if len(path) == 0 || len(owned) == 0 {
		return true
	}
	switch value := value.(type) {
	case map[string]any:
		below, ok := owned["f:"+path[0]]
		return ok && owns(objects.Map(below), value[path[0]], path[1:])
	case []any:
		e, ok := objects.Path{path[0]}.Find(value)
		if !ok {
			return false
		}
		key, below := memberOf(owned, e)
		return key != "" && owns(below, e, path[1:])
	}
	return false
}

// owner is who has set a field of a live object: of several the last that does not apply what
// Git has, or else the last.
func owner(all []managed, live map[string]any, path objects.Path, more []string) objects.Manager {
	var found *managed
	for n := range all {
		m := &all[n]
		if m.Subresource == "status" || !owns(m.FieldsV1, live, path) {
			continue
		}
		if found == nil || m.stranger(more) && !found.stranger(more) || m.stranger(more) == found.stranger(more) && m.Time.After(found.Time) {
			found = m
		}
	}
	if found == nil {
		return objects.Manager{}
	}
	return found.who()
}
