package gate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/cluster"
	"github.com/kubepromote/kubepromote/promote/internal/apitest"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// shop is what runs in the cluster: cart's Deployment, its pods, and what has brought it.
func shop() map[string]string {
	return map[string]string{
		"/apis/apps/v1/namespaces/shop/deployments/cart": `{kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {replicas: 1, selector: {matchLabels: {app: cart}}},
			status: {replicas: 1, updatedReplicas: 1, availableReplicas: 1, conditions: [{type: Available, status: "True", lastTransitionTime: "2026-11-27T15:22:00Z"}]}}`,
		"/api/v1/namespaces/shop/pods": `{kind: PodList, items: [{metadata: {name: cart-1}, spec: {containers: [{name: app, image: "shop/cart@` + sha("2") + `"}]}, status: {phase: Running, containerStatuses: [{name: app, imageID: "shop/cart@` + sha("2") + `"}]}}]}`,
		"/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/cart-staging": `{kind: Application, metadata: {name: cart-staging, namespace: argocd}, status: {reconciledAt: "2026-11-27T15:29:00Z", health: {status: Healthy},
			sync: {status: Synced, revision: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}, operationState: {phase: Succeeded, finishedAt: "2026-11-27T15:20:00Z"}}}`,
		"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/cart": `{kind: Kustomization, metadata: {name: cart, namespace: flux-system}, status: {lastAppliedRevision: "main@sha1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			conditions: [{type: Ready, status: "True", lastTransitionTime: "2026-11-27T15:10:00Z"}]}}`,
		"/apis/helm.toolkit.fluxcd.io/v2/namespaces/shop/helmreleases/cart": `{kind: HelmRelease, metadata: {name: cart, namespace: shop}, status: {conditions: [{type: Ready, status: "True", lastTransitionTime: "2026-11-27T15:10:00Z"}]}}`,
	}
}

