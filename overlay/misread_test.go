package overlay_test

import (
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
)

// A tag that is a number or a boolean to its consumer was listed, promoted and left
// as if it were the text: in each format the pin says so now, and set repairs it.
func TestMisread(t *testing.T) {
	const block = "image:\n  repository: r.example.com/cart\n  tag: TAG\n"
	indent := func(s, by string) string {
		return by + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n"+by) + "\n"
	}
	release := "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  values:\n" + indent(block, "    ")
	application := "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    helm:\n"
	for _, c := range []struct{ name, file, text, tag, says, becomes string }{
		{"values", "v.yaml", block, "1.10", "3:8: tag 1.10 is a number to Helm: it runs 1.1", `"1.10"`},
		{"commit", "v.yaml", block, "0787849", "3:8: tag 0787849 is a number to Helm: it runs 787849", `"0787849"`},
		{"exponent", "v.yaml", block, "553640e6", "3:8: tag 553640e6 is a number to Helm: it runs 5.5364e+11", `"553640e6"`},
		{"large", "v.yaml", block, "4651090", "3:8: tag 4651090 is a number to Helm: it runs 4.65109e+06", `"4651090"`},
		{"time", "v.yaml", block, "20240115103000", "3:8: tag 20240115103000 is a number to Helm: it runs 2.0240115103e+13", `"20240115103000"`},
		{"boolean", "v.yaml", block, "on", "3:8: tag on is a boolean to Helm: it runs true", `"on"`},
		{"one letter", "v.yaml", block, "y", "3:8: tag y is a boolean to Helm: it runs true", `"y"`},
		{"tagged string", "v.yaml", block, "!!str 1.10", "", `!!str 1.10`},
		{"the same text", "v.yaml", block, "1.27", "", `"1.27"`},
		{"date", "v.yaml", block, "2024-01-15", "", `"2024-01-15"`},
		{"flow", "v.yaml", "image: {repository: r.example.com/cart, tag: TAG}\n", "0x1F", "1:46: tag 0x1F is a number to Helm: it runs 31", `"0x1F"`},
		{"JSON", "v.json", "{\"image\": {\"repository\": \"r.example.com/cart\", \"tag\": TAG}}\n", "1.10", "1:55: tag 1.10 is a number to Helm: it runs 1.1", `"1.10"`},
		{"flat", "v.yaml", "image: r.example.com/cart\nimageTag: TAG\n", "1_000", "2:11: imageTag 1_000 is a number to Helm: it runs 1000", `"1_000"`},
		{"HelmRelease", "r.yaml", release, "1e3", "7:12: tag 1e3 is a number to Helm: it runs 1000", `"1e3"`},
		{"valuesObject", "a.yaml", application + "      valuesObject:\n" + indent(block, "        "), "no", "9:16: tag no is a boolean to Helm: it runs false", `"no"`},
		{"helm.values", "a.yaml", application + "      values: |\n" + indent(block, "        "), "1.10", "9:16: tag 1.10 is a number to Helm: it runs 1.1", `"1.10"`},
		{
			"parameter", "a.yaml", application + "      parameters:\n      - {name: image.repository, value: r.example.com/cart}\n      - {name: image.tag, value: TAG}\n",
			"1.10", "8:34: value 1.10 is a number to Kubernetes, which takes a string alone", `"1.10"`,
		},
		{
			"kustomization", "kustomization.yaml", "images:\n- name: r.example.com/cart\n  newTag: TAG\n",
			"1.10", "3:11: newTag 1.10 is a number to kustomize, which takes a string alone", `"1.10"`,
		},
		{
			"OCIRepository", "o.yaml", "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nspec:\n  url: oci://r.example.com/cart\n  ref:\n    tag: TAG\n",
			"1.10", "6:10: tag 1.10 is a number to Kubernetes, which takes a string alone", `"1.10"`,
		},
		{"hexadecimal digest", "v.yaml", "image:\n  repository: r.example.com/cart\n  tag: TAG\n  sha: \"\"\n", "0o17", "3:8: tag 0o17 is a number to Helm: it runs 15", `"0o17"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := overlay.Parse(c.file, []byte(strings.ReplaceAll(c.text, "TAG", c.tag)))
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if c.says != "" {
				want = c.file + ":" + c.says
			}
			if got, _, _ := strings.Cut(strings.Join(f.Misreadings(), "\n"), ";"); got != want {
				t.Errorf("it says %q, want %q", got, want)
			}
			plain := strings.TrimPrefix(c.tag, "!!str ")
			edit, err := f.Set(overlay.Change{Name: "r.example.com/cart", Tag: overlay.To(plain)})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := string(edit.After.Bytes()), strings.ReplaceAll(c.text, "TAG", c.becomes); got != want {
				t.Errorf("set gives\n%s", got)
			}
			if m := edit.After.Misreadings(); len(m) > 0 {
				t.Errorf("after set: %v", m)
			}
		})
	}
}

// A marker's own scalar, a tag at an anchor and one in a fully numeric digest.
func TestMisreadElsewhere(t *testing.T) {
	for text, want := range map[string]string{
		"tag: 1.10 # {\"$imagepolicy\": \"apps:web:tag\"}\n":                                   "v.yaml:1:6: tag 1.10 is a number to Kubernetes: it runs 1.1",
		"v: &v 1.10\nimage: {repository: r.example.com/cart, tag: *v}\n":                       "v.yaml:2:46: tag 1.10 is a number to Helm: it runs 1.1",
		"image: {repository: r.example.com/cart, tag: v1, sha: " + zeros + "}\n":               "v.yaml:1:55: sha " + zeros + " is a number to Helm: it runs 0",
		"apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: 1.10}\n": "v.yaml:5:22: version 1.10 is a number to Helm, which takes a string alone",
		"image: {repository: r.example.com/cart, tag: v1, digest: \"\", extra: 2}\n":           "",
	} {
		f, err := overlay.Parse("v.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got, _, _ := strings.Cut(strings.Join(f.Misreadings(), "\n"), ";"); got != want {
			t.Errorf("%s%q, want %q", text, got, want)
		}
	}
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"
