package pipeline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"golang.org/x/tools/txtar"
)

const smallPipeline = `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments:
  - name: dev
  - {name: staging, from: [dev]}
  - {name: eu, from: [staging]}
  - {name: us, from: [staging, eu]}
`

func TestPipelineDefaults(t *testing.T) {
	p, err := Parse("promotion.yaml", []byte(smallPipeline))
	if err != nil {
		t.Fatal(err)
	}
	if p.Spec.Pin != PinTagDigest || p.Spec.Layout.String() != defaultLayout || p.Spec.Environments[2].Deliver.Mode != DeliverWorktree {
		t.Errorf("defaults: %+v", p.Spec)
	}
}

// FuzzParsePipeline: no panic, and what is accepted has a layout that stays in
// the repository.
func FuzzParsePipeline(f *testing.F) {
	f.Add([]byte(smallPipeline))
	scripts, err := filepath.Glob("../../plugins/kubectl/testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		f.Fatalf("no scripts to take seeds from: %v", err)
	}
	for _, s := range scripts {
		data, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(data).Files {
			if strings.Contains(string(file.Data), "Pipelin") {
				f.Add(file.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("promotion.yaml", data)
		if err != nil {
			return
		}
		for _, e := range p.Spec.Environments {
			if at := p.OverlayPath("svc", e.Name); !filepath.IsLocal(at) {
				t.Fatalf("an overlay at %q", at)
			}
		}
	})
}

// Every fault of a file is told, with its line and, where there is one, what to
// write. The command's script has those of syntax and types.
func TestPipelineFaults(t *testing.T) {
	const head = "apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n"
	const environments = "  environments: [{name: dev}, {name: prod, from: [dev]}]\n"
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{"p.yaml: is empty"}},
		{"no mapping", "[]", []string{"p.yaml:1:1: the document is a list, not a mapping"}},
		{"nothing in it", "{}", []string{
			"p.yaml:1:1: apiVersion is \"\"", "hint: apiVersion: kubepromote.dev/v1alpha1", "p.yaml:1:1: kind is \"\"", "hint: kind: Pipeline",
			"p.yaml:1:1: no environments", "hint: list them under spec.environments"}},
		{"another version", "apiVersion: kubepromote.dev/v2\nkind: Pipeline\nspec:\n" + environments, []string{
			"p.yaml:1:13: apiVersion is \"kubepromote.dev/v2\"", "hint: apiVersion: kubepromote.dev/v1alpha1"}},
		{"no environments", head + "  environments: []\n", []string{"p.yaml:4:17: no environments", "hint: list them under spec.environments"}},
		{"a layout without a service", head + environments + "  layout: {path: \"x/{environment}\"}\n", []string{
			`p.yaml:5:18: the layout's path "x/{environment}" has no {service}, and nothing names the one service`,
			"hint: {path: x/{environment}, service: NAME}, or service: image where each image is one"}},
		{"a layout without an environment", head + environments + "  layout: [\"{service}/x\"]\n", []string{
			`p.yaml:5:12: the layout's path "{service}/x" must hold {environment}`, "hint: path: " + defaultLayout}},
		{"a layout of another type", head + environments + "  layout: [[a]]\n", []string{"p.yaml:5:12: spec.layout[0] is a list, not a mapping"}},
		{"pin: tag", head + environments + "  pin: tag\n", []string{"p.yaml:5:8: pin: tag is mutable", "hint: write allowMutable: true beside it, or pin: tag+digest"}},
		{"another pin", head + environments + "  pin: none\n", []string{`p.yaml:5:8: pin is "none"`, "hint: tag+digest, digest, tag or source"}},
		{"a path of images", head + environments + "  images: [spec.image, \"spec..image\"]\n", []string{
			`p.yaml:5:24: path "spec..image": byte 6: an empty key`, "hint: spec.app.image, or spec.parts[*].image"}},
		{"copies out of the overlay", head + environments + "  copy: [a.txt, ../a.txt, /etc/passwd, .]\n", []string{
			`p.yaml:5:17: "../a.txt" is not a path inside the overlay`, "hint: config.properties, or config/app.yaml",
			`p.yaml:5:27: "/etc/passwd" is not a path inside the overlay`, "hint: config.properties, or config/app.yaml",
			`p.yaml:5:40: "." is not a path inside the overlay`, "hint: config.properties, or config/app.yaml"}},
		{"copies beside files", head + environments + "  layout: {path: \"{environment}/{service}.yaml\"}\n  copy: [a.txt]\n", []string{
			"p.yaml:6:10: the layout's overlays are files, beside which nothing is copied"}},
		{"names", head + "  environments: [{name: a}, {name: a}, {name: \"b c\"}, {}]\n", []string{
			`p.yaml:4:36: environment "a" is listed twice`, "hint: remove one of them",
			`p.yaml:4:47: environment name "b c" is malformed`, "hint: letters, digits, '.', '_' and '-'",
			`p.yaml:4:55: environment name "" is malformed`, "hint: letters, digits, '.', '_' and '-'"}},
		{"a circle", head + "  environments: [{name: a, from: [c]}, {name: b, from: [a]}, {name: c, from: [b]}]\n", []string{
			`p.yaml:4:34: environment "a" is promoted from itself, through c`, `p.yaml:4:56: environment "b" is promoted from itself, through a`,
			`p.yaml:4:78: environment "c" is promoted from itself, through b`}},
		{"a mode", head + "  environments: [{name: a, deliver: {mode: pull}}]\n", []string{`p.yaml:4:44: deliver.mode is "pull"`, "hint: known are worktree, commit, push, pullRequest"}},
		{"a gate that waits for itself", head + "  environments: [{name: a, gates: [{promoted: {environment: a, policy: p.yaml}}]}]\n", []string{
			`p.yaml:4:61: environment "a" waits for a promotion to itself`}},
		{"what comes in", head + "  environments: [{name: a, admit: {newest: \"\"}}, {name: b, from: [a], admit: {newest: \"semver:1\"}}]\n", []string{
			"p.yaml:4:35: admit says nothing", `hint: admit: {newest: "semver:>=1.0"}`,
			`p.yaml:4:78: environment "b" is promoted to, and admits nothing from outside`, "hint: remove it, or from"}},
		{"a policy", head + "  environments: [{name: a, verify: {policy: \"\"}}]\n", []string{"p.yaml:4:36: verify names no policy", "hint: verify: {policy: policies/images.yaml}"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := Parse("p.yaml", []byte(tc.text))
			if p != nil {
				t.Errorf("parsed: %+v", p)
			}
			wantError(t, err, tc.want...)
		})
	}
}

