package cluster

import (
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/internal/kinds"
)

// state is what an object says of itself.
type state struct {
	answer promote.Answer
	reason string
	// since is when it has become healthy; zero where it does not say.
	since time.Time
}

func healthy(since time.Time, format string, args ...any) state {
	return state{promote.Pass, fmt.Sprintf(format, args...), since}
}

// progressing is what may become healthy by itself.
func progressing(format string, args ...any) state {
	return state{answer: promote.Wait, reason: fmt.Sprintf(format, args...)}
}

// failed is what somebody has to mend.
func failed(format string, args ...any) state {
	return state{answer: promote.Fail, reason: fmt.Sprintf(format, args...)}
}

func untold(format string, args ...any) state {
	return state{answer: promote.Unknown, reason: fmt.Sprintf(format, args...)}
}

// judge tells how an object of a kind is, by what stands in it alone.
func judge(kind string, o object) state {
	switch status, _ := o.at("status").(map[string]any); {
	case o.has("metadata", "deletionTimestamp"):
		return progressing("it is being deleted")
	case len(status) == 0:
		return progressing("it has no status yet")
	case o.stale():
		return progressing("its controller has not seen its newest version yet")
	}
	switch kind {
	case kinds.Deployment:
		return deployment(o)
	case "StatefulSet":
		return statefulSet(o)
	case "DaemonSet":
		return daemonSet(o)
	case "ReplicaSet":
		return replicaSet(o)
	case "Job":
		return job(o)
	case "CronJob":
		return cronJob(o)
	case "Pod":
		return lonePod(o)
	case "PersistentVolumeClaim":
		return claim(o)
	case "PodDisruptionBudget":
		return budget(o)
	case "Rollout":
		return rollout(o)
	case kinds.Application:
		return application(o)
	case kinds.Kustomization, kinds.HelmRelease:
		return flux(o)
	}
	return conditions(o)
}

// conditions judges a kind that is not known by what most kinds say: conditions that have the
// meaning that they have in kstatus. What has none of them is unknown: that there is a
// status means nothing.
func conditions(o object) state {
	for _, kind := range []string{"Stalled", "Failed"} {
		if o.is(kind, "True") {
			return failed("%s: %s", kind, o.because(kind))
		}
	}
	for _, kind := range []string{"Reconciling", "Degraded"} {
		if o.is(kind, "True") {
			return progressing("%s: %s", kind, o.because(kind))
		}
	}
	for _, kind := range []string{"Synced", "Progressing"} {
		if o.is(kind, "False") && kind == "Synced" || o.is(kind, "True") && kind == "Progressing" {
			return progressing("%s: %s", kind, o.because(kind))
		}
	}
	for _, kind := range []string{"Ready", "Healthy", "Available", "Succeeded"} {
		c := o.condition(kind)
		if c == nil {
			continue
		}
		generation := o.number(0, "metadata", "generation")
		switch {
		case c.number(generation, "observedGeneration") < generation:
			return progressing("%s is not about its newest version yet", kind)
		case c.text("status") == "True":
			return healthy(c.moment("lastTransitionTime"), "%s", kind)
		}
		return progressing("not %s: %s", kind, o.because(kind))
	}
	return untold("its status has no condition Ready, Healthy, Available or Succeeded, and so does not tell how it is")
}
