package render

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/render/helm"
)

// asked notes what charts are rendered with, and gives a Deployment for each.
type asked struct{ got []helm.Request }

func (a *asked) render(_ context.Context, q helm.Request) (string, error) {
	a.got = append(a.got, q)
	return fmt.Sprintf("---\n# Source: demo/templates/web.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: %s\nspec:\n  replicas: 3\n  template:\n    spec:\n      containers:\n"+
		"      - name: web\n        image: \"shop/web:v2\"\n---\n# Source: demo/templates/empty.yaml\n# nothing\n", q.Release), nil
}

// line is a request in short.
func line(q helm.Request) string {
	parts := []string{q.Dir, q.Release, q.Namespace}
	for _, v := range q.Values {
		name := v.Name
		if v.Path != "" {
			name += " at " + v.Path
		}
		if v.String {
			name += " as text"
		}
		parts = append(parts, name+"="+strings.TrimSpace(string(v.Data)))
	}
	for _, s := range q.Set {
		parts = append(parts, "set "+s.Name+"="+s.Value)
	}
	if own, ok := q.Files["values.yaml"]; ok {
		parts = append(parts, "own "+strings.TrimSpace(string(own)))
	}
	if q.SkipCRDs {
		parts = append(parts, "no CRDs")
	}
	return strings.Join(parts, " | ")
}

const (
	app     = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web-prod}\nspec:\n  destination: {namespace: shop}\n"
	release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: shop}\nspec:\n"
)

