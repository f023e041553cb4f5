package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/internal/apitest"
	"github.com/kubepromote/kubepromote/promote/internal/kinds"
	"github.com/kubepromote/kubepromote/promote/objects"
)

const (
	deployments = "/apis/apps/v1/namespaces/shop/deployments"
	pods        = "/api/v1/namespaces/shop/pods"
	apps        = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
	atA         = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// cartIs is a Deployment that is available since eleven.
func cartIs(name string) string {
	return `{kind: Deployment, metadata: {name: ` + name + `, namespace: shop, generation: 1}, spec: {replicas: 1, selector: {matchLabels: {app: ` + name + `}}},
		status: {observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1, conditions: [{type: Available, status: "True", lastTransitionTime: "2026-01-02T11:00:00Z"}]}}`
}

func podsOf(digest string) string {
	return `{kind: PodList, items: [{metadata: {name: cart-1}, spec: {containers: [{name: app, image: "shop/cart:v2"}]}, status: {phase: Running, containerStatuses: [{name: app, imageID: "shop/cart@` + digest + `"}]}}]}`
}

const (
	helm     = "/apis/helm.toolkit.fluxcd.io/v2/namespaces/shop/helmreleases/cart"
	release  = `{kind: HelmRelease, metadata: {name: cart, namespace: shop}, status: {conditions: [{type: Ready, status: "True", lastTransitionTime: "2026-01-02T11:00:00Z"}]}}`
	cronJobs = "/apis/batch/v1/namespaces/shop/cronjobs/cart"
)

// cron is a CronJob that has made something of an image at noon.
func cron(image string) string {
	return `{kind: CronJob, metadata: {name: cart, namespace: shop}, spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: app, image: "` + image + `"}]}}}}},
		status: {lastScheduleTime: "2026-01-02T11:00:00Z", lastSuccessfulTime: "2026-01-02T12:00:00Z"}}`
}

const argo = `{kind: Application, metadata: {name: cart, namespace: argocd}, status: {reconciledAt: "2026-01-02T12:01:00Z", health: {status: Healthy, lastTransitionTime: "2026-01-02T11:30:00Z"},
	sync: {status: Synced, revision: ` + atA + `}, operationState: {phase: Succeeded, finishedAt: "2026-01-02T11:20:00Z"}}}`

var cart = Target{Context: "dev", Kind: "Deployment", Name: "cart"}

func outline(r Report) string {
	text := fmt.Sprintf("%s: %s", r.Answer, r.Reason)
	if !r.Since.IsZero() {
		text += " since " + r.Since.UTC().Format("15:04")
	}
	if r.Hint != "" {
		text += "; hint: " + r.Hint
	}
	return text
}

func noSleep(context.Context, time.Duration) error { return nil }

func TestHealth(t *testing.T) {
	image := []Image{{"cart", "shop/cart", sum2}}
	in := func(answer bool, err error) func(context.Context, string, string) (bool, error) {
		return func(_ context.Context, commit, revision string) (bool, error) {
			if commit != "c1" || revision != atA {
				return false, errors.New("asked about " + commit + " in " + revision)
			}
			return answer, err
		}
	}
	for _, tc := range []struct {
		name    string
		answers map[string]string
		q       Question
		want    string
	}{
		{"healthy", map[string]string{deployments + "/cart": cartIs("cart"), pods: podsOf(sum2)}, Question{Targets: []Target{cart}, Images: image},
			"pass: dev: Deployment shop/cart: 1 of 1 pods are available, and run sha256:222222222222 since 11:00"},
		{"of another image", map[string]string{deployments + "/cart": cartIs("cart"), pods: podsOf(sum1)}, Question{Targets: []Target{cart}, Images: image},
			"wait: dev: Deployment shop/cart: pod cart-1: container app runs sha256:111111111111, and not sha256:222222222222"},
		{"not there", nil, Question{Targets: []Target{cart}}, "wait: dev: Deployment shop/cart: it is not there"},
		{"why pods do not come", map[string]string{deployments + "/cart": strings.Replace(cartIs("cart"), "availableReplicas: 1", "availableReplicas: 0", 1),
			pods: `{kind: PodList, items: [{metadata: {name: cart-1}, status: {containerStatuses: [{name: app, state: {waiting: {reason: ErrImagePull, message: "no such tag\nat all"}}}]}}]}`},
			Question{Targets: []Target{cart}}, "wait: dev: Deployment shop/cart: 0 of 1 pods are available; pod cart-1: ErrImagePull: no such tag at all"},
		{"by labels", map[string]string{deployments: `{kind: DeploymentList, items: [` + cartIs("cart") + `, ` + strings.Replace(cartIs("worker"), "11:00", "11:10", 1) + `]}`, pods: podsOf(sum2)},
			Question{Targets: []Target{{Context: "dev", Kind: "Deployment", Selector: "part-of=cart"}}, Images: image},
			"pass: dev: Deployment shop/cart: 1 of 1 pods are available; dev: Deployment shop/worker: 1 of 1 pods are available, and run sha256:222222222222 since 11:10"},
		{"by labels, and one of another image", map[string]string{deployments: `{kind: DeploymentList, items: [` + cartIs("cart") + `, ` + cartIs("worker") + `]}`,
			pods + "?labelSelector=app%3Dcart&limit=250": podsOf(sum1), pods + "?labelSelector=app%3Dworker&limit=250": podsOf(sum2)},
			Question{Targets: []Target{{Context: "dev", Kind: "Deployment", Selector: "part-of=cart"}}, Images: image},
			"wait: dev: Deployment shop/cart: pod cart-1: container app runs sha256:111111111111, and not sha256:222222222222"},
		{"no labels", map[string]string{deployments: `{kind: DeploymentList, items: []}`}, Question{Targets: []Target{{Context: "dev", Kind: "Deployment", Selector: "part-of=cart"}}},
			"wait: dev: Deployment shop/with part-of=cart: there is none"},
		{"a kind of their own", map[string]string{"/apis/example.com/v1": `{resources: [{name: widgets, kind: Widget, namespaced: true}, {name: widgets/status, kind: Widget, namespaced: true}]}`,
			"/apis/example.com/v1/namespaces/shop/widgets/cart": `{kind: Widget, metadata: {name: cart, namespace: shop}, status: {conditions: [{type: Ready, status: "True", lastTransitionTime: "2026-01-02T11:00:00Z"}]}}`},
			Question{Targets: []Target{{Context: "dev", Kind: "Widget", APIVersion: "example.com/v1", Name: "cart"}}, Images: image},
			"unknown: dev: Widget shop/cart: Ready; neither which images run nor which commit is live was looked at; hint: kind: Deployment"},
		{"a claim has no pods", map[string]string{"/api/v1/namespaces/shop/persistentvolumeclaims/cart": `{kind: PersistentVolumeClaim, metadata: {name: cart, namespace: shop}, status: {phase: Bound}}`}, Question{Targets: []Target{{Context: "dev", Kind: "PersistentVolumeClaim", Name: "cart"}}, Images: image},
			"unknown: dev: PersistentVolumeClaim shop/cart: it is bound; neither which images run nor which commit is live was looked at; hint: kind: Deployment"},
		{"a release knows of no commit", map[string]string{helm: release}, Question{Targets: []Target{{Context: "dev", Kind: "HelmRelease", Name: "cart"}}, Images: image, Commits: []string{"c1"}, Contains: in(true, nil)},
			"unknown: dev: HelmRelease shop/cart: Ready; neither which images run nor which commit is live was looked at; hint: kind: Deployment"},
		{"and its pods tell", map[string]string{helm: release, deployments + "/cart": cartIs("cart"), pods: podsOf(sum2)}, Question{Targets: []Target{{Context: "dev", Kind: "HelmRelease", Name: "cart"}, cart}, Images: image},
			"pass: dev: HelmRelease shop/cart: Ready; dev: Deployment shop/cart: 1 of 1 pods are available, and run sha256:222222222222 since 11:00"},
		{"what nobody has to compare", map[string]string{helm: release}, Question{Targets: []Target{{Context: "dev", Kind: "HelmRelease", Name: "cart"}}}, "pass: dev: HelmRelease shop/cart: Ready since 11:00"},
		{"what a CronJob makes", map[string]string{cronJobs: cron("shop/cart:v2@" + sum2)}, Question{Targets: []Target{{Context: "dev", Kind: "CronJob", Name: "cart"}}, Images: image},
			"pass: dev: CronJob shop/cart: it has succeeded last at 2026-01-02T12:00:00Z, and run sha256:222222222222 since 12:00"},
		{"what a CronJob makes, of another image", map[string]string{cronJobs: cron("shop/cart:v1@" + sum1)}, Question{Targets: []Target{{Context: "dev", Kind: "CronJob", Name: "cart"}}, Images: image},
			"wait: dev: CronJob shop/cart: pod of its template: container app runs sha256:111111111111, and not sha256:222222222222"},
		{"what a CronJob makes, by a tag", map[string]string{cronJobs: cron("shop/cart:v2")}, Question{Targets: []Target{{Context: "dev", Kind: "CronJob", Name: "cart"}}, Images: image},
			"unknown: dev: CronJob shop/cart: pod of its template: container app has a tag alone, and nobody can tell what that is"},
		{"a kind that there is not", map[string]string{"/apis/example.com/v1": `{resources: []}`}, Question{Targets: []Target{{Context: "dev", Kind: "Widget", APIVersion: "example.com/v1", Name: "cart"}}},
			"unknown: context dev has no kind Widget of example.com/v1; hint: kubectl --context dev api-resources"},
		{"a group that there is not", map[string]string{"/apis/example.com/v1": `404 "404 page not found"`}, Question{Targets: []Target{{Context: "dev", Kind: "Widget", APIVersion: "example.com/v1", Name: "cart"}}},
			"unknown: context dev does not have example.com/v1; hint: kubectl --context dev api-versions"},
		{"the revision", map[string]string{apps + "/cart": argo}, Question{Targets: []Target{{Context: "dev", Namespace: "argocd", Kind: "Application", Name: "cart"}}, Commits: []string{"c1"}, Contains: in(true, nil)},
			"pass: dev: Application argocd/cart: it is healthy and synced at aaaaaaaaaaaa since 11:30"},
		{"another revision", map[string]string{apps + "/cart": argo}, Question{Targets: []Target{{Context: "dev", Namespace: "argocd", Kind: "Application", Name: "cart"}}, Commits: []string{"c1"}, Contains: in(false, nil)},
			"wait: dev: Application argocd/cart: aaaaaaaaaaaa is live, which does not have c1"},
		{"a revision that nobody has", map[string]string{apps + "/cart": argo}, Question{Targets: []Target{{Context: "dev", Namespace: "argocd", Kind: "Application", Name: "cart"}}, Commits: []string{"c1"}, Contains: in(false, errors.New("no commit aaaa"))},
			"unknown: no commit aaaa"},
		{"forbidden", map[string]string{deployments + "/cart": `403 {kind: Status, reason: Forbidden, message: 'deployments.apps "cart" is forbidden: User "u" cannot get resource'}`}, Question{Targets: []Target{cart}},
			`unknown: context dev: deployments.apps "cart" is forbidden: User "u" cannot get resource; hint: kubectl --context dev auth can-i get deployments.apps -n shop`},
		{"pods forbidden", map[string]string{deployments + "/cart": cartIs("cart"), pods: `403 {kind: Status, reason: Forbidden, message: pods is forbidden}`}, Question{Targets: []Target{cart}, Images: image},
			"unknown: context dev: pods is forbidden; hint: kubectl --context dev auth can-i list pods -n shop"},
		{"pods forbidden that nobody needs", map[string]string{deployments + "/cart": cartIs("cart"), pods: `403 {}`}, Question{Targets: []Target{cart}}, "pass: dev: Deployment shop/cart: 1 of 1 pods are available since 11:00"},
		{"broken", map[string]string{deployments + "/cart": `500 {kind: Status, message: "etcd\nis gone"}`}, Question{Targets: []Target{cart}}, "unknown: context dev: Deployment cart in namespace shop: etcd is gone"},
		{"busy", map[string]string{deployments + "/cart": `429 {}`}, Question{Targets: []Target{cart}}, "unknown: context dev: Deployment cart in namespace shop: it answered 429"},
		{"no object", map[string]string{deployments + "/cart": `raw:<html>`}, Question{Targets: []Target{cart}}, "unknown: context dev: Deployment cart in namespace shop: it answered something else than an object"},
		{"no such context", nil, Question{Targets: []Target{{Context: "dve", Kind: "Deployment", Name: "cart"}}}, `unknown: the kubeconfig has no context "dve"; hint: did you mean dev?`},
		{"a no before what is unknown", map[string]string{deployments + "/cart": `403 {}`, apps + "/cart": strings.Replace(argo, "status: Healthy", "status: Degraded", 1)},
			Question{Targets: []Target{cart, {Context: "dev", Namespace: "argocd", Kind: "Application", Name: "cart"}}}, "fail: dev: Application argocd/cart: it is degraded"},
		{"several contexts", map[string]string{deployments + "/cart": cartIs("cart")}, Question{Targets: []Target{cart, {Context: "us", Kind: "Deployment", Name: "web"}}}, "wait: us: Deployment shop/web: it is not there"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := apitest.Serve(t, tc.answers)
			c := New(Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "dev", "us"), Sleep: noSleep})
			if got := outline(c.Health(t.Context(), tc.q)); got != tc.want {
				t.Errorf("got\n\t%s\nwant\n\t%s", got, tc.want)
			}
		})
	}
}

