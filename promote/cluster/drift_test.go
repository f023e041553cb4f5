package cluster

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/internal/apitest"
	"github.com/kubepromote/kubepromote/promote/objects"
	"sigs.k8s.io/yaml"
)

func fieldsOf(t *testing.T, text string) map[string]any {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	fields, err := decoded(data)
	if err != nil {
		t.Fatal(err)
	}
	return fields
}

const (
	gitCart = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart}, spec: {replicas: 2, template: {spec: {containers: [{name: cart, image: "cart:v1", ports: [{containerPort: 80}]}]}}}}`
	// What applying makes of it: what others have added stays.
	dryCart = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop, annotations: {note: hers}}, spec: {replicas: 2, paused: true, template: {spec: {containers: [{name: cart, image: "cart:v1", env: [{name: DEBUG, value: "1"}],
  ports: [{containerPort: 80, protocol: TCP}]}, {name: side, image: side}]}}}, status: {replicas: 1}}`
	liveCart = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop, resourceVersion: "7", annotations: {note: hers}, managedFields: [
  {manager: kubectl-client-side-apply, operation: Update, time: "2026-01-01T00:00:00Z", fieldsV1: {"f:spec": {"f:replicas": {}, "f:strategy": {}, "f:template": {"f:spec": {"f:containers": {'k:{"name":"cart"}': {".": {}, "f:image": {}}}}}}}},
  {manager: kube-controller-manager, operation: Update, subresource: status, time: "2026-01-03T00:00:00Z", fieldsV1: {"f:status": {"f:replicas": {}}}},
  {manager: kubectl-edit, operation: Update, time: "2026-01-02T03:04:05Z", fieldsV1: {"f:metadata": {"f:annotations": {".": {}, "f:note": {}}}, "f:spec": {"f:replicas": {}, "f:paused": {}, "f:template": {"f:spec": {"f:containers": {
    'k:{"name":"cart"}': {"f:env": {".": {}, 'k:{"name":"DEBUG"}': {".": {}, "f:name": {}, "f:value": {}}}, "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {"f:protocol": {}}}},
    'k:{"name":"side"}': {".": {}, "f:image": {}, "f:name": {}}}}}}}}]},
  spec: {replicas: 3, paused: true, template: {spec: {containers: [{name: cart, image: "cart:v1", env: [{name: DEBUG, value: "1"}], ports: [{containerPort: 80, protocol: TCP}]}, {name: side, image: side}]}}}, status: {replicas: 3}}`
)

// A dry run does not show what somebody has added (kubernetes/kubectl#1744): managedFields
// do. Defaults, the status, and what those who apply own is no drift.
func TestCompared(t *testing.T) {
	git := objects.Of(fieldsOf(t, gitCart))
	for _, tc := range []struct {
		name, live string
		more       []string
		want       string
	}{
		{"edited", liveCart, nil, `~ Deployment shop/cart: 7 fields differ
    metadata.annotations.note  by kubectl-edit, 2026-01-02T03:04:05Z
    + hers
    spec.paused  by kubectl-edit, 2026-01-02T03:04:05Z
    + true
    spec.replicas  by kubectl-edit, 2026-01-02T03:04:05Z
    - 2
    + 3
    spec.template.spec.containers[name=cart].env[name=DEBUG].name  by kubectl-edit, 2026-01-02T03:04:05Z
    + DEBUG
    spec.template.spec.containers[name=cart].env[name=DEBUG].value  by kubectl-edit, 2026-01-02T03:04:05Z
    + 1
    spec.template.spec.containers[name=side].image  by kubectl-edit, 2026-01-02T03:04:05Z
    + side
    spec.template.spec.containers[name=side].name  by kubectl-edit, 2026-01-02T03:04:05Z
    + side
