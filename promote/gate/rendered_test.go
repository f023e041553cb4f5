package gate

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
)

// shown renders the same for every service.
type shown struct {
	before, after, staging []objects.Object
	err                    error
}

func (s shown) Rendered(context.Context, promote.GateRequest) (before, after []objects.Object, err error) {
	return s.before, s.after, s.err
}

func (s shown) In(_ context.Context, _ promote.GateRequest, environment string) ([]objects.Object, error) {
	if environment != "staging" {
		return nil, errors.New("there is no " + environment)
	}
	return s.staging, nil
}

// deployment is one of a web server; spec and container are further fields.
func deployment(image, spec, container string) []objects.Object {
	var fields map[string]any
	text := `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cart"}, "spec": {` + spec + `"template": {"spec": {"containers": [{"name": "cart", ` + container + `"image": "` + image + `"}]}}}}`
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&fields); err != nil {
		panic(err)
	}
	return []objects.Object{objects.Of(fields)}
}

// What a promotion may change is its images; all else is named, with what it was.
func TestRendered(t *testing.T) {
	v1, v2 := "shop/cart:v1", "shop/cart:v2@"+sha("2")
	other := objects.Of(map[string]any{"kind": "ConfigMap", "metadata": map[string]any{"name": "more"}})
	resource := func(version string) []objects.Object {
		return []objects.Object{objects.Of(map[string]any{"kind": "Shop", "metadata": map[string]any{"name": "x"}, "spec": map[string]any{"tag": version}})}
	}
	for name, tc := range map[string]struct {
		list string
		r    Renderer
		want string
	}{
		"images alone":       {"- rendered: {}", shown{before: deployment(v1, "", ""), after: deployment(v2, "", "")}, "pass nothing changes but images (1)"},
		"another image":      {"- rendered: {only: [image]}", shown{before: deployment(v1, "", ""), after: deployment("evil/cart:v9", "", "")}, "fail Deployment cart: spec.template.spec.containers[name=cart].image becomes evil/cart:v9, and is shop/cart:v1"},
		"replicas":           {"- rendered: {}", shown{before: deployment(v1, "", ""), after: deployment(v2, `"replicas": 2, `, "")}, "fail Deployment cart: spec.replicas becomes 2, and is absent"},
		"what is allowed":    {"- rendered: {allow: [spec.replicas]}", shown{before: deployment(v1, "", ""), after: deployment(v2, `"replicas": 2, `, "")}, "pass"},
		"a new object":       {"- rendered: {}", shown{before: deployment(v1, "", ""), after: append(deployment(v2, "", ""), other)}, "fail ConfigMap more is new"},
		"an object gone":     {"- rendered: {}", shown{before: append(deployment(v1, "", ""), other), after: deployment(v2, "", "")}, "fail ConfigMap more is gone"},
		"a custom resource":  {"- rendered: {}", shown{before: resource("v1"), after: resource("v2")}, "pass"},
		"another tag":        {"- rendered: {}", shown{before: resource("v1"), after: resource("v3")}, "fail Shop x: spec.tag becomes v3, and is v1"},
		"as in staging":      {"- rendered: {against: staging}", shown{before: deployment(v1, "", ""), after: deployment(v2, "", ""), staging: deployment(v2, "", "")}, "pass"},
		"not as in staging":  {"- rendered: {against: staging}", shown{before: deployment(v1, "", ""), after: deployment(v2, "", ""), staging: deployment(v2, `"paused": true, `, "")}, "fail Deployment cart: spec.paused is absent, and in staging true"},
		"allowed to differ":  {"- rendered: {against: staging, allow: [spec.paused]}", shown{before: deployment(v1, "", ""), after: deployment(v2, "", ""), staging: deployment(v2, `"paused": true, `, "")}, "pass"},
		"more than staging":  {"- rendered: {against: staging}", shown{before: append(deployment(v1, "", ""), other), after: append(deployment(v2, "", ""), other), staging: deployment(v2, "", "")}, "fail ConfigMap more is not in staging"},
		"no dev":             {"- rendered: {against: dev}", shown{before: deployment(v1, "", ""), after: deployment(v2, "", "")}, "unknown it could not be rendered: there is no dev"},
		"not rendered":       {"- rendered: {}", shown{err: &promote.Error{Msg: "a/b.yaml:3: no", Hint: "mend it"}}, "unknown it could not be rendered: a/b.yaml:3: no (hint: mend it)"},
		"nobody renders":     {"- rendered: {}", nil, "unknown it could not be rendered: nothing can be rendered here"},
		"a limit":            {"- resources: {}", shown{before: deployment(v1, `"replicas": 3, `, ""), after: deployment(v2, `"replicas": 2, `, "")}, "fail Deployment cart: spec.replicas is lowered from 3 to 2"},
		"an allowed limit":   {"- resources: {allow: [spec.replicas]}", shown{before: deployment(v1, `"replicas": 3, `, ""), after: deployment(v2, `"replicas": 2, `, "")}, "pass nothing is lost or lowered"},
		"nobody, resources":  {"- resources: {}", nil, "unknown"},
		"nobody, references": {"- references: {}", nil, "unknown"},
		"references":         {"- references: {}", shown{after: deployment(v2, "", `"envFrom": [{"secretRef": {"name": "db"}}], `), staging: deployment(v2, "", "")}, "fail Deployment cart: names Secret db, which is not there (hint: add it"},
		"declared":           {"- references: {declared: [Secret/db]}", shown{after: deployment(v2, "", `"envFrom": [{"secretRef": {"name": "db"}}], `), staging: deployment(v2, "", "")}, "pass all that workloads name is there"},
		"a variable":         {"- references: {}", shown{after: deployment(v2, "", ""), staging: deployment(v2, "", `"env": [{"name": "A", "value": "x"}], `)}, "fail Deployment cart: has no environment variable A in container cart, as the source has"},
		"an allowed one":     {"- references: {allow: ['DEBUG_*', A]}", shown{after: deployment(v2, "", ""), staging: deployment(v2, "", `"env": [{"name": "A", "value": "x"}], `)}, "pass"},
	} {
		t.Run(name, func(t *testing.T) {
			v := gates(t, tc.list, Deps{Renderer: tc.r})[0].Check(t.Context(), cart())
			got := string(v.Answer) + " " + v.Reason
			if v.Hint != "" {
				got += " (hint: " + v.Hint + ")"
			}
			if !strings.HasPrefix(got, tc.want) {
				t.Errorf("got %s", got)
			}
			if v.Answer == promote.Fail && v.Hint == "" && v.Advice.Do != promote.DoDiff {
				t.Errorf("no advice: %+v", v)
			}
		})
	}
}