func TestHealth(t *testing.T) {
	brought := change(30, promote.Pin{Digest: sha("1")}, promote.Pin{Tag: "v2", Digest: sha("2")})
	brought.Commit = "cccccccccccccccccccccccccccccccccccccccc"
	contains := func(_ context.Context, commit, revision string) (bool, error) {
		if commit != brought.Commit || revision != strings.Repeat("a", 40) {
			return false, errors.New("asked about another commit")
		}
		return true, nil
	}
	older := func(context.Context, string, string) (bool, error) { return false, nil }
	absent := func(context.Context, string, string) (bool, error) {
		return false, errors.New("this clone has no commit a")
	}
	own := &pipeline.Pipeline{Spec: pipeline.Spec{Environments: []pipeline.Environment{{Name: "staging", Health: &pipeline.Health{Context: "of-{environment}", Kind: "Deployment", Name: "{service}"}}}}}
	const runs = "1 of 1 pods are available, and run sha256:222222222222"
	const inline = "- health: {context: eu, kind: Deployment}"
	for _, tc := range []struct {
		name, list string
		change     func(d *Deps, answers map[string]string)
		want       string
	}{
		{"healthy", inline, nil, "pass: eu: Deployment shop/cart: " + runs},
		{"in several contexts", "- health: {contexts: [eu, us]}", nil, "pass: eu: Deployment shop/cart: " + runs + "; us: Deployment shop/cart: " + runs},
		{"as its environment says", "- health: {environment: staging, context: 'of-{from}', name: '{service}'}", nil, "pass: of-staging: Deployment shop/cart: " + runs},
		{"an older digest", inline, func(_ *Deps, a map[string]string) {
			a["/api/v1/namespaces/shop/pods"] = strings.ReplaceAll(a["/api/v1/namespaces/shop/pods"], sha("2"), sha("1"))
		}, "wait: eu: Deployment shop/cart: pod cart-1: container app runs sha256:111111111111, and not sha256:222222222222"},
		{"an image that does not run there", "- health: {context: eu, kind: Deployment, images: [side]}", nil, "pass: eu: Deployment shop/cart: 1 of 1 pods are available; none of the images that it names is promoted"},
		{"offline", inline, func(d *Deps, _ map[string]string) { d.Clusters = nil }, "unknown: no cluster may be asked; ask-registry"},
		{"Argo CD", "- health: {context: eu, argocd: {application: '{service}-staging'}}", nil, "pass: eu: Application argocd/cart-staging: it is healthy and synced at aaaaaaaaaaaa; which images run was not looked at"},
		{"Argo CD and pods", "- health: {context: eu, kind: Deployment, argocd: {application: '{service}-{from}', context: us}}", nil,
			"pass: eu: Deployment shop/cart: " + runs + "; us: Application argocd/cart-staging: it is healthy and synced at aaaaaaaaaaaa"},
		{"Argo CD, behind", "- health: {context: eu, argocd: {application: '{service}-staging'}}", func(d *Deps, _ map[string]string) { d.Contains = older },
			"wait: eu: Application argocd/cart-staging: aaaaaaaaaaaa is live, which does not have cccccccccccc"},
		{"a commit that was not fetched", "- health: {context: eu, argocd: {application: '{service}-staging'}}", func(d *Deps, _ map[string]string) { d.Contains = absent }, "unknown: this clone has no commit a"},
		{"no history", "- health: {context: eu, argocd: {application: x}}", func(d *Deps, _ map[string]string) { d.History = nil }, "unknown: there is no history to read, and so nobody can tell which commit must be live"},
		{"not by digest", "- health: {context: eu, argocd: {application: x}}", func(d *Deps, _ map[string]string) {
			d.History = NewHistory(changes(change(30, promote.Pin{Tag: "v1"}, promote.Pin{Tag: "v2"})))
		}, `unknown: image "cart": staging does not have sha256:222222222222 by its digest, and so nobody can tell which commit must be live; hint: pin staging by digest`},
		{"a Kustomization", "- health: {context: eu, flux: {kustomization: '{service}'}}", nil, "pass: eu: Kustomization flux-system/cart: Ready at aaaaaaaaaaaa; which images run was not looked at"},
		{"a HelmRelease", "- health: {context: eu, flux: {helmRelease: '{service}', namespace: shop}}", nil, "unknown: eu: HelmRelease shop/cart: Ready; neither which images run nor which commit is live was looked at; hint: kind: Deployment"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answers := shop()
			s := apitest.Serve(t, answers)
			d := Deps{Clusters: cluster.New(cluster.Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "eu", "us", "of-staging")}), History: NewHistory(changes(brought)), Contains: contains}
			if tc.change != nil {
				tc.change(&d, answers)
			}
			want(t, ask(t, tc.list, d, cart()), tc.want)
		})
	}
	s := apitest.Serve(t, shop())
	d := Deps{Clusters: cluster.New(cluster.Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "of-staging")}), Pipeline: own}
	g, err := New(pipeline.Gate{Health: &pipeline.Health{}}, d)
	if err != nil {
		t.Fatal(err)
	}
	want(t, outline(g.Check(t.Context(), cart())), "pass: of-staging: Deployment shop/cart: "+runs)
	g, err = New(pipeline.Gate{Health: &pipeline.Health{Environment: "dev"}}, d)
	if err != nil {
		t.Fatal(err)
	}
	want(t, outline(g.Check(t.Context(), cart())), `unknown: environment "dev" does not say where its health is seen`)
}

// What is healthy where a chart alone is promoted may run any version of it: nothing was
// compared, and it passed.
func TestHealthOfNoImages(t *testing.T) {
	s := apitest.Serve(t, shop())
	d := Deps{Clusters: cluster.New(cluster.Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "eu")}), History: NewHistory(changes())}
	d.Contains = func(_ context.Context, commit, _ string) (bool, error) { return commit == "delivered", nil }
	q := cart()
	q.Images, q.Along = nil, []promote.AlongPlan{{Kind: "chart", Name: "redis", Old: "1.0.0", New: "2.0.0"}}
	check := func(list, answer string) {
		t.Helper()
		want(t, outline(gates(t, list, d)[0].Check(t.Context(), q)), answer)
	}
	const none = "; no image is promoted, and nobody can tell whether it is what else is promoted that runs; hint: when: size(images) > 0"
	check("- health: {context: eu, kind: Deployment}", "unknown: eu: Deployment shop/cart: 1 of 1 pods are available"+none)
	check("- health: {context: eu, argocd: {application: cart-staging}}", "unknown: eu: Application argocd/cart-staging: it is healthy and synced"+none)
	check("- {health: {context: eu, kind: Deployment}, when: size(images) > 0}", "pass: not asked, as size(images) > 0 does not hold")
	check("- health: {context: eu, kind: Deployment, name: web}", "wait: eu: Deployment shop/web: it is not there")
	// Of what was delivered it is known which commit has it.
	q.From, q.To, q.Head = "staging", "staging", "delivered"
	check("- health: {context: eu, argocd: {application: cart-staging}}", "pass: eu: Application argocd/cart-staging: it is healthy and synced at aaaaaaaaaaaa")
	q.Head = "another"
	check("- health: {context: eu, argocd: {application: cart-staging}}", "wait: eu: Application argocd/cart-staging: aaaaaaaaaaaa is live, which does not have another")
	q.Images = []promote.ImagePlan{{Name: "cart", Repository: "shop/cart", New: promote.Pin{Tag: "v2"}}}
	check("- health: {context: eu, kind: Deployment}", "unknown: eu: Deployment shop/cart: 1 of 1 pods are available; the digest of image \"cart\" is not known, so nobody can tell whether it runs")
}

