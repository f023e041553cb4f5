package cluster_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/cluster"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

func sha(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// template is that of pods with one container.
func template(app, image string) string {
	return "{metadata: {labels: {app: " + app + "}}, spec: {containers: [{name: app, image: \"" + image + "\"}]}}"
}

func deploymentOf(namespace, name, image, status string) string {
	return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: " + name + ", namespace: " + namespace + ", labels: {part-of: shop}}, spec: {replicas: 1, selector: {matchLabels: {app: " + name + "}}, template: " +
		template(name, image) + "}, status: " + status + "}"
}

// podOf is one of a workload's, as the kubelet has it.
func podOf(namespace, app, number, image, imageID string) string {
	return "{apiVersion: v1, kind: Pod, metadata: {name: " + app + "-" + number + ", namespace: " + namespace + ", labels: {app: " + app + "}}, spec: {containers: [{name: app, image: \"" + image + "\"}]}, status: {phase: Running," +
		" conditions: [{type: Ready, status: \"True\", lastTransitionTime: \"2026-01-02T11:00:00Z\"}], containerStatuses: [{name: app, ready: true, restartCount: 0, image: x, imageID: \"" + imageID + "\", state: {running: {startedAt: \"2026-01-02T10:00:00Z\"}}}]}}"
}

const rolledOut = `{observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1,
	conditions: [{type: Available, status: "True", reason: MinimumReplicasAvailable, message: ok, lastTransitionTime: "2026-01-02T11:00:00Z", lastUpdateTime: "2026-01-02T11:00:00Z"}]}`

// The objects are those that an API server stores, with its defaults and its generation.
func TestHealth(t *testing.T) {
	ns := namespace(t, "table")
	config := kubeconfig(t, environment.Config, ns, "dev")
	image := "registry.example.com/shop/cart"
	for _, tc := range []struct {
		name, kind, apiVersion string
		objects                []string
		digest                 string
		want                   string
	}{
		{"available", "Deployment", "", []string{deploymentOf(ns, "available", image+":v2", rolledOut), podOf(ns, "available", "1", image+":v2", image+"@"+sha("2"))}, sha("2"),
			"pass: 1 of 1 pods are available, and run sha256:222222222222"},
		{"yesterday", "Deployment", "", []string{deploymentOf(ns, "yesterday", image+":v2", rolledOut), podOf(ns, "yesterday", "1", image+":v2", image+"@"+sha("1"))}, sha("2"),
			"wait: pod yesterday-1: container app runs sha256:111111111111, and not sha256:222222222222"},
		{"pinned", "Deployment", "", []string{deploymentOf(ns, "pinned", image+"@"+sha("2"), rolledOut), podOf(ns, "pinned", "1", image+"@"+sha("2"), image+"@"+sha("3"))}, sha("2"),
			"pass: 1 of 1 pods are available, and run sha256:222222222222"},
		{"nopods", "Deployment", "", []string{deploymentOf(ns, "nopods", image, rolledOut)}, sha("2"), `wait: none of the pods runs image "cart", sha256:222222222222`},
		{"unseen", "Deployment", "", []string{deploymentOf(ns, "unseen", image, "null")}, "", "wait: it has no status yet"},
		{"late", "Deployment", "", []string{deploymentOf(ns, "late", image, `{observedGeneration: 1, replicas: 1, updatedReplicas: 1, conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded, message: it has timed out}]}`)}, "",
			"fail: ProgressDeadlineExceeded: it has timed out"},
		{"paused", "Deployment", "", []string{strings.Replace(deploymentOf(ns, "paused", image, "{observedGeneration: 1}"), "spec: {replicas: 1,", "spec: {replicas: 1, paused: true,", 1)}, "",
			"wait: it is paused, and 0 of 1 pods are of the new version"},
		{"absent", "Deployment", "", nil, "", "wait: it is not there"},
		{"ondelete", "StatefulSet", "", []string{"{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: ondelete, namespace: " + ns + "}, spec: {replicas: 2, serviceName: x, updateStrategy: {type: OnDelete}, selector: {matchLabels: {app: ondelete}}, template: " +
			template("ondelete", image) + "}, status: {observedGeneration: 1, replicas: 2, readyReplicas: 2, availableReplicas: 2, currentReplicas: 2, currentRevision: a, updateRevision: b}}"}, "",
			"wait: 0 of 2 pods are of the new version: with OnDelete the others are so when somebody deletes them"},
		{"partition", "StatefulSet", "", []string{"{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: partition, namespace: " + ns + "}, spec: {replicas: 2, serviceName: x, updateStrategy: {rollingUpdate: {partition: 1}}, selector: {matchLabels: {app: partition}}, template: " +
			template("partition", image) + "}, status: {observedGeneration: 1, replicas: 2, readyReplicas: 2, availableReplicas: 2, updatedReplicas: 1, currentReplicas: 1, currentRevision: a, updateRevision: b}}"}, "",
			"wait: 1 of 2 pods are of the new version, and the others are behind the partition"},
		{"nodes", "DaemonSet", "", []string{"{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: nodes, namespace: " + ns + "}, spec: {selector: {matchLabels: {app: nodes}}, template: " + template("nodes", image) +
			"}, status: {observedGeneration: 1, currentNumberScheduled: 2, numberMisscheduled: 0, desiredNumberScheduled: 2, numberReady: 2, updatedNumberScheduled: 2, numberAvailable: 2}}", podOf(ns, "nodes", "1", image+":v2", image+"@"+sha("2"))}, sha("2"),
			"pass: 2 of 2 pods are available, and run sha256:222222222222"},
		{"running", "Job", "", []string{"{apiVersion: batch/v1, kind: Job, metadata: {name: running, namespace: " + ns + "}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: app, image: x}]}}}, status: {active: 1, startTime: \"2026-01-02T11:00:00Z\"}}"}, "",
			"wait: it runs: 0 of 1 pods have succeeded"},
		{"canary", "Rollout", "", []string{"{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: canary, namespace: " + ns + "}, spec: {replicas: 1, selector: {matchLabels: {app: canary}}, template: " + template("canary", image) +
			"}, status: {observedGeneration: \"1\", phase: Healthy, selector: app=canary, replicas: 1}}", podOf(ns, "canary", "1", image+":v2", image+"@"+sha("2"))}, sha("2"), "pass: it is healthy, and run sha256:222222222222"},
		{"step", "Rollout", "", []string{"{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: step, namespace: " + ns + "}, spec: {replicas: 1}, status: {observedGeneration: \"1\", phase: Paused, message: CanaryPauseStep}}"}, "", "wait: it is paused: CanaryPauseStep"},
		{"synced", "Application", "", []string{application(ns, "synced", `{reconciledAt: "2026-01-02T12:01:00Z", health: {status: Healthy}, sync: {status: Synced}}`)}, "", "pass: it is healthy and synced"},
		{"degraded", "Application", "", []string{application(ns, "degraded", `{reconciledAt: "2026-01-02T12:01:00Z", health: {status: Degraded}, sync: {status: Synced}}`)}, "", "fail: it is degraded"},
		{"stale", "Application", "", []string{application(ns, "stale", `{reconciledAt: "2026-01-02T11:00:00Z", health: {status: Healthy}, sync: {status: Synced}, operationState: {operation: {}, phase: Succeeded, startedAt: "2026-01-02T11:30:00Z", finishedAt: "2026-01-02T12:00:00Z"}}`)}, "",
			"wait: its health is older than its last sync"},
		{"applied", "Kustomization", "", []string{kustomization(ns, "applied", `{observedGeneration: 1, lastAppliedRevision: "main@sha1:a", lastAttemptedRevision: "main@sha1:a", conditions: [{type: Ready, status: "True", reason: ReconciliationSucceeded, message: ok, observedGeneration: 1, lastTransitionTime: "2026-01-02T12:00:00Z"}]}`)}, "", "pass: Ready"},
		{"stalled", "HelmRelease", "", []string{"{apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {name: stalled, namespace: " + ns + "}, spec: {interval: 1m}, status: {observedGeneration: 1, conditions: [{type: Stalled, status: \"True\", reason: RetriesExceeded, message: broken}]}}"}, "",
			"fail: Stalled: RetriesExceeded: broken"},
		{"mine", "Widget", "example.com/v1", []string{"{apiVersion: example.com/v1, kind: Widget, metadata: {name: mine, namespace: " + ns + "}, status: {conditions: [{type: Ready, status: \"True\", lastTransitionTime: \"2026-01-02T12:00:00Z\"}]}}"}, "", "pass: Ready"},
		{"silent", "Widget", "example.com/v1", []string{"{apiVersion: example.com/v1, kind: Widget, metadata: {name: silent, namespace: " + ns + "}, status: {phase: Fine}}"}, "",
			"unknown: its status has no condition Ready, Healthy, Available or Succeeded, and so does not tell how it is"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, o := range tc.objects {
				create(t, o)
			}
			q := cluster.Question{Targets: []cluster.Target{{Context: "dev", Kind: tc.kind, APIVersion: tc.apiVersion, Name: tc.name}}}
			if tc.digest != "" {
				q.Images = []cluster.Image{{Name: "cart", Repository: image, Digest: tc.digest}}
			}
			r := cluster.New(cluster.Options{Kubeconfig: config}).Health(t.Context(), q)
			if got := string(r.Answer) + ": " + strings.TrimPrefix(r.Reason, "dev: "+tc.kind+" "+ns+"/"+tc.name+": "); got != tc.want {
				t.Errorf("got\n\t%s\nwant\n\t%s", got, tc.want)
			}
		})
	}
}