`},
		{"by one who applies", liveCart, []string{"kubectl-edit"}, "~ Deployment shop/cart: 1 field differs\n    spec.replicas  by kubectl-edit, 2026-01-02T03:04:05Z\n    - 2\n    + 3\n"},
		{"the same", strings.Replace(dryCart, "metadata: {name: cart,", "metadata: {name: cart, uid: x,", 1), nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b strings.Builder
			if d := compared(&git, fieldsOf(t, dryCart), fieldsOf(t, tc.live), tc.more); d != nil {
				if err := objects.Write(&b, []objects.Difference{*d}, objects.Style{}); err != nil {
					t.Fatal(err)
				}
			}
			if b.String() != tc.want {
				t.Errorf("got\n%s\nwant\n%s", &b, tc.want)
			}
		})
	}
}

// Values of Secrets are in no difference and no message; the server keeps stringData as data.
func TestComparedSecret(t *testing.T) {
	git := objects.Of(fieldsOf(t, `{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: hidden}}`))
	dry := fieldsOf(t, `{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: aGlkZGVu, b: c2VjcmV0}}`)
	live := fieldsOf(t, `{apiVersion: v1, kind: Secret, metadata: {name: s, managedFields: [{manager: kubectl-edit, operation: Update, fieldsV1: {"f:data": {"f:a": {}, "f:b": {}}}}]}, data: {a: b3RoZXI=, b: c2VjcmV0}}`)
	d := compared(&git, dry, live, nil)
	if d == nil || len(d.Changes) != 2 || objects.Text(d.Changes[0].Old) != "*** (before)" || objects.Text(d.Changes[0].New) != "*** (after)" || d.Changes[1].Old != nil || objects.Text(d.Changes[1].New) != "*** (after)" {
		t.Errorf("%+v", d)
	}
}

// One quantity in two forms is no drift; a text that looks like one is.
func TestSameQuantity(t *testing.T) {
	for _, tc := range []struct {
		path     objects.Path
		old, now any
		same     bool
	}{
		{objects.Path{"spec", "resources", "limits", "memory"}, "1024Mi", "1Gi", true},
		{objects.Path{"spec", "resources", "limits", "cpu"}, "1", "1000m", true},
		{objects.Path{"spec", "resources", "limits", "cpu"}, "1", "1001m", false},
		{objects.Path{"spec", "resources", "limits", "cpu"}, nil, "0", false},
		{objects.Path{"spec", "version"}, "1.0", "1", false},
	} {
		if got := sameQuantity(objects.Change{Path: tc.path, Old: tc.old, New: tc.now}); got != tc.same {
			t.Errorf("%s: %v and %v: %v", tc.path, tc.old, tc.now, got)
		}
	}
}

// An answer that is something else than the object is no answer: a page to log in at, with
// 200, was taken for an object in which nothing differs.
func TestDriftAnotherAnswer(t *testing.T) {
	const at = "/apis/apps/v1/namespaces/shop/deployments/cart"
	const dry = at + "?dryRun=All&fieldManager=kubectl-promote&force=true"
	for _, answer := range []string{`{}`, `raw:null`, `raw:[]`, `raw:"x"`, `{error: login}`, `{kind: Deployment, metadata: {name: other}}`, `{kind: Status, status: Success, metadata: {}}`} {
		for _, answers := range []map[string]string{{at: answer, dry: answer}, {at: liveCart, dry: answer}, {at: answer, dry: dryCart}} {
			s := apitest.Serve(t, answers)
			c := New(Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "dev")})
			found, err := c.Drift(t.Context(), Desired{Objects: []objects.Object{objects.Of(fieldsOf(t, gitCart))}})
			if err == nil || err.Error() != "context dev: Deployment cart: it answered something else than the object" || len(found.Differences) > 0 {
				t.Errorf("%s: %v, %v", answer, found, err)
			}
		}
	}
}

// An object that names no namespace is in that of its release, else in that of the
// environment; one that is in none is in none.
func TestDriftOfRelease(t *testing.T) {
	s := apitest.Serve(t, map[string]string{"/apis/rbac.authorization.k8s.io/v1": `{resources: [{name: clusterroles, kind: ClusterRole}]}`})
	c := New(Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "dev")})
	var git []objects.Object
	for _, text := range []string{gitCart, strings.Replace(gitCart, "name: cart", "name: cart, namespace: own", 1), `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: cart}}`} {
		o := objects.Of(fieldsOf(t, text))
		o.Release = &objects.Release{By: "Application cart", Namespace: "released"}
		git = append(git, o)
	}
	git = append(git, objects.Of(fieldsOf(t, gitCart)))
	if _, err := c.Drift(t.Context(), Desired{Namespace: "env", Objects: git}); err != nil {
		t.Error(err)
	}
	asked := s.Asked()
	slices.Sort(asked)
	want := "/apis/apps/v1/namespaces/env/deployments/cart /apis/apps/v1/namespaces/own/deployments/cart /apis/apps/v1/namespaces/released/deployments/cart " +
		"/apis/rbac.authorization.k8s.io/v1 /apis/rbac.authorization.k8s.io/v1/clusterroles/cart"
	if got := strings.Join(asked, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What an Application installs in another cluster was compared with what the one that was
// asked has by the same name. So was what it installs in one that Argo CD calls as the context is
// called: the names of Argo CD are its own, and only the pipeline file says whose they are.
func TestDriftElsewhere(t *testing.T) {
	s := apitest.Serve(t, nil)
	c := New(Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "dev")})
	contexts := map[string][]string{"dev-1": {"dev", "other"}, "prod-1": {"prod"}}
	for at, want := range map[string]string{
		"dev-1": "", s.URL: "",
		"dev":                      `Application cart installs in cluster dev, and whether that is context "dev" cannot be told`,
		"https://prod.example.com": `Application cart installs in cluster https://prod.example.com, and whether that is context "dev" cannot be told`,
		"prod-1":                   `Application cart installs in cluster prod-1, which is context "prod", and not "dev"`,
	} {
		before := len(s.Asked())
		o := objects.Of(fieldsOf(t, gitCart))
		o.Release = &objects.Release{By: "Application cart", Cluster: at}
		got, err := c.Drift(t.Context(), Desired{Namespace: "env", Objects: []objects.Object{o}, Contexts: func(cluster string) []string { return contexts[cluster] }})
		if (err != nil) != (want != "") || err != nil && !strings.HasPrefix(err.Error(), want+":") && !strings.Contains(err.Error(), want) || len(got.Differences) > 0 && want != "" {
			t.Errorf("%s: %v, %v", at, got.Differences, err)
		}
		if asked := len(s.Asked()) > before; asked != (want == "") {
			t.Errorf("%s: asked: %v", at, asked)
		}
	}
}