// Of several sources one of this repository decides. A chart's or another repository's, whose
// revision no clone has, made the answer unknown for ever.
func TestSeveralSources(t *testing.T) {
	const atB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	at := func(first, second, firstURL, secondURL string) string {
		return `{kind: Application, metadata: {name: cart, namespace: argocd}, spec: {sources: [{repoURL: ` + firstURL + `}, {repoURL: ` + secondURL + `}]}, status: {reconciledAt: "2026-01-02T12:01:00Z", health: {status: Healthy},
			sync: {status: Synced, revisions: [` + first + `, ` + second + `]}, operationState: {phase: Succeeded, finishedAt: "2026-01-02T11:20:00Z"}}}`
	}
	for _, tc := range []struct {
		name, app string
		known     map[string]bool // what the clone has, and whether that contains the commit
		want      string
	}{
		{"another repository first", at(atB, atA, "other", "infra"), map[string]bool{atA: true}, "pass: dev: Application argocd/cart: it is healthy and synced at aaaaaaaaaaaa"},
		{"another repository, and ours behind", at(atB, atA, "other", "infra"), map[string]bool{atA: false}, "wait: dev: Application argocd/cart: aaaaaaaaaaaa is live, which does not have c1"},
		{"two of ours, one ahead", at(atB, atA, "infra", "infra"), map[string]bool{atA: true, atB: false}, "pass: dev: Application argocd/cart: it is healthy and synced at aaaaaaaaaaaa"},
		{"two of ours, one not fetched", at(atB, atA, "infra", "infra"), map[string]bool{atA: false}, "unknown: no commit bbbb"},
		{"none of ours", at(atB, atA, "other", "another"), nil, "unknown: no commit bbbb"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := apitest.Serve(t, map[string]string{apps + "/cart": tc.app})
			c := New(Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "dev"), Sleep: noSleep})
			q := Question{Targets: []Target{{Context: "dev", Namespace: "argocd", Kind: "Application", Name: "cart"}}, Commits: []string{"c1"}}
			q.Contains = func(_ context.Context, _, revision string) (bool, error) {
				has, ok := tc.known[revision]
				if !ok {
					return false, errors.New("no commit " + revision[:4])
				}
				return has, nil
			}
			if got := outline(c.Health(t.Context(), q)); got != tc.want {
				t.Errorf("got\n\t%s\nwant\n\t%s", got, tc.want)
			}
		})
	}
}

