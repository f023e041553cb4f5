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
	"internal/address":    {},
	"internal/expression": {"internal/fault"},
	"internal/fault":      {},
	"internal/files":      {"internal/unbroken"},
	"internal/rego":       {"internal/fault"},
	"internal/shell":      {},
	"internal/spelling":   {},
	"internal/unbroken":   {},
	"internal/yamlbound":  {},
	"internal/yamlfile":   {"internal/spelling"},

	"overlay":             {"internal/spelling"},
	"overlay/unlisted":    {"overlay", "overlay/internal/..."},
	"overlay/valuesfiles": {"overlay", "overlay/internal/..."},
	"digest":              {"digest/registry", "digest/layout", "digest/internal/...", "internal/fault"},
	// What is below digest: one client of registries and one reader of layouts,
	// which know nothing of what is asked of them.
	"digest/internal":              {"digest/internal/...", "internal/fault"},
	"digest/internal/layouttest":   {"digest/internal/..."},
	"digest/internal/registrytest": {"digest/...", "internal/fault"},
	"digest/registry":              {"digest/registry/...", "digest/internal/...", "internal/address", "internal/fault"},
	"digest/registry/credentials":  {"digest/internal/...", "internal/fault", "internal/yamlfile"},
	"digest/registry/cache":        {"digest/internal/...", "internal/fault"},
	"digest/layout":                {"digest/internal/...", "internal/fault"},
	"digest/lock":                  {"digest", "digest/internal/...", "internal/fault", "internal/yamlfile"},
	"digest/tags":                  {"digest", "digest/internal/...", "internal/fault"},
	"digest/imagecopy":             {"digest", "digest/registry", "digest/layout", "digest/internal/...", "internal/fault"},

	"verify": {"digest/registry", "digest/layout", "verify/internal/...", "internal/yamlfile"},
	"verify/attest": {"digest/registry", "verify/internal/untrusted", "verify/internal/statement", "verify/internal/keys",
		"verify/internal/sigbundle", "verify/internal/source"},
	// Policies know nothing of judging, and who only signs compiles no CEL or Rego.
	"verify/internal/untrusted": {"internal/fault"},
	"verify/internal/mismatch":  {"verify/internal/untrusted"},
	"verify/internal/statement": {"verify/internal/mismatch", "verify/internal/untrusted"},
	"verify/internal/keys":      {"verify/internal/untrusted"},
	"verify/internal/sigbundle": {"verify/internal/keys", "verify/internal/mismatch", "verify/internal/untrusted"},
	"verify/internal/condition": {"internal/expression", "internal/rego", "verify/internal/mismatch", "verify/internal/statement", "verify/internal/untrusted"},
	"verify/internal/policy": {"verify/internal/condition", "verify/internal/keys", "verify/internal/statement",
		"verify/internal/untrusted", "internal/spelling", "internal/yamlfile"},
	"verify/internal/source": {"digest/registry", "digest/layout", "verify/internal/mismatch", "verify/internal/statement",
		"verify/internal/untrusted"},
	"verify/internal/signature": {"verify/internal/keys", "verify/internal/mismatch", "verify/internal/policy",
		"verify/internal/sigbundle", "verify/internal/statement", "verify/internal/untrusted"},
	"verify/internal/sigtest": {"digest/registry"},

	"promote":                         {"overlay", "overlay/unlisted", "promote/pipeline", "promote/history", "promote/hold", "promote/mergeplan", "promote/record", "promote/status", "promote/internal/...", "internal/shell", "internal/spelling", "promote/shard", "promote/sources", "promote/versions"},
	"promote/shard":                   {"promote/pipeline"},
	"promote/fleet":                   {"overlay", "promote/pipeline", "promote/git/branch", "internal/yamlfile"},
	"promote/mergeplan":               {},
	"promote/versions":                {"overlay", "promote/pipeline", "promote/status", "promote/internal/...", "internal/shell"},
	"promote/status":                  {"overlay", "promote/pipeline", "promote/history", "promote/hold", "promote/record", "promote/internal/..."},
	"promote/history":                 {"overlay", "promote/internal/kustomization", "promote/pipeline", "promote/record", "internal/shell"},
	"promote/record":                  {},
	"promote/sources":                 {},
	"promote/hold":                    {"overlay", "promote/pipeline", "internal/fault", "internal/spelling", "internal/yamlfile"},
	"promote/attempts":                {"promote", "promote/internal/..."},
	"promote/rollback":                {"overlay", "promote", "promote/pipeline", "promote/history", "promote/record"},
	"promote/pipeline/recording":      {"internal/spelling", "internal/yamlfile"},
	"promote/pipeline/clusters":       {"internal/yamlfile"},
	"promote/pipeline/span":           {"internal/yamlfile"},
	"promote/pipeline/delivery":       {"internal/spelling", "internal/yamlfile", "promote/internal/gitname"},
	"promote/discover":                {"overlay", "promote/pipeline", "promote/internal/..."},
	"promote/report":                  {"promote/history", "promote/internal/parallel", "promote/pipeline"},
	"promote/pipeline":                {"overlay", "overlay/valuesfiles", "promote/internal/...", "internal/expression", "internal/spelling", "internal/yamlfile", "promote/objects"},
	"promote/runbook":                 {"promote/pipeline/recording", "promote/pipeline", "internal/fault", "internal/shell"},
	"promote/events":                  {"promote/pipeline/recording", "promote/pipeline", "internal/fault", "internal/files"},
	"promote/git":                     {"promote", "promote/history", "promote/git/internal/...", "overlay", "internal/files", "internal/shell", "internal/unbroken"},
	"promote/git/branch":              {"promote", "promote/git", "promote/mergeplan", "promote/history", "promote/pipeline", "promote/record", "promote/git/internal/...", "internal/files", "internal/shell", "internal/spelling", "internal/unbroken"},
	"promote/git/places":              {"overlay", "promote", "promote/git", "promote/git/branch", "promote/history", "promote/pipeline", "internal/shell"},
	"promote/git/internal/gitcmd":     {"internal/files", "internal/unbroken"},
	"promote/git/internal/stored":     {"promote", "promote/git/internal/gitcmd", "internal/shell"},
	"promote/git/internal/fastimport": {"promote", "promote/git/internal/gitcmd"},
	"promote/proposal":                {"promote", "promote/objects", "promote/pipeline", "promote/record", "promote/forge", "promote/sources"},
	"promote/planfile":                {"promote", "promote/mergeplan", "promote/pipeline", "promote/proposal", "promote/shard", "internal/fault"},
	"promote/judge":                   {"overlay", "promote", "promote/pipeline", "promote/status"},
	"promote/lint":                    {"internal/shell", "overlay", "promote/discover", "promote/internal/kustomization", "promote/pipeline", "promote/status", "promote/versions", "internal/yamlfile"},
	"promote/check":                   {"overlay", "promote", "promote/history", "promote/judge", "promote/pipeline", "promote/status", "promote/internal/...", "promote/hold"},
	"promote/merging":                 {"overlay", "promote", "promote/git/branch", "promote/history", "promote/hold", "promote/internal/...", "promote/mergeplan", "promote/pipeline", "internal/shell"},
	"promote/waves":                   {"promote", "promote/pipeline"},
	"promote/review":                  {"overlay", "promote", "promote/forge", "promote/forge/codeowners", "promote/gate", "promote/internal/location", "promote/pipeline", "promote/record", "verify", "internal/fault"},
	"promote/images":                  {"promote", "promote/sources", "digest", "digest/tags", "verify"},
	// Pull requests know nothing of promotions, and of the text of errors as much as
	// the client of registries.
	"promote/forge":             {"internal/fault", "internal/spelling"},
	"promote/forge/credentials": {"promote/forge", "internal/fault"},
	"promote/forge/codeowners":  {"internal/fault"},
	"promote/forge/commits":     {"promote/forge"},
	"promote/forge/deployments": {"promote/forge"},
	"promote/forge/protection":  {"promote/forge"},
	"promote/cluster":           {"promote", "promote/internal/kinds", "internal/fault", "internal/spelling", "promote/objects"},
	"promote/gate":              {"promote", "promote/cluster", "promote/pipeline", "promote/history", "promote/internal/...", "internal/address", "internal/expression", "internal/fault", "internal/yamlfile", "internal/shell", "promote/objects/...", "promote/policy", "promote/schema"},
	// Objects of Kubernetes as data; who renders them is an adapter.
	"promote/objects": {"internal/fault"},
	"promote/hydrate": {"promote", "promote/objects", "internal/fault"},
	"promote/policy":  {"promote/pipeline", "promote/objects", "internal/expression", "internal/fault", "internal/rego", "internal/yamlbound"},
	"promote/schema":  {"promote/pipeline", "promote/objects", "internal/fault", "internal/spelling", "internal/yamlbound"},
	"promote/render":  {"promote", "promote/pipeline", "promote/objects", "promote/internal/...", "internal/fault", "internal/shell", "internal/spelling", "internal/yamlbound"},
	// What promote is made of knows nothing of it.
	"promote/internal": {"overlay", "overlay/valuesfiles", "internal/..."},

	"plugins/kubectl":                   {"overlay", "internal/...", "promote/shard"},
	"plugins/kubectl/cli":               {"plugins/kubectl/internal/remarks", "overlay", "internal/...", "digest/...", "verify/...", "promote/...", "plugins/kustomize/..."},
	"plugins/kubectl/internal/remarks":  {},
	"plugins/kubectl/internal/loopback": {},
	// Subcommands do not know one another.
	"plugins/kubectl/*": {"overlay/...", "internal/...", "digest/...", "verify/...", "promote/...", "plugins/kubectl/cli/...", "plugins/kubectl/internal/...",
		"plugins/kustomize/...", "examples/ecommerce"},
	"plugins/kustomize": {"overlay", "overlay/unlisted", "digest/...", "verify", "promote", "internal/..."},

	"cmd/kubectl-promote": {"cmd/internal/heap", "plugins/kubectl"},
	"cmd/promote-fn":      {"cmd/internal/heap", "plugins/kustomize"},
	"cmd/internal/heap":   {},
	"docs":                {"verify", "promote/fleet", "promote/pipeline"},
	"docs/gen":            {"overlay", "plugins/kubectl", "promote/fleet", "promote/pipeline"},
	"examples/ecommerce":  {},
	"examples/setimage":   {"overlay"},
	"examples/pindigest":  {"overlay", "digest"},
}

