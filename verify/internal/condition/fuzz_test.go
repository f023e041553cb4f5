package condition

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

// fuzzRule checks what holds for every condition, however it is written: the
// compiler answers with a rule or a *ruleError on one line, and the rule comes
// to an end.
func fuzzRule(t *testing.T, r Condition, err error, in Input) {
	t.Helper()
	if err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok || r != nil || e.msg == "" || e.line < 0 || e.line > 0 && e.col < 0 || strings.ContainsAny(err.Error(), "\n\r\x1b") {
			t.Fatalf("%v, %#v", r, err)
		}
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	if err := r.Eval(ctx, in); err != nil && strings.ContainsAny(err.Error(), "\n\r\x1b") {
		t.Fatalf("%q", err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Fatalf("took %s", d)
	}
}

func FuzzCEL(f *testing.F) {
	for _, s := range []string{
		`predicate.findings.all(f, f.severity in ["low"]) && image.startsWith("r")`,
		`lists.range(100).map(i, lists.range(i)).flatten().size() > 3`,
		`"%s".format([predicate]) == "x" || subject[0].digest.sha256.matches("^a+$")`,
		`sets.contains([1, 2], [predicate.level]) ? true : predicate.score > 1.5`,
		`has(predicate.a.b.c) || [predicate].exists_one(p, p.level == 3)`,
		`"a".replace("", "bbbbbbbbbbbbbbbb", 9999).split("").join(predicate.builder.id) != ""`,
		"((((((((((((((((", "'\\ud800' == \"\x00\"", "9223372036854775807 + 1 == 0", "predicate.level << 3",
	} {
		f.Add(s)
	}
	in := inputFor(f, sigtest.Provenance)
	f.Fuzz(func(t *testing.T, expr string) {
		r, err := CEL(expr)
		fuzzRule(t, r, err, in)
	})
}

func FuzzRego(f *testing.F) {
	for _, s := range []string{
		"package sigstore\nisCompliant if input.predicate.level > 2",
		"package sigstore\ndefault isCompliant = false\nisCompliant { input.predicate.level > 2 }",
		"package main\nimport rego.v1\ndeny contains msg if { some f in input.predicate.findings; msg := f.id }",
		"package main\ndeny[{\"msg\": x}] { x := input[_][_] }",
		"package sigstore\nisCompliant if { some i, x in input; some j, y in input; walk(x, [p, y]) }",
		"package sigstore\nisCompliant[r] { r := {\"result\": true} }",
		"package sigstore\nisCompliant if walk(input, [p, v])\nf(x) = y { y := x }",
		"package sigstore\nisCompliant if regex.match(input.predicate.builder.id, \"((a+)+)+$\")",
		"package sigstore\nisCompliant if data[x].y", "package signature\nallow { data.kubepromote.image == \"\" }",
		"package sigstore\nisCompliant := {x: y | some x, y in input} with input as {}",
	} {
		f.Add(s)
	}
	in := inputFor(f, sigtest.Provenance)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Rego(map[string]string{"policy.rego": text})
		fuzzRule(t, r, err, in)
	})
}
