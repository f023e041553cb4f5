package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const modulePath = "github.com/kubepromote/kubepromote/"

// libraries are the folders whose packages other programs may import.
var libraries = []string{"overlay", "digest", "verify", "promote", "plugins"}

// writeAPI writes a file for each public package: its exported declarations
// without comments, so that a change of the API is a change of that file.
func writeAPI(dir string) error {
	packages, err := publicPackages(".")
	if err != nil {
		return err
	}
	for _, p := range packages {
		listing, err := listAPI(p)
		if err != nil {
			return err
		}
		name := strings.ReplaceAll(p, "/", "_") + ".txt"
		if err := os.WriteFile(filepath.Join(dir, name), listing, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// publicPackages gives the folders, below root and with slashes, of all packages
// that others may import. The subcommands are parts of one program.
func publicPackages(root string) ([]string, error) {
	var out []string
	for _, lib := range libraries {
		err := fs.WalkDir(os.DirFS(root), lib, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			if base := path.Base(name); base == "internal" || base == "testdata" || path.Dir(name) == "plugins/kubectl" {
				return fs.SkipDir
			}
			if _, err := goFiles(filepath.Join(root, name)); err == nil {
				out = append(out, name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// goFiles gives the files of a package as they are compiled on one platform, the
// same on every machine.
func goFiles(dir string) ([]string, error) {
	c := build.Default
	c.GOOS, c.GOARCH, c.CgoEnabled, c.BuildTags = "linux", "amd64", false, nil
	p, err := c.ImportDir(dir, 0)
	if err != nil {
		return nil, err
	}
	return p.GoFiles, nil
}

func listAPI(dir string) ([]byte, error) {
	names, err := goFiles(dir)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(fset, files, modulePath+dir)
	if err != nil {
		return nil, err
	}
	l := &listing{fset: fset}
	fmt.Fprintf(&l.b, "package %s // import %q\n", p.Name, p.ImportPath)
	l.values(p.Consts, "")
	l.values(p.Vars, "")
	l.funcs(p.Funcs, "")
	for _, t := range p.Types {
		l.decl(t.Decl, "")
		l.values(t.Consts, "    ")
		l.values(t.Vars, "    ")
		l.funcs(t.Funcs, "    ")
		l.funcs(t.Methods, "    ")
	}
	return l.b.Bytes(), l.err
}

// listing collects declarations; the first error stands.
type listing struct {
	fset *token.FileSet
	b    bytes.Buffer
	err  error
}

func (l *listing) values(values []*doc.Value, indent string) {
	for _, v := range values {
		l.decl(v.Decl, indent)
	}
}

func (l *listing) funcs(funcs []*doc.Func, indent string) {
	for _, f := range funcs {
		l.decl(f.Decl, indent)
	}
}

func (l *listing) decl(d ast.Decl, indent string) {
	var b bytes.Buffer
	if err := format.Node(&b, l.fset, d); err != nil && l.err == nil {
		l.err = err
	}
	l.b.WriteByte('\n')
	for line := range strings.Lines(b.String()) {
		// Comments are gone, and with them what stood between the lines.
		if line = strings.TrimRight(line, " \t\n"); line != "" {
			fmt.Fprintln(&l.b, indent+line)
		}
	}
}
