package objects

import (
	"fmt"
	"slices"
	"strings"
)

// Object is a Kubernetes object.
type Object struct {
	// APIVersion, Kind, Namespace and Name are those of the object as it would be applied.
	APIVersion, Kind, Namespace, Name string
	// Original is the name that its file has, where that is known: prefixes, suffixes and
	// hashes differ from one environment to another.
	Original string
	// Fields are all its fields, as encoding/json has them with numbers as json.Number.
	Fields map[string]any
	// Places, if not nil, tells where a field of it comes from; the object where the path is
	// empty.
	Places func(Path) Place
	// Release is that of Argo CD or Flux which installs it; nil for what is applied itself.
	Release *Release
}

// Release is a chart that an object of Argo CD or Flux has installed.
type Release struct {
	// By is that object.
	By string
	// Namespace is that of objects that name none, as far as it is said.
	Namespace string
	// Cluster is the server or the name of the one that it is installed in, where that is
	// not the one of By.
	Cluster string
	// ClusterOf is the Secret or the ConfigMap which alone says what cluster that is, where
	// it could not be read.
	ClusterOf string
}

// Place is where something stands in the repository.
type Place struct {
	File string `json:"file,omitempty"`
	// Line is from 1; 0 where it is not known.
	Line int `json:"line,omitempty"`
}

// String is file:line, the file alone, or "".
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Place is where a field comes from, as far as that can be told.
func (o *Object) Place(path Path) Place {
	if o.Places == nil {
		return Place{}
	}
	return o.Places(path)
}

// Group is the group of the API version, "" for the core.
func (o *Object) Group() string {
	group, _, ok := strings.Cut(o.APIVersion, "/")
	if !ok {
		return ""
	}
	return group
}

// String is Kind name, behind its namespace where it has one.
func (o *Object) String() string {
	if o.Namespace != "" {
		return o.Kind + " " + o.Namespace + "/" + o.Name
	}
	return o.Kind + " " + o.Name
}

// secret tells whether its data are nobody's business.
func (o *Object) secret() bool { return o.Kind == "Secret" && o.Group() == "" }

// Of makes an object of its fields.
func Of(fields map[string]any) Object {
	meta, _ := fields["metadata"].(map[string]any)
	o := Object{Fields: fields, APIVersion: text(fields["apiVersion"]), Kind: text(fields["kind"]), Namespace: text(meta["namespace"]), Name: text(meta["name"])}
	o.Original = o.Name
	return o
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// maxLists bounds how deep lists may lie in lists. Clusters take none in another.
const maxLists = 16

// Flatten puts the elements of lists (kind List, or any kind that ends so and has items
// that are objects) in their place, and those of lists in them.
func Flatten(all []Object) []Object { return flatten(nil, all, 0) }

func flatten(out, all []Object, depth int) []Object {
	for _, o := range all {
		if items, ok := o.list(); ok && depth < maxLists {
			out = flatten(out, o.elements(items), depth+1)
			continue
		}
		out = append(out, o)
	}
	return out
}

func (o *Object) list() (items []any, ok bool) {
	items, ok = o.Fields["items"].([]any)
	return items, ok && strings.HasSuffix(o.Kind, "List")
}

// Deep tells whether lists lie in an object deeper than Flatten takes them apart. Nobody can
// judge what is in them then.
func (o *Object) Deep() bool {
	return slices.ContainsFunc(Flatten([]Object{*o}), func(o Object) bool { _, ok := o.list(); return ok })
}

// elements are the objects of a list.
func (o *Object) elements(items []any) []Object {
	var out []Object
	for n, item := range items {
		fields, ok := item.(map[string]any)
		if !ok || fields["kind"] == nil {
			continue
		}
		one := Of(fields)
		one.Release = o.Release
		if o.Places != nil {
			at := o.Places
			one.Places = func(p Path) Place { return at(append(Path{"items", fmt.Sprintf("[%d]", n)}, p...)) }
		}
		out = append(out, one)
	}
	return out
}
