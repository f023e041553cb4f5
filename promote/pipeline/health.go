package pipeline

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/promote/internal/kinds"
	"github.com/kubepromote/kubepromote/promote/internal/location"
)

// Health says where it is seen how the services of an environment are: in which cluster,
// at which objects. In the names {service}, {environment} and {from} stand for what is
// promoted. Everything that is named must be healthy.
//
// As an environment's it says how its services are seen; as a gate, how those are seen
// that are promoted from there, by default as their environment says.
type Health struct {
	// Context is one of the contexts of the user's kubeconfig; by default the current
	// one.
	Context string `yaml:"context" json:"context,omitempty"`
	// Contexts are several, in each of which the same must be healthy.
	Contexts []string `yaml:"contexts" json:"contexts,omitempty"`
	// Namespace is by default that of the context.
	Namespace string `yaml:"namespace" json:"namespace,omitempty"`
	// Kind is that of the objects; by default Deployment.
	Kind string `yaml:"kind" json:"kind,omitempty"`
	// APIVersion is needed for kinds that are not known by their name.
	APIVersion string `yaml:"apiVersion" json:"apiVersion,omitempty"`
	// Name is that of one object, by default the service's.
	Name string `yaml:"name" json:"name,omitempty"`
	// Selector chooses all objects that have these labels.
	Selector string `yaml:"selector" json:"selector,omitempty"`
	// Images are the names of those that the pods must run; by default all that are
	// promoted.
	Images []string `yaml:"images" json:"images,omitempty"`
	// ArgoCD names the Application that has brought the service there.
	ArgoCD *ArgoCD `yaml:"argocd" json:"argocd,omitempty"`
	// Flux names the Kustomization or HelmRelease that has.
	Flux *Flux `yaml:"flux" json:"flux,omitempty"`
	// Environment is the one that a gate looks at; by default the one that is promoted
	// from.
	Environment string `yaml:"environment" json:"environment,omitempty"`
}

// ArgoCD is an Application.
type ArgoCD struct {
	// Application is its name.
	Application string `yaml:"application" json:"application"`
	// Namespace is by default argocd.
	Namespace string `yaml:"namespace" json:"namespace,omitempty"`
	// Context is by default that of the objects.
	Context string `yaml:"context" json:"context,omitempty"`
}

func (a *ArgoCD) check(c gateCheck, at string) {
	if a.Application == "" {
		c.At(at, `application: "{service}-staging"`, "argocd names no application")
	}
	c.objectName(at+".application", a.Application)
	c.objectName(at+".namespace", a.Namespace)
	c.objectName(at+".context", a.Context)
}

// Flux is a Kustomization or a HelmRelease.
type Flux struct {
	// Kustomization is its name.
	Kustomization string `yaml:"kustomization" json:"kustomization,omitempty"`
	// HelmRelease is its name.
	HelmRelease string `yaml:"helmRelease" json:"helmRelease,omitempty"`
	// Namespace is by default flux-system.
	Namespace string `yaml:"namespace" json:"namespace,omitempty"`
	// Context is by default that of the objects.
	Context string `yaml:"context" json:"context,omitempty"`
}

// Says tells whether anything is said of where health is seen.
func (h *Health) Says() bool {
	return h.Context+h.Namespace+h.Kind+h.APIVersion+h.Name+h.Selector != "" || len(h.Contexts)+len(h.Images) > 0 || h.ArgoCD != nil || h.Flux != nil
}

// Objects tells whether objects are looked at, beside what has brought them.
func (h *Health) Objects() bool {
	return h.Kind+h.APIVersion+h.Name+h.Selector != "" || h.ArgoCD == nil && h.Flux == nil
}

// Cluster is where a service runs.
type Cluster struct {
	// Context is one of the user's kubeconfig; empty for the current one.
	Context string
	// Namespace is by default that of the context.
	Namespace string
}

// Clusters are those in which a service of an environment runs.
func (h *Health) Clusters(service, environment string) []Cluster {
	contexts := h.Contexts
	if len(contexts) == 0 {
		contexts = []string{h.Context}
	}
	holes := location.Holes{location.Service: service, location.Environment: environment, holeFrom: environment}
	var all []Cluster
	for _, name := range contexts {
		all = append(all, Cluster{location.Fill(name, holes), location.Fill(h.Namespace, holes)})
	}
	return all
}