// What answers with something else is no cluster: a page to log in at passed for objects
// that nothing is known of, and for pods that there are none of.
func TestAnotherAnswer(t *testing.T) {
	for answer, want := range map[string]string{
		`{}`:                            "it answered something else than the object",
		`raw:null`:                      "it answered something else than the object",
		`{error: login, login: "/sso"}`: "it answered something else than the object",
		`{kind: Deployment, metadata: {name: other}}`: "it answered something else than the object",
		`{kind: Status, metadata: {name: cart}}`:      "it answered something else than the object",
		`raw:[]`:                                      "it answered something else than an object",
	} {
		s := apitest.Serve(t, map[string]string{deployments + "/cart": answer})
		c := New(Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "dev")})
		if r := c.Health(t.Context(), Question{Targets: []Target{cart}}); outline(r) != "unknown: context dev: Deployment cart in namespace shop: "+want {
			t.Errorf("%s: %s", answer, outline(r))
		}
		s.Put(deployments+"/cart", cartIs("cart"))
		s.Put(pods, answer)
		if answer == "raw:[]" {
			continue
		}
		if r := c.Health(t.Context(), Question{Targets: []Target{cart}, Images: []Image{{"cart", "shop/cart", sum2}}}); outline(r) != "unknown: context dev: pods in namespace shop: it answered something else than a list" {
			t.Errorf("%s: %s", answer, outline(r))
		}
	}
}

