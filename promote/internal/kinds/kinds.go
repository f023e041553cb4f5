// Package kinds has the kinds of objects of Kubernetes whose health is known by their
// names alone, and what an API server calls them. A pipeline file is checked against it,
// and clusters are asked by it, so that no server has to be asked what it has.
package kinds

import (
	"maps"
	"slices"
)

// Resource is what an API server calls the objects of a kind.
type Resource struct {
	// Group is the API group; empty for the core's.
	Group, Version string
	// Plural is the name in paths: deployments.
	Plural string
	// ClusterWide objects are in no namespace.
	ClusterWide bool
}

// APIVersion is the group and the version as manifests have them.
func (r Resource) APIVersion() string {
	if r.Group == "" {
		return r.Version
	}
	return r.Group + "/" + r.Version
}

// The kinds that are named in more than one place.
const (
	Deployment    = "Deployment"
	Application   = "Application"
	AppProject    = "AppProject"
	Kustomization = "Kustomization"
	HelmRelease   = "HelmRelease"
)

// Of gives the resource of a kind; false for one that has to be asked for with its
// apiVersion.
func Of(kind string) (Resource, bool) {
	r, ok := table()[kind]
	return r, ok
}

// Names are the kinds, sorted.
func Names() []string { return slices.Sorted(maps.Keys(table())) }

// table is made when it is asked for: most commands never do.
func table() map[string]Resource {
	return map[string]Resource{
		Deployment:              {Group: "apps", Version: "v1", Plural: "deployments"},
		"StatefulSet":           {Group: "apps", Version: "v1", Plural: "statefulsets"},
		"DaemonSet":             {Group: "apps", Version: "v1", Plural: "daemonsets"},
		"ReplicaSet":            {Group: "apps", Version: "v1", Plural: "replicasets"},
		"Job":                   {Group: "batch", Version: "v1", Plural: "jobs"},
		"CronJob":               {Group: "batch", Version: "v1", Plural: "cronjobs"},
		"Pod":                   {Version: "v1", Plural: "pods"},
		"PersistentVolumeClaim": {Version: "v1", Plural: "persistentvolumeclaims"},
		"PodDisruptionBudget":   {Group: "policy", Version: "v1", Plural: "poddisruptionbudgets"},
		"Rollout":               {Group: "argoproj.io", Version: "v1alpha1", Plural: "rollouts"},
		Application:             {Group: "argoproj.io", Version: "v1alpha1", Plural: "applications"},
		AppProject:              {Group: "argoproj.io", Version: "v1alpha1", Plural: "appprojects"},
		Kustomization:           {Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Plural: "kustomizations"},
		HelmRelease:             {Group: "helm.toolkit.fluxcd.io", Version: "v2", Plural: "helmreleases"},
	}
}