// Healthy since is what the conditions say: it begins anew with a restart that the history
// of the repository knows nothing of.
func TestSoakHealthy(t *testing.T) {
	s := apitest.Serve(t, shop())
	d := Deps{Clusters: cluster.New(cluster.Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "eu")})}
	soak := func(minutes int, list string) string {
		d.History = NewHistory(changes(change(minutes, promote.Pin{Digest: sha("1")}, promote.Pin{Tag: "v2", Digest: sha("2")})))
		return outline(gates(t, list, d)[1].Check(t.Context(), cart()))
	}
	const kind = "- health: {context: eu, kind: Deployment}\n"
	want(t, soak(60, kind+"- soak: {for: 5m, healthy: true}"), "pass: staging has had sha256:222222222222 since 2026-11-27 14:30 UTC; 5m are asked for; it has been healthy since 2026-11-27 15:22 UTC")
	want(t, soak(60, kind+"- soak: {for: 10m, healthy: true}"), "wait: it has been healthy since 2026-11-27 15:22 UTC, and is asked to be so until 2026-11-27 15:32 UTC [11-27 15:32]; await")
	want(t, soak(2, kind+"- soak: {for: 10m, healthy: true}"), "wait: staging has had sha256:222222222222 since 2026-11-27 15:28 UTC; 10m are asked for, until 2026-11-27 15:38 UTC [11-27 15:38]; await")
	want(t, soak(60, "- health: {context: eu, argocd: {application: cart-staging}}\n- soak: {for: 10m, healthy: true}"), "unknown: there is no history to read, and so nobody can tell which commit must be live")
	d.Contains = func(context.Context, string, string) (bool, error) { return true, nil }
	want(t, soak(60, "- health: {context: eu, argocd: {application: cart-staging}}\n- soak: {for: 10m, healthy: true}"),
		"unknown: since when it is healthy, it does not say: eu: Application argocd/cart-staging: it is healthy and synced at aaaaaaaaaaaa; which images run was not looked at")
	want(t, soak(60, "- health: {context: eu, name: web}\n- soak: {for: 10m, healthy: true}"), "wait: not healthy: eu: Deployment shop/web: it is not there")
	want(t, soak(2, "- health: {context: no}\n- soak: {for: 10m, healthy: true}"), `unknown: not healthy: the kubeconfig has no context "no"; hint: kubectl config get-contexts`)
	g, err := New(pipeline.Gate{Soak: &pipeline.SoakGate{For: "1m", Healthy: true}}, d)
	if err != nil {
		t.Fatal(err)
	}
	want(t, outline(g.Check(t.Context(), cart())), "unknown: there is no gate beside it that tells how the images are")
}

// Many services are asked about side by side, and a cluster that hangs costs its own limit.
func TestHealthOfMany(t *testing.T) {
	s := apitest.Serve(t, shop())
	d := Deps{Clusters: cluster.New(cluster.Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "eu")})}
	g := gates(t, "- health: {context: eu, name: cart}", d)[0]
	answers := make(chan promote.Answer)
	begin := time.Now()
	const services = 200
	for range services {
		go func() { answers <- promote.AskGate(t.Context(), g, cart()).Answer }()
	}
	for range services {
		if a := <-answers; a != promote.Pass {
			t.Fatal(a)
		}
	}
	t.Logf("%d services took %s", services, time.Since(begin).Round(time.Millisecond))
	if n := len(s.Asked()); n != 2*services {
		t.Errorf("%d requests", n)
	}
}
