package runbook

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// gate says what a gate asks, and how it is asked.
func gate(g pipeline.Gate, e *pipeline.Environment) string {
	text := asks(g, e)
	if g.When != "" {
		text += "; only where " + code(g.When)
	}
	if g.WarnOnly {
		text += "; a warning, which stops nothing"
	}
	return text
}

// asks says what a gate asks for. Every kind has words; a test counts them.
func asks(g pipeline.Gate, e *pipeline.Environment) string {
	switch {
	case g.Promoted != nil:
		return "a signed record says that the image was promoted to " + code(g.Promoted.Environment) + ", by whom " + code(g.Promoted.Policy) + " names"
	case g.Freeze != nil:
		return freeze(g.Freeze)
	case g.Soak != nil:
		text := fmt.Sprintf("the image has stood in %s for %s", elsewhere(g.Soak.Environment, e), code(string(g.Soak.For)))
		if g.Soak.Healthy {
			text += ", and was healthy for as long"
		}
		return text
	case g.Health != nil:
		return "the service is healthy in " + elsewhere(g.Health.Environment, e) + ", and runs the image"
	case g.HTTP != nil:
		return answer(g.HTTP)
	case g.Metric != nil:
		return metric(g.Metric, e)
	case g.Exec != nil:
		return "the command " + code(strings.Join(g.Exec.Command, " ")) + " ends well" + variables(g.Exec.Env)
	case g.Manual != nil:
		text := "somebody says yes on a terminal, with the plan above the question"
		if g.Manual.Question != "" {
			text += ": " + code(g.Manual.Question)
		}
		return text
	case g.Approvals != nil:
		return approvals(g.Approvals)
	case g.CommitStatus != nil:
		on := map[string]string{pipeline.OnHead: "the newest commit", pipeline.OnPullRequest: "the pull request"}
		return "the checks " + codes(g.CommitStatus.Contexts, "and") + " are good on " + cmp.Or(on[g.CommitStatus.On], "the commit that brought the image")
	case g.AnyOf != nil:
		var all []string
		for _, one := range g.AnyOf {
			all = append(all, gate(one, e))
		}
		return "one of these holds: " + strings.Join(all, "; or ")
	case g.Template != "":
		return "what the template " + code(g.Template) + " asks"
	}
	return rendered(g)
}

// rendered says what the gates about rendered objects ask for.
func rendered(g pipeline.Gate) string {
	switch {
	case g.Rendered != nil:
		text := "nothing but images changes in the objects that are applied" + excepted(g.Rendered.Allow)
		if g.Rendered.Against != "" {
			text += ", and they are as in " + code(g.Rendered.Against)
		}
		return text
	case g.References != nil:
		return "all Secrets, ConfigMaps and the like that workloads name are there" + excepted(g.References.Declared)
	case g.Resources != nil:
		return "no limit, request, probe or security setting is lost or lowered" + excepted(g.Resources.Allow)
	case g.Schema != nil:
		of := "Kubernetes"
		if g.Schema.Version != "" {
			of += " " + code(g.Schema.Version)
		}
		return "all objects are as the schemas of " + of + " want them" + excepted(g.Schema.Ignore)
	case g.Policy != nil:
		var from []string
		for _, name := range []string{g.Policy.Rego, g.Policy.CEL} {
			if name != "" {
				from = append(from, name)
			}
		}
		return "the rules in " + codes(from, "and") + " have nothing against the objects"
	}
	return ""
}

func excepted(allowed []string) string {
	if len(allowed) == 0 {
		return ""
	}
	return ", " + codes(allowed, "and") + " excepted"
}

// elsewhere is the environment that a gate looks at: the one that it names, or the ones
// that images come from.
func elsewhere(name string, e *pipeline.Environment) string {
	switch {
	case name != "":
		return code(name)
	case len(e.From) == 1:
		return code(e.From[0])
	}
	return "where it comes from"
}

// variables says what whoever promotes has to have set.
func variables(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " (with " + codes(names, "and") + " set)"
}

func from(headers map[string]pipeline.Variable) string {
	var names []string
	for _, v := range headers {
		names = append(names, v.Env)
	}
	return variables(sorted(names))
}

func freeze(g *pipeline.FreezeGate) string {
	var all []string
	for _, w := range g.Deny {
		all = append(all, "not "+window(w, g.TimeZone))
	}
	for _, w := range g.Allow {
		all = append(all, "within "+window(w, g.TimeZone))
	}
	if g.Calendar != "" {
		all = append(all, "not on the days of "+code(g.Calendar))
	}
	if g.ArgoCD != nil {
		all = append(all, "only while the sync windows of "+code(g.ArgoCD.Project)+" let Argo CD sync")
	}
	return "it is no time of freeze: " + list(all, "and")
}

func window(w pipeline.Window, zone string) string {
	text := fmt.Sprintf("the %s from %s (%s)", code(string(w.Duration)), code(w.Schedule), code(cmp.Or(w.TimeZone, zone, "UTC")))
	if len(w.Services) > 0 {
		text += " for " + codes(w.Services, "and")
	}
	if w.Reason != "" {
		text += " for " + code(w.Reason)
	}
	return text
}

func answer(g *pipeline.HTTPGate) string {
	text := "the server at " + code(g.URL) + " answers well"
	if g.Expect != "" {
		text = "the server at " + code(g.URL) + " says that " + code(g.Expect)
	}
	return text + from(g.HeadersFrom)
}

func metric(g *pipeline.MetricGate, e *pipeline.Environment) string {
	text := "the metric"
	if g.Prometheus != nil {
		text += " " + code(g.Prometheus.Query)
	}
	var bounds []string
	if g.Above != nil {
		bounds = append(bounds, fmt.Sprintf("above %v", *g.Above))
	}
	if g.Below != nil {
		bounds = append(bounds, fmt.Sprintf("below %v", *g.Below))
	}
	if g.Within != "" {
		bounds = append(bounds, "within "+code(g.Within)+" of what it was before the last deployment in "+elsewhere(g.Environment, e))
	}
	text += " is " + cmp.Or(list(bounds, "and"), "as it should be")
	if g.Prometheus != nil {
		text += from(g.Prometheus.HeadersFrom)
	}
	return text
}

func approvals(g *pipeline.ApprovalsGate) string {
	number, have := "one", "has"
	if n := g.Least(); n > 1 {
		number, have = fmt.Sprint(n), "have"
	}
	text := fmt.Sprintf("%s of %s %s approved the pull request", number, codes(g.Approvers(), "and"), have)
	if g.Signed() {
		text = fmt.Sprintf("%s of those whom %s names %s signed an approval", number, code(g.Policy), have)
	}
	if len(g.Separate) > 0 {
		text += ", and " + codes(g.Separate, "and") + " may not"
	}
	return text
}
