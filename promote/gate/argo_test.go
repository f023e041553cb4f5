package gate

import (
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/cluster"
	"github.com/kubepromote/kubepromote/promote/internal/apitest"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Friday, 15:30 UTC, is 16:30 in Zurich. An application is cart-production, in the cluster
// prod at https://prod:6443, in the namespace shop; its project is shop.
func TestArgoWindows(t *testing.T) {
	const app = "kind: Application\nmetadata: {name: cart-production}\nspec: {project: shop, destination: {server: 'https://prod:6443', name: prod, namespace: shop}}\n"
	project := func(windows string) string {
		return "apiVersion: v1\nkind: ConfigMap\ndata: {kind: [1]}\n---\nkind: AppProject\nmetadata: {name: shop}\nspec:\n  sourceRepos: ['*']\n  syncWindows: [" + windows + "]\n---\nkind: AppProject\nmetadata: {name: other}\nspec: {syncWindows: [{kind: deny, schedule: '* * * * *', duration: 1h, applications: ['*']}]}\n"
	}
	const list = "- freeze: {argocd: {project: p.yaml, application: '{service}-{environment}.yaml'}}"
	const by = "- freeze: {argocd: {project: p.yaml, application: '{service}-{environment}.yaml', manual: true}}"
	for _, tc := range []struct{ name, list, windows, want string }{
		{"none", list, "", "pass: nothing is frozen"},
		{"denied", list, "{kind: deny, schedule: '0 16 * * 5', duration: 64h, timeZone: Europe/Zurich, applications: ['*']}",
			"wait: p.yaml:9:17: frozen (a sync window of Argo CD) until 2026-11-30 08:00 CET [11-30 07:00]"},
		{"with a description", list, "{kind: deny, schedule: '0 15 * * *', duration: 1h, applications: ['cart-*'], description: INC-1}", "wait: p.yaml:9:17: frozen (INC-1) until 2026-11-27 16:00 UTC [11-27 16:00]; await"},
		{"denied later", list, "{kind: deny, schedule: '0 16 * * *', duration: 1h, applications: ['*']}", "pass: nothing is frozen until 2026-11-27 16:00:01 UTC"},
		{"at its start it is not open yet", list, "{kind: deny, schedule: '30 15 * * *', duration: 1h, applications: ['*']}", "pass: nothing is frozen until 2026-11-28 15:30:01 UTC"},
		{"at its end it is closed", list, "{kind: deny, schedule: '30 14 * * *', duration: 1h, applications: ['*']}", "pass: nothing is frozen until 2026-11-28 14:30:01 UTC"},
		{"another application", list, "{kind: deny, schedule: '* * * * *', duration: 1h, applications: ['web-*']}", "pass: nothing is frozen"},
		{"nobody's window", list, "{kind: deny, schedule: '* * * * *', duration: 1h}", "pass: nothing is frozen"},
		{"the cluster by its name", list, "{kind: deny, schedule: '0 15 * * *', duration: 1h, clusters: [prod]}", "wait: p.yaml:9:17: frozen (a sync window of Argo CD) until 2026-11-27 16:00 UTC [11-27 16:00]; await"},
		{"the cluster by its server", list, "{kind: deny, schedule: '0 15 * * *', duration: 1h, clusters: ['https://*'], applications: [x]}", "wait: p.yaml:9:17: frozen (a sync window of Argo CD) until 2026-11-27 16:00 UTC [11-27 16:00]; await"},
		{"the namespace", list, "{kind: deny, schedule: '0 15 * * *', duration: 1h, namespaces: [sh*], clusters: [dev]}", "wait: p.yaml:9:17: frozen (a sync window of Argo CD) until 2026-11-27 16:00 UTC [11-27 16:00]; await"},
		{"all of them", list, "{kind: deny, schedule: '0 15 * * *', duration: 1h, namespaces: [shop], clusters: [prod], andOperator: true}", "wait: p.yaml:9:17: frozen (a sync window of Argo CD) until 2026-11-27 16:00 UTC [11-27 16:00]; await"},
		{"not all of them", list, "{kind: deny, schedule: '0 15 * * *', duration: 1h, namespaces: [shop], clusters: [dev], andOperator: true}", "pass: nothing is frozen"},
		{"allowed", list, "{kind: allow, schedule: '0 15 * * *', duration: 1h, applications: ['*']}", "pass: nothing is frozen until 2026-11-27 16:00 UTC"},
		{"not allowed now", list, "{kind: allow, schedule: '0 17 * * *', duration: 1h, applications: ['*'], description: evening}", "wait: p.yaml:9:17: outside of the windows that allow promotions until 2026-11-27 17:00:01 UTC [11-27 17:00]"},
		{"one that allows is enough", list, "{kind: allow, schedule: '0 17 * * *', duration: 1h, applications: ['*']}, {kind: allow, schedule: '0 15 * * *', duration: 1h, namespaces: [shop]}", "pass: nothing is frozen until 2026-11-27 16:00 UTC"},
		{"deny beats allow", list, "{kind: allow, schedule: '0 0 * * *', duration: 24h, applications: ['*']}, {kind: deny, schedule: '0 15 * * *', duration: 1h, applications: ['*']}", "wait: p.yaml:9:91: frozen (a sync window of Argo CD) until 2026-11-27 16:00 UTC [11-27 16:00]; await"},
		{"one after the other", list, "{kind: deny, schedule: '0 15 * * *', duration: 1h, applications: ['*']}, {kind: deny, schedule: '59 15 * * *', duration: 1h, applications: ['*']}", "wait: p.yaml:9:17: frozen (a sync window of Argo CD) until 2026-11-27 16:59 UTC [11-27 16:59]"},
		{"by hand, where nobody asks", list, "{kind: deny, schedule: '0 15 * * *', duration: 1h, applications: ['*'], manualSync: true}", "wait: p.yaml:9:17: frozen (a sync window of Argo CD) until 2026-11-27 16:00 UTC [11-27 16:00]; await"},
		{"by hand", by, "{kind: deny, schedule: '0 15 * * *', duration: 1h, applications: ['*'], manualSync: true}", "pass: nothing is frozen until 2026-11-28 15:00:01 UTC"},
		{"by hand, and one that does not", by, "{kind: deny, schedule: '0 15 * * *', duration: 1h, applications: ['*'], manualSync: true}, {kind: deny, schedule: '10 15 * * *', duration: 1h, applications: ['*']}", "wait: p.yaml:9:108: frozen (a sync window of Argo CD) until 2026-11-27 16:10 UTC [11-27 16:10]; await"},
		{"by hand in a closed one that allows", by, "{kind: allow, schedule: '0 17 * * *', duration: 1h, applications: ['*'], manualSync: true}", "pass: nothing is frozen"},
		{"ours and theirs", "- freeze: {deny: [{schedule: '0 15 * * *', duration: 3h, reason: ours}], argocd: {project: p.yaml, name: '{service}'}}", "{kind: deny, schedule: '0 15 * * *', duration: 1h, applications: [cart]}", "wait: frozen (ours) until 2026-11-27 18:00 UTC [11-27 18:00]"},
		{"said by the pipeline", "- freeze: {argocd: {project: p.yaml, cluster: dev, namespace: '{service}'}}", "{kind: deny, schedule: '0 15 * * *', duration: 1h, namespaces: [cart], applications: [x]}", "wait: p.yaml:9:17: frozen (a sync window of Argo CD) until 2026-11-27 16:00 UTC [11-27 16:00]; await"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := Deps{Tree: tree("p.yaml", project(tc.windows), "cart-production.yaml", app)}
			if tc.name == "said by the pipeline" || tc.name == "ours and theirs" {
				d.Tree = tree("p.yaml", strings.Split(project(tc.windows), "---\nkind: AppProject\nmetadata: {name: other}")[0])
			}
			want(t, ask(t, tc.list, d, cart()), tc.want)
		})
	}
}

