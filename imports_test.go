package kubepromote_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/kubepromote/kubepromote/"

// mayImport is the rule on which folders may import which: arrows point down
// only. "x/..." is x and all below it. A folder's own sub-packages are allowed,
// unless they are built on it; see isBelow.
var mayImport = map[string][]string{
	"overlay": {},

	"digest":           {"digest/registry", "digest/layout", "digest/internal/content", "digest/internal/grammar", "internal/fault"},
	"digest/registry":  {"digest/internal/content", "digest/internal/grammar", "internal/fault"},
	"digest/layout":    {"digest/internal/content", "digest/internal/grammar", "internal/fault"},
	"digest/lock":      {"digest", "digest/registry", "digest/layout", "digest/internal/content", "digest/internal/grammar", "internal/fault"},
	"digest/tags":      {"digest", "digest/registry", "digest/layout", "digest/internal/content", "digest/internal/grammar", "internal/fault"},
	"digest/imagecopy": {"digest", "digest/registry", "digest/layout", "digest/internal/content", "digest/internal/grammar", "internal/fault"},
	"digest/internal":  {"internal/fault"},
	// Only tests import it.
	"digest/internal/registrytest": {"digest", "digest/registry", "digest/internal/layouttest"},
	"internal/fault":               {},

	"verify":  {},
	"promote": {"overlay"},
	"plugins/kubectl": {"overlay", "digest/...", "verify", "promote", "promote/git",
		"examples/ecommerce", "plugins/kustomize", "plugins/kustomize/build"},
	"plugins/kustomize":   {"overlay", "digest/...", "verify", "promote"},
	"promote/git":         {"promote", "overlay"},
	"cmd/kubectl-promote": {"plugins/kubectl", "cmd/internal/memory"},
	"cmd/release":         {},
	"cmd/promote-fn":      {"plugins/kustomize", "cmd/internal/memory"},
	"cmd/internal/memory": {},
	"docs":                {"verify", "promote"},
	"docs/gen":            {"plugins/kubectl"},
	"examples/ecommerce":  {},
	"examples/setimage":   {"overlay"},
	"examples/pindigest":  {"overlay", "digest"},
}

// mustNotNeed keeps importers of a library from compiling what it has no use for.
var mustNotNeed = map[string][]string{
	"overlay": {"k8s.io/", "sigs.k8s.io/", "github.com/google/go-containerregistry", "github.com/sigstore/", "net/http"},
	"digest":  {"k8s.io/", "sigs.k8s.io/", "github.com/sigstore/"},
	// All that is below digest is in one of these.
	"digest/lock":      {"k8s.io/", "sigs.k8s.io/", "github.com/sigstore/"},
	"digest/tags":      {"k8s.io/", "sigs.k8s.io/", "github.com/sigstore/"},
	"digest/imagecopy": {"k8s.io/", "sigs.k8s.io/", "github.com/sigstore/"},
	"promote":          {"k8s.io/", "sigs.k8s.io/", "github.com/google/go-containerregistry", "github.com/sigstore/", "net/http"},
	// Who imports the two libraries alone gets nothing else with them.
	"examples/pindigest": {"k8s.io/", "sigs.k8s.io/", "github.com/sigstore/", "github.com/open-policy-agent/"},
	"verify":             {"k8s.io/client-go/kubernetes/typed", "sigs.k8s.io/kustomize/api"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	dec := json.NewDecoder(out)
	for {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil || len(all) == 0 {
		t.Fatalf("go list: %v, %d packages", err, len(all))
	}
	return all
}

func TestImports(t *testing.T) {
	for _, p := range listPackages(t) {
		folder := strings.TrimPrefix(p.ImportPath+"/", module)
		folder = strings.TrimSuffix(folder, "/")
		rule, own := ruleOf(folder)
		if folder == "" {
			continue // this test
		}
		if own == "" {
			t.Errorf("%s: no rule says what it may import: add one to mayImport", folder)
			continue
		}
		for _, imp := range p.Imports {
			ours, ok := strings.CutPrefix(imp, module)
			if ok && !allowed(ours, own, rule) {
				t.Errorf("%s imports %s", folder, ours)
			}
		}
		for _, bad := range mustNotNeed[folder] {
			for _, dep := range p.Deps {
				if dep == bad || strings.HasPrefix(dep, bad) {
					t.Errorf("%s needs %s", folder, dep)
					break
				}
			}
		}
	}
}

// ruleOf finds the rule of a folder or of the nearest folder around it.
func ruleOf(folder string) (rule []string, own string) {
	for own = folder; own != ""; own = own[:max(strings.LastIndex(own, "/"), 0)] {
		if rule, ok := mayImport[own]; ok {
			return rule, own
		}
	}
	return nil, ""
}

func allowed(imported, own string, rule []string) bool {
	if imported == own || strings.HasPrefix(imported, own+"/") && isBelow(own) {
		return true
	}
	for _, r := range rule {
		folder, all := strings.CutSuffix(r, "/...")
		if imported == folder || all && strings.HasPrefix(imported, folder+"/") {
			return true
		}
	}
	return false
}

// isBelow tells whether what is in a folder is what its package is made of. The
// domain does not know its adapters, nor the resolver what is made with it.
func isBelow(own string) bool { return own != "promote" && own != "digest" }
