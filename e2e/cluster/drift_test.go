package cluster_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/cluster"
	"github.com/kubepromote/kubepromote/promote/objects"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// desired reads objects as a renderer gives them.
func desired(t *testing.T, text string) []objects.Object {
	t.Helper()
	var all []objects.Object
	for one := range strings.SplitSeq(text, "\n---\n") {
		data, err := yaml.YAMLToJSON([]byte(one))
		if err != nil {
			t.Fatalf("%v\n%s", err, one)
		}
		var fields map[string]any
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		if err := dec.Decode(&fields); err != nil {
			t.Fatal(err)
		}
		all = append(all, objects.Of(fields))
	}
	return all
}

// kinds are the objects of testdata/kinds.yaml in a namespace.
func kinds(t *testing.T, ns string) (text string, all []objects.Object) {
	t.Helper()
	data, err := os.ReadFile("testdata/kinds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(string(data), "NS", ns)
	return text, desired(t, text)
}

// applyAs applies an object server-side, as Flux does it.
func applyAs(t *testing.T, o *objects.Object, manager string) {
	t.Helper()
	data, err := json.Marshal(o.Fields)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(o.APIVersion)
	u.SetKind(o.Kind)
	u.SetName(o.Name)
	u.SetNamespace(o.Namespace)
	if err := admin.Patch(t.Context(), u, client.RawPatch(types.ApplyPatchType, data), client.FieldOwner(manager), client.ForceOwnership); err != nil {
		t.Fatalf("%s: %v", o, err)
	}
}

// createAs makes an object as client-side apply does.
func createAs(t *testing.T, o *objects.Object, manager string) {
	t.Helper()
	data, err := json.Marshal(o.Fields)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(data, &u.Object); err != nil {
		t.Fatal(err)
	}
	u.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": string(data)})
	if err := admin.Create(t.Context(), u, client.FieldOwner(manager)); err != nil {
		t.Fatalf("%s: %v", o, err)
	}
}

// written shows differences.
func written(t *testing.T, found cluster.Drift) string {
	t.Helper()
	var b strings.Builder
	if err := objects.Write(&b, found.Differences, objects.Style{Old: "Git", New: "the cluster"}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What has just been applied is as Git has it, whatever kind it is and however it was
// applied: no default, no other form of a quantity, no zero value is drift.
func TestDriftNone(t *testing.T) {
	for name, apply := range map[string]func(t *testing.T, ns, text string, all []objects.Object){
		"serverside": func(t *testing.T, _, _ string, all []objects.Object) {
			for n := range all {
				applyAs(t, &all[n], "kustomize-controller")
			}
		},
		"created": func(t *testing.T, _, _ string, all []objects.Object) {
			for n := range all {
				createAs(t, &all[n], "kubectl-client-side-apply")
			}
		},
		"kubectl": func(t *testing.T, ns, text string, all []objects.Object) {
			kubectl, err := exec.LookPath("kubectl")
			if err != nil {
				t.Skip("there is no kubectl")
			}
			cmd := exec.CommandContext(t.Context(), kubectl, "--kubeconfig", kubeconfig(t, environment.Config, ns, "dev"), "apply", "-f", "-")
			cmd.Stdin, cmd.Env = strings.NewReader(text), append(os.Environ(), "HOME="+t.TempDir())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t, "drift-"+name)
			text, all := kinds(t, ns)
			seen := make(map[string]bool)
			for _, o := range all {
				seen[o.Kind] = true
			}
			if len(seen) < 40 {
				t.Errorf("only %d kinds", len(seen))
			}
			apply(t, ns, text, all)
			c := cluster.New(cluster.Options{Kubeconfig: kubeconfig(t, environment.Config, ns, "dev")})
			found, err := c.Drift(t.Context(), cluster.Desired{Objects: all})
			if err != nil || len(found.Differences) > 0 || len(found.Skipped) > 0 {
				t.Errorf("%v, skipped %q\n%s", err, found.Skipped, written(t, found))
			}
		})
	}
}

// edit changes an object as a person does.
func edit(t *testing.T, ns, kind, apiVersion, name, manager, patch string) {
	t.Helper()
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	u.SetName(name)
	u.SetNamespace(ns)
	data, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	of := types.StrategicMergePatchType
	if kind == "Widget" {
		of = types.MergePatchType
	}
	if err := admin.Patch(t.Context(), u, client.RawPatch(of, data), client.FieldOwner(manager)); err != nil {
		t.Fatal(err)
	}
}

// Whoever has changed, added or removed something by hand is found, by field and manager;
// what is written in another form, and a status, are no drift.
func TestDriftEdited(t *testing.T) {
	for name, apply := range map[string]func(t *testing.T, o *objects.Object){
		"edit-serverside": func(t *testing.T, o *objects.Object) { applyAs(t, o, "argocd-controller") },
		"edit-clientside": func(t *testing.T, o *objects.Object) { createAs(t, o, "kubectl-client-side-apply") },
	} {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t, name)
			_, all := kinds(t, ns)
			all = slices.DeleteFunc(all, func(o objects.Object) bool {
				return !slices.Contains([]string{"Deployment", "ConfigMap", "Secret", "Widget", "NetworkPolicy"}, o.Kind)
			})
			for n := range all {
				apply(t, &all[n])
			}
			edit(t, ns, "Deployment", "apps/v1", "web", "kubectl-edit", `{metadata: {labels: {by: hand}}, spec: {replicas: 5, template: {spec: {containers: [{name: web, env: [{name: DEBUG, value: "1"}]}, {name: spy, image: spy}]}}}}`)
			edit(t, ns, "Deployment", "apps/v1", "web", "kubectl-set", `{spec: {template: {spec: {automountServiceAccountToken: null, containers: [{name: side, image: "side:v2"}]}}}}`)
			edit(t, ns, "ConfigMap", "v1", "web", "kubectl-patch", `{data: {HOST: other.example.com}}`)
			edit(t, ns, "Secret", "v1", "web", "kubectl-patch", `{stringData: {a: stolen, c: more}}`)
			edit(t, ns, "Widget", "example.com/v1", "mine", "kubectl-edit", `{spec: {resources: {requests: {memory: 1Gi}}}}`)
			edit(t, ns, "NetworkPolicy", "networking.k8s.io/v1", "web", "kubectl-edit", `{spec: {ingress: [{from: [{namespaceSelector: {}}, {podSelector: {matchLabels: {app: web}}}], ports: [{port: 80, protocol: TCP}]}]}}`)
			c := cluster.New(cluster.Options{Kubeconfig: kubeconfig(t, environment.Config, ns, "dev")})
			missing := desired(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: gone}}")
			found, err := c.Drift(t.Context(), cluster.Desired{Namespace: ns, Objects: append(all, missing...)})
			if err != nil {
				t.Error(err)
			}
			var got []string
			for _, d := range found.Differences {
				if d.New == nil {
					got = append(got, d.Old.String()+" is missing")
				}
				for _, c := range d.Changes {
					got = append(got, d.Object().Kind+" "+c.Path.String()+": "+objects.Text(c.Old)+" -> "+objects.Text(c.New)+" by "+c.By.Name)
					if c.New != nil && c.By.Time.IsZero() {
						t.Errorf("%s: no time", c.Path)
					}
				}
			}
			want := strings.Split(`Deployment metadata.labels.by: null -> hand by kubectl-edit
Deployment spec.replicas: 0 -> 5 by kubectl-edit
Deployment spec.template.spec.automountServiceAccountToken: false -> null by 
Deployment spec.template.spec.containers[name=web].env[name=DEBUG].name: null -> DEBUG by kubectl-edit
Deployment spec.template.spec.containers[name=web].env[name=DEBUG].value: null -> 1 by kubectl-edit
Deployment spec.template.spec.containers[name=spy].image: null -> spy by kubectl-edit
Deployment spec.template.spec.containers[name=spy].imagePullPolicy: null -> Always by kubectl-edit
Deployment spec.template.spec.containers[name=spy].name: null -> spy by kubectl-edit
Deployment spec.template.spec.containers[name=spy].resources: null -> {} by kubectl-edit
Deployment spec.template.spec.containers[name=spy].terminationMessagePath: null -> /dev/termination-log by kubectl-edit
Deployment spec.template.spec.containers[name=spy].terminationMessagePolicy: null -> File by kubectl-edit
Deployment spec.template.spec.containers[name=side].image: side:v1 -> side:v2 by kubectl-set
NetworkPolicy spec.ingress[1]: {} -> null by 
ConfigMap data.HOST: web.example.com -> other.example.com by kubectl-patch
Secret data.a: *** (before) -> *** (after) by kubectl-patch
Secret data.c: null -> *** (after) by kubectl-patch
ConfigMap gone is missing`, "\n")
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// The role of docs/rendered.md is enough, and lets nothing be listed or deleted.
func TestDriftRole(t *testing.T) {
	ns := namespace(t, "drift-role")
	o := create(t, roleOf(t, "../../docs/rendered.md"))
	config := newUser(t, "drifter", ns, o.GetName())
	_, all := kinds(t, ns)
	all = slices.DeleteFunc(all, func(o objects.Object) bool {
		return !slices.Contains([]string{"Deployment", "Service", "ConfigMap", "Secret", "ServiceAccount"}, o.Kind)
	})
	for n := range all {
		applyAs(t, &all[n], "kustomize-controller")
	}
	found, err := cluster.New(cluster.Options{Kubeconfig: kubeconfig(t, config, ns, "dev")}).Drift(t.Context(), cluster.Desired{Objects: all})
	if err != nil || len(found.Differences) > 0 {
		t.Errorf("%v\n%s", err, written(t, found))
	}
	reader, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.UnstructuredList{}
	u.SetAPIVersion("v1")
	u.SetKind("SecretList")
	if err := reader.List(t.Context(), u, client.InNamespace(ns)); err == nil {
		t.Error("the role lets secrets be listed")
	}
}

// The whole way: a repository, a pipeline that says where it runs, and what the command says.
func TestDriftStory(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	ns := namespace(t, "drift-story")
	s := shop{T: t, dir: t.TempDir()}
	s.kubeconfig = kubeconfig(t, environment.Config, ns, "staging")
	const object = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: cart}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: cart}}\n  template:\n    metadata: {labels: {app: cart}}\n    spec: {containers: [{name: cart, image: cart:v1}]}\n"
	s.write("promotion.yaml", "apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  environments:\n  - name: staging\n    health: {context: \"{environment}\"}\n  - name: production\n    from: [staging]\n    health: {context: produktion}\n")
	for _, e := range []string{"staging", "production"} {
		s.write("apps/cart/overlays/"+e+"/kustomization.yaml", "resources: [deployment.yaml]\n")
		s.write("apps/cart/overlays/"+e+"/deployment.yaml", object)
	}
	if out, status := s.run("git", "init", "-q", "-b", "main"); status != 0 {
		t.Fatal(out)
	}
	s.commit("begin")
	drift := func(status int, want string, args ...string) {
		t.Helper()
		out, got := s.run(product, append([]string{"-q", "drift"}, args...)...)
		if got != status || !strings.Contains(out, want) {
			t.Errorf("%q: got %d\n%s\nwant %d, %q", args, got, out, status, want)
		}
	}
	drift(1, "- Deployment cart is in Git alone\n", "--env", "staging")
	o := desired(t, object)[0]
	o.Namespace = ns
	applyAs(t, &o, "kustomize-controller")
	drift(0, "", "--env", "staging")
	edit(t, ns, "Deployment", "apps/v1", "cart", "kubectl-edit", "{spec: {replicas: 7}}")
	drift(1, "# cart in staging (context staging)\n~ Deployment drift-story/cart: 1 field differs\n    spec.replicas  (apps/cart/overlays/staging/deployment.yaml:5)  by kubectl-edit, 20", "--env", "staging")
	drift(1, `"name": "kubectl-edit"`, "--env", "staging", "-o", "json")
	drift(0, "", "--env", "staging", "--allow", "spec.replicas")
	drift(2, `the kubeconfig has no context "produktion"`, "--env", "production")
	drift(1, "spec.replicas", "--env", "production", "--context", "staging")

	stranger := newUser(t, "drift-stranger", ns, "")
	s.kubeconfig = kubeconfig(t, stranger, ns, "staging")
	drift(2, "hint: kubectl --context staging auth can-i get deployments.apps -n drift-story", "--env", "staging")
	create(t, "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: only-get, namespace: "+ns+"}, rules: [{apiGroups: [apps], resources: [deployments], verbs: [get]}]}")
	create(t, "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: only-get, namespace: "+ns+"}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: only-get}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: drift-stranger}]}")
	drift(2, "hint: kubectl --context staging auth can-i patch deployments.apps -n drift-story", "--env", "staging")
	bearer := rest.AnonymousClientConfig(environment.Config)
	bearer.BearerToken = serviceAccount(t, ns)
	s.kubeconfig = kubeconfig(t, bearer, ns, "staging")
	drift(2, "context staging does not accept the credentials: they may have expired", "--env", "staging")
	s.kubeconfig = filepath.Join(s.dir, "none")
	drift(2, "hint: set KUBECONFIG", "--env", "staging")
}
