// Package lintcmd implements kubectl promote lint: a search for what is valid in a
// repository and does not do what it seems to. The rules about the repository as a whole
// are package promote/lint's; those about one kustomization file are here.
package lintcmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/lint"
)

const lintLong = `Look for traps in a repository: things that are valid and do not do what they
seem to.

Without DIR the repository is looked at as a whole: its pipeline, its policies, and the images
at their locations, as the working tree has them. Beside that, directories and everything below them are read; links are not followed, and
nothing outside of the repository is read. Where -C names no Git repository, nothing
outside of that directory is.

With --fix misspelt fields of the pipeline file become the one name that is near, where nothing
else is wrong with it then; files of versions (record.versions) are written anew, from the overlays
of the working tree. That is before anything is looked for; nothing else is written.

Exit status: 0 nothing found, 1 something found or not readable, 2 usage error.

The rules:
`

const example = `  # the repository at hand
  kubectl promote lint

  # write versions.json anew, as the overlays have it
  kubectl promote lint --fix

  # without the rule that is met by other means
  kubectl promote lint --skip skipped-function apps`

// fileRule looks for one kind of trap in a kustomization file. It is a function, and stands
// in fileRules.
type fileRule struct {
	lint.Rule
	check func(f *file) []lint.Finding
}

// fileRules lists the rules about single files.
func fileRules() []fileRule {
	return []fileRule{
		{lint.Rule{Name: "skipped-function", About: "a KRM function that kustomize build skips in silence without --enable-exec"}, skippedFunctions},
		{lint.Rule{Name: "dead-entry", About: "an entry of images in a kustomization that matches nothing which it has"}, deadEntries},
	}
}

// allRules lists all rules.
func allRules() []lint.Rule {
	all := lint.Rules()
	for _, r := range deliveryRules() {
		all = append(all, r.Rule)
	}
	for _, r := range fileRules() {
		all = append(all, r.Rule)
	}
	return all
}

// file is one kustomization file. Rules read it by its root.
type file struct {
	path string // as it is shown
	dir  string
	tree string // what is outside of it is not read
	root *yaml.Node
}

