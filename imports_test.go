package kubepromote_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kubepromote/kubepromote/"

// mayImport is the rule on which folders may import which: arrows point down
// only. A folder's own sub-packages are always allowed. "NAME/*" is the rule of the
// folders right below NAME that have none of their own; "NAME/..." in a rule
// allows NAME and all below it.
var mayImport = map[string][]string{
	"overlay":                           {},
	"digest":                            {},
	"verify":                            {},
	"promote":                           {"overlay"},
	"plugins/kubectl":                   {"overlay", "internal/..."},
	"plugins/kubectl/cli":               {"overlay", "internal/...", "digest/...", "verify/...", "promote/..."},
	"plugins/kubectl/internal/loopback": {},
	// Subcommands do not know one another.
	"plugins/kubectl/*": {"overlay", "internal/...", "digest/...", "verify/...", "promote/...", "plugins/kubectl/cli/...", "plugins/kubectl/internal/...",
		"plugins/kustomize/...", "examples/ecommerce"},
	"plugins/kustomize":   {"overlay", "digest", "verify", "promote"},
	"promote/git":         {"promote", "overlay"},
	"promote/images":      {"promote", "digest", "verify"},
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
	"promote": {"k8s.io/", "sigs.k8s.io/", "github.com/google/go-containerregistry", "github.com/sigstore/", "net/http"},
	// Who imports the two libraries alone gets nothing else with them.
	"examples/pindigest": {"k8s.io/", "sigs.k8s.io/", "github.com/sigstore/", "github.com/open-policy-agent/"},
	"verify":             {"k8s.io/client-go/kubernetes/typed", "sigs.k8s.io/kustomize/api"},
}

type goPackage struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	// IgnoredGoFiles are those for other systems.
	IgnoredGoFiles []string
	Imports        []string
	Deps           []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,IgnoredGoFiles,Imports,Deps", "./...")
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
		if rule, ok := mayImport[path.Dir(own)+"/*"]; ok {
			return rule, own
		}
	}
	return nil, ""
}

func allowed(imported, own string, rule []string) bool {
	if imported == own || strings.HasPrefix(imported, own+"/") {
		return own != "promote" // the domain does not know its adapters
	}
	for _, r := range rule {
		below, tree := strings.CutSuffix(r, "/...")
		if imported == below || tree && strings.HasPrefix(imported, below+"/") {
			return true
		}
	}
	return false
}

// A package that one person can hold in mind: what grows beyond is split.
const (
	mostFiles = 25
	mostLines = 4000
)

// tooLarge are the packages that are still to be split.
var tooLarge = []string{"digest", "overlay", "promote/git", "verify"}

func TestPackageSizes(t *testing.T) {
	for _, p := range listPackages(t) {
		folder := strings.TrimPrefix(p.ImportPath, module)
		files, lines := slices.DeleteFunc(slices.Concat(p.GoFiles, p.IgnoredGoFiles), func(name string) bool { return strings.HasSuffix(name, "_test.go") }), 0
		for _, name := range files {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			lines += bytes.Count(text, []byte("\n"))
		}
		large, known := len(files) > mostFiles || lines > mostLines, slices.Contains(tooLarge, folder)
		switch {
		case large && !known:
			t.Errorf("%s: %d files with %d lines, and at most %d and %d are wanted: split it", folder, len(files), lines, mostFiles, mostLines)
		case !large && known:
			t.Errorf("%s is not too large any more: take it from the list", folder)
		}
	}
}
