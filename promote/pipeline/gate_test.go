package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// gateFile is a pipeline with one list of gates, which begins on line 8.
func gateFile(list string) []byte {
	text := "apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  environments:\n  - {name: staging}\n  - name: prod\n    gates:\n"
	for line := range strings.Lines(strings.TrimSuffix(list, "\n") + "\n") {
		text += "    " + line
	}
	return []byte(text)
}

// Every field of every gate, misspelt or of another type, is told where it stands.
func TestGateFaults(t *testing.T) {
	const unknownKinds = "hint: known here: promoted, freeze, soak, health, http, metric, exec, manual, rendered, references, resources, policy, schema, approvals, commitStatus, anyOf, template, name, when, warnOnly, overridable, timeout"
	for _, tc := range []struct {
		name, list string
		want       []string
	}{
		{"nothing", "- {}", []string{"p.yaml:8:7: the gate says nothing", "hint: soak: {for: 10m}"}},
		{"another kind", "- {weather: sunny}", []string{`p.yaml:8:8: unknown field "spec.environments[1].gates[0].weather"`, unknownKinds}},
		{"two kinds", "- {soak: {for: 10m}, manual: {}}", []string{"p.yaml:8:7: the gate is soak and manual", "hint: write a gate for each"}},
		{"misspelt", "- {soka: {for: 10m}}\n- {freze: {}}\n- {soak: {for: 1m}, overidable: true, wen: x, warnonly: true, nam: x, timeuot: 1m}", []string{
			`p.yaml:8:8: unknown field "spec.environments[1].gates[0].soka"`, "hint: did you mean soak?",
			`p.yaml:9:8: unknown field "spec.environments[1].gates[1].freze"`, "hint: did you mean freeze?",
			`p.yaml:10:25: unknown field "spec.environments[1].gates[2].overidable"`, "hint: did you mean overridable?",
			`p.yaml:10:43: unknown field "spec.environments[1].gates[2].wen"`, "hint: did you mean when?",
			`p.yaml:10:51: unknown field "spec.environments[1].gates[2].warnonly"`, "hint: did you mean warnOnly?",
			`p.yaml:10:67: unknown field "spec.environments[1].gates[2].nam"`, "hint: did you mean name?",
			`p.yaml:10:75: unknown field "spec.environments[1].gates[2].timeuot"`, "hint: did you mean timeout?"}},
		{"types", "- {soak: 10m, name: [a], when: {}, warnOnly: 1, overridable: maybe, timeout: [1m]}", []string{
			"p.yaml:8:14: spec.environments[1].gates[0].soak is a string, not a mapping", "p.yaml:8:25: spec.environments[1].gates[0].name is a list, not a string",
			"p.yaml:8:36: spec.environments[1].gates[0].when is a mapping, not a string", "p.yaml:8:50: spec.environments[1].gates[0].warnOnly is a number, not a boolean",
			"p.yaml:8:66: spec.environments[1].gates[0].overridable is a string, not a boolean", "p.yaml:8:82: spec.environments[1].gates[0].timeout is a list, not a string"}},
		{"names", "- {manual: {}, name: a b}\n- {manual: {}, name: verify}\n- {manual: {}}\n- {manual: {}}\n- {soak: {for: 1m}, name: manual}", []string{
			`p.yaml:8:26: gate name "a b" is malformed`, "hint: letters, digits, '.', '_' and '-'", `p.yaml:9:26: "verify" is the name of what is asked without a gate`,
			`p.yaml:11:7: two gates are called "manual"`, "hint: name: manual-2", `p.yaml:12:7: two gates are called "manual"`, "hint: name: manual-2"}},
		{"timeouts", "- {manual: {}, timeout: 3}\n- {soak: {for: 1m}, timeout: -1s}\n- {exec: {command: [a]}, timeout: 1h}", []string{
			`p.yaml:8:29: timeout is "3", and must be a time such as 90s, 10m or 64h`, "hint: timeout: 30s", `p.yaml:9:34: timeout is "-1s", and must be a time such as 90s, 10m or 64h`, "hint: timeout: 30s",
			"p.yaml:10:39: timeout is 1h, and at most 10m0s is possible", "hint: timeout: 30s"}},
		{"when", "- {manual: {}, when: servce == 'x'}\n- {manual: {}, name: b, when: labels.tier}\n- {manual: {}, name: c, when: 'service =='}\n- {manual: {}, name: d, when: labels.tier == 1}", []string{
			"p.yaml:8:26: when: 1:1: undeclared reference to 'servce' (did you mean 'service'?)", "hint: known here: service, environment, from, images, labels",
			"p.yaml:9:35: when: 1:1: expression is of type string, not bool", `hint: compare with a value: labels.tier == "gold"`,
			"p.yaml:10:35: when: 1:11: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}", "hint: when: a condition in CEL",
			"p.yaml:11:35: when: 1:13: found no matching overload for '_==_' applied to '(string, int)'", "hint: when: a condition in CEL"}},
		{"promoted", "- {promoted: {environment: stagging, policy: p.yaml}}\n- {promoted: {environment: staging, policy: p.yaml}, overridable: true}\n- {promoted: {}}", []string{
			`p.yaml:8:32: environment "stagging" is not listed`, "hint: did you mean staging?", "p.yaml:9:7: promoted has neither name, when, warnOnly, overridable nor timeout",
			"p.yaml:10:18: the gate names no environment", "hint: environment: staging", "p.yaml:10:18: the gate names no policy", "hint: policy: policies/promotions.yaml"}},
		{"rendered", "- rendered: {only: [images], against: stagin, allow: [a..b, spec.replicas]}\n- rendered: {against: prod}\n  name: b\n- rendered: {alow: [x]}\n  name: c", []string{
			`p.yaml:11:18: unknown field "spec.environments[1].gates[2].rendered.alow"`, "hint: did you mean allow?"}},
		{"rendered's values", "- rendered: {only: [images], against: stagin, allow: [a..b, spec.replicas]}\n- rendered: {against: prod}\n  name: b", []string{
			`p.yaml:8:25: only has "images"`, "hint: only: [image], and other fields in allow", `p.yaml:8:43: environment "stagin" is not listed`, "hint: did you mean staging?",
			`p.yaml:8:59: "a..b" is no pattern of fields: a step is empty`, "hint: spec.replicas, **.resources, ConfigMap/settings:data.HOST", `p.yaml:9:27: environment "prod" is compared with itself`}},
		{"references", "- references: {declared: [Secret, Secret/db, /x]}\n- resources: {allow: ['**']}", []string{
			`p.yaml:8:31: "Secret" is not KIND/NAME`, "hint: Secret/db, Secret/shared-*:password", `p.yaml:8:50: "/x" is not KIND/NAME`, "hint: Secret/db, Secret/shared-*:password",
			`p.yaml:9:27: "**" is no pattern of fields: it allows everything`, "hint: spec.replicas, **.resources, ConfigMap/settings:data.HOST"}},
		{"schema", "- schema: {version: 1.36.1, crds: [../c, ''], ignore: ['*', '/x', '[']}\n- {schema: {version: '1.36', crds: [crds/], ignore: [Odd, '*.example.com/*']}, name: b}", []string{
			"p.yaml:8:25: \"1.36.1\" is no minor version of Kubernetes", "hint: version: \"1.36\"", "p.yaml:8:40: \"../c\" is not a path inside the repository", "hint: crds/",
			"p.yaml:8:46: the path is empty", "hint: crds: [crds/]", "p.yaml:8:60: \"*\" ignores all there is", "hint: Rollout, *.argoproj.io",
			"p.yaml:8:65: \"/x\" is not KIND, KIND.GROUP or KIND/NAME", "hint: Rollout, *.argoproj.io, Secret/generated-*", "p.yaml:8:71: \"[\" is not KIND, KIND.GROUP or KIND/NAME", "hint: Rollout, *.argoproj.io, Secret/generated-*"}},
		{"policy", "- policy: {}\n- {policy: {cel: c, data: [d]}, name: b}\n- {policy: {rego: ../p, data: [/d]}, name: c}", []string{
			"p.yaml:8:15: the gate names no policy", "hint: policy: {rego: policies/rego}", "p.yaml:9:16: namespaces and data are those of Rego", "hint: rego: policies/rego",
			`p.yaml:10:23: "../p" is not a path inside the repository`, "hint: policies/rego", `p.yaml:10:36: "/d" is not a path inside the repository`, "hint: policies/rego"}},
		{"soak", "- soak: {}\n- {soak: {for: soon, environment: stagin, trustTags: yes, helthy: true}, name: b}\n- {soak: {for: 9999h}, name: c}", []string{
			`p.yaml:9:58: spec.environments[1].gates[1].soak.trustTags is a string, not a boolean`, `p.yaml:9:63: unknown field "spec.environments[1].gates[1].soak.helthy"`, "hint: did you mean healthy?"}},
		{"soak's values", "- soak: {}\n- {soak: {for: soon, environment: stagin}, name: b}\n- {soak: {for: 9999h, environment: prod}, name: c}", []string{
			"p.yaml:8:13: soak does not say for how long", "hint: for: 10m", `p.yaml:9:20: for is "soon", and must be a time such as 90s, 10m or 64h`, "hint: for: 10m",
			`p.yaml:9:39: environment "stagin" is not listed`, "hint: did you mean staging?", "p.yaml:10:20: for is 9999h, and at most 8784h0m0s is possible", "hint: for: 10m",
			`p.yaml:10:40: environment "prod" waits for a promotion to itself`}},
		{"health's fields", "- health: {contxt: a, namspace: a, contexts: a, kind: [], name: {}, images: x}\n- {name: b, health: {argocd: {app: x}, flux: {kustomisation: x}}}", []string{
			`p.yaml:8:16: unknown field "spec.environments[1].gates[0].health.contxt"`, "hint: did you mean context?", `p.yaml:8:27: unknown field "spec.environments[1].gates[0].health.namspace"`, "hint: did you mean namespace?",
			"p.yaml:8:50: spec.environments[1].gates[0].health.contexts is a string, not a list", "p.yaml:8:59: spec.environments[1].gates[0].health.kind is a list, not a string",
			"p.yaml:8:69: spec.environments[1].gates[0].health.name is a mapping, not a string", "p.yaml:8:81: spec.environments[1].gates[0].health.images is a string, not a list",
			`p.yaml:9:35: unknown field "spec.environments[1].gates[1].health.argocd.app"`, "hint: known here: application, namespace, context", `p.yaml:9:51: unknown field "spec.environments[1].gates[1].health.flux.kustomisation"`, "hint: did you mean kustomization?"}},
		{"health's values", "- health: {}\n- {name: b, health: {context: a, contexts: [b, b], kind: Deploymnt, name: '{servce}', selector: a=b}}\n- {name: c, health: {kind: Secret, argocd: {}, flux: {}}}\n- {name: d, health: {apiVersion: v1, images: [cart]}}\n" +
			"- {name: e, health: {images: [cart], argocd: {application: x}}}\n- {name: f, health: {environment: stagin, context: a}}\n- {name: g, health: {kind: Widget, apiVersion: a/b/c}}", []string{
			`p.yaml:8:15: environment "prod" is promoted to from none, and health does not say where it is seen`, "hint: context: dev",
			"p.yaml:9:48: context and contexts are both said", "hint: contexts: [eu, us]", `p.yaml:9:52: context "b" is empty, or listed twice`,
			`p.yaml:9:62: kind "Deploymnt" is not known without its apiVersion`, "hint: did you mean Deployment?", "p.yaml:9:79: there is nothing for the hole {servce}", "hint: did you mean service?",
			"p.yaml:9:101: name and selector are both said", "hint: remove it, or name", "p.yaml:10:32: a Secret has no health, and is not read", "hint: kind: Deployment",
			"p.yaml:10:48: argocd names no application", `hint: application: "{service}-staging"`, "p.yaml:10:58: flux names one kustomization or one helmRelease", `hint: kustomization: "{service}"`,
			"p.yaml:11:38: apiVersion stands without kind", "hint: kind: Deployment", "p.yaml:12:34: there are no pods where only what has brought them is looked at", "hint: kind: Deployment",
			`p.yaml:13:39: environment "stagin" is not listed`, "hint: did you mean staging?", `p.yaml:14:52: apiVersion is "a/b/c"`, "hint: apiVersion: example.com/v1"}},
		{"health that nobody tells", "- {soak: {for: 1m, healthy: true}}\n- {name: b, anyOf: [{health: {environment: staging}}, {health: {namespace: \"{team}\"}}]}", []string{
			"p.yaml:8:33: there is no health gate beside it that would tell", "hint: health: {}", `p.yaml:9:34: neither the gate nor environment "staging" says where health is seen`, "hint: health: {context: staging, kind: Deployment}",
			"p.yaml:9:80: there is nothing for the hole {team}", "hint: known are service, environment, from"}},
		{"freeze's fields", "- freeze: {deny: {schedule: x}, alow: [], calendar: [a], timezone: UTC}\n- freeze: {deny: [{shedule: x, durration: y, timeZone: [], services: x, reason: {}}]}", []string{
			"p.yaml:8:22: spec.environments[1].gates[0].freeze.deny is a mapping, not a list", `p.yaml:8:37: unknown field "spec.environments[1].gates[0].freeze.alow"`, "hint: did you mean allow?",
			"p.yaml:8:57: spec.environments[1].gates[0].freeze.calendar is a list, not a string", `p.yaml:8:62: unknown field "spec.environments[1].gates[0].freeze.timezone"`, "hint: did you mean timeZone?",
			`p.yaml:9:24: unknown field "spec.environments[1].gates[1].freeze.deny[0].shedule"`, "hint: did you mean schedule?", `p.yaml:9:36: unknown field "spec.environments[1].gates[1].freeze.deny[0].durration"`, "hint: did you mean duration?",
			"p.yaml:9:60: spec.environments[1].gates[1].freeze.deny[0].timeZone is a list, not a string", "p.yaml:9:74: spec.environments[1].gates[1].freeze.deny[0].services is a string, not a list",
			"p.yaml:9:85: spec.environments[1].gates[1].freeze.deny[0].reason is a mapping, not a string"}},
		{"freeze's values", "- freeze: {}\n- {name: b, freeze: {calendar: ../x, timeZone: Mars}}\n- name: c\n  freeze:\n    deny:\n    - {}\n    - {schedule: 0 16 31 2 *, duration: 64}\n    - {schedule: 0 16 * *, duration: 9000h, services: ['[', '']}\n    allow: [{schedule: 0 16 * * 7, duration: 1h, timeZone: Local}]", []string{
			"p.yaml:8:15: freeze has no windows and no calendar", `hint: deny: [{schedule: "0 16 * * 5", duration: 64h}]`,
			`p.yaml:9:36: "../x" is not a path inside the repository`, "hint: calendar: freeze.yaml", `p.yaml:9:52: time zone "Mars" is not known`, "hint: timeZone: Europe/Zurich",
			"p.yaml:13:11: the window has no schedule", `hint: schedule: "0 16 * * 5"`, "p.yaml:13:11: the window has no duration", "hint: duration: 64h",
			`p.yaml:14:22: schedule "0 16 31 2 *" names a date that there is not`, `p.yaml:14:45: duration is "64", and must be a time such as 90s, 10m or 64h`, "hint: duration: 64h",
			`p.yaml:15:22: schedule "0 16 * *" has 4 fields, and five are wanted`, `hint: "0 16 * * 5": minute, hour, day of the month, month, day of the week`,
			"p.yaml:15:42: duration is 9000h, and at most 8784h0m0s is possible", "hint: duration: 64h", `p.yaml:15:60: service "[" is malformed`, "hint: cart, or legacy-*", `p.yaml:15:65: service "" is malformed`, "hint: cart, or legacy-*",
			`p.yaml:16:28: schedule "0 16 * * 7" is malformed: end of range (7) above maximum (6): 7`, "hint: Sunday is 0", `p.yaml:16:64: time zone "Local" is not known`, "hint: timeZone: Europe/Zurich"}},
		{"freeze's windows of Argo CD", "- freeze: {argocd: {}}\n- {name: b, freeze: {argocd: {project: p.yaml, application: ../x, nam: x}}}", []string{
			`p.yaml:9:71: unknown field "spec.environments[1].gates[1].freeze.argocd.nam"`, "hint: did you mean name?"}},
		{"freeze's windows of Argo CD, their values", "- freeze: {argocd: {}}\n- {name: b, freeze: {argocd: {project: ../p, application: ../x}}}\n- {name: c, freeze: {argocd: {project: p.yaml, application: a.yaml, name: '{service}'}}}\n- {name: d, freeze: {argocd: {project: p.yaml, name: '{team}'}}}", []string{
			"p.yaml:8:24: argocd names no file of the repository with an AppProject", "hint: project: argocd/project.yaml",
			"p.yaml:8:24: argocd does not say which application windows are for", `hint: application: "argocd/{service}-{environment}.yaml"`,
			"p.yaml:9:34: argocd names no file of the repository with an AppProject", "hint: project: argocd/project.yaml",
			`p.yaml:9:63: "../x" is not a path inside the repository`, `hint: application: "argocd/{service}-{environment}.yaml"`,
			"p.yaml:10:65: application has name, cluster and namespace itself", "p.yaml:11:58: there is nothing for the hole {team}", "hint: known are service, environment, from"}},
		{"http's fields", "- http: {uri: x, methd: GET, header: {}, headersfrom: {}, bdy: x, expct: x, retrys: 1}\n- {name: b, http: {url: [x], headers: [], headersFrom: {X: y, Z: {var: A}}, retries: many}}\n- {name: c, http: {url: x, retries: 1.5}}", []string{
			`p.yaml:8:14: unknown field "spec.environments[1].gates[0].http.uri"`, "hint: did you mean url?", `p.yaml:8:22: unknown field "spec.environments[1].gates[0].http.methd"`, "hint: did you mean method?",
			`p.yaml:8:34: unknown field "spec.environments[1].gates[0].http.header"`, "hint: did you mean headers?", `p.yaml:8:46: unknown field "spec.environments[1].gates[0].http.headersfrom"`, "hint: did you mean headersFrom?",
			`p.yaml:8:63: unknown field "spec.environments[1].gates[0].http.bdy"`, "hint: did you mean body?", `p.yaml:8:71: unknown field "spec.environments[1].gates[0].http.expct"`, "hint: did you mean expect?",
			`p.yaml:8:81: unknown field "spec.environments[1].gates[0].http.retrys"`, "hint: did you mean retries?",
			"p.yaml:9:29: spec.environments[1].gates[1].http.url is a list, not a string", "p.yaml:9:43: spec.environments[1].gates[1].http.headers is a list, not a mapping",
			"p.yaml:9:64: spec.environments[1].gates[1].http.headersFrom.X is a string, not a mapping", `p.yaml:9:71: unknown field "spec.environments[1].gates[1].http.headersFrom.Z.var"`, "hint: known here: env",
			"p.yaml:9:90: spec.environments[1].gates[1].http.retries is a string, not a whole number", "p.yaml:10:41: spec.environments[1].gates[2].http.retries is a number, not a whole number"}},
		{"http's values", "- http: {method: get, expect: size(bdy) == 0, retries: 11}\n- {name: b, http: {url: 'ftp://x', headers: {Authorization: x, 'a b': c}, headersFrom: {X: {env: AWS_SECRET_ACCESS_KEY}}, expect: status}}\n" +
			"- {name: c, http: {url: 'https://user:hunter2@x/{servce}', method: GET, body: x}}\n- {name: d, http: {url: 'http://x/', headersFrom: {X: {env: PROMOTE_X}}}}\n- {name: e, http: {url: 'http://127.0.0.1:1/', headersFrom: {X: {env: PROMOTE_X}}}}\n- {name: f, http: {url: 'https://{service}.example.com'}}", []string{
			"p.yaml:8:13: the gate has no url", "hint: url: https://status.example.com/api", `p.yaml:8:22: method is "get"`, "hint: did you mean GET?",
			"p.yaml:8:35: expect: 1:6: undeclared reference to 'bdy' (did you mean 'body'?)", "hint: known here: status, headers, body, text", "p.yaml:8:60: retries is 11, and may be 0 to 10", "hint: retries: 3",
			"p.yaml:9:29: url is none of http or https", "hint: url: https://status.example.com/api", "p.yaml:9:65: Authorization in the file can be read by everybody", "hint: headersFrom: {Authorization: {env: PROMOTE_TOKEN}}",
			`p.yaml:9:75: header "a b" is malformed`, `p.yaml:9:102: variable "AWS_SECRET_ACCESS_KEY" does not begin with PROMOTE_, as those do that gates may have`, "hint: PROMOTE_TOKEN",
			"p.yaml:9:135: expect: 1:1: expression is of type int, not bool", "hint: compare with a value: size(body.incidents) == 0",
			"p.yaml:10:29: url has the hole {servce}", "hint: did you mean service?", "p.yaml:10:29: url has a password, which everybody can read", "hint: headersFrom: {Authorization: {env: PROMOTE_TOKEN}}",
			"p.yaml:10:83: a GET has no body", "hint: method: POST", "p.yaml:11:29: url is not encrypted, and headersFrom has secrets", "hint: https://x", "p.yaml:13:29: url has a hole in its host"}},
		{"metric's fields", "- metric: {prometeus: {}, within: [1], abov: 1, below: low, windo: 1m}\n- {name: b, metric: {prometheus: {urls: x, query: [x], headersFrom: x}, above: {}}}", []string{
			`p.yaml:8:16: unknown field "spec.environments[1].gates[0].metric.prometeus"`, "hint: did you mean prometheus?", "p.yaml:8:39: spec.environments[1].gates[0].metric.within is a list, not a string",
			`p.yaml:8:44: unknown field "spec.environments[1].gates[0].metric.abov"`, "hint: did you mean above?", "p.yaml:8:60: spec.environments[1].gates[0].metric.below is a string, not a number",
			`p.yaml:8:65: unknown field "spec.environments[1].gates[0].metric.windo"`, "hint: did you mean window?", `p.yaml:9:39: unknown field "spec.environments[1].gates[1].metric.prometheus.urls"`, "hint: did you mean url?",
			"p.yaml:9:55: spec.environments[1].gates[1].metric.prometheus.query is a list, not a string", "p.yaml:9:73: spec.environments[1].gates[1].metric.prometheus.headersFrom is a string, not a mapping",
			"p.yaml:9:84: spec.environments[1].gates[1].metric.above is a mapping, not a number"}},
		{"metric's values", "- metric: {}\n- {name: b, metric: {prometheus: {}, within: '10', environment: stagin, window: long}}\n- {name: c, metric: {prometheus: {url: 'http://x', query: up}, above: 3, below: 1}}\n- {name: d, metric: {prometheus: {url: 'http://x', query: ' '}, above: .nan, below: .inf}}\n- {name: e, metric: {prometheus: {url: 'http://x', query: up}, within: NaN%}}", []string{
			"p.yaml:8:15: the metric has no source", "hint: prometheus: {url: https://prometheus.example.com, query: …}", "p.yaml:8:15: the metric has no bound", "hint: within: 10%, or below: 0.01",
			"p.yaml:9:38: the gate has no url", "hint: url: https://status.example.com/api", "p.yaml:9:38: the metric has no query", `hint: query: sum(rate(errors_total{service="{service}"}[5m]))`,
			`p.yaml:9:50: within is "10", and must be a part such as 10%`, "hint: within: 10%", `p.yaml:9:69: environment "stagin" is not listed`, "hint: did you mean staging?", `p.yaml:9:85: window is "long", and must be a time such as 90s, 10m or 64h`, "hint: window: 10m",
			"p.yaml:10:75: nothing is above 3 and below 1", "p.yaml:11:38: the metric has no query", `hint: query: sum(rate(errors_total{service="{service}"}[5m]))`,
			"p.yaml:11:76: above is no number", "hint: above: 0.01", "p.yaml:11:89: below is no number", "hint: below: 0.01", `p.yaml:12:76: within is "NaN%", and must be a part such as 10%`, "hint: within: 10%"}},
		{"exec", "- exec: {}\n- {name: b, exec: {command: [/bin/sh, -c, x], env: [HOME]}}\n- {name: c, exec: {command: [../x]}}\n- {name: d, exec: {command: [a, \"b\\0\"]}}", []string{
			"p.yaml:8:13: exec has no command", "hint: command: [hack/gate.sh]", `p.yaml:9:34: "/bin/sh" is not a path inside the repository`, "hint: command: [hack/gate.sh]",
			`p.yaml:9:57: variable "HOME" does not begin with PROMOTE_, as those do that gates may have`, "hint: PROMOTE_TOKEN", `p.yaml:10:34: "../x" is not a path inside the repository`, "hint: command: [hack/gate.sh]",
			"p.yaml:11:37: the argument holds a zero byte"}},
		{"exec's fields", "- exec: {comand: [x], env: x}\n- {name: b, exec: {command: hack/gate.sh}}\n- {name: c, manual: {questoin: x}}", []string{
			`p.yaml:8:14: unknown field "spec.environments[1].gates[0].exec.comand"`, "hint: did you mean command?", "p.yaml:8:32: spec.environments[1].gates[0].exec.env is a string, not a list",
			"p.yaml:9:33: spec.environments[1].gates[1].exec.command is a string, not a list", `p.yaml:10:26: unknown field "spec.environments[1].gates[2].manual.questoin"`, "hint: did you mean question?"}},
		{"approvals' fields", "- approvals: {minimum: 2, form: pullRequest, bye: [x], polcy: x, seperate: [author], persons: {}}\n- {name: b, approvals: {min: two, from: [x], by: codeowners, policy: [], separate: author, people: [x]}}\n- {name: c, approvals: {people: {ann: ann@example.com}}}", []string{
			`p.yaml:8:19: unknown field "spec.environments[1].gates[0].approvals.minimum"`, `hint: known here: min, from, by, policy, separate, people`,
			`p.yaml:8:31: unknown field "spec.environments[1].gates[0].approvals.form"`, `hint: did you mean from?`,
			`p.yaml:8:50: unknown field "spec.environments[1].gates[0].approvals.bye"`, `hint: did you mean by?`,
			`p.yaml:8:60: unknown field "spec.environments[1].gates[0].approvals.polcy"`, `hint: did you mean policy?`,
			`p.yaml:8:70: unknown field "spec.environments[1].gates[0].approvals.seperate"`, `hint: did you mean separate?`,
			`p.yaml:8:90: unknown field "spec.environments[1].gates[0].approvals.persons"`, `hint: known here: min, from, by, policy, separate, people`,
			`p.yaml:9:34: spec.environments[1].gates[1].approvals.min is a string, not a whole number`,
			`p.yaml:9:45: spec.environments[1].gates[1].approvals.from is a list, not a string`, `p.yaml:9:54: spec.environments[1].gates[1].approvals.by is a string, not a list`,
			`p.yaml:9:74: spec.environments[1].gates[1].approvals.policy is a list, not a string`,
			`p.yaml:9:88: spec.environments[1].gates[1].approvals.separate is a string, not a list`,
			`p.yaml:9:104: spec.environments[1].gates[1].approvals.people is a list, not a mapping`,
			`p.yaml:10:43: spec.environments[1].gates[2].approvals.people.ann is a string, not a list`}},
		{"approvals' values", "- approvals: {min: -1, from: attestaton, by: [' x'], separate: [autor], people: {ann: []}}\n- {name: b, approvals: {from: attestation, by: [ann], people: {ann: [x]}}}\n- {name: c, approvals: {policy: ../x}}", []string{
			`p.yaml:8:24: min is -1, and may be 1 to 20`, `hint: min: 2`, `p.yaml:8:34: from is "attestaton"`, `hint: did you mean attestation?`, `p.yaml:8:51: nobody is called " x"`,
			`hint: NAME, ORG/TEAM or codeowners`, `p.yaml:8:69: nobody is kept apart as "autor"`, `hint: did you mean author?`, `p.yaml:8:91: "ann" is known by nothing elsewhere`,
			`hint: ann: [ada@example.com]`, `p.yaml:9:28: signed approvals are asked for, and no policy says whose count`, `hint: policy: policies/approvals.yaml`,
			`p.yaml:10:37: policy is for signed approvals, and reviews are asked for`, `hint: from: attestation`, `p.yaml:10:37: "../x" is not a path inside the repository`,
			`hint: policy: policies/approvals.yaml`}},
		// It was taken for the default, one approval, without a word.
		{"no approvals", "- approvals: {min: 0}\n- {name: b, approvals: {min: 21}}", []string{`p.yaml:8:24: min is 0, and may be 1 to 20`, `hint: min: 2`, `p.yaml:9:34: min is 21, and may be 1 to 20`, `hint: min: 2`}},
		{"commitStatus", "- commitStatus: {}\n- {name: b, commitStatus: {contexts: ['[', '{servce}', ''], on: haed, missing: pass}}\n- {name: c, commitStatus: {context: [x], contexts: x}}", []string{
			`p.yaml:10:32: unknown field "spec.environments[1].gates[2].commitStatus.context"`, `hint: did you mean contexts?`,
			`p.yaml:10:56: spec.environments[1].gates[2].commitStatus.contexts is a string, not a list`}},
		{"commitStatus's values", "- commitStatus: {}\n- {name: b, commitStatus: {contexts: ['[', '{servce}', ''], on: haed, missing: pass}}", []string{
			`p.yaml:8:21: the gate has 0 contexts, and may have 1 to 50`, `hint: contexts: [ci/test]`, `p.yaml:9:43: context "[" is malformed`, `hint: ci/test, or ci/*`,
			`p.yaml:9:48: context has the hole {servce}`, `hint: did you mean service?`, `p.yaml:9:60: context "" is malformed`, `hint: ci/test, or ci/*`, `p.yaml:9:69: on is "haed"`,
			`hint: did you mean head?`, `p.yaml:9:84: missing is "pass"`, `hint: known are wait, unknown`}},
		{"anyOf", "- anyOf: []\n- {name: b, anyOf: [{manual: {}}, {promoted: {environment: staging, policy: p}}, {anyOf: []}, {soak: {for: x}}, {soak: {for: 1m}, warnOnly: true}, {}]}", []string{
			"p.yaml:8:14: anyOf has 0 gates, of which one must pass", "hint: anyOf: [{soak: {for: 24h}}, {manual: {}}]", "p.yaml:9:39: promoted stands alone, not under anyOf", "p.yaml:9:86: anyOf stands in anyOf", "hint: list its gates here",
			`p.yaml:9:112: for is "x", and must be a time such as 90s, 10m or 64h`, "hint: for: 10m", "p.yaml:9:117: warnOnly and overridable are said of all of anyOf", "hint: write it beside anyOf",
			"p.yaml:9:152: the gate says nothing", "hint: soak: {for: 10m}"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("p.yaml", gateFile(tc.list))
			wantError(t, err, tc.want...)
		})
	}
}

