package kubepromote_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// libraries are the folders whose packages other programs may import; docs/gen
// lists their API.
var libraries = []string{"overlay", "digest", "verify", "promote", "plugins"}

// parsedPackage is a package with its tests.
type parsedPackage struct {
	dir           string
	source, tests []*ast.File
}

func publicPackages(t *testing.T) []parsedPackage {
	t.Helper()
	var out []parsedPackage
	for _, lib := range libraries {
		err := fs.WalkDir(os.DirFS("."), lib, func(dir string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			if base := path.Base(dir); base == "internal" || base == "testdata" {
				return fs.SkipDir
			}
			if p := parsePackage(t, dir); len(p.source) > 0 {
				out = append(out, p)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) < len(libraries) {
		t.Fatalf("only %d public packages were found", len(out))
	}
	return out
}

func parsePackage(t *testing.T, dir string) parsedPackage {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	p := parsedPackage{dir: dir}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			p.tests = append(p.tests, f)
		} else {
			p.source = append(p.source, f)
		}
	}
	return p
}

// partOfCommandLine tells the packages of the subcommands, and of what they share,
// from libraries: they promise nothing to importers, and their examples are scripts.
func partOfCommandLine(dir string) bool { return strings.HasPrefix(dir, "plugins/kubectl/") }

// A newcomer finds out from every package's documentation what it is for, and
// from an example that runs how it is used.
func TestPublicPackagesAreDocumented(t *testing.T) {
	for _, p := range publicPackages(t) {
		least := 200 // characters: a sentence is no explanation
		if partOfCommandLine(p.dir) {
			least = 100
		}
		text := ""
		for _, f := range p.source {
			text += f.Doc.Text()
		}
		if len(text) < least || !strings.HasPrefix(text, "Package "+p.source[0].Name.Name+" ") {
			t.Errorf("%s: the package's comment is missing or says little: %q", p.dir, text)
		}
		runnable := 0
		for _, e := range doc.Examples(p.tests...) {
			if e.Output != "" {
				runnable++
			}
		}
		if runnable == 0 && !partOfCommandLine(p.dir) {
			t.Errorf("%s: no example that runs", p.dir)
		}
	}
}

// A library leaves standard output and standard error to the program.
func TestLibrariesDoNotPrint(t *testing.T) {
	forbidden := map[string]map[string]bool{
		"fmt": {"Print": true, "Printf": true, "Println": true},
		"os":  {"Stdout": true, "Stderr": true, "Exit": true},
		"log": {"Print": true, "Printf": true, "Println": true, "Fatal": true, "Fatalf": true, "Panic": true},
	}
	for _, p := range publicPackages(t) {
		for _, f := range p.source {
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if pkg, ok := s.X.(*ast.Ident); ok && forbidden[pkg.Name][s.Sel.Name] {
						t.Errorf("%s: %s.%s: a package does not print", p.dir, pkg.Name, s.Sel.Name)
					}
				}
				return true
			})
		}
	}
}