// A server that takes the request and says nothing, or a little at a time, is given up.
func TestSilence(t *testing.T) {
	stop := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			_, _ = w.Write([]byte(" "))
			w.(http.Flusher).Flush()
		}
		if r.URL.Path == "/api/v1/namespaces/shop/configmaps/a" && r.Method == http.MethodGet {
			_, _ = w.Write([]byte(`{"kind": "ConfigMap", "metadata": {"name": "a"}}`))
			return
		}
		if r.URL.Path == "/api/v1" {
			_, _ = w.Write([]byte(`{"resources": [{"name": "configmaps", "kind": "ConfigMap", "namespaced": true}]}`))
			return
		}
		<-stop
	}))
	defer s.Close()
	defer close(stop)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte("apiVersion: v1\nkind: Config\ncurrent-context: dev\nclusters: [{name: c, cluster: {server: \""+s.URL+"\"}}]\ncontexts: [{name: dev, context: {cluster: c, namespace: shop}}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		c := New(Options{Kubeconfig: file, Timeout: 200 * time.Millisecond})
		_, err := c.Drift(t.Context(), Desired{Objects: []objects.Object{objects.Of(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}})}})
		if err == nil || err.Error() != "context dev cannot be reached: no answer in time" {
			t.Error(name, err)
		}
	}
}