// Where no file has the AppProject, the cluster does: by a context of the pipeline, or the
// one that was given.
func TestArgoWindowsOfTheCluster(t *testing.T) {
	const list = "- freeze: {argocd: {live: {application: '{service}-{environment}', context: eu}}}"
	const apps, projects = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/cart-production", "/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects/shop"
	const app = "{kind: Application, metadata: {name: cart-production, namespace: argocd}, spec: {project: shop, destination: {name: prod, namespace: shop}}}"
	project := func(windows string) string {
		return "{kind: AppProject, metadata: {name: shop, namespace: argocd}, spec: {syncWindows: [" + windows + "]}}"
	}
	const deny = "{kind: deny, schedule: '0 15 * * *', duration: 1h, namespaces: [shop]}"
	for _, tc := range []struct {
		name, list string
		answers    map[string]string
		want       string
	}{
		{"denied", list, map[string]string{apps: app, projects: project(deny)}, "wait: AppProject shop: frozen (a sync window of Argo CD) until 2026-11-27 16:00 UTC [11-27 16:00]; await"},
		{"another namespace", list, map[string]string{apps: app, projects: project(strings.Replace(deny, "[shop]", "[web]", 1))}, "pass: nothing is frozen"},
		{"none", list, map[string]string{apps: app, projects: "{kind: AppProject, metadata: {name: shop}, spec: {}}"}, "pass: nothing is frozen"},
		{"malformed", list, map[string]string{apps: app, projects: project("{kind: deny, schedule: monday, duration: 1h}")}, `unknown: the application of Argo CD: AppProject shop:1:93: schedule "monday" is malformed; hint: schedule: "0 16 * * 5"`},
		{"no application", list, map[string]string{projects: project(deny)}, "unknown: the application of Argo CD: context eu: there is no Application cart-production in namespace argocd"},
		{"no project", list, map[string]string{apps: app}, "unknown: the application of Argo CD: context eu: there is no AppProject shop in namespace argocd"},
		{"no such context", strings.Replace(list, "eu", "ue", 1), nil, `unknown: the application of Argo CD: the kubeconfig has no context "ue"; hint: did you mean eu?`},
		{"the current context", strings.Replace(list, ", context: eu", "", 1), map[string]string{apps: app, projects: project(deny)}, "wait: AppProject shop: frozen (a sync window of Argo CD) until 2026-11-27 16:00 UTC [11-27 16:00]; await"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := apitest.Serve(t, tc.answers)
			want(t, ask(t, tc.list, Deps{Clusters: cluster.New(cluster.Options{Kubeconfig: s.Kubeconfig(t, apitest.Token, "us", "eu"), Context: "eu"})}, cart()), tc.want)
		})
	}
	want(t, ask(t, list, Deps{}, cart()), "unknown: the application of Argo CD: no cluster may be asked")
}