// A hash of what is in an object may change its name, and the names that others have of it.
// Any other name or namespace is another object to a cluster, and does not pass for one.
func TestRenderedNames(t *testing.T) {
	object := func(kind, namespace, name, original string, more ...string) objects.Object {
		fields := map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name, "namespace": namespace}}
		for n := 0; n+1 < len(more); n += 2 {
			fields[more[n]] = more[n+1]
		}
		o := objects.Of(fields)
		o.Original = original
		return o
	}
	const one, two = "-4kfmb9ck2t", "-g7h8d2f4t6"
	list := func(all ...objects.Object) []objects.Object { return all }
	for name, tc := range map[string]struct {
		before, after []objects.Object
		want          string
	}{
		"a hash": {list(object("ConfigMap", "a", "x"+one, "x", "data", "1"), object("Pod", "a", "p", "p", "from", "x"+one)),
			list(object("ConfigMap", "a", "x"+two, "x", "data", "2"), object("Pod", "a", "p", "p", "from", "x"+two)), "pass"},
		"a namespace":                   {list(object("Pod", "a", "p", "p")), list(object("Pod", "b", "p", "p")), "fail Pod b/p: metadata.namespace becomes b, and is a"},
		"no namespace any more":         {list(object("Pod", "a", "p", "p")), list(object("Pod", "", "p", "p")), "fail Pod p: metadata.namespace becomes "},
		"a prefix":                      {list(object("Pod", "a", "x-p", "p")), list(object("Pod", "a", "y-p", "p")), "fail Pod a/y-p: metadata.name becomes y-p, and is x-p"},
		"a prefix of what is generated": {list(object("ConfigMap", "a", "x"+one, "x")), list(object("ConfigMap", "a", "y-x"+two, "x")), "fail ConfigMap a/y-x"},
		"another kind with a hash":      {list(object("Pod", "a", "x"+one, "x")), list(object("Pod", "a", "x"+two, "x")), "fail Pod a/x"},
		"a hash in another namespace":   {list(object("ConfigMap", "a", "x"+one, "x")), list(object("ConfigMap", "b", "x"+two, "x")), "fail ConfigMap b/x"},
		"a name of another": {list(object("Pod", "a", "x-p", "p"), object("Pod", "a", "q", "q", "host", "x-p")), list(object("Pod", "a", "y-p", "p"), object("Pod", "a", "q", "q", "host", "y-p")),
			"fail Pod a/y-p: metadata.name becomes y-p, and is x-p; Pod a/q: host becomes y-p"},
	} {
		r := shown{before: tc.before, after: tc.after}
		v := gates(t, "- rendered: {allow: ['ConfigMap:data']}", Deps{Renderer: r})[0].Check(t.Context(), cart())
		if got := string(v.Answer) + " " + v.Reason; !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// A verdict names a few, and how many more there are.
func TestRenderedMany(t *testing.T) {
	after := deployment("shop/cart:v1", `"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, `, "")
	v := gates(t, "- rendered: {}", Deps{Renderer: shown{before: deployment("shop/cart:v1", "", ""), after: after}})[0].Check(t.Context(), cart())
	if !strings.HasSuffix(v.Reason, "spec.e becomes 5, and is absent; and 2 more") {
		t.Error(v.Reason)
	}
}

// Rules of the repository see the objects and the promotion. One that does not compile is
// unknown, with its place.
func TestPolicy(t *testing.T) {
	after := shown{after: deployment("shop/cart:v2@"+sha("2"), `"replicas": 7, `, "")}
	files := tree("p/a.rego", "package main\ndeny contains sprintf(\"%d replicas of %s\", [input.spec.replicas, input.promotion.service]) if input.spec.replicas > 5\n",
		"w/a.rego", "package main\nwarn contains \"many\" if input.spec.replicas > 5\n", "bad/a.rego", "package main\ndeny contains if\n",
		"c/a.yaml", "kind: ValidatingAdmissionPolicy\nmetadata: {name: limits}\nspec:\n  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: ['*'], resources: [deployments]}]}\n  validations: [{expression: object.spec.replicas < 9}]\n")
	for _, tc := range []struct {
		list, want string
		d          Deps
	}{
		{"- policy: {rego: p}", "fail main.deny: Deployment cart: 7 replicas of cart", Deps{Tree: files, Renderer: after}},
		{"- policy: {rego: w}", "pass nothing against it, but: main.warn: Deployment cart: many", Deps{Tree: files, Renderer: after}},
		{"- policy: {cel: c}", "pass nothing against 1 objects", Deps{Tree: files, Renderer: after}},
		{"- policy: {rego: bad}", "unknown bad/a.rego:", Deps{Tree: files, Renderer: after}},
		{"- policy: {rego: none}", "unknown none is not there", Deps{Tree: files, Renderer: after}},
		{"- policy: {rego: p}", "unknown it could not be rendered: nothing can be rendered here", Deps{Tree: files}},
		{"- policy: {rego: p}", "unknown there is no repository", Deps{Renderer: after}},
	} {
		g := gates(t, tc.list, tc.d)[0]
		for range 2 { // the rules are compiled once
			if v := g.Check(t.Context(), cart()); !strings.HasPrefix(string(v.Answer)+" "+v.Reason, tc.want) {
				t.Errorf("%s: %s %s", tc.list, v.Answer, v.Reason)
			}
		}
	}
}

// A field that no API server knows is refused; what there is no schema of is unknown, and so
// is what cannot be read. What is deprecated is said.
func TestSchema(t *testing.T) {
	const selector = `"selector": {"matchLabels": {"app": "cart"}}, `
	good := shown{after: deployment("shop/cart:v2", selector, "")}
	other := func(apiVersion, kind string) shown {
		return shown{after: []objects.Object{objects.Of(map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": "x"}})}}
	}
	files := tree("crds/odd.yaml", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  group: example.com\n  names: {kind: Odd}\n"+
		"  versions: [{name: v1, served: true, schema: {openAPIV3Schema: {type: object}}}]\n", "bad/a.yaml", "kind: CustomResourceDefinition\na: [")
	for name, tc := range map[string]struct {
		list, want string
		d          Deps
	}{
		"good":            {`- schema: {version: "1.36"}`, "pass Kubernetes 1.36 knows all fields of 1 objects", Deps{Renderer: good}},
		"the newest":      {"- schema: {}", "pass Kubernetes 1.37 knows all fields of 1 objects", Deps{Renderer: good}},
		"unknown field":   {"- schema: {}", "fail Deployment cart: spec.replica is no field that is known there, did you mean replicas?", Deps{Renderer: shown{after: deployment("shop/cart:v2", selector+`"replica": 2, `, "")}}},
		"missing":         {"- schema: {}", "fail Deployment cart: spec.selector is missing", Deps{Renderer: shown{after: deployment("shop/cart:v2", "", "")}}},
		"removed":         {"- schema: {}", "fail CronJob x: is batch/v1beta1, which Kubernetes has no more since 1.25, in its place there is batch/v1 CronJob", Deps{Renderer: other("batch/v1beta1", "CronJob")}},
		"deprecated":      {"- schema: {}", "pass Kubernetes 1.37 knows all fields of 1 objects, but: MutatingAdmissionPolicy x: is", Deps{Renderer: other("admissionregistration.k8s.io/v1beta1", "MutatingAdmissionPolicy")}},
		"no schema":       {"- schema: {}", "unknown there is no schema of Odd.example.com, such as for Odd x (hint: crds: [FOLDER] with its CustomResourceDefinition, or ignore: [Odd.example.com])", Deps{Renderer: other("example.com/v1", "Odd")}},
		"ignored":         {"- schema: {ignore: [Odd.example.com]}", "pass Kubernetes 1.37 knows all fields of 0 objects", Deps{Renderer: other("example.com/v1", "Odd")}},
		"defined":         {"- schema: {crds: [crds/]}", "pass Kubernetes 1.37 knows all fields of 1 objects", Deps{Tree: files, Renderer: other("example.com/v1", "Odd")}},
		"another version": {"- schema: {crds: [crds/]}", "fail Odd x: is example.com/v2, and the definition of Odd (crds/odd.yaml:1) has example.com/v1", Deps{Tree: files, Renderer: other("example.com/v2", "Odd")}},
		"bad definition":  {"- schema: {crds: [bad]}", "unknown bad/a.yaml: yaml:", Deps{Tree: files, Renderer: good}},
		"no definition":   {"- schema: {crds: [none]}", "unknown none is not there (hint: name a folder", Deps{Tree: files, Renderer: good}},
		"too old":         {`- schema: {version: "1.12"}`, "unknown the schemas of Kubernetes 1.12 are not built in (hint: version: one of 1.33", Deps{Renderer: good}},
		"no repository":   {"- schema: {crds: [crds]}", "unknown there is no repository", Deps{Renderer: good}},
		"not rendered":    {"- schema: {}", "unknown it could not be rendered: nothing can be rendered here", Deps{}},
	} {
		t.Run(name, func(t *testing.T) {
			g := gates(t, tc.list, tc.d)[0]
			for range 2 { // definitions are read once
				v := g.Check(t.Context(), cart())
				got := string(v.Answer) + " " + v.Reason
				if v.Hint != "" {
					got += " (hint: " + v.Hint + ")"
				}
				if !strings.HasPrefix(got, tc.want) {
					t.Errorf("got %s", got)
				}
			}
		})
	}
}