func (h *Health) check(c gateCheck, at string) {
	if h.Context != "" && len(h.Contexts) > 0 {
		c.At(at+".contexts", "contexts: [eu, us]", "context and contexts are both said")
	}
	for i, name := range h.Contexts {
		if name == "" || slices.Contains(h.Contexts[:i], name) {
			c.At(fmt.Sprintf("%s.contexts[%d]", at, i), "", "context %q is empty, or listed twice", name)
		}
	}
	h.checkKind(c, at)
	if h.Name != "" && h.Selector != "" {
		c.At(at+".selector", "remove it, or name", "name and selector are both said")
	}
	if len(h.Images) > 0 && !h.Objects() {
		c.At(at+".images", "kind: Deployment", "there are no pods where only what has brought them is looked at")
	}
	places := map[string]string{".context": h.Context, ".namespace": h.Namespace, ".name": h.Name, ".selector": h.Selector}
	for i, name := range h.Contexts {
		places[fmt.Sprintf(".contexts[%d]", i)] = name
	}
	if a := h.ArgoCD; a != nil {
		a.check(c, at+".argocd")
	}
	if f := h.Flux; f != nil {
		if (f.Kustomization == "") == (f.HelmRelease == "") {
			c.At(at+".flux", `kustomization: "{service}"`, "flux names one kustomization or one helmRelease")
		}
		places[".flux.kustomization"], places[".flux.helmRelease"] = f.Kustomization, f.HelmRelease
		places[".flux.namespace"], places[".flux.context"] = f.Namespace, f.Context
	}
	for place, text := range places {
		c.objectName(at+place, text)
	}
}

// unread are kinds that nobody has to read to know how a service is.
var unread = []string{"Secret", "ConfigMap"}

func (h *Health) checkKind(c gateCheck, at string) {
	names := kinds.Names()
	_, known := kinds.Of(h.Kind)
	switch {
	case slices.Contains(unread, h.Kind):
		c.At(at+".kind", "kind: Deployment", "a %s has no health, and is not read", h.Kind)
	case h.APIVersion != "" && h.Kind == "":
		c.At(at+".apiVersion", "kind: Deployment", "apiVersion stands without kind")
	case h.Kind != "" && !known && h.APIVersion == "":
		c.At(at+".kind", spelling.Hint(h.Kind, names), "kind %q is not known without its apiVersion", h.Kind)
	case h.APIVersion != "" && (!fs.ValidPath(h.APIVersion) || strings.Count(h.APIVersion, "/") > 1):
		c.At(at+".apiVersion", "apiVersion: example.com/v1", "apiVersion is %q", h.APIVersion)
	}
}

// objectName finds holes that nothing stands for, and what no name has.
func (c gateCheck) objectName(at, text string) {
	for _, name := range location.Names(text) {
		if known := []string{location.Service, location.Environment, holeFrom}; !slices.Contains(known, name) {
			c.At(at, spelling.Hint(name, known), "there is nothing for the hole {%s}", name)
		}
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(text) > 253 {
		c.At(at, "", "%q is no name", text)
	}
}

// health checks a gate, which may leave it to the environments that are promoted from.
func (c gateCheck) health(at string, h *Health) {
	c.otherEnvironment(at, h.Environment, false)
	if h.Says() {
		h.check(c, at)
		return
	}
	looked := c.from
	if len(looked) == 0 && h.Environment == "" {
		c.At(at, "context: dev", "environment %q is promoted to from none, and health does not say where it is seen", c.environment)
	}
	if h.Environment != "" {
		looked = []string{h.Environment}
	}
	for _, name := range looked {
		if !c.seen[name] {
			c.At(at, "health: {context: "+name+", kind: Deployment}", "neither the gate nor environment %q says where health is seen", name)
		}
	}
}

// own checks where an environment says that its health is seen.
func (c gateCheck) own(at string, h *Health) {
	if h == nil {
		return
	}
	if h.Environment != "" {
		c.At(at+".environment", "", "environment %q has its own health alone", c.environment)
	}
	h.check(c, at)
}

// gateCheck is what the gates of an environment are checked with.
func (p *Pipeline) gateCheck(f *yamlfile.File, e *Environment, names []string) gateCheck {
	seen := make(map[string]bool)
	for _, other := range p.Spec.Environments {
		seen[other.Name] = other.Health != nil
	}
	return gateCheck{f, e.Name, names, e.From, seen}
}
