package cluster

import (
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"sigs.k8s.io/yaml"
)

// The cases beside those of every day are where kstatus says Current, or gives an error.
func TestJudge(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name, kind, object string
		answer             promote.Answer
		reason             string
		since              time.Time
	}{
		{"no status", "Deployment", `{spec: {replicas: 1}}`, promote.Wait, "it has no status yet", time.Time{}},
		{"an empty status", "Widget", `{status: {}}`, promote.Wait, "it has no status yet", time.Time{}},
		{"going away", "Deployment", `{metadata: {deletionTimestamp: "2026-01-02T12:00:00Z"}, status: {replicas: 1}}`, promote.Wait, "it is being deleted", time.Time{}},
		{"an old generation", "Deployment", `{metadata: {generation: 3}, status: {observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: 1}}`,
			promote.Wait, "its controller has not seen its newest version yet", time.Time{}},

		{"available", "Deployment", `{metadata: {generation: 2}, spec: {replicas: 2}, status: {observedGeneration: 2, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2,
			conditions: [{type: Available, status: "True", lastTransitionTime: "2026-01-02T11:00:00Z"}, {type: Progressing, status: "True", reason: NewReplicaSetAvailable, lastUpdateTime: "2026-01-02T12:00:00Z", lastTransitionTime: "2026-01-02T10:00:00Z"}]}}`,
			promote.Pass, "2 of 2 pods are available", noon},
		{"updating", "Deployment", `{spec: {replicas: 3}, status: {replicas: 4, updatedReplicas: 1, availableReplicas: 3}}`, promote.Wait, "1 of 3 pods are of the new version", time.Time{}},
		{"old pods", "Deployment", `{spec: {replicas: 3}, status: {replicas: 4, updatedReplicas: 3, availableReplicas: 3}}`, promote.Wait, "1 pods of an older version are still there", time.Time{}},
		{"not available", "Deployment", `{spec: {replicas: 3}, status: {replicas: 3, updatedReplicas: 3, availableReplicas: 2}}`, promote.Wait, "2 of 3 pods are available", time.Time{}},
		{"too late", "Deployment", `{spec: {replicas: 3}, status: {replicas: 3, updatedReplicas: 3, availableReplicas: 2, conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded, message: timed out}]}}`,
			promote.Fail, "ProgressDeadlineExceeded: timed out", time.Time{}},
		{"a quota", "Deployment", `{spec: {replicas: 3}, status: {conditions: [{type: ReplicaFailure, status: "True", reason: FailedCreate, message: exceeded quota}]}}`,
			promote.Wait, "pods cannot be made: FailedCreate: exceeded quota", time.Time{}},
		{"scaled to nothing", "Deployment", `{spec: {replicas: 0}, status: {observedGeneration: 1}}`, promote.Wait, "it is scaled to 0: nothing runs", time.Time{}},
		{"paused without pods", "Deployment", `{spec: {replicas: 2, paused: true}, status: {observedGeneration: 1}}`, promote.Wait, "it is paused, and 0 of 2 pods are of the new version", time.Time{}},
		{"paused when done", "Deployment", `{spec: {replicas: 1, paused: true}, status: {replicas: 1, updatedReplicas: 1, availableReplicas: 1}}`, promote.Pass, "1 of 1 pods are available", time.Time{}},

		{"ready", "StatefulSet", `{spec: {replicas: 2}, status: {replicas: 2, readyReplicas: 2, updatedReplicas: 2, currentRevision: a, updateRevision: a}}`, promote.Pass, "2 of 2 pods are ready", time.Time{}},
		{"OnDelete", "StatefulSet", `{spec: {replicas: 2, updateStrategy: {type: OnDelete}}, status: {replicas: 2, readyReplicas: 2, updatedReplicas: 0, currentRevision: a, updateRevision: b}}`,
			promote.Wait, "0 of 2 pods are of the new version: with OnDelete the others are so when somebody deletes them", time.Time{}},
		{"OnDelete, none ready", "StatefulSet", `{spec: {replicas: 2, updateStrategy: {type: OnDelete}}, status: {replicas: 2, currentRevision: a, updateRevision: a}}`, promote.Wait, "0 of 2 pods are ready", time.Time{}},
		{"a partition", "StatefulSet", `{spec: {replicas: 3, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 2}}}, status: {replicas: 3, readyReplicas: 3, updatedReplicas: 1, currentRevision: a, updateRevision: b}}`,
			promote.Wait, "1 of 3 pods are of the new version, and the others are behind the partition", time.Time{}},
		{"too many", "StatefulSet", `{spec: {replicas: 1}, status: {replicas: 2, readyReplicas: 2, updatedReplicas: 2}}`, promote.Wait, "there are 2 of 1 pods", time.Time{}},
		{"too young", "StatefulSet", `{spec: {replicas: 1, minReadySeconds: 60}, status: {replicas: 1, readyReplicas: 1, availableReplicas: 0, updatedReplicas: 1}}`, promote.Wait, "0 of 1 pods are available", time.Time{}},

		{"everywhere", "DaemonSet", `{status: {desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3}}`, promote.Pass, "3 of 3 pods are available", time.Time{}},
		{"OnDelete", "DaemonSet", `{spec: {updateStrategy: {type: OnDelete}}, status: {desiredNumberScheduled: 3, updatedNumberScheduled: 1, numberAvailable: 3}}`,
			promote.Wait, "1 of 3 pods are of the new version: with OnDelete the others are so when somebody deletes them", time.Time{}},
		{"nowhere", "DaemonSet", `{status: {desiredNumberScheduled: 0, numberMisscheduled: 0}}`, promote.Wait, "no node is to run it", time.Time{}},
		{"not available", "DaemonSet", `{status: {desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 1}}`, promote.Wait, "1 of 3 pods are available", time.Time{}},

		{"available", "ReplicaSet", `{spec: {replicas: 1}, status: {availableReplicas: 1}}`, promote.Pass, "1 of 1 pods are available", time.Time{}},
		{"empty", "ReplicaSet", `{spec: {replicas: 0}, status: {replicas: 0}}`, promote.Wait, "it is scaled to 0: nothing runs", time.Time{}},

		{"running", "Job", `{spec: {completions: 2}, status: {active: 1, succeeded: 1, startTime: "2026-01-02T12:00:00Z"}}`, promote.Wait, "it runs: 1 of 2 pods have succeeded", time.Time{}},
		{"complete", "Job", `{status: {completionTime: "2026-01-02T12:00:00Z", conditions: [{type: Complete, status: "True", lastTransitionTime: "2026-01-02T12:00:00Z"}]}}`, promote.Pass, "it is complete", noon},
		{"failed", "Job", `{status: {conditions: [{type: Failed, status: "True", reason: BackoffLimitExceeded, message: it tried}]}}`, promote.Fail, "BackoffLimitExceeded: it tried", time.Time{}},
		{"failing", "Job", `{status: {conditions: [{type: FailureTarget, status: "True", reason: PodFailurePolicy}]}}`, promote.Fail, "PodFailurePolicy", time.Time{}},
		{"suspended", "Job", `{spec: {suspend: true}, status: {conditions: [{type: Suspended, status: "True"}]}}`, promote.Wait, "it is suspended", time.Time{}},

		{"never", "CronJob", `{status: {lastScheduleTime: "2026-01-02T12:00:00Z"}}`, promote.Wait, "it has not succeeded yet", time.Time{}},
		{"well", "CronJob", `{status: {lastScheduleTime: "2026-01-02T11:00:00Z", lastSuccessfulTime: "2026-01-02T12:00:00Z"}}`, promote.Pass, "it has succeeded last at 2026-01-02T12:00:00Z", noon},
		{"not well", "CronJob", `{status: {lastScheduleTime: "2026-01-02T12:00:00Z", lastSuccessfulTime: "2026-01-02T11:00:00Z"}}`, promote.Wait, "its last run, of 2026-01-02T12:00:00Z, has not succeeded", time.Time{}},
		{"suspended", "CronJob", `{spec: {suspend: true}, status: {lastSuccessfulTime: "2026-01-02T11:00:00Z"}}`, promote.Wait, "it is suspended", time.Time{}},

		{"ready", "Pod", `{status: {phase: Running, conditions: [{type: Ready, status: "True", lastTransitionTime: "2026-01-02T12:00:00Z"}]}}`, promote.Pass, "it is ready", noon},
		{"crashing", "Pod", `{status: {phase: Running, containerStatuses: [{name: app, state: {waiting: {reason: CrashLoopBackOff}}}]}}`, promote.Fail, "container app: CrashLoopBackOff", time.Time{}},
		{"pulling", "Pod", `{status: {phase: Pending, containerStatuses: [{name: app, state: {waiting: {reason: ImagePullBackOff}}}]}}`, promote.Wait, "container app: ImagePullBackOff", time.Time{}},
		{"beginning", "Pod", `{status: {phase: Pending, containerStatuses: [{name: app, state: {waiting: {reason: ContainerCreating}}}]}}`, promote.Wait, "it is Pending and not ready", time.Time{}},
		{"failed", "Pod", `{status: {phase: Failed, message: evicted}}`, promote.Fail, "it has failed: evicted", time.Time{}},

		{"bound", "PersistentVolumeClaim", `{status: {phase: Bound}}`, promote.Pass, "it is bound", time.Time{}},
		{"lost", "PersistentVolumeClaim", `{status: {phase: Lost}}`, promote.Fail, "it has lost its volume", time.Time{}},
		{"without pods", "PodDisruptionBudget", `{status: {expectedPods: 0, currentHealthy: 0, desiredHealthy: 0}}`, promote.Wait, "it has no pods", time.Time{}},
		{"without healthy pods", "PodDisruptionBudget", `{status: {expectedPods: 3, currentHealthy: 0, desiredHealthy: 0}}`, promote.Wait, "0 of 1 pods are healthy", time.Time{}},
		{"healthy", "PodDisruptionBudget", `{status: {expectedPods: 3, currentHealthy: 3, desiredHealthy: 2}}`, promote.Pass, "3 of 2 pods are healthy", time.Time{}},

		{"a generation as text", "Rollout", `{metadata: {generation: 7}, status: {observedGeneration: "7", phase: Healthy, conditions: [{type: Healthy, status: "True", lastTransitionTime: "2026-01-02T12:00:00Z"}]}}`, promote.Pass, "it is healthy", noon},
		{"an old one", "Rollout", `{metadata: {generation: 7}, status: {observedGeneration: "6", phase: Healthy}}`, promote.Wait, "its controller has not seen its newest version yet", time.Time{}},
		{"paused", "Rollout", `{status: {phase: Paused, message: CanaryPauseStep}}`, promote.Wait, "it is paused: CanaryPauseStep", time.Time{}},
		{"degraded", "Rollout", `{status: {phase: Degraded, message: deadline}}`, promote.Fail, "it is degraded: deadline", time.Time{}},
		{"aborted", "Rollout", `{status: {phase: Degraded, abort: true, message: by hand}}`, promote.Fail, "it was aborted: by hand", time.Time{}},
		{"a workload elsewhere", "Rollout", `{metadata: {annotations: {rollout.argoproj.io/workload-generation: "4"}}, status: {phase: Healthy, workloadObservedGeneration: "3"}}`,
			promote.Wait, "its controller has not seen the newest version of its workload yet", time.Time{}},

		{"healthy", "Application", `{status: {reconciledAt: "2026-01-02T12:01:00Z", health: {status: Healthy, lastTransitionTime: "2026-01-02T11:00:00Z"}, sync: {status: Synced}, operationState: {phase: Succeeded, finishedAt: "2026-01-02T12:00:00Z"}}}`,
			promote.Pass, "it is healthy and synced", noon},
		{"healthy before", "Application", `{status: {reconciledAt: "2026-01-02T11:59:00Z", health: {status: Healthy}, sync: {status: Synced}, operationState: {phase: Succeeded, finishedAt: "2026-01-02T12:00:00Z"}}}`,
			promote.Wait, "its health is older than its last sync", time.Time{}},
		{"degraded and out of sync", "Application", `{status: {reconciledAt: "2026-01-02T12:01:00Z", health: {status: Degraded}, sync: {status: OutOfSync}}}`, promote.Wait, "it is OutOfSync", time.Time{}},
		{"degraded", "Application", `{status: {reconciledAt: "2026-01-02T12:01:00Z", health: {status: Degraded}, sync: {status: Synced}, resources: [{kind: Service, name: a, health: {status: Healthy}}, {kind: Deployment, name: cart, health: {status: Degraded, message: deadline}}]}}`,
			promote.Fail, "it is degraded: Deployment cart is degraded: deadline", time.Time{}},
		{"syncing", "Application", `{status: {health: {status: Healthy}, sync: {status: OutOfSync}, operationState: {phase: Running, message: waiting for hooks}}}`, promote.Wait, "a sync is running: waiting for hooks", time.Time{}},
		{"a sync that failed", "Application", `{status: {health: {status: Healthy}, sync: {status: OutOfSync}, operationState: {phase: Failed, message: broken}}}`, promote.Fail, "its sync has failed: broken", time.Time{}},
		{"a hook that failed behind what is synced", "Application", `{status: {reconciledAt: "2026-01-02T12:01:00Z", health: {status: Healthy}, sync: {status: Synced}, operationState: {phase: Failed, finishedAt: "2026-01-02T12:00:00Z", message: PostSync hook smoke-test failed}}}`, promote.Fail, "its sync has failed: PostSync hook smoke-test failed", time.Time{}},
		{"an error behind what is synced", "Application", `{status: {reconciledAt: "2026-01-02T12:01:00Z", health: {status: Healthy}, sync: {status: Synced}, operationState: {phase: Error, finishedAt: "2026-01-02T12:00:00Z", message: broken}}}`, promote.Fail, "its sync has failed: broken", time.Time{}},
		{"no comparison", "Application", `{status: {sync: {status: Unknown}, conditions: [{type: ComparisonError, message: no such repository}]}}`, promote.Unknown, "its sync is unknown: ComparisonError: no such repository", time.Time{}},
		{"missing", "Application", `{status: {reconciledAt: "2026-01-02T12:01:00Z", health: {status: Missing}, sync: {status: Synced}}}`, promote.Wait, "it is missing", time.Time{}},
		{"hydrated and not synced", "Application", `{status: {reconciledAt: "2026-01-02T12:01:00Z", health: {status: Healthy}, sync: {status: Synced, revision: aaaa}, sourceHydrator: {lastSuccessfulOperation: {drySHA: dddd, hydratedSHA: bbbb}}}}`,
			promote.Wait, "what was hydrated last is not synced yet", time.Time{}},

		{"ready", "Kustomization", `{metadata: {generation: 1}, status: {observedGeneration: 1, lastAppliedRevision: "main@sha1:aa", lastAttemptedRevision: "main@sha1:aa", conditions: [{type: Ready, status: "True", observedGeneration: 1, lastTransitionTime: "2026-01-02T12:00:00Z"}]}}`,
			promote.Pass, "Ready", noon},
		{"not applied", "Kustomization", `{status: {lastAppliedRevision: "main@sha1:aa", lastAttemptedRevision: "main@sha1:bb", conditions: [{type: Ready, status: "False", reason: HealthCheckFailed, message: timeout}]}}`,
			promote.Wait, "bb is not applied yet: HealthCheckFailed: timeout", time.Time{}},
		{"tried again", "Kustomization", `{status: {conditions: [{type: Ready, status: "False", reason: BuildFailed, message: broken}]}}`, promote.Wait, "not Ready: BuildFailed: broken", time.Time{}},
		{"stalled", "HelmRelease", `{status: {conditions: [{type: Stalled, status: "True", reason: RetriesExceeded, message: broken}, {type: Ready, status: "False"}]}}`, promote.Fail, "Stalled: RetriesExceeded: broken", time.Time{}},
		{"suspended", "HelmRelease", `{spec: {suspend: true}, status: {conditions: [{type: Ready, status: "True"}]}}`, promote.Wait, "it is suspended: what is in Git does not come", time.Time{}},
		{"reconciling", "HelmRelease", `{status: {conditions: [{type: Reconciling, status: "True", reason: Progressing}, {type: Ready, status: "True"}]}}`, promote.Wait, "Reconciling: Progressing", time.Time{}},

		{"a status that says nothing", "Widget", `{status: {phase: Fine}}`, promote.Unknown, "its status has no condition Ready, Healthy, Available or Succeeded, and so does not tell how it is", time.Time{}},
		{"a condition about before", "Widget", `{metadata: {generation: 2}, status: {conditions: [{type: Ready, status: "True", observedGeneration: 1}]}}`, promote.Wait, "Ready is not about its newest version yet", time.Time{}},
		{"not synced", "Widget", `{status: {conditions: [{type: Ready, status: "True"}, {type: Synced, status: "False", reason: ReconcileError}]}}`, promote.Wait, "not Synced: ReconcileError", time.Time{}},
		{"of the wrong shape", "Deployment", `{spec: {replicas: [1]}, status: {conditions: {type: x}, replicas: {}}}`, promote.Wait, "0 of 1 pods are of the new version", time.Time{}},
	} {
		t.Run(tc.kind+" "+tc.name, func(t *testing.T) {
			var o object
			if err := yaml.Unmarshal([]byte(tc.object), &o); err != nil {
				t.Fatal(err)
			}
			s := judge(tc.kind, o)
			if s.answer != tc.answer || s.reason != tc.reason || !s.since.Equal(tc.since) {
				t.Errorf("got %s, %q, since %v; want %s, %q, since %v", s.answer, s.reason, s.since, tc.answer, tc.reason, tc.since)
			}
		})
	}
}