func application(namespace, name, status string) string {
	return "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: " + name + ", namespace: " + namespace + "}, spec: {project: default, destination: {namespace: shop}, source: {repoURL: \"https://git.example.com/infra\", path: x}}, status: " + status + "}"
}

func kustomization(namespace, name, status string) string {
	return "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: " + name + ", namespace: " + namespace + "}, spec: {interval: 1m, prune: true, sourceRef: {kind: GitRepository, name: infra}}, status: " + status + "}"
}

// A change that no controller has seen: the server counts generations.
func TestGeneration(t *testing.T) {
	ns := namespace(t, "generation")
	o := create(t, deploymentOf(ns, "cart", "x:v1", rolledOut))
	c := cluster.New(cluster.Options{Kubeconfig: kubeconfig(t, environment.Config, ns, "dev")})
	q := cluster.Question{Targets: []cluster.Target{{Kind: "Deployment", Selector: "part-of=shop"}}}
	if r := c.Health(t.Context(), q); r.Answer != promote.Pass || r.Since.UTC().Format("15:04") != "11:00" {
		t.Errorf("%+v", r)
	}
	spec := o.Object["spec"].(map[string]any)
	spec["minReadySeconds"] = int64(5)
	if err := admin.Update(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if r := c.Health(t.Context(), q); r.Answer != promote.Wait || !strings.HasSuffix(r.Reason, "its controller has not seen its newest version yet") {
		t.Errorf("%+v", r)
	}
}

// role is what docs/gates.md says is enough.
func role(t *testing.T) string { return roleOf(t, "../../docs/gates.md") }

// roleOf is the role of a page of the documentation.
func roleOf(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```yaml\napiVersion: rbac.authorization.k8s.io/v1\n")
	if !found {
		t.Fatal(page + " has no role")
	}
	rest, _, _ = strings.Cut(rest, "```")
	return "apiVersion: rbac.authorization.k8s.io/v1\n" + rest
}

// newUser makes a user and a role binding in a namespace, if there is a role.
func newUser(t *testing.T, name, namespace, role string) *rest.Config {
	t.Helper()
	u, err := environment.AddUser(envtest.User{Name: name}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if role != "" {
		create(t, "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: "+name+", namespace: "+namespace+"}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "+role+"}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "+name+"}]}")
	}
	return u.Config()
}

// The documented role is enough for all that is documented, and gives no more than that.
func TestLeastRole(t *testing.T) {
	ns := namespace(t, "least")
	o := create(t, role(t))
	config := newUser(t, "promoter", ns, o.GetName())
	create(t, deploymentOf(ns, "cart", "shop/cart:v2", rolledOut))
	create(t, podOf(ns, "cart", "1", "shop/cart:v2", "shop/cart@"+sha("2")))
	create(t, application(ns, "cart", `{reconciledAt: "2026-01-02T12:01:00Z", health: {status: Healthy}, sync: {status: Synced}}`))
	create(t, kustomization(ns, "cart", `{observedGeneration: 1, conditions: [{type: Ready, status: "True", reason: x, message: ok, lastTransitionTime: "2026-01-02T12:00:00Z"}]}`))
	c := cluster.New(cluster.Options{Kubeconfig: kubeconfig(t, config, ns, "dev")})
	// An Application alone tells neither which images run nor which commit is live.
	deployment := cluster.Target{Kind: "Deployment", Name: "cart"}
	for _, targets := range [][]cluster.Target{{deployment}, {{Kind: "Deployment", Selector: "part-of=shop"}}, {deployment, {Kind: "Application", Name: "cart"}}, {deployment, {Kind: "Kustomization", Name: "cart"}}} {
		q := cluster.Question{Targets: targets, Images: []cluster.Image{{Name: "cart", Repository: "shop/cart", Digest: sha("2")}}}
		if r := c.Health(t.Context(), q); r.Answer != promote.Pass {
			t.Errorf("%+v: %+v", targets, r)
		}
	}
	reader, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.List(t.Context(), &corev1.SecretList{}, client.InNamespace(ns)); err == nil {
		t.Error("the role lets secrets be read")
	}
	if err := reader.Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "cart-1", Namespace: ns}}); err == nil {
		t.Error("the role lets pods be deleted")
	}
}