// A Secret of Flux that is called as a context is was taken for that context.
func TestDriftElsewhereUnknown(t *testing.T) {
	s := apitest.Serve(t, nil)
	c := New(Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "dev")})
	o := objects.Of(fieldsOf(t, gitCart))
	o.Release = &objects.Release{By: "HelmRelease cart", ClusterOf: "Secret dev"}
	got, err := c.Drift(t.Context(), Desired{Namespace: "env", Objects: []objects.Object{o}})
	if err == nil || !strings.Contains(err.Error(), `HelmRelease cart installs in the cluster that its Secret dev says, and whether that is context "dev" cannot be told`) || len(got.Differences) > 0 || len(s.Asked()) > 0 {
		t.Errorf("%+v, %v, %v", got, err, s.Asked())
	}
}

// What is not there is missing, what cannot be compared is an error that names it once, and
// where the whole cluster says no, nothing else is asked for.
func TestDrift(t *testing.T) {
	const at = "/apis/apps/v1/namespaces/shop/deployments/cart"
	s := apitest.Serve(t, map[string]string{
		at: liveCart,
		at + "?dryRun=All&fieldManager=kubectl-promote&force=true": dryCart,
		"/api/v1":                           `{resources: [{name: secrets, kind: Secret, namespaced: true}]}`,
		"/api/v1/namespaces/shop/secrets/s": `{apiVersion: v1, kind: Secret, metadata: {name: s}}`,
		"/api/v1/namespaces/shop/secrets/s?dryRun=All&fieldManager=kubectl-promote&force=true": `422 {kind: Status, reason: Invalid, message: "Invalid value: hidden", details: {name: s}}`,
	})
	git := []objects.Object{
		objects.Of(fieldsOf(t, gitCart)),
		objects.Of(fieldsOf(t, strings.Replace(gitCart, "name: cart", "name: web", 1))),
		objects.Of(fieldsOf(t, `{apiVersion: v1, kind: Secret, metadata: {name: s}}`)),
		objects.Of(fieldsOf(t, `{apiVersion: batch/v1, kind: Job, metadata: {generateName: migrate-}}`)),
		objects.Of(fieldsOf(t, `{apiVersion: batch/v1, kind: Job, metadata: {name: migrate, annotations: {argocd.argoproj.io/hook: PreSync}}}`)),
	}
	c := New(Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "dev")})
	found, err := c.Drift(t.Context(), Desired{Objects: git})
	if err == nil || err.Error() != "context dev: Secret s cannot be compared: applying it would be refused (422)" {
		t.Error(err)
	}
	if len(found.Differences) != 2 || found.Differences[0].Object().Name != "cart" || found.Differences[1].New != nil || found.Differences[1].Old.Name != "web" || len(found.Skipped) != 2 {
		t.Errorf("%+v", found)
	}
	c = New(Options{Kubeconfig: s.Kubeconfig(t, "no", "dev")})
	_, err = c.Drift(t.Context(), Desired{Objects: git})
	if err == nil || err.Error() != "context dev does not accept the credentials: they may have expired" {
		t.Error(err)
	}
	if _, err = c.Drift(t.Context(), Desired{Context: "dve"}); err == nil || err.Error() != `the kubeconfig has no context "dve"` {
		t.Error(err)
	}
}
