package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"go.yaml.in/yaml/v3"
)

type tree struct{ fstest.MapFS }

func (tree) ReadAny(string, []string) (pipeline.Found, error) {
	return pipeline.Found{}, fs.ErrNotExist
}

func of(files map[string]string) tree {
	t := tree{fstest.MapFS{}}
	for name, text := range files {
		t.MapFS[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return t
}

func from(t testing.TB, text string) []objects.Object {
	t.Helper()
	var out []objects.Object
	for dec := yaml.NewDecoder(strings.NewReader(text)); ; {
		var v map[string]any
		if dec.Decode(&v) != nil {
			return out
		}
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		numbers := json.NewDecoder(bytes.NewReader(data))
		numbers.UseNumber()
		if err := numbers.Decode(&fields); err != nil {
			t.Fatal(err)
		}
		out = append(out, objects.Of(fields))
	}
}

const web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {app: web}}\nspec: {replicas: 7, template: {spec: {containers: [{name: web, image: 'shop/web:v1'}]}}}\n"

// ask gives what rules say of objects, a line each.
func ask(t *testing.T, files map[string]string, s Source, before string) (string, error) {
	t.Helper()
	set, err := Load(t.Context(), of(files), s)
	if err != nil {
		return "", err
	}
	promotion := map[string]any{"to": "production", "images": []any{map[string]any{"name": "web", "evidence": []any{map[string]any{"predicateType": "scan"}}}}}
	found, err := set.Check(t.Context(), from(t, before), from(t, web), promotion)
	var lines []string
	for _, f := range found {
		line := f.String()
		if f.Warn {
			line = "warning: " + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), err
}

func TestRego(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		s     Source
		want  string
	}{
		// The policy of Conftest's README, as it stands there.
		"conftest": {map[string]string{"policy/deployment.rego": "package main\n\ndeny contains msg if {\n  input.kind == \"Deployment\"\n  not input.spec.template.spec.securityContext.runAsNonRoot\n\n  msg := \"Containers must not run as root\"\n}\n\ndeny contains msg if {\n  input.kind == \"Deployment\"\n  not input.spec.selector.matchLabels.app\n\n  msg := \"Containers must provide app label for pod selectors\"\n}\n"},
			Source{Rego: "policy"}, "main.deny: Deployment web: Containers must not run as root\nmain.deny: Deployment web: Containers must provide app label for pod selectors"},
		"the older language": {map[string]string{"p.rego": "package main\nviolation[{\"msg\": msg}] { input.spec.replicas > 5; msg := sprintf(\"%d replicas\", [input.spec.replicas]) }"}, Source{Rego: "p.rego"}, "main.violation: Deployment web: 7 replicas"},
		"a warning":          {map[string]string{"p/a.rego": "package main\nwarn_many contains \"many\" if input.spec.replicas > 5"}, Source{Rego: "p/"}, "warning: main.warn_many: Deployment web: many"},
		"namespaces":         {map[string]string{"p/a.rego": "package a\ndeny contains \"a\" if true", "p/b.rego": "package b.c\ndeny contains \"b\" if true", "p/m.rego": "package main\ndeny contains \"m\" if true"}, Source{Rego: "p", Namespaces: []string{"a", "b.c"}}, "a.deny: Deployment web: a\nb.c.deny: Deployment web: b"},
		"what is promoted":   {map[string]string{"p/a.rego": "package main\ndeny contains i.name if { input.promotion.to == \"production\"; some i in input.promotion.images; not \"sbom\" in {e.predicateType | some e in i.evidence} }"}, Source{Rego: "p"}, "main.deny: Deployment web: web"},
		"data": {map[string]string{"p/a.rego": "package main\nimport data.limits\ndeny contains \"x\" if input.spec.replicas > limits.replicas\ndeny contains n if some n in data.team.shop.names", "d/limits.yaml": "limits: {replicas: 5}\n", "d/team/shop/x.json": `{"names": ["y"]}`},
			Source{Rego: "p", Data: []string{"d"}}, "main.deny: Deployment web: x\nmain.deny: Deployment web: y"},
		"nothing": {map[string]string{"p/a.rego": "package main\ndeny contains \"x\" if input.spec.replicas > 50", "p/a_test.rego": "package main\ntest_many if count(deny) == 1 with input as {\"spec\": {\"replicas\": 51}}"}, Source{Rego: "p"}, ""},
	} {
		got, err := ask(t, tc.files, tc.s, "")
		if err != nil || got != tc.want {
			t.Errorf("%s: got\n%s\n%v", name, got, err)
		}
	}
}

// Rules that cannot be relied on are told, with their place.
func TestRegoErrors(t *testing.T) {
	main := func(text string) map[string]string { return map[string]string{"p/a.rego": "package main\n" + text} }
	for name, tc := range map[string]struct {
		files map[string]string
		s     Source
		want  string
	}{
		"not there":         {nil, Source{Rego: "p"}, "p is not there"},
		"empty":             {map[string]string{"p/README": ""}, Source{Rego: "p"}, "p has no rules in Rego"},
		"no Rego":           {main("deny contains msg if {\n  msg := \n}"), Source{Rego: "p"}, "p/a.rego:"},
		"a function":        {main("deny contains \"x\" if http.send({}).status == 200"), Source{Rego: "p"}, "p/a.rego:2:22: undefined function http.send"},
		"no rule":           {main("allow if true"), Source{Rego: "p"}, "p: no rule decides: there is neither deny, violation nor warn in package main"},
		"no data":           {main("deny contains \"x\" if input.x in data.none"), Source{Rego: "p"}, "p/a.rego:2:33: neither a module nor a file has data.none"},
		"other data":        {map[string]string{"p/a.rego": "package main\ndeny contains \"x\" if input.x in data.none", "d.yaml": "some: [x]\n"}, Source{Rego: "p", Data: []string{"d.yaml"}}, "p/a.rego:2:33: neither a module nor a file has data.none"},
		"data of no use":    {map[string]string{"p/a.rego": "package main\ndeny contains \"x\" if true", "d.yaml": "- x\n"}, Source{Rego: "p", Data: []string{"d.yaml"}}, "d.yaml:1:1: is no mapping"},
		"data without end":  {map[string]string{"p/a.rego": "package main\ndeny contains \"x\" if true", "d.yaml": "a: [\n"}, Source{Rego: "p", Data: []string{"d.yaml"}}, "d.yaml: line "},
		"a failing test":    {map[string]string{"p/a.rego": "package main\ndeny contains \"x\" if false", "p/a_test.rego": "package main\n\ntest_x if count(deny) == 1"}, Source{Rego: "p"}, "p/a_test.rego:3:1: test_x fails"},
		"a function denies": {main("deny(x) := x"), Source{Rego: "p"}, "p/a.rego:2:1: rule deny decides, and can be no function"},
		"no set":            {main("deny := true"), Source{Rego: "p"}, "p/a.rego:2:1: rule main.deny is no set of reasons: true"},
		"a failing call":    {main("deny contains \"x\" if to_number(input.kind) > 3"), Source{Rego: "p"}, "p/a.rego:2:1: rule main.deny cannot be applied to Deployment web: "},
	} {
		_, err := ask(t, tc.files, tc.s, "")
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func admissionPolicy(spec string) map[string]string {
	return map[string]string{"c/a.yaml": "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: limits}\nspec:\n  matchConstraints:\n    resourceRules:\n    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}\n" + spec}
}

func TestCEL(t *testing.T) {
	for name, tc := range map[string]struct{ spec, before, want string }{
		// The example of Kubernetes' own documentation.
		"documented":     {"  validations:\n  - expression: object.spec.replicas <= 5\n", "", "limits (c/a.yaml:9): Deployment web: failed expression: object.spec.replicas <= 5"},
		"a message":      {"  validations:\n  - {expression: object.spec.replicas <= 5, message: too many}\n", "", "limits (c/a.yaml:9): Deployment web: too many"},
		"made":           {"  validations:\n  - expression: object.spec.replicas <= 5\n    messageExpression: \"'at most 5, not ' + string(object.spec.replicas)\"\n", "", "limits (c/a.yaml:9): Deployment web: at most 5, not 7"},
		"variables":      {"  variables:\n  - {name: most, expression: '5'}\n  - {name: more, expression: variables.most + 1}\n  validations:\n  - expression: object.spec.replicas <= variables.more\n", "", "limits (c/a.yaml:12): Deployment web: failed expression: object.spec.replicas <= variables.more"},
		"left out":       {"  variables:\n  - {name: none, expression: object.spec.none.none}\n  matchConditions:\n  - {name: x, expression: 'has(object.spec.none)'}\n  validations:\n  - expression: variables.none == 1\n", "", ""},
		"not asked for":  {"  variables:\n  - {name: none, expression: object.spec.none.none}\n  validations:\n  - expression: \"!has(object.spec.none) || variables.none == 1\"\n", "", ""},
		"by a condition": {"  variables:\n  - {name: many, expression: object.spec.replicas > 5}\n  matchConditions:\n  - {name: x, expression: variables.many}\n  validations:\n  - {expression: 'false', message: m, messageExpression: \"'many: ' + string(variables.many) + string(has(variables.many)) + string('few' in variables)\"}\n", "", "limits (c/a.yaml:13): Deployment web: many: truetruefalse"},
		"holds":          {"  validations:\n  - expression: object.spec.replicas == 7 && object.metadata.?labels.?app.orValue('') == 'web' && has(object.spec.template)\n", "", ""},
		"conditions":     {"  matchConditions:\n  - {name: x, expression: \"object.metadata.name != 'web'\"}\n  validations:\n  - expression: 'false'\n", "", ""},
		"created":        {"  validations:\n  - expression: oldObject == null && request.operation == 'CREATE' && request.resource.resource == 'deployments'\n", "", ""},
		"updated":        {"  validations:\n  - expression: oldObject.spec.replicas == 7 && request.operation == 'UPDATE'\n", web, ""},
		"the promotion":  {"  validations:\n  - expression: promotion.to == 'production' && promotion.images.all(i, i.evidence.exists(e, e.predicateType == 'scan'))\n", "", ""},
		"bound":          {"  validations:\n  - expression: 'false'\n    message: m\n---\nkind: ValidatingAdmissionPolicyBinding\nspec: {policyName: limits, validationActions: [Warn]}\n", "", "warning: limits (c/a.yaml:9): Deployment web: m"},
		"other kinds":    {"    excludeResourceRules:\n    - {apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*']}\n  validations:\n  - expression: 'false'\n", "", ""},
	} {
		got, err := ask(t, admissionPolicy(tc.spec), Source{CEL: "c"}, tc.before)
		if err != nil || got != tc.want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

// What a cluster calls a custom resource is for its definition to say. A rule that may be
// about an object is not passed over because of a guess.
func TestResources(t *testing.T) {
	for _, tc := range []struct{ kind, apiVersion, rules, want string }{
		{"Gateway", "gateway.networking.k8s.io/v1", "resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [gateways]}]", "refused"},
		{"Gateway", "gateway.networking.k8s.io/v1", "resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [gatewaies/*]}]", "refused"},
		{"Gateway", "gateway.networking.k8s.io/v1", "resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*']}]", "refused"},
		{"Gateway", "gateway.networking.k8s.io/v1", "resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [httproutes, gatewayclasses]}]", ""},
		{"Gateway", "gateway.networking.k8s.io/v1", "resourceRules: [{apiGroups: [apps], apiVersions: ['*'], operations: ['*'], resources: [gateways]}]", ""},
		{"Gateway", "gateway.networking.k8s.io/v1", "resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*']}]\n    excludeResourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [gateways]}]", `nobody knows here whether a cluster calls Gateway "gateways"`},
		{"Redis", "x.io/v1", "resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [redis]}]", "refused"},
		{"Index", "x.io/v1", "resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [indices]}]", `nobody knows here whether a cluster calls Index "indices"`},
		{"Rollout", "argoproj.io/v1alpha1", "resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*']}]\n    excludeResourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [rollouts]}]", ""},
		{"NetworkPolicy", "networking.k8s.io/v1", "resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [networkpolicies]}]", "refused"},
		{"Endpoints", "v1", "resourceRules: [{apiGroups: [''], apiVersions: ['*'], operations: ['*'], resources: [endpoints]}]", "refused"},
		{"Ingress", "networking.k8s.io/v1", "resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [ingress, ingresss]}]", ""},
	} {
		files := map[string]string{"c/a.yaml": "kind: ValidatingAdmissionPolicy\nmetadata: {name: x}\nspec:\n  matchConstraints:\n    " + tc.rules + "\n  validations: [{expression: 'false', message: refused}]\n"}
		set, err := Load(t.Context(), of(files), Source{CEL: "c"})
		if err != nil {
			t.Fatal(err)
		}
		o := objects.Of(map[string]any{"apiVersion": tc.apiVersion, "kind": tc.kind, "metadata": map[string]any{"name": "x"}})
		found, err := set.Check(t.Context(), nil, []objects.Object{o}, nil)
		got := ""
		if err != nil {
			got = err.Error()
		} else if len(found) > 0 {
			got = found[0].Msg
		}
		if got != tc.want && (tc.want == "" || !strings.Contains(got, tc.want)) {
			t.Errorf("%s by %s: %q, want %q", tc.kind, tc.rules, got, tc.want)
		}
	}
}

func TestCELErrors(t *testing.T) {
	for name, tc := range map[string]struct{ spec, want string }{
		"no CEL":        {"  validations:\n  - expression: object.spec.replicas <=\n", "c/a.yaml:9:"},
		"a block":       {"  validations:\n  - expression: |\n      true &&\n      nope\n", "c/a.yaml:11:"},
		"no such name":  {"  validations:\n  - expression: thing.x\n", "c/a.yaml:9:17: undeclared reference"},
		"parameters":    {"  paramKind: {kind: X, apiVersion: v1}\n  validations:\n  - expression: 'true'\n", "c/a.yaml:8:14: paramKind is not served here"},
		"a selector":    {"    objectSelector: {matchLabels: {a: b}}\n  validations:\n  - expression: 'true'\n", "c/a.yaml:8:21: objectSelector is not served here"},
		"no validation": {"", "c/a.yaml:5:3: policy \"limits\" has no validations"},
		"a missing key": {"  validations:\n  - expression: object.spec.none == 1\n", "c/a.yaml:9: cannot be applied to Deployment web: no such key: none"},
		"of variables":  {"  variables:\n  - {name: none, expression: object.spec.none}\n  validations:\n  - expression: variables.none == 1\n", "c/a.yaml:11: cannot be applied to Deployment web: "},
		"of itself":     {"  variables:\n  - {name: a, expression: variables.b}\n  - {name: b, expression: variables.a}\n  validations:\n  - expression: variables.b == 1\n", "c/a.yaml:12: cannot be applied to Deployment web: "},
		"all of them":   {"  variables:\n  - {name: a, expression: '1'}\n  validations:\n  - expression: size(variables) == 1\n", "c/a.yaml:11: cannot be applied to Deployment web: they cannot be counted"},
		"many":          {"  variables:\n" + strings.Repeat("  - {name: a, expression: '1'}\n", maxVariables+1) + "  validations:\n  - expression: 'true'\n", "c/a.yaml:5:3: policy \"limits\" has more than 500 variables"},
		"in turn":       {"  variables:\n  - {name: a, expression: '1'}\n  validations:\n  - expression: variables.all(v, v == 'a')\n", "c/a.yaml:11: cannot be applied to Deployment web: "},
		"costly":        {"  validations:\n  - expression: lists.range(50000).all(i, lists.range(50000).all(j, i + j >= 0))\n", "c/a.yaml:9: cannot be applied to Deployment web: the condition costs more than the limit"},
	} {
		_, err := ask(t, admissionPolicy(tc.spec), Source{CEL: "c"}, "")
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ask(t, map[string]string{"c/a.yaml": web}, Source{CEL: "c"}, ""); err == nil || err.Error() != "c has no ValidatingAdmissionPolicy" {
		t.Error(err)
	}
}

// Rules end with their context, and what is read is bounded.
func TestBounds(t *testing.T) {
	many := make(map[string]string)
	for i := range maxFiles + 1 {
		many[fmt.Sprintf("p/%d.rego", i)] = "package main\n"
	}
	if _, err := ask(t, many, Source{Rego: "p"}, ""); err == nil || !strings.Contains(err.Error(), "more than 500 files") {
		t.Error(err)
	}
	if _, err := ask(t, map[string]string{"p/a.rego": strings.Repeat("#", maxBytes+1)}, Source{Rego: "p"}, ""); err == nil || !strings.Contains(err.Error(), "larger than 8 MiB") {
		t.Error(err)
	}
	set, err := Load(t.Context(), of(map[string]string{"p/a.rego": "package main\ndeny contains \"x\" if { some i in input.l; some j in input.l; some k in input.l; i + j + k < 0 }"}), Source{Rego: "p"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var list []any
	for range 3000 {
		list = append(list, json.Number("1"))
	}
	_, err = set.Check(ctx, nil, []objects.Object{objects.Of(map[string]any{"kind": "A", "l": list})}, nil)
	var e *Error
	if !errors.As(err, &e) || e.Msg != "p/a.rego:2:1: rule main.deny was not evaluated in time" {
		t.Error(err)
	}
}

func ExampleLoad() {
	set, err := Load(context.Background(), of(map[string]string{"policy/web.rego": "package main\ndeny contains \"too many replicas\" if input.spec.replicas > 5"}), Source{Rego: "policy"})
	if err != nil {
		fmt.Println(err)
		return
	}
	web := objects.Of(map[string]any{"kind": "Deployment", "metadata": map[string]any{"name": "web"}, "spec": map[string]any{"replicas": json.Number("7")}})
	found, err := set.Check(context.Background(), nil, []objects.Object{web}, nil)
	fmt.Println(found[0], err)
	// Output: main.deny: Deployment web: too many replicas <nil>
}