// A service that is a chart is rendered with the values that its environment has, whoever
// names them: a file in the layout, Argo CD or Flux. A chart that is not in the tree is left
// as the object that names it.
func TestCharts(t *testing.T) {
	for name, tc := range map[string]struct {
		layout, text string
		more         map[string]string
		want         []string
	}{
		"values beside the chart":  {"web/values-{environment}.yaml", "tag: v2", nil, []string{"web | shop | default | web/values-prod.yaml=tag: v2 | own tag: v1"}},
		"values below the chart":   {"web/envs/{environment}/values.yaml", "tag: v2", nil, []string{"web | shop | default | web/envs/prod/values.yaml=tag: v2 | own tag: v1"}},
		"a chart in a folder":      {"{service}/{environment}.yaml", "tag: v2", map[string]string{"shop/chart/Chart.yaml": "name: x"}, []string{"shop/chart | shop | default | shop/prod.yaml=tag: v2"}},
		"a chart for each":         {"env/{environment}", "tag: v2", map[string]string{"env/prod/Chart.yaml": "name: x", "env/prod/values.yaml": "tag: v3"}, []string{"env/prod | shop | default | own tag: v3"}},
		"by its own file":          {"env/{environment}/Chart.yaml", "name: x", nil, []string{"env/prod | shop | default"}},
		"a template":               {"web/templates/{environment}.yaml", "a: b", nil, []string{"error web/templates/prod.yaml has no object of Kubernetes, and there is no chart around it that it could be values of"}},
		"no chart around":          {"else/{environment}.yaml", "tag: v2", nil, []string{"error else/prod.yaml has no object of Kubernetes, and there is no chart around it that it could be values of"}},
		"an Application":           {"argo/{environment}.yaml", app + "  source: {repoURL: x, path: web, helm: {releaseName: w, valueFiles: [values-prod.yaml, /more.yaml], values: 'a: 1', parameters: [{name: tag, value: v3}], skipCrds: true}}\n", nil, []string{"web | w | shop | web/values-prod.yaml=tag: v2 | more.yaml=b: c | argo/prod.yaml:1=a: 1 | set tag=v3 | own tag: v1 | no CRDs"}},
		"commas of parameters":     {"argo/{environment}.yaml", app + "  source: {repoURL: x, path: web, helm: {parameters: [{name: a, value: 'x,y=z,'}, {name: b, value: '{1,2}'}, {name: c, value: 'x\\,y', forceString: true}, {name: d, value: ',é,'}]}}\n", nil, []string{"web | web-prod | shop | set a=x\\,y=z\\, | set b={1,2} | set c=x\\,y | set d=\\,é\\, | own tag: v1"}},
		"values of another source": {"argo/{environment}.yaml", app + "  sources: [{repoURL: x, path: web, helm: {valueFiles: [$v/more.yaml], valuesObject: {c: 1}}}, {repoURL: x, ref: v}]\n", nil, []string{"web | web-prod | shop | more.yaml=b: c | argo/prod.yaml:1=c: 1 | own tag: v1"}},
		"a missing file":           {"argo/{environment}.yaml", app + "  source: {repoURL: x, path: web, helm: {valueFiles: [none.yaml]}}\n", nil, []string{"error argo/prod.yaml:1: Application web-prod: helm.valueFiles: there is no values file web/none.yaml"}},
		"that may be":              {"argo/{environment}.yaml", app + "  source: {repoURL: x, path: web, helm: {valueFiles: [none.yaml], ignoreMissingValueFiles: true}}\n", nil, []string{"web | web-prod | shop | own tag: v1"}},
		"a fetched file":           {"argo/{environment}.yaml", app + "  source: {repoURL: x, path: web, helm: {valueFiles: ['https://x/y']}}\n", nil, []string{"error argo/prod.yaml:1: Application web-prod: helm.valueFiles: (URL) is fetched from elsewhere, and nothing is fetched to render"}},
		"a chart from elsewhere":   {"argo/{environment}.yaml", app + "  source: {repoURL: x, chart: web, path: web}\n", nil, nil},
		"no chart at all":          {"argo/{environment}.yaml", app + "  source: {repoURL: x, path: argo}\n", nil, nil},
		"an ApplicationSet": {"argo/set-{environment}.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: web}\nspec:\n  generators: [{list: {elements: [{env: staging, ns: s}, {env: prod, ns: p}]}}]\n" +
			"  template: {metadata: {name: 'web-{{env}}'}, spec: {destination: {namespace: '{{.ns}}'}, source: {path: web, helm: {valueFiles: ['values-{{ env }}.yaml']}}}}\n", nil, []string{"web | web-prod | p | web/values-prod.yaml=tag: v2 | own tag: v1"}},
		"a HelmRelease":                      {"flux/{environment}.yaml", release + "  targetNamespace: web\n  chart: {spec: {chart: ./web, sourceRef: {kind: GitRepository, name: x}, valuesFiles: [./more.yaml, web/values-prod.yaml]}}\n  values: {d: e}\n", nil, []string{"web | web-web | web | web/values-prod.yaml=tag: v2 | flux/prod.yaml=d: e | own b: c"}},
		"with a ConfigMap":                   {"flux/{environment}.yaml", release + "  chart: {spec: {chart: ./web, sourceRef: {kind: GitRepository}}}\n  valuesFrom: [{kind: ConfigMap, name: v}, {kind: Secret, name: s, valuesKey: t, targetPath: a.b}, {kind: Secret, name: gone, optional: true}]\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: v}\ndata: {values.yaml: 'x: y'}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {t: aGV5}\n", nil, []string{"web | web | shop | flux/prod.yaml=x: y | flux/prod.yaml at a.b=hey | own tag: v1"}},
		"each counts more than those before": {"flux/{environment}.yaml", release + "  chart: {spec: {chart: ./web, sourceRef: {kind: GitRepository}}}\n  values: {a: last}\n  valuesFrom: [{kind: Secret, name: s, valuesKey: t, targetPath: a.b}, {kind: Secret, name: s, valuesKey: q, targetPath: port}, {kind: Secret, name: s, valuesKey: v}]\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {t: first, q: '\"80\"', v: 'a: {b: second}'}\n", nil, []string{"web | web | shop | flux/prod.yaml at a.b=first | flux/prod.yaml at port as text=80 | flux/prod.yaml=a: {b: second} | flux/prod.yaml=a: last | own tag: v1"}},
		"a missing ConfigMap":                {"flux/{environment}.yaml", release + "  chart: {spec: {chart: ./web, sourceRef: {kind: GitRepository}}}\n  valuesFrom: [{kind: ConfigMap, name: v}]\n", nil, []string{"error flux/prod.yaml:1: HelmRelease shop/web: valuesFrom: there is no ConfigMap v with values.yaml"}},
		"a renderer behind":                  {"flux/{environment}.yaml", release + "  chart: {spec: {chart: ./web, sourceRef: {kind: GitRepository}}}\n  postRenderers: [{}]\n", nil, []string{"error flux/prod.yaml:1: HelmRelease shop/web: postRenderers are not applied"}},
		"from a registry":                    {"flux/{environment}.yaml", release + "  chart: {spec: {chart: web, sourceRef: {kind: HelmRepository}}}\n", nil, nil},
		"of a kustomization":                 {"k/{environment}", "resources: [extra.yaml]\nhelmCharts:\n- name: web\n  releaseName: w\n  valuesFile: v.yaml\n  valuesInline: {q: 1}\n  includeCRDs: true\nhelmGlobals: {chartHome: ../..}\nnamePrefix: p-\n", nil, []string{"web | w | default | k/prod/v.yaml=z: 1 | k/prod/kustomization.yaml=q: 1 | own tag: v1"}},
		"no chart there":                     {"k/{environment}", "helmCharts:\n- {name: web, releaseName: w, repo: 'https://x'}\n", nil, []string{"error k/prod/kustomization.yaml:1: helmCharts: there is no chart in k/prod/charts/web, and nothing is fetched to render"}},
		"no name":                            {"k/{environment}", "helmCharts:\n- {name: web}\nhelmGlobals: {chartHome: ../..}\n", nil, []string{"error k/prod/kustomization.yaml:1: helmCharts: chart web has no releaseName, and would be called differently each time"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"web/Chart.yaml": "name: demo", "web/values.yaml": "tag: v1", "web/values-prod.yaml": "tag: v2", "web/templates/web.yaml": "x", "more.yaml": "b: c",
				"k/prod/extra.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n", "k/prod/v.yaml": "z: 1"}
			for file, text := range tc.more {
				files[file] = text
			}
			at := strings.NewReplacer("{environment}", "prod", "{service}", "shop").Replace(tc.layout)
			if strings.HasPrefix(at, "k/") {
				at += "/kustomization.yaml"
			}
			if tc.layout != "env/{environment}" {
				files[at] = tc.text
			}
			a := &asked{}
			s := &Services{Pipeline: parse(t, tc.layout), Options: Options{Charts: a.render}}
			all, err := s.Of(t.Context(), &counting{tree: of(files)}, "shop", "prod")
			var got []string
			for _, q := range a.got {
				got = append(got, line(q))
			}
			if err != nil {
				got = append(got, "error "+err.Error())
			}
			if strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
			deployments := 0
			for _, o := range all {
				if o.Kind == "Deployment" {
					deployments++
				}
			}
			if err == nil && deployments != len(tc.want) {
				t.Errorf("%d deployments", deployments)
			}
		})
	}
}