// Who may not read, whose token is no longer good, and who names what there is not, gets no
// yes, and a hint that works.
func TestUnknown(t *testing.T) {
	ns := namespace(t, "unknown")
	create(t, deploymentOf(ns, "cart", "shop/cart:v2", rolledOut))
	target := cluster.Target{Context: "dev", Kind: "Deployment", Name: "cart"}
	token := serviceAccount(t, ns)
	dead := rest.CopyConfig(environment.Config)
	dead.Host = "127.0.0.1:1"
	bearer := rest.AnonymousClientConfig(environment.Config)
	bearer.BearerToken = token
	for _, tc := range []struct{ name, file, context, want, hint string }{
		{"forbidden", kubeconfig(t, newUser(t, "stranger", ns, ""), ns, "dev"), "dev", `context dev: deployments.apps "cart" is forbidden: User "stranger" cannot get resource "deployments" in API group "apps" in the namespace "unknown"`,
			"kubectl --context dev auth can-i get deployments.apps -n unknown"},
		{"expired", kubeconfig(t, bearer, ns, "dev"), "dev", "context dev does not accept the credentials: they may have expired", "kubectl --context dev auth whoami"},
		{"another context", kubeconfig(t, environment.Config, ns, "dev"), "dve", `the kubeconfig has no context "dve"`, "did you mean dev?"},
		{"gone", kubeconfig(t, dead, ns, "dev"), "dev", "context dev cannot be reached: connection refused", "kubectl --context dev cluster-info"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			target.Context = tc.context
			r := cluster.New(cluster.Options{Kubeconfig: tc.file}).Health(t.Context(), cluster.Question{Targets: []cluster.Target{target}})
			if r.Answer != promote.Unknown || r.Reason != tc.want || r.Hint != tc.hint || strings.Contains(r.Reason, token) {
				t.Errorf("got %s\n\t%s\n\t%s\nwant\n\t%s\n\t%s", r.Answer, r.Reason, r.Hint, tc.want, tc.hint)
			}
		})
	}
}