const (
	sum1 = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	sum2 = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
	sum3 = "sha256:3333333333333333333333333333333333333333333333333333333333333333"
)

// A healthy pod of yesterday's image is no proof of today's.
func TestRunning(t *testing.T) {
	for _, tc := range []struct {
		name   string
		images []Image
		pods   string
		want   string
	}{
		{"pinned", []Image{{"cart", "r.example.com/cart", sum2}}, `[{spec: {containers: [{name: a, image: "r.example.com/cart:v2@` + sum2 + `"}]}, status: {containerStatuses: [{name: a, imageID: "r.example.com/cart@` + sum3 + `"}]}}]`, ""},
		{"by a tag", []Image{{"cart", "r.example.com/cart", sum2}}, `[{spec: {containers: [{name: a, image: "r.example.com:5000/cart:v2"}]}, status: {containerStatuses: [{name: a, imageID: "docker-pullable://r.example.com/cart@` + sum2 + `"}]}}]`, ""},
		{"the old one", []Image{{"cart", "r.example.com/cart", sum2}}, `[{metadata: {name: p}, spec: {containers: [{name: a, image: "r.example.com/cart:v1"}]}, status: {containerStatuses: [{name: a, imageID: "r.example.com/cart@` + sum1 + `"}]}}]`,
			"pod p: container a runs sha256:111111111111, and not sha256:222222222222"},
		{"one of two", []Image{{"cart", "r.example.com/cart", sum2}}, `[{spec: {containers: [{name: a, image: "r.example.com/cart@` + sum2 + `"}]}, status: {containerStatuses: [{name: a, imageID: "r.example.com/cart@` + sum2 + `"}]}},
			{metadata: {name: q}, spec: {containers: [{name: a, image: "r.example.com/cart@` + sum1 + `"}]}, status: {containerStatuses: [{name: a, imageID: "r.example.com/cart@` + sum1 + `"}]}}]`,
			"pod q: container a runs sha256:111111111111, and not sha256:222222222222"},
		{"not begun", []Image{{"cart", "r.example.com/cart", sum2}}, `[{metadata: {name: p}, spec: {containers: [{name: a, image: "r.example.com/cart@` + sum2 + `"}]}, status: {containerStatuses: [{name: a}]}}]`,
			"pod p: container a runs nothing yet, and not sha256:222222222222"},
		{"another repository", []Image{{"cart", "prod.example.com/cart", sum2}}, `[{spec: {containers: [{name: a, image: "dev.example.com/cart@` + sum2 + `"}, {name: b, image: envoy}]}, status: {containerStatuses: [{name: a, imageID: "dev.example.com/cart@` + sum2 + `"}]}}]`, ""},
		{"nowhere", []Image{{"cart", "r.example.com/cart", sum2}}, `[{spec: {containers: [{name: b, image: envoy}]}}]`, `none of the pods runs image "cart", sha256:222222222222`},
		{"no pods", []Image{{"cart", "r.example.com/cart", sum2}}, `[]`, `none of the pods runs image "cart", sha256:222222222222`},
		{"an id without a digest", []Image{{"cart", "", sum2}}, `[{spec: {containers: [{name: a, image: cart}]}, status: {containerStatuses: [{name: a, imageID: "` + sum2 + `"}]}}]`, `none of the pods runs image "cart", sha256:222222222222`},
		{"Docker Hub", []Image{{"nginx", "docker.io/library/nginx", sum2}}, `[{metadata: {name: p}, spec: {initContainers: [{name: a, image: "nginx:1"}]}, status: {initContainerStatuses: [{name: a, imageID: "docker.io/library/nginx@` + sum1 + `"}]}}]`,
			"pod p: container a runs sha256:111111111111, and not sha256:222222222222"},
		{"two of one repository", []Image{{"web", "r/app", sum1}, {"job", "r/app", sum2}}, `[{spec: {containers: [{name: a, image: "r/app@` + sum1 + `"}, {name: b, image: "r/app@` + sum2 + `"}]}, status: {containerStatuses: [{name: a, imageID: "r/app@` + sum1 + `"}, {name: b, imageID: "r/app@` + sum2 + `"}]}}]`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var pods []pod
			if err := yaml.Unmarshal([]byte(tc.pods), &pods); err != nil {
				t.Fatal(err)
			}
			if s, _ := running(tc.images, pods); s.reason != tc.want || (s.answer == promote.Pass) != (tc.want == "") {
				t.Errorf("got %s %q, want %q", s.answer, s.reason, tc.want)
			}
		})
	}
}

