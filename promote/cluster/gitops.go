package cluster

import (
	"cmp"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote/internal/kinds"
)

// rollout is one of Argo Rollouts, which writes a verdict of its own.
func rollout(o object) state {
	wanted := o.text("metadata", "annotations", "rollout.argoproj.io/workload-generation")
	switch phase := o.said("status", "phase"); {
	case o.flag("status", "abort"):
		return failed("it was aborted: %s", o.said("status", "message"))
	case wanted != "" && o.text("status", "workloadObservedGeneration") != wanted:
		return progressing("its controller has not seen the newest version of its workload yet")
	case o.number(1, "spec", "replicas") == 0:
		return progressing("it is scaled to 0: nothing runs")
	case phase == "Degraded":
		return failed("it is degraded: %s", o.said("status", "message"))
	case phase == "Healthy":
		since := o.condition("Healthy").moment("lastTransitionTime")
		return healthy(latest(since, o.condition("Completed").moment("lastTransitionTime")), "it is healthy")
	default:
		return progressing("it is %s: %s", strings.ToLower(phase), o.said("status", "message"))
	}
}

// application is one of Argo CD. Health and sync are found out by separate loops: health
// counts if it was looked at after the last sync.
func application(o object) state {
	health, sync, operation := o.said("status", "health", "status"), o.said("status", "sync", "status"), o.said("status", "operationState", "phase")
	finished, reconciled := o.moment("status", "operationState", "finishedAt"), o.moment("status", "reconciledAt")
	switch {
	case operation == "Running" || operation == "Terminating":
		return progressing("a sync is running: %s", o.said("status", "operationState", "message"))
	case sync == "" || sync == "Unknown":
		return untold("its sync is unknown: %s", argoError(o))
	case operation == "Failed" || operation == "Error": // a hook may, behind what is synced
		return failed("its sync has failed: %s", o.said("status", "operationState", "message"))
	case sync != "Synced":
		return progressing("it is %s", sync)
	case dry(o) != "" && o.text("status", "sourceHydrator", "lastSuccessfulOperation", "hydratedSHA") != o.text("status", "sync", "revision"):
		return progressing("what was hydrated last is not synced yet")
	case reconciled.IsZero() || reconciled.Before(finished):
		return progressing("its health is older than its last sync")
	}
	switch health {
	case "Healthy":
		since := o.moment("status", "health", "lastTransitionTime")
		if since.IsZero() { // it is told since 3.0
			return healthy(time.Time{}, "it is healthy and synced")
		}
		return healthy(latest(since, finished), "it is healthy and synced")
	case "Degraded":
		return failed("it is degraded%s", sick(o))
	case "Progressing", "Suspended", "Missing":
		return progressing("it is %s%s", strings.ToLower(health), sick(o))
	}
	return untold("its health is unknown%s", sick(o))
}

// dry is the commit that an application's manifests were hydrated from, if they were.
func dry(o object) string {
	return o.text("status", "sourceHydrator", "lastSuccessfulOperation", "drySHA")
}

// argoError is the first error among the conditions of an application.
func argoError(o object) string {
	for _, c := range o.list("status", "conditions") {
		if strings.HasSuffix(c.text("type"), "Error") {
			return c.said("type") + ": " + c.said("message")
		}
	}
	return "it does not say why"
}

// sick names the first of an application's objects that is not healthy.
func sick(o object) string {
	for _, r := range o.list("status", "resources") {
		if h := r.said("health", "status"); h != "" && h != "Healthy" {
			text := ": " + r.said("kind") + " " + r.said("name") + " is " + strings.ToLower(h)
			if message := r.said("health", "message"); message != "" {
				text += ": " + message
			}
			return text
		}
	}
	if message := o.said("status", "health", "message"); message != "" {
		return ": " + message
	}
	return ""
}

// flux is a Kustomization or a HelmRelease. Ready=False is tried again unless it says that
// it has stalled.
func flux(o object) state {
	if o.flag("spec", "suspend") {
		return progressing("it is suspended: what is in Git does not come")
	}
	attempted, applied := o.text("status", "lastAttemptedRevision"), o.text("status", "lastAppliedRevision")
	if applied != "" && attempted != "" && attempted != applied {
		return progressing("%s is not applied yet: %s", fault.OneLine(revision(attempted)), o.because("Ready"))
	}
	return conditions(o)
}

// source is a commit that is live, and the address of its repository, where that is told.
type source struct{ repository, revision string }

// revisions gives the revisions of Git that what has brought a service says are live: those
// of an Application or a Kustomization; none where it says none, as with charts.
func revisions(kind string, o object) []source {
	if kind == kinds.Kustomization {
		return commits(source{revision: cmp.Or(o.text("status", "lastAppliedOriginRevision"), o.text("status", "lastAppliedRevision"))})
	}
	// What is hydrated is synced from a commit that was made of the one that people make.
	if commit := dry(o); commit != "" {
		return commits(source{revision: commit})
	}
	all := []source{{o.text("spec", "source", "repoURL"), o.text("status", "sync", "revision")}}
	several, _ := o.at("status", "sync", "revisions").([]any)
	sources := o.list("spec", "sources")
	for i, one := range several {
		s := source{}
		s.revision, _ = one.(string)
		if len(sources) == len(several) {
			s.repository = sources[i].text("repoURL")
		}
		all = append(all, s)
	}
	return commits(all...)
}

// commits gives those revisions that are hashes of commits. Flux writes main@sha1:HASH.
func commits(all ...source) []source {
	var out []source
	for _, s := range all {
		if r := revision(s.revision); (len(r) == 40 || len(r) == 64 && !strings.Contains(s.revision, "@sha256:")) && strings.Trim(r, "0123456789abcdef") == "" {
			out = append(out, source{s.repository, r})
		}
	}
	return out
}

// revision is the hash in a revision as Flux writes it.
func revision(text string) string {
	if _, hash, found := strings.Cut(text, "@"); found {
		_, text, _ = strings.Cut(hash, ":")
		return text
	}
	if n := strings.LastIndexByte(text, '/'); n >= 0 { // before Flux 2: main/HASH
		return text[n+1:]
	}
	return text
}
