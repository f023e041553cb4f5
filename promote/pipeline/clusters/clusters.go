// Package clusters is what a pipeline file says of which cluster is which. People know a cluster
// by a context of their kubeconfig; Argo CD by the name that it was registered with (the
// destination.name of an Application, which is a field of a Secret of its own) or by the address
// of its server, which need not be the one that people reach it by. That two of these names are
// alike says nothing: only the pipeline file can say that they are one cluster's.
package clusters

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
)

// Names are, by context of a kubeconfig, the names and the addresses of servers by which Argo
// CD and Flux know the context's cluster.
type Names map[string][]string

// Contexts gives those contexts, sorted, of whose clusters a name or an address is one.
func (n Names) Contexts(cluster string) []string {
	var out []string
	for _, context := range slices.Sorted(maps.Keys(n)) {
		if slices.ContainsFunc(n[context], func(name string) bool { return plain(name) == plain(cluster) }) {
			out = append(out, context)
		}
	}
	return out
}

// plain is a name or an address without the slash that may end an address.
func plain(name string) string {
	if strings.Contains(name, "://") {
		return strings.TrimSuffix(name, "/")
	}
	return name
}

// Check notes in the file what cannot be: a context without a name, and a name that is empty or
// listed twice for a context. Several contexts may be of one cluster.
func (n Names) Check(f *yamlfile.File, at string) {
	for _, context := range slices.Sorted(maps.Keys(n)) {
		names := n[context]
		if context == "" || len(names) == 0 {
			f.At(at, "clusters: {prod-eu: [eu-1, https://10.0.0.1:6443]}", "context %q has no name of its cluster", context)
		}
		for i, name := range names {
			if name == "" || slices.Contains(names[:i], name) {
				f.At(at, "clusters: {prod-eu: [eu-1, https://10.0.0.1:6443]}", "a name of the cluster of context %q is empty, or listed twice", context)
			}
		}
	}
}