// Charts of a kustomization are in what it gives wherever they are written, or are an error:
// what stood behind a mark of a document's end was lost without one.
func TestChartsInPlace(t *testing.T) {
	const list = "helmCharts:\n- name: web\n  releaseName: w\n"
	for text, want := range map[string]string{
		"resources:\n- '../base'\n" + list + "helmGlobals: {chartHome: ../..}\n":                                            "",
		list + "helmGlobals: {chartHome: ../..}\nresources: []\n---\n":                                                      "",
		list + "helmGlobals: {chartHome: ../..}\n---\n":                                                                     "",
		list + "helmGlobals: {chartHome: ../..}\n...\n":                                                                     "",
		"helmGlobals: {chartHome: ../..}\n" + list + "---\n# nothing\n":                                                     "",
		"helmGlobals: {chartHome: ../..}\n" + strings.TrimSuffix(list, "\n"):                                                "",
		"---\n  helmGlobals: {chartHome: ../..}\n  helmCharts: [{name: web,\n    releaseName: w}]\n  namePrefix: p-\n...\n": "",
		list + "helmGlobals: {chartHome: ../..}\nBases: [../base]\n":                                                        "k/prod/kustomization.yaml: helmCharts cannot be rendered beside bases or helmChartInflationGenerator, or where all is on a line",
		list + "helmGlobals: {chartHome: ../..}\nHELMCHARTS: [{name: web, releaseName: w}]\n":                               "k/prod/kustomization.yaml:1: helmCharts cannot be rendered as they are written",
	} {
		files := map[string]string{"web/Chart.yaml": "name: demo", "k/prod/kustomization.yaml": text, "k/base/kustomization.yaml": "resources: []\n"}
		s := &Services{Pipeline: parse(t, "k/{environment}"), Options: Options{Charts: (&asked{}).render}}
		all, err := s.Of(t.Context(), &counting{tree: of(files)}, "shop", "prod")
		if want == "" && (err != nil || len(all) != 1) || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s\n%d objects, %v", text, len(all), err)
		}
	}
}

