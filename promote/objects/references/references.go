// Package references finds what workloads name and nobody has: Secrets, ConfigMaps,
// ServiceAccounts, claims, Services, and keys of them; and what a workload has lost on its
// way from one environment to another.
package references

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/objects"
)

// Reference is an object that another one names.
type Reference struct {
	Kind, Name string
	// Key, if not empty, is what it must have.
	Key string
	// Path is where it is named.
	Path objects.Path
}

// String is Kind name, with its key.
func (r Reference) String() string {
	if r.Key != "" {
		return fmt.Sprintf("key %q of %s %s", r.Key, r.Kind, r.Name)
	}
	return r.Kind + " " + r.Name
}

// Finding is one thing that is missing.
type Finding struct {
	Object *objects.Object
	Path   objects.Path
	Text   string
}

// String is a line: who lacks what, and where that is said.
func (f Finding) String() string {
	line := f.Object.String() + ": " + f.Text
	if at := f.Object.Place(f.Path).String(); at != "" {
		line += " (" + at + ")"
	}
	return line
}

// Missing finds what objects name that is neither among them nor declared: KIND/NAME, or
// KIND/NAME:KEY, with globs. What may be missing, as it is optional, is none.
func Missing(all []objects.Object, declared []string) []Finding {
	all = objects.Flatten(all)
	have := provided(all)
	var out []Finding
	seen := make(map[string]bool)
	for n := range all {
		o := &all[n]
		for _, r := range of(o) {
			found := have.has(o.Namespace, r)
			if found == there || isDeclared(declared, r) {
				continue
			}
			text := "names " + r.String() + ", which is not there"
			if found == without {
				text = fmt.Sprintf("names %s, which has no such key", r)
			}
			if key := o.String() + text; !seen[key] {
				seen[key] = true
				out = append(out, Finding{o, r.Path, text})
			}
		}
	}
	return out
}

func isDeclared(declared []string, r Reference) bool {
	return slices.ContainsFunc(declared, func(d string) bool {
		d, key, keyed := strings.Cut(d, ":")
		kind, name, _ := strings.Cut(d, "/")
		return matches(kind, r.Kind) && matches(name, r.Name) && (!keyed || r.Key == "" || matches(key, r.Key))
	})
}

func matches(glob, s string) bool {
	ok, err := path.Match(glob, s)
	return ok && err == nil
}

// name is an object as others name it, wherever it is.
type name struct{ kind, name string }

// keys are those that an object has; nil where nobody can tell.
type keys map[string]bool

// provisions are objects and their keys, by their namespaces.
type provisions map[name]map[string]keys

// found is what there is of a reference.
type found int

const (
	absent found = iota
	without
	there
)

// has looks in the namespace of whoever names it. An object without a namespace is in
// the one that it is applied to.
func (p provisions) has(namespace string, r Reference) found {
	out := absent
	for in, k := range p[name{r.Kind, r.Name}] {
		if in != namespace && in != "" && namespace != "" {
			continue
		}
		if r.Key == "" || k == nil || k[r.Key] {
			return there
		}
		out = without
	}
	return out
}

// provided lists what objects are, and what controllers make of them.
func provided(all []objects.Object) provisions {
	out := make(provisions)
	add := func(o *objects.Object, kind, of string, k keys) {
		n := name{kind, of}
		if old, twice := out[n][o.Namespace]; twice && (old == nil || k == nil) {
			k = nil
		} else if twice {
			maps.Copy(k, old)
		}
		if out[n] == nil {
			out[n] = make(map[string]keys)
		}
		out[n][o.Namespace] = k
	}
	for n := range all {
		o := &all[n]
		spec := objects.Map(o.Fields["spec"])
		switch o.Kind {
		case "ConfigMap":
			add(o, o.Kind, o.Name, keysOf(o.Fields["data"], o.Fields["binaryData"]))
		case "Secret":
			add(o, o.Kind, o.Name, keysOf(o.Fields["data"], o.Fields["stringData"]))
		case "SealedSecret":
			template := objects.Map(spec["template"])
			add(o, "Secret", cmp.Or(text(objects.Map(template["metadata"])["name"]), o.Name), keysOf(spec["encryptedData"], template["data"]))
		case "ExternalSecret":
			add(o, "Secret", cmp.Or(text(objects.Map(spec["target"])["name"]), o.Name), external(spec))
		case "Certificate":
			add(o, "Secret", text(spec["secretName"]), keys{"tls.crt": true, "tls.key": true, "ca.crt": true})
		case "SecretProviderClass":
			for _, s := range objects.Maps(spec["secretObjects"]) {
				k := keys{}
				for _, d := range objects.Maps(s["data"]) {
					k[text(d["key"])] = true
				}
				add(o, "Secret", text(s["secretName"]), k)
			}
		case "VaultStaticSecret", "VaultDynamicSecret", "VaultPKISecret":
			add(o, "Secret", text(objects.Map(spec["destination"])["name"]), nil)
		case "OnePasswordItem":
			add(o, "Secret", o.Name, nil)
		case "Ingress":
			ingress(o, spec, add)
		default:
			add(o, o.Kind, o.Name, nil)
		}
	}
	return out
}

// external are the keys of the Secret that an ExternalSecret makes; nil where it takes what
// there is.
func external(spec map[string]any) keys {
	target := objects.Map(spec["target"])
	template := objects.Map(target["template"])
	if len(objects.Maps(spec["dataFrom"])) > 0 || len(objects.Maps(template["templateFrom"])) > 0 {
		return nil
	}
	if data := objects.Map(template["data"]); data != nil && text(template["mergePolicy"]) != "Merge" {
		return keysOf(data)
	}
	k := keysOf(template["data"])
	for _, d := range objects.Maps(spec["data"]) {
		k[text(d["secretKey"])] = true
	}
	return k
}

// ingress notes the Secrets that cert-manager makes for an Ingress.
func ingress(o *objects.Object, spec map[string]any, add func(*objects.Object, string, string, keys)) {
	notes := objects.Map(objects.Map(o.Fields["metadata"])["annotations"])
	for _, issuer := range []string{"cert-manager.io/cluster-issuer", "cert-manager.io/issuer", "kubernetes.io/tls-acme"} {
		if notes[issuer] == nil {
			continue
		}
		for _, tls := range objects.Maps(spec["tls"]) {
			add(o, "Secret", text(tls["secretName"]), nil)
		}
	}
}

func keysOf(data ...any) keys {
	k := keys{}
	for _, d := range data {
		for key := range objects.Map(d) {
			k[key] = true
		}
	}
	return k
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