func TestRevisions(t *testing.T) {
	const a, b = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	for _, tc := range []struct {
		kind, object string
		want         []string
	}{
		{"Application", `{status: {sync: {revision: ` + a + `}}}`, []string{a}},
		{"Application", `{status: {sync: {revisions: ["1.2.3", ` + b + `, ""]}}}`, []string{b}},
		{"Application", `{status: {sync: {revision: "1.2.3"}}}`, nil},
		{"Application", `{status: {sync: {revision: ` + a + `}, sourceHydrator: {lastSuccessfulOperation: {drySHA: ` + b + `, hydratedSHA: ` + a + `}}}}`, []string{b}},
		{"Kustomization", `{status: {lastAppliedRevision: "main@sha1:` + a + `"}}`, []string{a}},
		{"Kustomization", `{status: {lastAppliedRevision: "main/` + a + `"}}`, []string{a}},
		{"Kustomization", `{status: {lastAppliedRevision: "latest@` + sum1 + `"}}`, nil},
		{"Kustomization", `{status: {lastAppliedRevision: "latest@` + sum1 + `", lastAppliedOriginRevision: "main@sha1:` + b + `"}}`, []string{b}},
		{"Kustomization", `{status: {lastAppliedRevision: "--upload-pack=x"}}`, nil},
	} {
		var o object
		if err := yaml.Unmarshal([]byte(tc.object), &o); err != nil {
			t.Fatal(err)
		}
		if got := revisions(tc.kind, o); len(got) != len(tc.want) || len(got) > 0 && got[0].revision != tc.want[0] {
			t.Errorf("%s: got %v, want %v", tc.object, got, tc.want)
		}
	}
}