// serviceAccount gives a token of an account that is gone since: the server has signed it,
// and accepts it no more.
func serviceAccount(t *testing.T, ns string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "ci", Namespace: ns}}
	if err := admin.Create(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	request := &authenticationv1.TokenRequest{}
	if err := admin.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatal(err)
	}
	if err := admin.Delete(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// A plugin of the kubeconfig gives the credentials, as it does for kubectl.
func TestExecPlugin(t *testing.T) {
	ns := namespace(t, "plugin")
	create(t, deploymentOf(ns, "cart", "shop/cart:v2", rolledOut))
	credential, err := json.Marshal(map[string]any{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
		"status": map[string]any{"clientCertificateData": string(environment.Config.CertData), "clientKeyData": string(environment.Config.KeyData)}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "credential.json")
	if err := os.WriteFile(file, credential, 0o600); err != nil {
		t.Fatal(err)
	}
	config := writeKubeconfig(t, environment.Config, ns, map[string]any{"exec": map[string]any{"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never", "command": "cat", "args": []string{file}}}, "dev")
	r := cluster.New(cluster.Options{Kubeconfig: config}).Health(t.Context(), cluster.Question{Targets: []cluster.Target{{Kind: "Deployment", Name: "cart"}}})
	if r.Answer != promote.Pass {
		t.Errorf("%+v", r)
	}
}