// Pages are followed, and so bounded.
func TestPages(t *testing.T) {
	page := func(more string) string {
		return strings.Replace(podsOf(sum2), "items:", "metadata: {continue: "+more+"}, items:", 1)
	}
	s := apitest.Serve(t, map[string]string{deployments + "/cart": cartIs("cart"), pods: page("again"), pods + "?labelSelector=app%3Dcart&limit=250": page("two"),
		pods + "?continue=two&labelSelector=app%3Dcart&limit=250": podsOf(sum1)})
	c := New(Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "dev")})
	q := Question{Targets: []Target{cart}, Images: []Image{{"cart", "shop/cart", sum2}}}
	if got := outline(c.Health(t.Context(), q)); !strings.Contains(got, "runs sha256:111111111111") {
		t.Error(got)
	}
	s.Put(pods+"?continue=two&labelSelector=app%3Dcart&limit=250", page("again"))
	if got := outline(c.Health(t.Context(), q)); got != `unknown: there are more than 5000 pods in namespace shop with "app=cart"` {
		t.Error(got)
	}
}

// A cluster that asks for patience is asked again, and no more than three times.
func TestPatience(t *testing.T) {
	s := apitest.Serve(t, map[string]string{deployments + "/cart": "503 {}"})
	tries := 0
	c := New(Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "dev"), Sleep: func(context.Context, time.Duration) error {
		if tries++; tries == 2 {
			s.Put(deployments+"/cart", cartIs("cart"))
		}
		return nil
	}})
	if r := c.Health(t.Context(), Question{Targets: []Target{cart}}); r.Answer != promote.Pass || tries != 2 {
		t.Errorf("%+v after %d", r, tries)
	}
}