// mustNotNeed keeps importers of a library from compiling what it has no use for.
var mustNotNeed = map[string][]string{
	"overlay":           {"k8s.io/", "sigs.k8s.io/", "github.com/google/go-containerregistry", "github.com/sigstore/", "net/http"},
	"digest":            {"k8s.io/", "sigs.k8s.io/", "github.com/sigstore/"},
	"internal/spelling": {"go.yaml.in/"},
	"promote":           {"k8s.io/", "sigs.k8s.io/", "github.com/google/go-containerregistry", "github.com/sigstore/", "net/http"},
	"promote/objects":   {"k8s.io/", "sigs.k8s.io/", "net/http"},
	"promote/schema":    {"k8s.io/", "net/http"},
	// All that is below digest is in one of these.
	"digest/lock":      {"k8s.io/", "sigs.k8s.io/", "github.com/sigstore/"},
	"digest/tags":      {"k8s.io/", "sigs.k8s.io/", "github.com/sigstore/"},
	"digest/imagecopy": {"k8s.io/", "sigs.k8s.io/", "github.com/sigstore/"},
	// These weigh 18 MB, and cost each command at its start.
	"promote/cluster": {"k8s.io/api/", "k8s.io/client-go/kubernetes", "k8s.io/client-go/discovery", "k8s.io/client-go/restmapper", "k8s.io/client-go/dynamic"},
	// Who imports the two libraries alone gets nothing else with them.
	"examples/pindigest": {"k8s.io/", "sigs.k8s.io/", "github.com/sigstore/", "github.com/open-policy-agent/"},
	"verify":             {"k8s.io/client-go/kubernetes/typed", "sigs.k8s.io/kustomize/api"},
	"verify/attest":      {"cel.dev/", "github.com/open-policy-agent/"},
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
	// The domain does not know its adapters; digest and verify list what is below them.
	strict := own == "promote" || own == "verify" || own == "digest"
	if imported == own || !strict && strings.HasPrefix(imported, own+"/") {
		return true
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
		if len(files) > mostFiles || lines > mostLines {
			t.Errorf("%s: %d files with %d lines, and at most %d and %d are wanted: split it", folder, len(files), lines, mostFiles, mostLines)
		}
	}
}