func (f *file) problem(at *yaml.Node, hint, format string, args ...any) lint.Finding {
	return lint.Finding{File: f.path, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// New makes kubectl promote lint.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	long := lintLong
	for _, r := range allRules() {
		long += "  " + r.Name + ": " + r.About + "\n"
	}
	cmd := &cobra.Command{
		Use:     "lint [DIR...]",
		Short:   "Look for traps in a repository",
		Long:    strings.TrimSuffix(long, "\n"),
		Example: example,
		GroupID: cli.GroupKnow,
		Args:    cobra.ArbitraryArgs,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	cmd.Flags().StringSliceVar(&o.skip, "skip", nil, "rules that are not looked at; can be repeated")
	cli.Must(cmd.RegisterFlagCompletionFunc("skip", cobra.FixedCompletions(ruleNames(), cobra.ShellCompDirectiveNoFileComp)))
	cmd.Flags().BoolVar(&o.fix, "fix", false, "mend misspelt fields of the pipeline file, and write files of versions anew, as the overlays have it")
	cmd.Flags().StringSliceVar(&o.exclude, "exclude", nil, "files that are not looked at, by their paths or globs; ** is any folders; can be repeated")
	o.output = cli.AddOutput(cmd, formatSARIF, formatJUnit)
	cmd.RunE = func(cmd *cobra.Command, dirs []string) error { return o.run(cmd.Context(), dirs) }
	return cmd
}

func ruleNames() []string {
	var names []string
	for _, r := range allRules() {
		names = append(names, r.Name)
	}
	return names
}

// options are the flags of lint.
type options struct {
	session       *cli.Session
	skip, exclude []string
	fix           bool
	output        *cli.Output
}

func (o *options) run(ctx context.Context, dirs []string) error {
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	for _, name := range o.skip {
		if !slices.Contains(ruleNames(), name) {
			return &cli.UsageError{Msg: fmt.Sprintf("there is no rule %q", name), Hint: "known are " + strings.Join(ruleNames(), ", ")}
		}
	}
	if o.fix && len(dirs) > 0 {
		return &cli.UsageError{Msg: "--fix is for the repository as a whole, and directories are named", Hint: "kubectl promote lint --fix"}
	}
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	tree, err := treeOf(o.session.Repo)
	if err != nil {
		return err
	}
	l := &linter{ctx: ctx, tree: tree, seen: make(map[string]bool), rules: slices.DeleteFunc(fileRules(), func(r fileRule) bool { return slices.Contains(o.skip, r.Name) })}
	var errs []error
	if len(dirs) == 0 {
		dirs = []string{o.session.Repo}
		findings, err := o.repository(ctx, tree)
		l.findings, errs = append(l.findings, findings...), append(errs, cli.Split(err)...)
	}
	for _, d := range dirs {
		errs = append(errs, l.directory(d))
	}
	errs = append(errs, l.errs...)
	findings, err := o.included(l.findings)
	if err != nil {
		return err
	}
	slices.SortStableFunc(findings, func(a, b lint.Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
	})
	if err := o.print(printer, findings); err != nil {
		return err
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if len(findings) > 0 {
		return cli.Silent(cli.ExitFailed)
	}
	return nil
}

// included leaves out what is about files that are excluded.
func (o *options) included(findings []lint.Finding) ([]lint.Finding, error) {
	for _, glob := range o.exclude {
		if !doublestar.ValidatePattern(glob) {
			return nil, &cli.UsageError{Msg: fmt.Sprintf("--exclude %q is malformed", glob), Hint: "--exclude 'charts/**'"}
		}
		findings = slices.DeleteFunc(findings, func(f lint.Finding) bool {
			ok, _ := doublestar.Match(glob, path.Clean(f.File))
			return ok
		})
	}
	return findings, nil
}

func (o *options) print(printer printers.ResourcePrinter, findings []lint.Finding) error {
	s, out := o.session, o.output
	switch {
	case out.Is(formatSARIF):
		return printSARIF(s.Out, findings)
	case out.Is(formatJUnit):
		return printJUnit(s.Out, findings)
	}
	if printer != nil {
		items := []cli.Object{}
		for _, p := range findings {
			items = append(items, cli.Object{Name: p.File, Content: p})
		}
		return cli.PrintList(s.Out, printer, "Problem", items)
	}
	for _, p := range findings {
		rule := ""
		if out.Wide() {
			rule = " (" + p.Rule + ")"
		}
		fmt.Fprintln(s.Out, cli.Clean(fmt.Sprintf("%s: %s%s", p.Place(), p.Message, rule)))
		if p.Hint != "" && !s.Quiet {
			fmt.Fprintln(s.Out, "hint: "+cli.Clean(s.HintHere(p.Hint)))
		}
	}
	return nil
}

// linter is one run of the rules.
type linter struct {
	ctx      context.Context
	tree     string // what is outside of it is not read
	entries  int
	rules    []fileRule
	seen     map[string]bool // files, where directories overlap
	findings []lint.Finding
	errs     []error // files that could not be read
}

// directory reads all kustomization files below a directory.
func (l *linter) directory(top string) error {
	info, err := os.Stat(top)
	if err != nil {
		return cli.FileError(err)
	}
	if !info.IsDir() {
		return &cli.UsageError{Msg: top + " is not a directory"}
	}
	if !inside(l.tree, top) {
		return &cli.UsageError{Msg: top + " is not inside of " + l.tree, Hint: "kubectl promote lint -C " + shell.Path(top)}
	}
	depth := strings.Count(filepath.Clean(top), string(filepath.Separator))
	return filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		l.entries++
		switch {
		case errors.Is(l.ctx.Err(), context.DeadlineExceeded):
			return &promote.Error{Msg: top + ": the search has not ended in time, at " + path, Hint: "kubectl promote lint DIR", Err: l.ctx.Err()}
		case l.ctx.Err() != nil:
			return l.ctx.Err()
		case l.entries > maxEntries:
			return &promote.Error{Msg: fmt.Sprintf("%s: more than %d files and folders, at %s", top, maxEntries, path), Hint: "kubectl promote lint DIR"}
		case err != nil:
			l.errs = append(l.errs, cli.FileError(err))
			return nil
		case d.IsDir() && d.Name() == ".git":
			return filepath.SkipDir
		case d.IsDir() && strings.Count(filepath.Clean(path), string(filepath.Separator))-depth > maxDepth:
			l.errs = append(l.errs, &promote.Error{Msg: fmt.Sprintf("%s: folders stand more than %d deep", path, maxDepth)})
			return filepath.SkipDir
		case d.Type().IsRegular() && isKustomization(d.Name()) && !l.seen[filepath.Clean(path)]:
			l.seen[filepath.Clean(path)] = true
			l.file(path)
		}
		return nil
	})
}

func isKustomization(name string) bool {
	return name == "kustomization.yaml" || name == "kustomization.yml" || name == "Kustomization"
}

func (l *linter) file(path string) {
	data, err := cli.ReadBounded(path)
	if err != nil {
		l.errs = append(l.errs, err)
		return
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		l.errs = append(l.errs, cli.YAMLError(filepath.ToSlash(path), err))
		return
	}
	if len(doc.Content) == 0 {
		return
	}
	if doc.Content[0].Kind != yaml.MappingNode { // such as a pointer of Git LFS
		_, err := overlay.Parse(filepath.ToSlash(path), data)
		l.errs = append(l.errs, cli.Split(err)...)
		return
	}
	f := &file{path: filepath.ToSlash(path), tree: l.tree, dir: filepath.Dir(path), root: doc.Content[0]}
	for _, r := range l.rules {
		for _, p := range r.check(f) {
			p.Rule = r.Name
			l.findings = append(l.findings, p)
		}
	}
}
