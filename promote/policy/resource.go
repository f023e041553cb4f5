package policy

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// builtIn are the groups that Kubernetes has itself. What their kinds are called in paths
// follows one rule.
var builtIn = []string{"", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps", "authentication.k8s.io",
	"authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "extensions",
	"flowcontrol.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io", "policy", "rbac.authorization.k8s.io", "resource.k8s.io",
	"scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io"}

// resource is what a kind may be called in paths and in rules. Only the cluster knows what
// it is for a custom resource.
type resource struct {
	kind string // in small letters
	// names are those that are as good as certain: one, or the two or three ways to write
	// the plural of a word like gateway.
	names []string
	// certain tells that there is no other.
	certain bool
}

func resourceOf(group, version, kind string) resource {
	r := resource{kind: strings.ToLower(kind)}
	if slices.Contains(builtIn, group) {
		guess, _ := meta.UnsafeGuessKindToResource(schema.GroupVersionKind{Group: group, Version: version, Kind: kind})
		r.names, r.certain = []string{guess.Resource}, true
		return r
	}
	r.names = []string{r.kind + "s"}
	if stem, ok := strings.CutSuffix(r.kind, "y"); ok {
		r.names = append(r.names, stem+"ies")
	}
	for _, end := range []string{"s", "x", "z", "o", "ch", "sh"} {
		if strings.HasSuffix(r.kind, end) {
			r.names = append(r.names, r.kind+"es", r.kind)
		}
	}
	return r
}

// match is what a name in a rule is to a resource.
type match int

const (
	other  match = iota
	maybe        // the plural of the kind, if it has one of its own
	likely       // one of several plurals
	same
)

// matches tells whether a name in a rule is that of the resource.
func (r resource) matches(name string) match {
	name = strings.TrimSuffix(name, "/*") // with all its subresources
	switch {
	case name == "*":
		return same
	case slices.Contains(r.names, name) && len(r.names) == 1:
		return same
	case slices.Contains(r.names, name):
		return likely
	case !r.certain && r.resembles(name):
		return maybe
	}
	return other
}

// resembles tells whether a name may be an odd plural of the kind, as indices is of index.
func (r resource) resembles(name string) bool {
	common := 0
	for common < min(len(name), len(r.kind)) && name[common] == r.kind[common] {
		common++
	}
	return common >= (len(r.kind)+2)/3 && len(name) >= len(r.kind)-1 && len(name) <= len(r.kind)+3
}
