package schema

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"sigs.k8s.io/yaml"
)

// memory is a tree.
type memory struct{ fstest.MapFS }

func (m memory) ReadAny(string, []string) (pipeline.Found, error) {
	return pipeline.Found{}, errors.ErrUnsupported
}

func (m memory) ReadDir(name string) ([]fs.DirEntry, error) { return m.MapFS.ReadDir(name) }

func tree(files ...string) memory {
	m := memory{fstest.MapFS{}}
	for i := 0; i < len(files); i += 2 {
		m.MapFS[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return m
}

// parse gives the objects of YAML documents.
func parse(t testing.TB, text string) []objects.Object {
	t.Helper()
	var out []objects.Object
	for _, doc := range strings.Split(text, "\n---\n") {
		var fields map[string]any
		if err := yaml.Unmarshal([]byte(doc), &fields, useNumber); err != nil {
			t.Fatal(err)
		}
		out = append(out, objects.Of(fields))
	}
	return out
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, creationTimestamp: null, labels: {a: b}}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec:
      containers:
      - name: cart
        image: shop/cart:v1
        resources: {limits: {cpu: 2, memory: 1Gi}}
        ports: [{containerPort: 80}]
        readinessProbe: {httpGet: {port: http}}
        volumeMounts: null
`

const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets}
  scope: Namespaced
  versions:
  - {name: v1alpha1, served: false, storage: false, schema: {openAPIV3Schema: {type: object}}}
  - {name: v1beta1, served: true, storage: false, deprecated: true, deprecationWarning: use v1, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [size, color]
            properties:
              size: {type: integer, minimum: 1, maximum: 5, exclusiveMaximum: true}
              color: {type: string, enum: [red, green], nullable: true}
              port: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}
              name: {type: string, pattern: '^[a-z]+$', maxLength: 5}
              wait: {type: string, format: duration}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {known: {type: object, properties: {a: {type: string}}}}}
              labels: {type: object, additionalProperties: {type: string}}
              template: {type: object, x-kubernetes-embedded-resource: true, properties: {spec: {type: object, properties: {x: {type: string}}}}}
              either: {type: object, oneOf: [{required: [a]}, {required: [b]}], properties: {a: {type: string}, b: {type: string}}}
`

// An API server of the version would refuse it, or leave a field out: each kind of that is
// found with its path, and nothing of what it takes.
func TestCheck(t *testing.T) {
	sets := make(map[string]*Set)
	for _, version := range Versions() {
		set, err := Load(tree("crds/w.yaml", "# widgets\n---"+widgets, "crds/deep/other.yaml", "kind: x", "crds/README.md", "CustomResourceDefinition"),
			Options{Version: version, CRDs: []string{"crds/"}, Ignore: []string{"*.example.net", "Secret/generated-*"}})
		if err != nil {
			t.Fatal(err)
		}
		sets[version] = set
	}
	for name, tc := range map[string]struct {
		version, object string
		want            []string
	}{
		"as it should be": {"1.36", deployment, nil},
		"an unknown field": {"1.36", strings.Replace(deployment, "readinessProbe", "readynessProbe", 1),
			[]string{"Deployment cart: spec.template.spec.containers[name=cart].readynessProbe is no field that is known there, did you mean readinessProbe?"}},
		"a wrong type": {"1.36", strings.Replace(deployment, "containerPort: 80", `containerPort: "80"`, 1),
			[]string{"Deployment cart: spec.template.spec.containers[name=cart].ports[containerPort=80].containerPort is string, and must be integer"}},
		"of two types": {"1.36", strings.Replace(deployment, "port: http", "port: true", 1),
			[]string{"Deployment cart: spec.template.spec.containers[name=cart].readinessProbe.httpGet.port is boolean, and must be integer or string"}},
		"what is missing": {"1.36", strings.Replace(deployment, "  selector: {matchLabels: {app: cart}}\n", "", 1), []string{"Deployment cart: spec.selector is missing"}},
		"too large":       {"1.36", strings.Replace(deployment, "containerPort: 80", "containerPort: 3000000000", 1), []string{"Deployment cart: spec.template.spec.containers[name=cart].ports[containerPort=3000000000].containerPort does not fit into 32 bits"}},
		"the largest":     {"1.36", strings.Replace(deployment, "volumeMounts: null", "x: y", 1) + "      terminationGracePeriodSeconds: 9223372036854775807\n", []string{"Deployment cart: spec.template.spec.containers[name=cart].x is no field that is known there"}},
		"larger than it":  {"1.36", deployment + "      terminationGracePeriodSeconds: 9223372036854775808\n", []string{"Deployment cart: spec.template.spec.terminationGracePeriodSeconds does not fit into 64 bits"}},
		"no base64":       {"1.36", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: hunter2!}", []string{"Secret s: data.a is not in base64"}},
		"a number":        {"1.36", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {a: 1}", []string{"ConfigMap s: data.a is number, and must be string"}},
		"a list":          {"1.36", "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: s}, date: {}}]", []string{"ConfigMap s: date is no field that is known there, did you mean data?"}},
		"removed": {"1.36", "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: s}",
			[]string{"Ingress s: is extensions/v1beta1, which Kubernetes has no more since 1.22, in its place there is networking.k8s.io/v1 Ingress"}},
		"never been":      {"1.36", "apiVersion: apps/v2\nkind: Deployment\nmetadata: {name: s}", []string{"Deployment s: is apps/v2, which Kubernetes 1.36 does not have, but apps/v1"}},
		"not yet":         {"1.33", "apiVersion: resource.k8s.io/v1\nkind: DeviceClass\nmetadata: {name: s}\nspec: {}", []string{"DeviceClass s: is resource.k8s.io/v1, which Kubernetes 1.33 does not have, but resource.k8s.io/v1alpha3, resource.k8s.io/v1beta1, resource.k8s.io/v1beta2"}},
		"deprecated":      {"1.37", "apiVersion: admissionregistration.k8s.io/v1beta1\nkind: MutatingAdmissionPolicy\nmetadata: {name: s}\nspec: {}", []string{"deprecated MutatingAdmissionPolicy s: is admissionregistration.k8s.io/v1beta1, which is deprecated since Kubernetes 1.37 and gone from 1.40 on, in its place there is admissionregistration.k8s.io/v1 MutatingAdmissionPolicy"}},
		"nobody knows it": {"1.36", "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: s}", []string{"unknown Rollout s"}},
		"ignored":         {"1.36", "apiVersion: example.net/v1\nkind: Odd\nmetadata: {name: s}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: generated-x}\nx: y", nil},
		"a definition":    {"1.36", strings.Replace(widgets, "scope:", "scopes:", 1), []string{"CustomResourceDefinition widgets.example.com: spec.scope is missing", "CustomResourceDefinition widgets.example.com: spec.scopes is no field that is known there, did you mean scope?"}},

		"a widget":            {"1.36", widget("size: 3, color: red, port: http, name: abc, wait: 3s, free: {x: {y: 1}, known: {a: b}}, labels: {a: b}, either: {a: x}, template: {apiVersion: v1, kind: Pod, metadata: {name: x, labels: {a: b}}, spec: {x: z}}"), nil},
		"may be null":         {"1.36", widget("size: 3, color: null, name: null"), nil},
		"must be there":       {"1.36", widget("size: 3"), []string{"Widget w: spec.color is missing"}},
		"null is missing":     {"1.36", widget("size: null, color: red"), []string{"Widget w: spec.size is missing"}},
		"an unknown one":      {"1.36", widget("size: 3, color: red, colour: red"), []string{"Widget w: spec.colour is no field that is known there, did you mean color?"}},
		"below free":          {"1.36", widget("size: 3, color: red, free: {known: {b: c}}"), []string{"Widget w: spec.free.known.b is no field that is known there, did you mean a?"}},
		"of an enumeration":   {"1.36", widget("size: 3, color: greeen"), []string{"Widget w: spec.color is none of red, green, did you mean green?"}},
		"too much":            {"1.36", widget("size: 5, color: red"), []string{"Widget w: spec.size must be less than 5"}},
		"no match":            {"1.36", widget("size: 3, color: red, name: X1"), []string{"Widget w: spec.name does not match ^[a-z]+$"}},
		"neither":             {"1.36", widget("size: 3, color: red, either: {}"), []string{"Widget w: spec.either fits none of its alternatives"}},
		"a wrong label":       {"1.36", widget("size: 3, color: red, labels: {a: 1}"), []string{"Widget w: spec.labels.a is number, and must be string"}},
		"metadata":            {"1.36", strings.Replace(widget("size: 3, color: red"), "name: w", "name: w, lables: {}", 1), []string{"Widget w: metadata.lables is no field that is known there, did you mean labels?"}},
		"in an object":        {"1.36", widget("size: 3, color: red, template: {metadata: {nam: x}}"), []string{"Widget w: spec.template.metadata.nam is no field that is known there, did you mean name?"}},
		"no longer served":    {"1.36", strings.Replace(widget("x: y"), "/v1", "/v1alpha1", 1), []string{"Widget w: is example.com/v1alpha1, and the definition of Widget (crds/w.yaml:3) has example.com/v1beta1, example.com/v1"}},
		"deprecated of a CRD": {"1.36", strings.Replace(widget("x: y"), "/v1", "/v1beta1", 1), []string{"deprecated Widget w: is example.com/v1beta1, which is deprecated: use v1"}},
	} {
		t.Run(name, func(t *testing.T) {
			set := sets[tc.version]
			for range 2 { // what is compiled is used again
				r, err := set.Check(t.Context(), parse(t, tc.object))
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, f := range r.Findings {
					got = append(got, f.String())
				}
				for _, f := range r.Deprecated {
					got = append(got, "deprecated "+f.String())
				}
				for _, o := range r.Unknown {
					got = append(got, "unknown "+o.String())
				}
				if strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
				}
			}
		})
	}
}

func widget(spec string) string {
	return "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {" + spec + "}"
}

// A definition may be among the objects themselves, and is heeded before that of the folder.
func TestOwnDefinitions(t *testing.T) {
	set, err := Load(tree(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := set.Check(t.Context(), parse(t, strings.TrimSpace(widgets)+"\n---\n"+widget("size: 3, color: red, x: y")))
	if err != nil || len(r.Findings) != 1 || r.Known != 2 || len(r.Unknown) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// What kubectl get crds -o yaml writes is a list of definitions: they were passed over, and
// the hint said to put them there.
func TestListedDefinitions(t *testing.T) {
	list := "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(widgets), "\n", "\n  ")
	set, err := Load(tree("crds.yaml", list), Options{CRDs: []string{"crds.yaml"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := set.Check(t.Context(), parse(t, widget("size: 3, color: red")))
	if err != nil || len(r.Findings) != 0 || r.Known != 1 || len(r.Unknown) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A schema of which a part is none is not half used: what it would say is unknown.
func TestHalfASchema(t *testing.T) {
	set, err := Load(tree("c.yaml", strings.Replace(widgets, "wait: {type: string, format: duration}", "wait: 5", 1)), Options{CRDs: []string{"c.yaml"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.Check(t.Context(), parse(t, widget("size: 3, color: red"))); err == nil || !strings.HasPrefix(err.Error(), "c.yaml:2: its schema cannot be used: ") {
		t.Error(err)
	}
}

// What cannot be read is an error that says where.
func TestLoadErrors(t *testing.T) {
	crd := "kind: CustomResourceDefinition\napiVersion: apiextensions.k8s.io/v1\n"
	for want, tc := range map[string]struct {
		files []string
		o     Options
	}{
		"the schemas of Kubernetes 1.12 are not built in": {nil, Options{Version: "1.12"}},
		"crds is not there":  {nil, Options{CRDs: []string{"crds/"}}},
		"crds/a.yaml: yaml:": {[]string{"crds/a.yaml", crd + "a: ["}, Options{CRDs: []string{"crds"}}},
		"crds/a.yaml:1: the CustomResourceDefinition names no group or no kind":        {[]string{"crds/a.yaml", crd}, Options{CRDs: []string{"crds"}}},
		"crds/a.yaml:1: is no CustomResourceDefinition: json: cannot unmarshal string": {[]string{"crds/a.yaml", crd + "spec: x"}, Options{CRDs: []string{"crds/a.yaml"}}},
		"crds/a.yaml: its aliases stand for more than 2 million values":                {[]string{"crds/a.yaml", crd + bomb()}, Options{CRDs: []string{"crds"}}},
	} {
		if _, err := Load(tree(tc.files...), tc.o); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	linked := tree()
	linked.MapFS["crds/a.yaml"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("../b.yaml")}
	if _, err := Load(linked, Options{CRDs: []string{"crds"}}); err == nil || !strings.HasPrefix(err.Error(), "crds/a.yaml is a symbolic link") {
		t.Error(err)
	}
	// A schema that is none is found when an object of its kind comes.
	set, err := Load(tree("c.yaml", strings.Replace(widgets, "'^[a-z]+$'", "'^[a-z'", 1)), Options{CRDs: []string{"c.yaml"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.Check(t.Context(), parse(t, widget("size: 3, color: red"))); err == nil || !strings.HasPrefix(err.Error(), "c.yaml:2: its schema cannot be used: ") {
		t.Error(err)
	}
}

func bomb() string {
	text := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		p := "*" + string(c-1)
		text += string(c) + ": &" + string(c) + " [" + strings.Repeat(p+",", 9) + p + "]\n"
	}
	return text
}

// Every schema of every version can be read.
func TestAllRead(t *testing.T) {
	b, err := kubernetes()
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, version := range Versions() {
		set, err := Load(tree(), Options{Version: version})
		if err != nil {
			t.Fatal(err)
		}
		for k := range b.kinds {
			if name := b.named(k, set.bit); name != "" {
				total++
				readable(t, set, &schema{Ref: name}, make(map[string]bool))
			}
		}
	}
	if total < 400 {
		t.Errorf("only %d kinds", total)
	}
}

// readable reads the schemas that a schema names.
func readable(t *testing.T, set *Set, s *schema, seen map[string]bool) {
	if s == nil || s.Ref != "" && seen[s.Ref] {
		return
	}
	if s.Ref != "" {
		seen[s.Ref] = true
		named, err := set.named(s.Ref)
		if err != nil {
			t.Error(err)
			return
		}
		s = named
	}
	for _, one := range s.Properties {
		readable(t, set, one, seen)
	}
	if s.Others != nil {
		readable(t, set, s.Others.schema, seen)
	}
	readable(t, set, s.Items, seen)
}

// What is built in is small, and packed by the generator.
func TestPackedIsSmall(t *testing.T) {
	if len(packed) > 100<<10 {
		t.Errorf("%d bytes", len(packed))
	}
	if _, err := unpack(packed[:1000]); err == nil {
		t.Error("damage is not noticed")
	}
	if _, err := unpack(nil); err == nil {
		t.Error("damage is not noticed")
	}
}

func BenchmarkUnpack(b *testing.B) {
	for b.Loop() {
		if _, err := unpack(packed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDeployment(b *testing.B) {
	all := parse(b, deployment)
	for b.Loop() {
		set, err := Load(tree(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		if r, err := set.Check(b.Context(), all); err != nil || len(r.Findings) > 0 {
			b.Fatal(r, err)
		}
	}
}