// Argo CD shifts the clock by what the zone is off at the moment, so that a window that
// began before the change to winter ends an hour of the clock later than it says.
func TestArgoWindowsAndDaylightSaving(t *testing.T) {
	d := Deps{Tree: tree("p.yaml", "kind: AppProject\nspec: {syncWindows: [{kind: deny, schedule: '0 0 * * 0', duration: 10h, timeZone: Europe/Zurich, applications: ['*']}]}")}
	g := gates(t, "- freeze: {argocd: {project: p.yaml, name: '{service}'}}", d)[0]
	q := cart()
	for _, tc := range []struct {
		now  time.Time
		want promote.Answer
	}{
		// Summer: midnight in Zurich is 22:00 UTC the day before.
		{time.Date(2026, 10, 24, 22, 0, 1, 0, time.UTC), promote.Wait},
		{time.Date(2026, 10, 25, 0, 59, 0, 0, time.UTC), promote.Wait},
		// Winter since 1:00 UTC: ten hours after a midnight that was at 23:00 UTC by the clock of now.
		{time.Date(2026, 10, 25, 8, 59, 0, 0, time.UTC), promote.Wait},
		{time.Date(2026, 10, 25, 9, 0, 0, 0, time.UTC), promote.Pass},
	} {
		q.Now = tc.now
		if v := g.Check(t.Context(), q); v.Answer != tc.want {
			t.Errorf("%s: %s", tc.now, outline(v))
		}
	}
}

// A file's name in a hint is one word, whatever is in it.
func TestArgoHintIsQuoted(t *testing.T) {
	_, err := New(pipeline.Gate{Freeze: &pipeline.FreezeGate{ArgoCD: &pipeline.ArgoWindows{Project: "argo cd/$(id).yaml", Name: "x"}}}, Deps{Tree: tree()})
	if got := fault.HintOf(err); got != "git add 'argo cd/$(id).yaml' && git commit 'argo cd/$(id).yaml'" {
		t.Error(got)
	}
}

