package lintcmd

import "testing"

// Fields that one known name is near are mended, and nothing else of the file is another byte.
// What is no guess any more stays as it is: a word that is far from all, and one whose value
// does not fit the name.
func TestRespelled(t *testing.T) {
	const head = "# ours \r\napiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n"
	for text, want := range map[string]string{
		"  environmets:   # in order\n  - {name: dév, delivr: {mode: push}}\n  - {\"name\": prod, 'form': [dév], frobnicate: 1}\n": "" +
			"  environments:   # in order\n  - {name: dév, deliver: {mode: push}}\n  - {\"name\": prod, 'from': [dév], frobnicate: 1}\n",
		"  environments:\n  - {name: dev}\n  - {name: prod, form: dev}\n":                "", // from is a list
		"  environments:\n  - {name: dev}\n  - {name: prod, from: [dev], form: [dev]}\n": "", // it would stand there twice
		// The same with the other one on a later line, and beside another that stands twice already.
		"  alowMutable: true\n  environments: [{name: dev}]\n  allowMutable: false\n":                          "",
		"  environments:\n  - {name: dev, name: dev}\n  - nam: prod\n    from: [dev]\n    name: prod\n":        "",
		"  environments:\n  - name: dev\n  - name: prod\n    form:\n      dev\n":                               "", // from is a list
		"  environments:\n  - name: dev\n  - name: prod\n    form:\n    - dev\n    delivr:\n      mode: psh\n": "  environments:\n  - name: dev\n  - name: prod\n    from:\n    - dev\n    deliver:\n      mode: psh\n",
		"  environments: [{name: dev}]\n  alowMutable: true\n":                                                 "  environments: [{name: dev}]\n  allowMutable: true\n",
		"  environments: [{name: dev}]\n  \"alowMutable\" : true\n  zzz: 1\n":                                  "  environments: [{name: dev}]\n  \"allowMutable\" : true\n  zzz: 1\n",
		"  environments: [{name: dev}, {name: prod, from: [dev], gates: [{soak: {fro: 10m}}, {slak: {}}]}]\n":  "  environments: [{name: dev}, {name: prod, from: [dev], gates: [{soak: {for: 10m}}, {slak: {}}]}]\n",
	} {
		if want == "" {
			want = text
		}
		if got := string(respelled("promotion.yaml", []byte(head+text))); got != head+want {
			t.Errorf("%s\n\tgot  %s\n\twant %s", text, got, head+want)
		}
	}
}
