package render

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// A base is built once for all that use it, unless files are laid over some of it, or what it
// gives depends on who uses it.
func TestShared(t *testing.T) {
	files := fleet(1)
	r := New(of(files), Options{})
	render := func(r *Renderer, dir string) string {
		t.Helper()
		got, err := r.Dir(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		text, err := got.YAML()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const base = "apps/svc00/base"
	for e := range 3 {
		dir := fmt.Sprintf("apps/svc00/overlays/env%d", e)
		if got, alone := render(r, dir), render(New(of(files), Options{}), dir); got != alone {
			t.Errorf("%s:\n%s\nalone\n%s", dir, got, alone)
		}
	}
	if one := r.source.shared[base]; one == nil || one.text == nil || one.uses != 3 {
		t.Errorf("%+v", one)
	}
	over := r.With(map[string][]byte{base + "/config.yaml": []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: svc00}\ndata: {a: other}\n")})
	for range 3 {
		if got := render(over, "apps/svc00/overlays/env0"); !strings.Contains(got, "a: other") {
			t.Error(got)
		}
	}
	if got := render(r, "apps/svc00/overlays/env0"); strings.Contains(got, "a: other") {
		t.Error(got)
	}
	for field, text := range map[string]string{"namePrefix": "namePrefix: x-\n", "namespace": "namespace: x\n", "generator": "configMapGenerator: [{name: c, literals: [a=b]}]\n",
		"vars": "vars: [{name: V, objref: {kind: Service, name: svc00, apiVersion: v1}}]\n", "patches": "patches: [{patch: '{apiVersion: v1, kind: Service, metadata: {name: svc00, labels: {x: y}}}'}]\n"} {
		r := New(of(files), Options{}).With(map[string][]byte{base + "/kustomization.yaml": []byte(files[base+"/kustomization.yaml"] + text)})
		for range 3 {
			render(r, "apps/svc00/overlays/env0")
		}
		if one := r.source.shared[base]; one == nil || !one.no {
			t.Errorf("%s: %+v", field, one)
		}
	}
	annotated := map[string][]byte{base + "/config.yaml": []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: svc00, annotations: {internal.config.kubernetes.io/needsHashSuffix: enabled}}\n")}
	want := render(New(of(files), Options{}).With(annotated), "apps/svc00/overlays/env0")
	shares := r.With(annotated)
	for range 3 {
		if got := render(shares, "apps/svc00/overlays/env0"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// sharedBases are what a base may be: its fields, beside the files that all have.
var sharedBases = map[string]string{
	"plain":           "resources: [web.yaml, numbers.yaml, more.yaml]\n",
	"labels":          "resources: [web.yaml, numbers.yaml, more.yaml]\nlabels:\n- {pairs: {app: web, \"on\": \"1\"}, includeSelectors: true}\n",
	"common":          "resources: [web.yaml, numbers.yaml, more.yaml]\ncommonLabels: {app: web}\ncommonAnnotations: {owner: \"007\"}\n",
	"images":          "resources: [web.yaml, numbers.yaml, more.yaml]\nimages: [{name: shop/web, newTag: \"1.10\"}]\nreplicas: [{name: web, count: 3}]\n",
	"nested":          "resources: [../deep, more.yaml]\nlabels: [{pairs: {x: z}}]\n",
	"prefix":          "resources: [web.yaml, numbers.yaml, more.yaml]\nnamePrefix: a-\n",
	"namespace":       "resources: [web.yaml, numbers.yaml, more.yaml]\nnamespace: ns\n",
	"generator":       "resources: [web.yaml, numbers.yaml, more.yaml]\nconfigMapGenerator: [{name: made, literals: [n=1.10]}]\n",
	"patches":         "resources: [web.yaml, numbers.yaml, more.yaml]\npatches: [{patch: '- {op: add, path: /spec/x, value: 1.10}', target: {kind: Settings}}]\n",
	"vars":            "resources: [web.yaml, numbers.yaml, more.yaml]\nvars: [{name: RATIO, objref: {apiVersion: x/v1, kind: Settings, name: numbers}, fieldref: {fieldpath: spec.ratio}}]\n",
	"replacements":    "resources: [web.yaml, numbers.yaml, more.yaml]\nreplacements: [{source: {kind: Settings, fieldPath: spec.ratio}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.r], options: {create: true}}]}]\n",
	"a component":     "resources: [web.yaml, numbers.yaml, more.yaml]\ncomponents: [../component]\n",
	"crds":            "resources: [web.yaml, numbers.yaml, more.yaml]\ncrds: [crd.json]\n",
	"openapi":         "resources: [web.yaml, numbers.yaml, more.yaml]\nopenapi: {path: schema.json}\n",
	"annotated":       "resources: [web.yaml, numbers.yaml, annotated.yaml]\n",
	"local":           "resources: [web.yaml, numbers.yaml, more.yaml]\ncommonAnnotations: {config.kubernetes.io/local-config: \"true\"}\n",
	"one local":       "resources: [web.yaml, numbers.yaml, local.yaml]\n",
	"a list":          "resources: [web.yaml, numbers.yaml, list.yaml]\n",
	"anchors":         "resources: [web.yaml, numbers.yaml, anchors.yaml]\n",
	"accounts":        "resources: [web.yaml, numbers.yaml, accounts.yaml]\n",
	"of a component":  "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [web.yaml, numbers.yaml]\n",
	"of another kind": "kind: Other\nresources: [web.yaml, numbers.yaml]\n",
}

var sharedFiles = map[string]string{
	"web.yaml": strings.Replace(web, "shop/web:v1", "shop/web:v1 # {\"$x\": 1}", 1),
	// Each value is another one once it was read and written.
	"numbers.yaml": "# above\napiVersion: x/v1\nkind: Settings\nmetadata: {name: numbers}\nspec:\n  ratio: 1.10 # a ratio\n  mode: 0644\n  octal: 0o17\n  text: \"0o17\"\n  hex: 0x1F\n  exp: 1e3\n  big: 12345678901234567890\n  huge: 123456789012345678901234567890\n" +
		"  on: on\n  off: \"off\"\n  yes: yes\n  none: ~\n  empty:\n  date: 2001-01-01\n  under: 1_000\n  base60: 190:20:30\n  tagged: !!str 1.10\n  quoted: '1.10'\n  block: |\n    1.10\n\n  folded: >-\n    a\n    b\n  list: [1.10, 1.0, {n: 0644}]\n",
	"more.yaml":      "apiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {z: \"1\", a: b}}\nspec: {ports: [{port: 80}]}\n---\n# between\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata: {n: \"1.10\", text: \"a\\tb \\n c\"}\n---\n",
	"annotated.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big, annotations: {n: 1.10}}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: web, annotations: }\n",
	"local.yaml":     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big, annotations: {\"config\\x2ekubernetes.io/local-config\": \"true\"}}\ndata: {n: \"1.10\"}\n",
	"list.yaml":      "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: big}, data: {n: \"1.10\"}}\n",
	"anchors.yaml":   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata: {n: &n \"1.10\", m: *n}\n",
	"accounts.yaml":  "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa, namespace: one}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: rb, namespace: one}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}\nsubjects: [{kind: ServiceAccount, name: sa}]\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\n",
	"crd.json":       "{\"x\": {\"Schema\": {\"properties\": {\"apiVersion\": {\"type\": \"string\"}, \"kind\": {\"type\": \"string\"}, \"metadata\": {\"type\": \"object\"}}}}}",
	"schema.json":    "{\"definitions\": {}}",
}

// replace is an overlay that replaces a field of the ConfigMap by one of the settings.
func replace(from, to, options string) string {
	return "resources: [../base]\nreplacements: [{source: {kind: Settings, fieldPath: " + from + "}, targets: [{select: {kind: ConfigMap, name: big}, fieldPaths: [" + to + "], options: {create: true" + options + "}}]}]\n"
}

var sharedOverlays = map[string]string{
	"nothing":          "resources: [../base]\n",
	"ratio":            replace("spec.ratio", "data.n", ""),
	"mode":             replace("spec.mode", "data.n", ""),
	"octal":            replace("spec.octal", "data.n", ""),
	"text":             replace("spec.text", "data.n", ""),
	"on":               replace("spec.on", "data.n", ""),
	"yes":              replace("spec.yes", "data.new", ""),
	"date":             replace("spec.date", "data.new", ""),
	"exp":              replace("spec.exp", "data.new", ""),
	"under":            replace("spec.under", "data.new", ""),
	"huge":             replace("spec.huge", "data.new", ""),
	"tagged":           replace("spec.tagged", "data.new", ""),
	"a list":           replace("spec.list", "data.new", ""),
	"block":            replace("spec.block", "data.new", ""),
	"into annotations": replace("spec.ratio", "metadata.annotations.r", ""),
	"annotation":       "resources: [../base]\nreplacements: [{source: {kind: ConfigMap, name: big, fieldPath: metadata.annotations.n}, targets: [{select: {kind: Settings}, fieldPaths: [spec.ratio, spec.on]}]}]\n",
	"subject":          "resources: [../base]\nreplacements: [{source: {kind: RoleBinding, fieldPath: subjects.0.namespace}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.n], options: {create: true}}]}]\n",
	"image":            "resources: [../base]\nreplacements: [{source: {kind: Settings, fieldPath: spec.ratio}, targets: [{select: {kind: Deployment}, fieldPaths: [spec.template.spec.containers.0.image], options: {delimiter: ':', index: 1}}]}]\n",
	"an image whole":   "resources: [../base]\nreplacements: [{source: {kind: Settings, fieldPath: spec.ratio}, targets: [{select: {kind: Deployment}, fieldPaths: [spec.template.spec.containers.0.image]}]}]\n",
	"replicas":         "resources: [../base]\nreplacements: [{source: {kind: Settings, fieldPath: spec.text}, targets: [{select: {kind: Deployment}, fieldPaths: [spec.replicas], options: {create: true}}]}]\n",
	"vars":             "resources: [../base]\nvars: [{name: R, objref: {apiVersion: x/v1, kind: Settings, name: numbers}, fieldref: {fieldpath: spec.ratio}}]\npatches: [{patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: web, args: [$(R), a$(R)]}]}}}}'}]\n",
	"labels, images":   "resources: [../base]\ncommonLabels: {env: prod}\nimages: [{name: shop/web, newTag: v2}]\nreplicas: [{name: web, count: 5}]\n",
	"names":            "resources: [../base]\nnamePrefix: eu-\nnamespace: eu\nlabels: [{pairs: {env: eu}, includeSelectors: true}]\ncommonAnnotations: {x: \"1\"}\n",
	"merge":            "resources: [../base]\npatches:\n- patch: |-\n    apiVersion: x/v1\n    kind: Settings\n    metadata: {name: numbers}\n    spec: {ratio: 1.20, mode: null, list: [2.0], quoted: 7}\n",
	"json":             "resources: [../base]\npatches: [{target: {kind: ConfigMap}, patch: '- {op: add, path: /metadata/annotations/a, value: b}'}]\n",
	"test":             "resources: [../base]\npatches: [{target: {kind: Settings}, patch: \"- {op: test, path: /spec/ratio, value: 1.1}\\n- {op: replace, path: /spec/mode, value: 0644}\"}]\n",
	"a generator":      "resources: [../base]\nconfigMapGenerator: [{name: big, behavior: merge, literals: [n=0x1]}]\n",
	"merged":           "resources: [../base]\nconfigMapGenerator: [{name: made, behavior: merge, literals: [m=0x1]}]\n",
	"a component":      "resources: [../base]\ncomponents: [../component]\n",
	"its files":        "resources: [../base, base]\nnamePrefix: x-\nconfigMapGenerator: [{name: file, files: [base/kustomization.yaml]}]\n",
	"twice":            "resources: [../base, ../other]\n",
	"twice the same":   "resources: [../base, ../same]\n",
	"crds":             "resources: [../base]\ncrds: [crd.json]\n",
	"configurations":   "resources: [../base]\nconfigurations: [config.yaml]\nnamePrefix: p-\nimages: [{name: shop/web, newTag: \"1.10\"}]\n",
	"as functions":     "resources: [web.yaml]\ntransformers: [../base]\n",
}

func overlayOf(name string) string {
	return "o-" + strings.NewReplacer(" ", "-", ",", "").Replace(name)
}

func inMemory(t *testing.T, files map[string]string) filesys.FileSystem {
	t.Helper()
	fsys := filesys.MakeFsInMemory()
	for name, text := range files {
		if err := fsys.WriteFile("/"+name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return fsys
}

// kustomized is what kustomize gives. A build of ours that has ended may not yet have given
// up its turn with the schemas; own tells that there is one in what is built.
func kustomized(fsys filesys.FileSystem, dir string, own bool) ([]byte, error) {
	defer useSchemas(own)()
	m, err := krusty.MakeKustomizer(options()).Run(fsys, dir)
	if err != nil {
		return nil, err
	}
	return m.AsYaml()
}

// What an overlay gives is what kustomize gives, byte for byte, whether its bases are shared
// or not: replacements and vars see how a value is written, and what is refused once is
// refused each time.
func TestSharedSame(t *testing.T) {
	shared, given := 0, 0
	for base, fields := range sharedBases {
		t.Run(base, func(t *testing.T) {
			files := map[string]string{"component/kustomization.yaml": strings.Replace(replace("spec.ratio", "data.n", ""), "resources: [../base]", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component", 1),
				"deep/kustomization.yaml": "resources: [web.yaml, numbers.yaml]\ncommonLabels: {deep: \"1.10\"}\n", "base/kustomization.yaml": fields,
				"other/kustomization.yaml": "resources: [../base]\nnameSuffix: -b\n", "same/kustomization.yaml": "resources: [../base]\n"}
			for name, text := range sharedFiles {
				files["base/"+name], files["deep/"+name] = text, text
			}
			for name, text := range sharedOverlays {
				dir := overlayOf(name)
				files[dir+"/kustomization.yaml"] = text
				files[dir+"/config.yaml"] = "images: [{path: spec/text, kind: Settings}]\nnameReference: [{kind: Service, fieldSpecs: [{path: data/n, kind: ConfigMap}]}]\n"
				files[dir+"/crd.json"], files[dir+"/web.yaml"] = sharedFiles["crd.json"], web
				files[dir+"/base/kustomization.yaml"] = "resources: [a.yaml]\n"
				files[dir+"/base/a.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
			}
			r, fsys := New(of(files), Options{}), inMemory(t, files)
			for name := range sharedOverlays { // from the second on, the base is shared
				want, werr := kustomized(fsys, "/"+overlayOf(name), base == "openapi")
				got, err := r.Dir(t.Context(), overlayOf(name))
				if (err != nil) != (werr != nil) {
					t.Errorf("%s: got %v, kustomize %v", name, err, werr)
				}
				if err != nil {
					if strings.Contains(err.Error(), sharedFile) {
						t.Errorf("%s: %v", name, err)
					}
					continue
				}
				given++
				if text, err := got.YAML(); err != nil || !bytes.Equal(text, want) {
					t.Errorf("%s: %v\ngot\n%s\nwant\n%s", name, err, text, want)
				}
			}
			if one := r.source.shared["base"]; one != nil && one.text != nil {
				shared++
			}
		})
	}
	if shared < 6 || given < 550 {
		t.Errorf("%d bases were shared, %d were compared", shared, given)
	}
}