// What is written is what gates are made of.
func TestGatesAreRead(t *testing.T) {
	p, err := Parse("p.yaml", gateFile(`
- {soak: {for: 10m, environment: staging, trustTags: true}, name: long, when: service == "x", timeout: 1m, overridable: true}
- freeze: {deny: [{schedule: 0 16 * * 5, duration: 64h, timeZone: Europe/Zurich, services: [a], reason: r}], allow: [{schedule: "@daily", duration: 1h}], calendar: c.ics, timeZone: UTC}
- http: {url: "https://x/{service}", method: PUT, headers: {A: b}, headersFrom: {C: {env: PROMOTE_C}}, body: x, expect: status == 200, retries: 2}
- {metric: {prometheus: {url: "https://x", query: q, headersFrom: {C: {env: PROMOTE_C}}}, within: 12.5%, above: 1, below: 2e3, window: 1m}, warnOnly: true}
- exec: {command: [a, b], env: [PROMOTE_A]}
- anyOf: [{manual: {question: q}}, {soak: {for: 1h30m}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	one, most := 1.0, 2000.0
	secret := map[string]Variable{"C": {Env: "PROMOTE_C"}}
	want := []Gate{
		{Soak: &SoakGate{"10m", "staging", true, false}, Name: "long", When: `service == "x"`, Timeout: "1m", Overridable: true},
		{Freeze: &FreezeGate{[]Window{{"0 16 * * 5", "64h", "Europe/Zurich", []string{"a"}, "r"}}, []Window{{Schedule: "@daily", Duration: "1h"}}, "c.ics", nil, "UTC"}},
		{HTTP: &HTTPGate{"https://x/{service}", "PUT", map[string]string{"A": "b"}, secret, "x", "status == 200", 2}},
		{Metric: &MetricGate{&Prometheus{"https://x", "q", secret}, "12.5%", "", &one, &most, "1m"}, WarnOnly: true},
		{Exec: &ExecGate{[]string{"a", "b"}, []string{"PROMOTE_A"}}},
		{AnyOf: []Gate{{Manual: &ManualGate{"q"}}, {Soak: &SoakGate{For: "1h30m"}}}},
	}
	if d := cmp.Diff(want, p.Spec.Environments[1].Gates, cmpopts.IgnoreFields(Gate{}, "At")); d != "" {
		t.Error(d)
	}
	var titles []string
	for _, g := range want {
		titles = append(titles, g.Title())
	}
	if got := fmt.Sprint(titles); got != "[long freeze http metric exec anyOf]" {
		t.Error(got)
	}
	if want[3].Metric.Percent() != 0.125 || want[5].AnyOf[1].Soak.For.Time().String() != "1h30m0s" {
		t.Errorf("%v, %s", want[3].Metric.Percent(), want[5].AnyOf[1].Soak.For.Time())
	}
}

// What an environment says of its health, and of the way back by itself.
func TestEnvironmentHealthFaults(t *testing.T) {
	const head = "apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  environments:\n"
	for _, tc := range []struct {
		environment string
		want        []string
	}{
		{"{name: a, health: {}, rollback: {onUnhealthy: 10m}}", nil},
		{"{name: a, health: {context: x}, rollback: {gates: [], onUnhealthy: 10m}}", nil},
		{"{name: a, rollback: {}}", []string{"p.yaml:5:25: rollback says nothing", "hint: rollback: {gates: [verify]}"}},
		{"{name: a, rollback: {onUnhealthy: 10m}}", []string{`p.yaml:5:39: environment "a" does not say where its health is seen`, "hint: health: {context: a, kind: Deployment}"}},
		{"{name: a, health: {}, rollback: {onUnhealthy: soon}}", []string{`p.yaml:5:51: onUnhealthy is "soon", and must be a time such as 90s, 10m or 64h`, "hint: onUnhealthy: 10m"}},
		{"{name: a, health: {environment: b}}", []string{`p.yaml:5:37: environment "a" has its own health alone`}},
		{"{name: a, health: {kind: Deploymet}}", []string{`p.yaml:5:30: kind "Deploymet" is not known without its apiVersion`, "hint: did you mean Deployment?"}},
	} {
		p, err := Parse("p.yaml", []byte(head+"  - "+tc.environment+"\n"))
		if tc.want == nil {
			if err != nil || p.Spec.Environments[0].ForRollback().Health == nil {
				t.Errorf("%s: %v", tc.environment, err)
			}
			continue
		}
		wantError(t, err, tc.want...)
	}
}

// A host that does not tell which forge it is is asked by gates too, whatever the delivery is:
// deliver.forge and url were for pull requests alone, and such a gate stayed unknown.
func TestForgeOfGates(t *testing.T) {
	const text = "apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  environments:\n  - {name: dev}\n  - {name: prod, from: [dev], gates: [%s], deliver: {mode: %s, forge: gitea, url: https://git.example.com}}\n"
	for gate, asks := range map[string]bool{
		"approvals: {by: [ann]}": true, "commitStatus: {contexts: [ci]}": true, "anyOf: [{soak: {for: 1h}}, {approvals: {by: [ann]}}]": true,
		"soak: {for: 1h}": false, "approvals: {from: attestation, policy: p.yaml}": false,
	} {
		for _, mode := range []string{"push", "commit", "worktree"} {
			_, err := Parse("promotion.yaml", fmt.Appendf(nil, text, "{"+gate+"}", mode))
			if asks && err != nil || !asks && (err == nil || !strings.Contains(err.Error(), "deliver.forge is for pull requests, and deliver.mode is "+mode)) {
				t.Errorf("%s, %s: %v", gate, mode, err)
			}
		}
	}
}

// A way back by itself leaves the policy as it is: without gates it is asked.
func TestForRollback(t *testing.T) {
	e := Environment{Verify: &VerifyRule{Policy: "p.yaml"}, Rollback: &Rollback{OnUnhealthy: "10m"}}
	if e.ForRollback().Verify == nil {
		t.Error("the policy is not asked")
	}
	if e.Rollback.Gates = []string{}; e.ForRollback().Verify != nil {
		t.Error("the policy is asked, and nothing is to be")
	}
}
