package condition

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

func inputFor(t testing.TB, payload string) Input {
	t.Helper()
	s, err := statement.Parse([]byte(payload))
	sigtest.Must(t, err)
	return Input{s.Fields(), "registry.example.com/shop/cart", "sha256:" + sigtest.SomeHex}
}

// expectRule evaluates a rule. want is "" if it has to hold, the beginning of
// the reason if it must not, and "!" and the text of the error if it cannot be
// decided.
func expectRule(t *testing.T, r Condition, in Input, want string) {
	t.Helper()
	err := r.Eval(t.Context(), in)
	_, reason := errors.AsType[*mismatch.Error](err)
	switch text, undecided := strings.CutPrefix(want, "!"); {
	case want == "":
		if err != nil {
			t.Errorf("does not hold: %v", err)
		}
	case err == nil:
		t.Errorf("holds, want %q", want)
	case undecided == reason || !strings.Contains(err.Error(), text) || strings.ContainsAny(err.Error(), "\n\r"):
		t.Errorf("mismatch %v: %v, want %q", reason, err, want)
	}
}

func TestCEL(t *testing.T) {
	in := inputFor(t, sigtest.Provenance)
	for expr, want := range map[string]string{
		`true`:  "",
		`false`: `condition "false" does not hold`,
		`predicate.builder.id == "https://ci.example.com/runner"`:                       "",
		`predicate.builder.id.startsWith("https://ci.")`:                                "",
		`predicate.builder.trusted == true`:                                             "",
		`predicateType == "https://slsa.dev/provenance/v1"`:                             "",
		`subject.exists(s, s.digest.sha256 == digest.substring(7))`:                     "",
		`statement.predicate.level >= 3 && statement._type.endsWith("/v1")`:             "",
		`image == "registry.example.com/shop/cart"`:                                     "",
		`predicate.level == 3 && predicate.level == 3.0`:                                "",
		`predicate.score > 7 && predicate.score < 8`:                                    "",
		`predicate.big == 9007199254740993`:                                             "",
		`predicate.big == 9007199254740992`:                                             "does not hold",
		`predicate.exp == 1000`:                                                         "",
		`predicate.none == null`:                                                        "",
		`predicate.findings.all(f, f.severity in ["low", "medium"])`:                    "",
		`predicate.findings.all(f, f.severity == "low")`:                                "does not hold",
		`sets.contains(predicate.findings.map(f, f.id), ["CVE-1"])`:                     "",
		`has(predicate.waiver)`:                                                         "does not hold",
		`predicate.waiver == "x"`:                                                       "no such key",
		`predicate.level.startsWith("3")`:                                               "no such overload",
		`predicate.level / 0 == 1`:                                                      "division",
		`predicate.builder.id.matches("^https://ci[.]example[.]com/")`:                  "",
		`lists.range(100001).size() > 0`:                                                "cannot be applied",
		`lists.range(50000).all(i, lists.range(50000).all(j, i + j >= 0))`:              "!the condition",
		`lists.range(2000).map(i, predicate.findings).flatten().size() == 4000`:         "",
		`predicate.findings.filter(f, f.severity == "critical").size() == 0`:            "",
		`!predicate.findings.exists(f, f.severity == "critical")`:                       "",
		`type(predicate.level) == int && type(predicate.score) == double`:               "",
		`predicate.builder.id.split("/").size() == 4 && "x".format([]) == "x"`:          "",
		`size(subject) == 1 && subject[0].name == "shop/cart" && subject[1].name != ""`: "index",
	} {
		t.Run(expr, func(t *testing.T) {
			r, err := CEL(expr)
			sigtest.Must(t, err)
			expectRule(t, r, in, want)
		})
	}
}

