package pipeline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// templates is a pipeline with templates, and the gates of two environments.
func templates(list, us, eu string) []byte {
	return []byte("apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  gateTemplates:\n" + indented(list) +
		"  environments:\n  - {name: staging}\n  - {name: us, from: [staging], gates: " + us + "}\n  - {name: eu, from: [staging], gates: " + eu + "}\n")
}

func indented(list string) string {
	out := ""
	for line := range strings.Lines(list + "\n") {
		out += "    " + line
	}
	return out
}

// An environment has the gates of a template where it names it, in their order, and each
// says where it stands.
func TestTemplates(t *testing.T) {
	p, err := Parse("p.yaml", templates("careful:\n- soak: {for: 24h}\n- {manual: {}, overridable: true}", "[{template: careful}]", "[{freeze: {calendar: f.yaml}}, {template: careful}, {manual: {}, name: again}]"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"us": {"soak spec.gateTemplates.careful[0]", "manual spec.gateTemplates.careful[1]"},
		"eu": {"freeze spec.environments[2].gates[0]", "soak spec.gateTemplates.careful[0]", "manual spec.gateTemplates.careful[1]", "again spec.environments[2].gates[2]"},
	} {
		e, err := p.Environment(name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range e.Gates {
			got = append(got, g.Title()+" "+g.At)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// What is wrong with a template is told once, where it stands, however many environments
// have it.
func TestTemplateFaults(t *testing.T) {
	for _, tc := range []struct {
		name, list, us, eu string
		want               []string
	}{
		{"unknown", "careful: [{manual: {}}]", "[{template: carefull}]", "[{template: careful}]", []string{
			`p.yaml:8:52: there are no gates "carefull" in spec.gateTemplates`, "hint: did you mean careful?"}},
		{"its gates", "careful: [{soak: {for: soon}}]", "[{template: careful}]", "[{template: careful}]", []string{
			`p.yaml:5:28: for is "soon", and must be a time such as 90s, 10m or 64h`, "hint: for: 10m"}},
		{"misspelt", "careful: [{soka: {for: 1h}}]", "[{template: careful}]", "[]", []string{
			`p.yaml:5:16: unknown field "spec.gateTemplates.careful[0].soka"`, "hint: did you mean soak?"}},
		{"twice", "careful: [{manual: {}}]", "[{template: careful}, {manual: {}}]", "[]", []string{
			`p.yaml:8:62: two gates are called "manual"`, "hint: name: manual-2"}},
		{"unused", "careful: [{manual: {}}]\nnone: []\n\"a.b\": [{manual: {}}]", "[{template: careful}, {template: none}]", "[]", []string{
			`p.yaml:6:11: the gates "none" are none`, "hint: none: [{soak: {for: 10m}}]", `p.yaml:7:12: the name "a.b" of gates is malformed`, "hint: letters, digits, '_' and '-'"}},
		{"no environment's", "careful: [{manual: {}}]", "[]", "[]", []string{`p.yaml:5:14: no environment has the gates "careful"`, "hint: gates: [{template: careful}]"}},
		{"beside others", "careful: [{manual: {}}]", "[{template: careful, timeout: 1m}]", "[]", []string{
			"p.yaml:8:41: beside template stands something else", "hint: say it of the gates themselves"}},
		{"in itself", "careful: [{template: careful}]", "[{template: careful}]", "[]", []string{
			"p.yaml:5:26: template stands in a template", "hint: list its gates here"}},
		{"in anyOf", "careful: [{manual: {}}]", "[{anyOf: [{template: careful}, {soak: {for: 1m}}]}, {template: careful}]", "[]", []string{
			"p.yaml:8:50: template stands in anyOf", "hint: list its gates here"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("p.yaml", templates(tc.list, tc.us, tc.eu))
			wantError(t, err, tc.want...)
		})
	}
}
