package cluster

import (
	"time"
)

func deployment(o object) state {
	wanted, updated, available := o.number(1, "spec", "replicas"), o.number(0, "status", "updatedReplicas"), o.number(0, "status", "availableReplicas")
	all := o.number(0, "status", "replicas")
	switch c := o.condition("Progressing"); {
	case c.text("reason") == "ProgressDeadlineExceeded":
		return failed("%s", o.because("Progressing"))
	case o.is("ReplicaFailure", "True"):
		return progressing("pods cannot be made: %s", o.because("ReplicaFailure"))
	case wanted == 0:
		return progressing("it is scaled to 0: nothing runs")
	case o.flag("spec", "paused") && updated < wanted:
		return progressing("it is paused, and %s of the new version", of(updated, wanted, "pods are"))
	case updated < wanted:
		return progressing("%s of the new version", of(updated, wanted, "pods are"))
	case all > updated:
		return progressing("%d pods of an older version are still there", all-updated)
	case available < wanted:
		return progressing("%s", of(available, wanted, "pods are available"))
	case o.is("Available", "False"):
		return progressing("not available: %s", o.because("Available"))
	}
	since := o.condition("Available").moment("lastTransitionTime")
	// The roll-out of a version that was available all the time ends here.
	if done := o.condition("Progressing"); done.text("reason") == "NewReplicaSetAvailable" {
		since = latest(since, done.moment("lastUpdateTime"))
	}
	return healthy(since, "%s", of(available, wanted, "pods are available"))
}

func replicaSet(o object) state {
	wanted, available := o.number(1, "spec", "replicas"), o.number(0, "status", "availableReplicas")
	switch {
	case o.is("ReplicaFailure", "True"):
		return progressing("pods cannot be made: %s", o.because("ReplicaFailure"))
	case wanted == 0:
		return progressing("it is scaled to 0: nothing runs")
	case available < wanted:
		return progressing("%s", of(available, wanted, "pods are available"))
	}
	return healthy(time.Time{}, "%s", of(available, wanted, "pods are available"))
}

// statefulSet counts pods whatever the strategy: one that waits for somebody to delete its
// pods, or stops at a partition, has not brought the new version everywhere.
func statefulSet(o object) state {
	wanted, updated, ready := o.number(1, "spec", "replicas"), o.number(0, "status", "updatedReplicas"), o.number(0, "status", "readyReplicas")
	available := o.number(ready, "status", "availableReplicas")
	partition := o.number(0, "spec", "updateStrategy", "rollingUpdate", "partition")
	switch {
	case wanted == 0:
		return progressing("it is scaled to 0: nothing runs")
	case o.text("status", "currentRevision") != o.text("status", "updateRevision") && updated < wanted:
		return progressing("%s of the new version%s", of(updated, wanted, "pods are"), heldBack(o, partition))
	case o.number(wanted, "status", "replicas") != wanted:
		return progressing("there are %s", of(o.number(0, "status", "replicas"), wanted, "pods"))
	case ready < wanted:
		return progressing("%s", of(ready, wanted, "pods are ready"))
	case available < wanted:
		return progressing("%s", of(available, wanted, "pods are available"))
	}
	return healthy(time.Time{}, "%s", of(ready, wanted, "pods are ready"))
}

// heldBack says why the other pods are not replaced, where that is by intent.
func heldBack(o object, partition int) string {
	switch {
	case o.text("spec", "updateStrategy", "type") == "OnDelete":
		return ": with OnDelete the others are so when somebody deletes them"
	case partition > 0:
		return ", and the others are behind the partition"
	}
	return ""
}

func daemonSet(o object) state {
	wanted, updated := o.number(0, "status", "desiredNumberScheduled"), o.number(0, "status", "updatedNumberScheduled")
	available := o.number(0, "status", "numberAvailable")
	switch {
	case wanted == 0:
		return progressing("no node is to run it")
	case updated < wanted:
		return progressing("%s of the new version%s", of(updated, wanted, "pods are"), heldBack(o, 0))
	case available < wanted:
		return progressing("%s", of(available, wanted, "pods are available"))
	}
	return healthy(time.Time{}, "%s", of(available, wanted, "pods are available"))
}

func job(o object) state {
	switch {
	case o.is("Complete", "True"):
		return healthy(latest(o.condition("Complete").moment("lastTransitionTime"), o.moment("status", "completionTime")), "it is complete")
	case o.is("Failed", "True"):
		return failed("%s", o.because("Failed"))
	case o.is("FailureTarget", "True"):
		return failed("%s", o.because("FailureTarget"))
	case o.flag("spec", "suspend"):
		return progressing("it is suspended")
	}
	return progressing("it runs: %s", of(o.number(0, "status", "succeeded"), o.number(1, "spec", "completions"), "pods have succeeded"))
}

func cronJob(o object) state {
	began, succeeded := o.moment("status", "lastScheduleTime"), o.moment("status", "lastSuccessfulTime")
	switch {
	case o.flag("spec", "suspend"):
		return progressing("it is suspended")
	case succeeded.IsZero():
		return progressing("it has not succeeded yet")
	case succeeded.Before(began) && len(o.list("status", "active")) == 0:
		return progressing("its last run, of %s, has not succeeded", began.UTC().Format(time.RFC3339))
	}
	return healthy(succeeded, "it has succeeded last at %s", succeeded.UTC().Format(time.RFC3339))
}

func claim(o object) state {
	switch phase := o.said("status", "phase"); phase {
	case "Bound":
		return healthy(time.Time{}, "it is bound")
	case "Lost":
		return failed("it has lost its volume")
	default:
		return progressing("it is %s", phase)
	}
}

func budget(o object) state {
	has, wanted := o.number(0, "status", "currentHealthy"), o.number(0, "status", "desiredHealthy")
	switch {
	case o.number(0, "status", "expectedPods") == 0:
		return progressing("it has no pods")
	case has < wanted || has == 0:
		return progressing("%s", of(has, max(wanted, 1), "pods are healthy"))
	}
	return healthy(time.Time{}, "%s", of(has, wanted, "pods are healthy"))
}

// lonePod is a pod that was asked for by itself.
func lonePod(o object) state {
	switch phase := o.said("status", "phase"); phase {
	case "Succeeded":
		return healthy(time.Time{}, "it has succeeded")
	case "Failed":
		return failed("it has failed: %s", o.said("status", "message"))
	case "Running":
		if o.is("Ready", "True") {
			return healthy(o.condition("Ready").moment("lastTransitionTime"), "it is ready")
		}
	}
	for _, list := range []string{"initContainerStatuses", "containerStatuses"} {
		for _, c := range o.list("status", list) {
			switch reason := c.said("state", "waiting", "reason"); reason {
			case "", "PodInitializing", "ContainerCreating":
			case "CrashLoopBackOff":
				return failed("container %s: %s", c.said("name"), reason)
			default:
				return progressing("container %s: %s", c.said("name"), reason)
			}
		}
	}
	return progressing("it is %s and not ready", o.said("status", "phase"))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