// An object of a chart is of a release, whose namespace it gets where it names none: that is
// the destination's in Argo CD, whatever the chart is told.
func TestReleases(t *testing.T) {
	for file, tc := range map[string]struct {
		text string
		want objects.Release
	}{
		"argo/prod.yaml": {app + "  source: {repoURL: x, path: web, helm: {namespace: other}}\n", objects.Release{By: "Application web-prod", Namespace: "shop"}},
		"flux/prod.yaml": {release + "  targetNamespace: web\n  chart: {spec: {chart: ./web, sourceRef: {kind: GitRepository}}}\n", objects.Release{By: "HelmRelease shop/web", Namespace: "web"}},
		"new/prod.yaml":  {release + "  chart: {spec: {chart: ./web, sourceRef: {kind: GitRepository}}}\n", objects.Release{By: "HelmRelease shop/web", Namespace: "shop"}},
	} {
		s := &Services{Pipeline: parse(t, strings.Replace(file, "prod", "{environment}", 1)), Options: Options{Charts: (&asked{}).render}}
		all, err := s.Of(t.Context(), &counting{tree: of(map[string]string{"web/Chart.yaml": "name: demo", file: tc.text})}, "shop", "prod")
		if err != nil || len(all) != 2 || all[0].Release != nil || all[1].Release == nil || *all[1].Release != tc.want || all[1].Namespace != "" {
			t.Errorf("%s: %v, %v", file, all, err)
		}
	}
}

// The namespace of a kustomization is not that of its charts' objects: kustomize leaves it to
// Helm. The mark by which it tells them is not left on them.
func TestChartNamespace(t *testing.T) {
	files := map[string]string{"web/Chart.yaml": "name: demo", "k/base/kustomization.yaml": "helmGlobals: {chartHome: ../..}\nhelmCharts:\n- name: web\n  releaseName: w\n",
		"k/prod/kustomization.yaml": "resources: [../base, extra.yaml]\nnamespace: shop\n", "k/prod/extra.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n"}
	s := &Services{Pipeline: parse(t, "k/{environment}"), Options: Options{Charts: (&asked{}).render}}
	all, err := s.Of(t.Context(), &counting{tree: of(files)}, "shop", "prod")
	if err != nil || len(all) != 2 || all[0].String() != "Service shop/x" || all[1].String() != "Deployment w" || fmt.Sprint(all[1].Fields["metadata"]) != "map[name:w]" {
		t.Error(all, err)
	}
}