func TestCELWithoutPredicate(t *testing.T) {
	in := inputFor(t, strings.ReplaceAll(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"a:b",`+
		`"subject":[{"digest":{"sha256":"X"}}]}`, "X", sigtest.SomeHex))
	r, err := CEL(`predicate.size() == 0`)
	sigtest.Must(t, err)
	expectRule(t, r, in, "")
}

func TestCELErrors(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{"", "expression is empty"},
		{" \n", "expression is empty"},
		{"predicate.ok", "1:1: expression is of type dyn, not bool"},
		{"1 + 1", "1:1: expression is of type int, not bool"},
		{"predicate.a ==", "1:15: "},
		{"true &&\n  predicat.a == 1", "2:3: undeclared reference to 'predicat'"},
		{"timestamp('x') < now", "1:18: undeclared reference to 'now'"},
		{"http.get('x')", "1:"},
		{"'a' == 1", "1:5: "},
		{"'a'.matches('(')", "1:"},
		{"'a'.matches('(a{900}){900}')", "1:"},
		{strings.Repeat("(", 400) + "true" + strings.Repeat(")", 400), ""},
		{strings.Repeat("-(", 300) + "1" + strings.Repeat(")", 300) + " == 1", ""},
		{strings.Repeat("[", 400) + strings.Repeat("]", 400) + " == []", ""},
		{strings.Repeat("a", 17<<10), "expression is over 16 KiB"},
	} {
		_, err := CEL(c.expr)
		if _, ok := errors.AsType[*Error](err); !ok || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: %v, want %q", c.expr, err, c.want)
		}
	}
}

// regoModule wraps a body into the module of a policy-controller policy.
func regoModule(body string) map[string]string {
	return map[string]string{"policy.rego": "package sigstore\n" + body}
}

func TestRego(t *testing.T) {
	in := inputFor(t, sigtest.Provenance)
	for name, c := range map[string]struct {
		modules map[string]string
		want    string
	}{
		"v0 true":      {regoModule("default isCompliant = false\nisCompliant { input.predicate.level >= 3 }"), ""},
		"v0 false":     {regoModule("default isCompliant = false\nisCompliant { input.predicate.level > 3 }"), "rule sigstore.isCompliant is false"},
		"v0 undefined": {regoModule("isCompliant { input.predicate.level > 3 }"), "rule sigstore.isCompliant has no value"},
		"v1 true":      {regoModule("isCompliant if input.predicate.level == 3"), ""},
		"v1 import":    {regoModule("import rego.v1\nisCompliant if { some f in input.predicate.findings; f.id == \"CVE-2\" }"), ""},
		"v0 response": {regoModule(`isCompliant[response] {
			result := input.predicate.level == 4
			response := {"result": result, "error": "level is not 4", "warning": ""} }`),
			"rule sigstore.isCompliant has no result that is true: level is not 4"},
		"v0 response true": {regoModule(`isCompliant[response] { response := {"result": input.predicate.level == 3} }`), ""},
		"v1 response":      {regoModule(`isCompliant contains {"result": false, "error": "no"} if true`), "true: no"},
		"response of text": {regoModule(`isCompliant contains "yes" if true`), "neither true nor a set of objects"},
		"response empty":   {regoModule(`isCompliant contains {"result": true} if input.predicate.level == 4`), "has no result that is true"},
		"a text":           {regoModule(`isCompliant = "true"`), "has no result that is true"},
		"cosign":           {map[string]string{"a": "package signature\nallow { input.predicateType == \"https://slsa.dev/provenance/v1\" }"}, ""},
		"cosign false":     {map[string]string{"a": "package signature\ndefault allow = false"}, "signature.allow is false"},
		"deny":             {map[string]string{"a": `package main` + "\n" + `deny contains msg if { some f in input.predicate.findings; f.severity == "low"; msg := sprintf("%s is open", [f.id]) }`}, "rule main.deny refuses: CVE-1 is open"},
		"deny v0":          {regoModule(`deny[msg] { input.predicate.level < 4; msg := "level" }`), "rule sigstore.deny refuses: level"},
		"deny v1 object":   {regoModule(`deny[msg] if { input.predicate.level < 4; msg := "level" }`), "refuses: level"},
		"deny object":      {regoModule(`deny contains {"msg": "level", "x": 1} if true`), "refuses: level"},
		"deny nothing":     {regoModule(`deny contains "x" if input.predicate.level > 4`), ""},
		"deny undefined":   {regoModule(`deny = {"x"} if input.predicate.level > 4`), ""},
		"deny boolean":     {regoModule(`deny if input.predicate.level > 2`), "no set of reasons"},
		"deny many":        {regoModule("import rego.v1\ndeny contains sprintf(\"r%d\", [i]) if some i in [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]"), "r10; r11; r12; r13; r14 (and 5 more)"},
		"deny lines":       {regoModule(`deny contains "a\nb\u001b[2J" if true`), "refuses: a b [2J"},
		"violation":        {regoModule(`violation_slsa contains "v" if true`), "rule sigstore.violation_slsa refuses: v"},
		"warn":             {regoModule("isCompliant = true\nwarn contains \"w\" if true"), ""},
		"both":             {regoModule("isCompliant = true\ndeny contains \"d\" if true"), "refuses: d"},
		"image":            {regoModule(`isCompliant if { data.kubepromote.image == "registry.example.com/shop/cart"; endswith(data.kubepromote.digest, input.subject[0].digest.sha256) }`), ""},
		"numbers":          {regoModule(`isCompliant if { input.predicate.big == 9007199254740993; input.predicate.exp == 1000; input.predicate.score == 7.5 }`), ""},
		"two modules": {map[string]string{"lib.rego": "package lib\nok(x) if x == 3",
			"policy.rego": "package sigstore\nimport data.lib\nisCompliant if lib.ok(input.predicate.level)"}, ""},
		"failing function": {regoModule(`deny contains "x" if to_number(input.predicate.builder.id) > 3`), "cannot be applied"},
		"conflict":         {regoModule("isCompliant = true if input.predicate.level == 3\nisCompliant = false if input.predicate.score > 7"), "cannot be applied"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Rego(c.modules)
			sigtest.Must(t, err)
			expectRule(t, r, in, c.want)
		})
	}
}

func TestRegoErrors(t *testing.T) {
	many := map[string]string{}
	for i := range maxRegoModules + 1 {
		many[fmt.Sprint(i)] = "package sigstore"
	}
	for _, c := range []struct {
		modules map[string]string
		want    string
	}{
		{nil, "no rule decides"},
		{many, "there are 33 modules"},
		{regoModule(""), "no rule decides"},
		{map[string]string{"a": ""}, "a: "},
		{map[string]string{"a": "package other\nisCompliant = true"}, "no rule decides"},
		{regoModule("warn contains \"x\" if true"), "no rule decides"},
		{regoModule("isCompliant {\n  input.x ==\n}"), "policy.rego:4:"},
		{regoModule("isCompliant if {\n  foo(1)\n}"), "policy.rego:3:3: undefined function foo"},
		{regoModule("isCompliant(x) if x == 1"), "policy.rego:2:1: rule isCompliant decides, and can be no function"},
		{regoModule("isCompliant if http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"})"), "policy.rego:2:16: undefined function http.send"},
		{regoModule("isCompliant if opa.runtime().env.HOME"), "policy.rego:2:16: undefined function opa.runtime"},
		{regoModule("isCompliant if net.lookup_ip_addr(\"localhost\")"), "policy.rego:2:16: undefined function net.lookup_ip_addr"},
		{regoModule("isCompliant if time.now_ns() > 0"), "policy.rego:2:16: undefined function time.now_ns"},
		{regoModule("isCompliant if rand.intn(\"a\", 2) == 0"), "policy.rego:2:16: undefined function rand.intn"},
		{regoModule("isCompliant if count(numbers.range(1, input.n)) > 1"), "policy.rego:2:22: undefined function numbers.range"},
		{regoModule("isCompliant if bits.lsh(1, input.n) > 1"), "policy.rego:2:16: undefined function bits.lsh"},
		{regoModule("isCompliant if io.jwt.decode(\"a\")"), "policy.rego:2:16: undefined function io.jwt.decode"},
		{regoModule("isCompliant if json.match_schema({}, {})"), "policy.rego:2:16: undefined function json.match_schema"},
		{regoModule("deny contains \"x\" if input.x in data.blocked"), "policy.rego:2:33: no module defines data.blocked"},
		{regoModule("isCompliant if isCompliant"), "policy.rego:2:1: rule data.sigstore.isCompliant is recursive"},
		{regoModule("x := " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000)), "policy.rego:2:"},
		{regoModule(strings.Repeat("#", maxRuleText)), "policy.rego: modules are over 256 KiB"},
		{regoModule("isCompliant if \x00"), "policy.rego:2:"},
	} {
		_, err := Rego(c.modules)
		if _, ok := errors.AsType[*Error](err); !ok || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60v: %v, want %q", c.modules, err, c.want)
		}
	}
}

func TestCompilePolicy(t *testing.T) {
	r, err := ForCluster("rego", "package sigstore\nisCompliant { input.predicate.level == 3 }")
	sigtest.Must(t, err)
	expectRule(t, r, inputFor(t, sigtest.Provenance), "")
	for kind, want := range map[string]string{
		"cue": "policies in CUE cannot be evaluated here", "": `policy type "" is not known`, "Rego": `policy type "Rego" is not known`,
	} {
		_, err := ForCluster(kind, "predicateType: string")
		if e, ok := errors.AsType[*Error](err); !ok || e.Error() != want || e.HintText() == "" {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// Neither language may take long over a predicate that was made to be large.
func TestHostilePredicates(t *testing.T) {
	wrap := func(predicate string) string {
		return `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + sigtest.SomeHex + `"}}],` +
			`"predicateType":"a:b","predicate":` + predicate + `}`
	}
	deep := strings.Repeat(`{"a":`, statement.MaxStatementDepth-2) + `1` + strings.Repeat(`}`, statement.MaxStatementDepth-2)
	wide := `{"a":[` + strings.Repeat("1,", 300_000) + `1]}`
	cel, err := CEL(`!has(predicate.a) || predicate.a != "x"`)
	sigtest.Must(t, err)
	loop, err := CEL(`predicate.a.all(x, x == 1)`)
	sigtest.Must(t, err)
	opa, err := Rego(regoModule(`deny contains "x" if input.predicate.a == "x"`))
	sigtest.Must(t, err)
	for name, predicate := range map[string]string{"deep": deep, "wide": wide} {
		t.Run(name, func(t *testing.T) {
			in := inputFor(t, wrap(predicate))
			expectRule(t, cel, in, "")
			expectRule(t, opa, in, "")
		})
	}
	expectRule(t, loop, inputFor(t, wrap(wide)), "")
	expectRule(t, loop, inputFor(t, wrap(`{"a":3}`)), "cannot be applied")
}

func TestRulesStop(t *testing.T) {
	in := inputFor(t, sigtest.Minimal+`,"predicate":{"a":[`+strings.Repeat("1,", 9000)+`1]}}`)
	cel, err := CEL(`lists.range(1000).all(i, lists.range(1000).all(j, i + j >= 0))`)
	sigtest.Must(t, err)
	opa, err := Rego(regoModule(`isCompliant if { some i in input.predicate.a; some j in input.predicate.a; i + j < 0 }`))
	sigtest.Must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, r := range []Condition{cel, opa} {
		if err := r.Eval(ctx, in); !errors.Is(err, context.Canceled) {
			t.Errorf("%T: %v", r, err)
		}
	}
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := opa.Eval(ctx, in); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := withinTime(t.Context(), time.Millisecond, func(ctx context.Context) error {
		<-t.Context().Done() // looks at no context that is of use
		return nil
	}); err == nil || !strings.Contains(err.Error(), "within 1ms") {
		t.Error(err)
	}
	if err := withinTime(t.Context(), time.Minute, func(context.Context) error { panic("x") }); err == nil {
		t.Error("no error")
	}
}