// Whoever looked for the end of a window without one looked at each of its starts for two
// years: seconds for each service. The last start counts, however many there are.
func TestWindowsWithoutEnd(t *testing.T) {
	for _, tc := range []struct{ schedule, duration, until string }{
		{"* * * * *", "1h", ", and no opening is in sight"},
		{"* * * * *", "61s", ", and no opening is in sight"},
		{"*/5 * * * *", "6m", ", and no opening is in sight"},
		{"* * * * *", "8784h", ", and no opening is in sight"},
		{"* * * * 1-5", "8000h", ", and no opening is in sight"},
		{"* * * * 1-5", "1h", " until 2026-11-28 00:59 UTC [11-28 00:59]"},
		{"0-29 * * * *", "2h", ", and no opening is in sight"},
		{"0-10 15 * * *", "1h", " until 2026-11-27 16:10 UTC [11-27 16:10]; await"},
		{"0-10 15 * * *", "25m", " until 2026-11-27 15:35 UTC [11-27 15:35]; await"},
	} {
		window := "{schedule: '" + tc.schedule + "', duration: " + tc.duration + ", "
		d := Deps{Tree: tree("p.yaml", "kind: AppProject\nspec: {syncWindows: ["+window+"kind: deny, applications: ['*']}, {kind: deny, schedule: '0 15 * * *', duration: 31m, applications: ['*']}]}")}
		begin := time.Now()
		theirs := ask(t, "- freeze: {argocd: {project: p.yaml, name: x}}", d, cart())
		ours := ask(t, "- freeze: {deny: ["+window+"reason: x}, {schedule: '0 15 * * *', duration: 31m}]}", d, cart())
		t.Logf("%s for %s took %s", tc.schedule, tc.duration, time.Since(begin).Round(time.Millisecond))
		if !strings.HasSuffix(theirs, tc.until) || !strings.HasSuffix(ours, tc.until) || !strings.HasPrefix(theirs, "wait: p.yaml:2:22: ") {
			t.Errorf("%s for %s:\n%s\n%s", tc.schedule, tc.duration, theirs, ours)
		}
	}
}

func TestArgoWindowFaults(t *testing.T) {
	for _, tc := range []struct{ name, project, app, want string }{
		{"no project", "", "", "p.yaml is not there"},
		{"no AppProject", "kind: Application", "", "p.yaml has no AppProject"},
		{"no windows", "kind: AppProject\nspec: {syncWindows: {}}", "", "p.yaml:1:1: the AppProject is malformed"},
		{"values", "kind: AppProject\nspec:\n  syncWindows:\n  - {kind: denny, schedule: '@daily', duration: 1d, timeZone: Mars, applications: ['[']}\n  - {applications: {}}", "",
			"p.yaml:4:5: the kind of the sync window is \"denny\"\np.yaml:4:5: schedule \"@daily\" is malformed\np.yaml:4:5: duration is \"1d\"\np.yaml:4:5: time zone \"Mars\" is not known: Argo CD takes it for UTC\np.yaml:4:5: \"[\" is malformed\np.yaml:5:5: the sync window is malformed"},
		{"no application", "kind: AppProject", "", "unknown: the application of Argo CD: a.yaml is not there; hint: git add a.yaml && git commit a.yaml"},
		{"an application of another project", "kind: AppProject\nmetadata: {name: shop}\nspec: {syncWindows: [{kind: deny, schedule: '* * * * *', duration: 1h, applications: ['*']}]}", "kind: Application\nspec: {project: bank}",
			`unknown: the application of Argo CD: a.yaml is of project "bank", and p.yaml has no AppProject of that name`},
		{"an application of the default project", "kind: AppProject\nmetadata: {name: shop}", "kind: Application", `unknown: the application of Argo CD: a.yaml is of project "default", and p.yaml has no AppProject of that name`},
		{"two applications", "kind: AppProject", "kind: Application\n---\nkind: Application", "unknown: the application of Argo CD: a.yaml has 2 Applications, and one is wanted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := tree()
			if tc.project != "" {
				files = tree("p.yaml", tc.project)
			}
			if tc.app != "" {
				files = tree("p.yaml", tc.project, "a.yaml", tc.app)
			}
			got, err := New(pipeline.Gate{Freeze: &pipeline.FreezeGate{ArgoCD: &pipeline.ArgoWindows{Project: "p.yaml", Application: "a.yaml"}}}, Deps{Tree: files})
			if err != nil {
				want(t, err.Error(), tc.want)
				return
			}
			want(t, outline(got.Check(t.Context(), cart())), tc.want)
		})
	}
}