// A field of a chart's object comes from the value that it is of, where there is one that is
// like it, else from the template; what a kustomization does to it counts more.
func TestChartPlaces(t *testing.T) {
	files := map[string]string{"web/Chart.yaml": "name: demo", "web/values-prod.yaml": "# production\nreplicaCount: 3\nimage:\n  tag: v2\nports: 3\n",
		"k/prod/kustomization.yaml": "helmGlobals: {chartHome: ../..}\nhelmCharts:\n- name: web\n  releaseName: w\n  valuesFile: ../../web/values-prod.yaml\n\nimages:\n- name: shop/web\n  newTag: v3\n"}
	image, replicas := objects.Path{"spec", "template", "spec", "containers", "[name=web]", "image"}, objects.Path{"spec", "replicas"}
	for layout, want := range map[string]string{
		"web/values-{environment}.yaml": "web/values-prod.yaml:4 web/values-prod.yaml:2 web/templates/web.yaml",
		"k/{environment}":               "k/prod/kustomization.yaml:9 web/values-prod.yaml:2 web/templates/web.yaml",
	} {
		s := &Services{Pipeline: parse(t, layout), Options: Options{Charts: (&asked{}).render}}
		all, err := s.Of(t.Context(), &counting{tree: of(files)}, "shop", "prod")
		if err != nil || len(all) != 1 {
			t.Fatal(len(all), err)
		}
		if got := fmt.Sprint(all[0].Place(image), all[0].Place(replicas), all[0].Place(objects.Path{"metadata", "name"})); got != want {
			t.Errorf("%s: got %s", layout, got)
		}
	}
}

// What a program gives is not trusted, and a tree may have what no chart has.
func TestChartFaults(t *testing.T) {
	for want, tc := range map[string]struct {
		text  string
		files map[string]string
	}{
		"web/templates/a.yaml: gives something that is no object of Kubernetes": {"---\n# Source: demo/templates/a.yaml\na: b\n", nil},
		"web/templates/a.yaml:":                               {"---\n# Source: demo/templates/a.yaml\na: [\n", nil},
		"web/templates/link.yaml: leads over a symbolic link": {"", map[string]string{"web/templates/link.yaml": "-> ../../x"}},
	} {
		files := map[string]string{"web/Chart.yaml": "name: demo", "web/values-prod.yaml": "a: b"}
		for name, text := range tc.files {
			files[name] = text
		}
		s := &Services{Pipeline: parse(t, "web/values-{environment}.yaml"), Options: Options{Charts: func(context.Context, helm.Request) (string, error) { return tc.text, nil }}}
		if _, err := s.Of(t.Context(), &counting{tree: of(files)}, "shop", "prod"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	s := &Services{Pipeline: parse(t, "web/values-{environment}.yaml")}
	_, err := s.Of(t.Context(), &counting{tree: of(map[string]string{"web/Chart.yaml": "", "web/values-prod.yaml": "a: b"})}, "shop", "prod")
	if err == nil || err.Error() != "web is a chart of Helm, and charts are not rendered here" {
		t.Error(err)
	}
}

// A HelmRelease says by the name of a Secret or of a ConfigMap which cluster it is installed
// in. The name was taken for that of a context, and a configMapRef was not read at all: its
// objects were compared with those of another cluster.
func TestReleaseCluster(t *testing.T) {
	settings := "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: prod, namespace: shop}\ndata: {provider: generic, address: 'https://prod.example.com/'}\n"
	for kubeConfig, want := range map[string]string{
		"":               " / ",
		"kubeConfig: \n": " / ",
		"kubeConfig: {secretRef: {name: prod}}\n":                " / Secret prod",
		"kubeConfig: {configMapRef: {name: prod}}\n":             " / ConfigMap prod",
		"kubeConfig: {configMapRef: {name: prod}}\n" + settings:  "https://prod.example.com / ",
		"kubeConfig: {configMapRef: {name: other}}\n" + settings: " / ConfigMap other",
		"kubeConfig: {}\n": " / kubeConfig",
	} {
		files := map[string]string{"web/Chart.yaml": "name: demo", "flux/prod.yaml": release + "  chart: {spec: {chart: ./web, sourceRef: {kind: GitRepository}}}\n  " + kubeConfig}
		a := &asked{}
		s := &Services{Pipeline: parse(t, "flux/{environment}.yaml"), Options: Options{Charts: a.render}}
		all, err := s.Of(t.Context(), &counting{tree: of(files)}, "shop", "prod")
		if err != nil {
			t.Fatal(err)
		}
		got := "none"
		for _, o := range all {
			if o.Release != nil {
				got = o.Release.Cluster + " / " + o.Release.ClusterOf
			}
		}
		if got != want {
			t.Errorf("%q: %s, want %s", kubeConfig, got, want)
		}
	}
}