// What stands in a kubeconfig stands in no message, whatever is wrong with it.
func TestKubeconfigs(t *testing.T) {
	const secret = "hunter2-hunter2"
	dead := apitest.Serve(t, nil)
	gone := dead.Kubeconfig(t, secret, "dev")
	dead.Close()
	alive := apitest.Serve(t, nil)
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "kubeconfig")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	exec := `{apiVersion: v1, kind: Config, current-context: dev, clusters: [{name: c, cluster: ` + alive.Cluster() + `}], contexts: [{name: dev, context: {cluster: c, user: u}}],
		users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: `
	for _, tc := range []struct{ name, file, want string }{
		{"expired", alive.Kubeconfig(t, secret, "dev"), "unknown: context dev does not accept the credentials: they may have expired; hint: kubectl --context dev auth whoami"},
		{"gone", gone, "unknown: context dev cannot be reached: connection refused; hint: kubectl --context dev cluster-info"},
		{"absent", filepath.Join(t.TempDir(), "none"), "unknown: the kubeconfig cannot be used: stat "},
		{"broken", write("users: [{name: u, user: {token: " + secret + "\n"), "unknown: the kubeconfig cannot be used: "},
		// It was taken for no kubeconfig at all.
		{"a cluster that is not there", write("{apiVersion: v1, kind: Config, current-context: dev, contexts: [{name: dev, context: {cluster: c}}]}"),
			`unknown: context "dev" is of the cluster "c", which the kubeconfig does not have; hint: kubectl config view`},
		{"a user that is not there", write("{apiVersion: v1, kind: Config, current-context: dev, clusters: [{name: c, cluster: " + alive.Cluster() + "}], contexts: [{name: dev, context: {cluster: c, user: u}}]}"),
			`unknown: context "dev" is of the user "u", which the kubeconfig does not have; hint: kubectl config view`},
		{"a plugin that is not there", write(exec + `no-such-plugin, args: [` + secret + `]}}}]}`), "unknown: context dev cannot be reached: request failed: getting credentials: exec: executable no-such-plugin not found"},
		{"a plugin that fails", write(exec + `sh, args: [-c, "echo ` + secret + `; exit 3"]}}}]}`), "unknown: context dev cannot be reached: request failed: getting credentials: exec: executable sh failed with exit code 3"},
		{"a plugin that works", write(exec + `sh, args: [-c, "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"` + apitest.Token + `\"}}'"]}}}]}`),
			"wait: dev: Deployment default/cart: it is not there"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := outline(New(Options{Kubeconfig: tc.file}).Health(t.Context(), Question{Targets: []Target{cart}}))
			if !strings.HasPrefix(got, tc.want) || strings.Contains(got, secret) || strings.ContainsRune(got, '\n') {
				t.Error(got)
			}
		})
	}
}

// A server that sends elsewhere is not followed with the credentials, and a name cannot
// leave its place in a path.
func TestHostile(t *testing.T) {
	s := apitest.Serve(t, map[string]string{deployments + "/cart": "302 {}"})
	c := New(Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "dev")})
	if got := outline(c.Health(t.Context(), Question{Targets: []Target{cart}})); !strings.HasPrefix(got, "unknown: context dev: Deployment cart in namespace shop: it answered 302") {
		t.Error(got)
	}
	c.Health(t.Context(), Question{Targets: []Target{{Kind: "Deployment", Name: "../../../../../../api/v1/namespaces/shop/secrets/x"}}})
	if asked := s.Asked(); !strings.HasPrefix(asked[len(asked)-1], deployments+"/..%2F..%2F") {
		t.Error(asked)
	}
}

// What a pipeline names is what is asked for.
func TestKinds(t *testing.T) {
	for _, kind := range kinds.Names() {
		r, ok := kinds.Of(kind)
		if !ok || r.Plural == "" || r.Version == "" {
			t.Errorf("%s: %+v", kind, r)
		}
	}
}
