package lintcmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// A rule that the document does not have is found by nobody who wants to leave it out.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/lint.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range allRules() {
		if !strings.Contains(string(text), "\n| `"+r.Name+"` |") {
			t.Errorf("docs/lint.md lacks the rule %s", r.Name)
		}
	}
}

// A search that ends at its bounds has not found that there is nothing, and says so.
func TestOrderEnds(t *testing.T) {
	large := "kind: Application\napiVersion: argoproj.io/v1alpha1\n" + strings.Repeat("#\n", mostManifest/2)
	for want, files := range map[string]map[string]string{
		"order: more than 2 files and folders, at ":               {"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"},
		"order: app.yaml has more than 1048576 bytes, and is not": {"app.yaml": large},
		"": {"a.yaml": "a: 1\n"},
	} {
		r := &repository{session: &cli.Session{}, root: t.TempDir(), most: 2, Pipeline: &pipeline.Pipeline{Spec: pipeline.Spec{Services: []pipeline.Service{{Name: "cart", DependsOn: []string{"db"}}}}}}
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(r.root, name), []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		orders(t.Context(), r)
		if got := len(r.errs); got != min(len(want), 1) || got == 1 && !strings.HasPrefix(r.errs[0].Error(), want) {
			t.Errorf("got %v, want %q", r.errs, want)
		}
	}
}