// All faults at once, up to a number: a file of another kind is not read out.
func TestPipelineFaultsAreFew(t *testing.T) {
	_, err := Parse("p.yaml", []byte("spec:\n  environments:\n"+strings.Repeat("  - {nam: x}\n", 5000)))
	if n := len(split(err)); n != 21 || !strings.HasSuffix(err.Error(), "\np.yaml: has 4980 more faults") {
		t.Errorf("%d faults: %.300v", n, err)
	}
}

// What is written in a pipeline file is what is in force.
func TestPipelineIsReadWhole(t *testing.T) {
	p, err := Parse("p.yaml", []byte(`apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
metadata: {name: shop}
spec:
  layout: {path: "clusters/{environment}/{service}"}
  pin: tag
  allowMutable: true
  images: ["spec.parts[*].image"]
  copy: [app.properties]
  environments:
  - name: dev
  - name: prod
    from: [dev]
    verify: {policy: policies/images.yaml}
    gates: [{promoted: {environment: dev, policy: policies/promotions.yaml}}]
    deliver: {mode: commit}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Pipeline{APIVersion: APIVersion, Kind: "Pipeline", Metadata: Metadata{Name: "shop"}, Spec: Spec{
		Layout: Layout{{Path: "clusters/{environment}/{service}"}}, Pin: PinTag, AllowMutable: true,
		Images: overlay.ImagePaths("spec.parts[*].image"), Copy: []string{"app.properties"},
		Environments: []Environment{
			{Name: "dev", Deliver: Deliver{Mode: DeliverWorktree}},
			{
				Name: "prod", From: []string{"dev"}, Verify: &VerifyRule{Policy: "policies/images.yaml"},
				Gates:   []Gate{{Promoted: &PromotedGate{Environment: "dev", Policy: "policies/promotions.yaml"}, At: "spec.environments[1].gates[0]"}},
				Deliver: Deliver{Mode: DeliverCommit},
			},
		},
	}}
	if d := cmp.Diff(want, p); d != "" {
		t.Error(d)
	}
}

// A name becomes an element of a path and the value of a trailer.
func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "cart-service": true, "v1.2_x": true, "0": true, strings.Repeat("a", 128): true,
		"": false, "-a": false, ".a": false, "a/b": false, "a b": false, "ä": false, "a\n": false, "a:b": false, strings.Repeat("a", 129): false,
	} {
		if got := location.IsName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
