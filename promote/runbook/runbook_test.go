package runbook

import (
	"reflect"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// A gate that a runbook has no words for would be one that nobody who follows it knows of.
func TestEveryKindOfGateHasWords(t *testing.T) {
	e := &pipeline.Environment{Name: "production", From: []string{"staging"}}
	kinds := 0
	for i := range reflect.TypeFor[pipeline.Gate]().NumField() {
		var g pipeline.Gate
		field := reflect.ValueOf(&g).Elem().Field(i)
		switch name := reflect.TypeFor[pipeline.Gate]().Field(i).Name; {
		case field.Kind() == reflect.Pointer:
			field.Set(reflect.New(field.Type().Elem()))
		case field.Kind() == reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		case name == "Template":
			field.SetString("careful")
		default:
			continue // how it is asked
		}
		kinds++
		if asks(g, e) == "" {
			t.Errorf("there are no words for %s", reflect.TypeFor[pipeline.Gate]().Field(i).Name)
		}
	}
	if kinds < 15 {
		t.Errorf("only %d kinds were found", kinds)
	}
}

func parse(t *testing.T, text string) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.Parse("promotion.yaml", []byte("apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What a pipeline file says in its own words is no Markdown, no line and no cell of its own.
func TestHostileText(t *testing.T) {
	p := parse(t, `
metadata: {name: "x\n# Owned <script>"}
spec:
  environments:
  - name: staging
  - name: production
    from: [staging]
    gates:
    - manual: {question: "`+"a`b``c\\n\\n## Owned\\n[x](http://evil.example.com)"+`"}
  services:
  - {name: cart, labels: {"a|b": "c|d\n| e |"}}
`)
	text := string(Write(p))
	if string(Write(p)) != text {
		t.Error("two runbooks of one pipeline differ")
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "# Owned") || strings.HasPrefix(line, "## Owned") || strings.HasPrefix(line, "| e |") {
			t.Errorf("a line of its own: %s", line)
		}
	}
	for _, want := range []string{"# How `x # Owned <script>` is promoted", "```a`b``c  ## Owned [x](http://evil.example.com)```", "| `cart` | `a\\|b=c\\|d \\| e \\|` |  |"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %s:\n%s", want, text)
		}
	}
}

func TestIs(t *testing.T) {
	for text, is := range map[string]bool{Marker: true, Marker + "\r\nx": true, "# x\n" + Marker: false, "": false, Marker + " x\n": false} {
		if Is([]byte(text)) != is {
			t.Errorf("%q: %v", text, !is)
		}
	}
	if !Same([]byte("a\r\nb\n"), []byte("a\nb\n")) || Same([]byte("a\n"), []byte("b\n")) {
		t.Error("line endings count, or words do not")
	}
}

// Commands for the first environment that did not say what comes in failed as they were typed.
func TestStepsIntoTheFirst(t *testing.T) {
	p := parse(t, "spec:\n  environments:\n  - {name: dev, gates: [{name: signed, approvals: {min: 1, from: attestation, policy: p.yaml}}, {approvals: {min: 1}}]}\n")
	all := steps(&p.Spec.Environments[0])
	for _, line := range all {
		if !strings.Contains(line, " --to dev --version TAG") {
			t.Error(line)
		}
	}
	if len(all) != 6 {
		t.Errorf("%q", all)
	}
}
