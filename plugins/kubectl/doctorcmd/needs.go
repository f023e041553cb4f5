package doctorcmd

import (
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// variablesOf are those of the environment that a gate has its secrets from.
func variablesOf(g pipeline.Gate) []string {
	var out []string
	add := func(from map[string]pipeline.Variable) {
		for _, v := range from {
			out = append(out, v.Env)
		}
	}
	if g.HTTP != nil {
		add(g.HTTP.HeadersFrom)
	}
	if g.Metric != nil && g.Metric.Prometheus != nil {
		add(g.Metric.Prometheus.HeadersFrom)
	}
	if g.Exec != nil {
		out = append(out, g.Exec.Env...)
	}
	for _, one := range g.AnyOf {
		out = append(out, variablesOf(one)...)
	}
	return out
}

// contextsOf are the contexts that health is seen in, without those that have holes; "" is
// the current one.
func contextsOf(h *pipeline.Health) []string {
	if h == nil || !h.Says() {
		return nil
	}
	all := append([]string{h.Context}, h.Contexts...)
	if len(h.Contexts) > 0 {
		all = all[1:]
	}
	if h.ArgoCD != nil && h.ArgoCD.Context != "" {
		all = append(all, h.ArgoCD.Context)
	}
	if h.Flux != nil && h.Flux.Context != "" {
		all = append(all, h.Flux.Context)
	}
	return slices.DeleteFunc(all, func(name string) bool { return strings.Contains(name, "{") })
}
