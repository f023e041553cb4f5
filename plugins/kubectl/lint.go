package kubectl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"k8s.io/cli-runtime/pkg/printers"
)

const lintLong = `Look for traps in a repository: things that are valid and do not do what they
seem to. Directories and everything below them are read; links are not followed.

Exit status: 0 nothing found, 1 something found or not readable, 2 usage error.

The rules:
`

const lintExample = `  # the repository at hand
  kubectl promote lint

  # without the rule that is met by other means
  kubectl promote lint --skip skipped-function apps`

// lintRule looks for one kind of trap. A rule is a function, and stands in lintRules.
type lintRule struct {
	name, about string
	check       func(f *lintFile) []lintProblem
}

// lintRules lists the rules, by name.
func lintRules() []lintRule {
	return []lintRule{
		{"skipped-function", "a KRM function that kustomize build skips in silence without --enable-exec", skippedFunctions},
	}
}

// lintFile is one kustomization file. Rules read it by its root.
type lintFile struct {
	path string // as it is shown
	dir  string
	root *yaml.Node
}

// lintProblem is one trap that was found.
type lintProblem struct {
	Rule    string `json:"rule"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (f *lintFile) problem(at *yaml.Node, hint, format string, args ...any) lintProblem {
	return lintProblem{File: f.path, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func newLintCommand(s *session) *cobra.Command {
	o := &lintOptions{session: s}
	long := lintLong
	for _, r := range lintRules() {
		long += "  " + r.name + ": " + r.about + "\n"
	}
	cmd := &cobra.Command{
		Use:     "lint [DIR...]",
		Short:   "Look for traps in a repository",
		Long:    strings.TrimSuffix(long, "\n"),
		Example: lintExample,
		GroupID: groupKnow,
		Args:    cobra.ArbitraryArgs,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	cmd.Flags().StringSliceVar(&o.skip, "skip", nil, "rules that are not looked at; can be repeated")
	must(cmd.RegisterFlagCompletionFunc("skip", cobra.FixedCompletions(ruleNames(), cobra.ShellCompDirectiveNoFileComp)))
	o.output = addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, dirs []string) error {
		if len(dirs) == 0 {
			dirs = []string{s.repo}
		}
		return o.run(cmd.Context(), dirs)
	}
	return cmd
}

func ruleNames() []string {
	var names []string
	for _, r := range lintRules() {
		names = append(names, r.name)
	}
	return names
}

// lintOptions are the flags of lint.
type lintOptions struct {
	session *session
	skip    []string
	output  *output
}

func (o *lintOptions) run(ctx context.Context, dirs []string) error {
	printer, err := o.output.printer()
	if err != nil {
		return err
	}
	for _, name := range o.skip {
		if !slices.Contains(ruleNames(), name) {
			return &usageError{msg: fmt.Sprintf("there is no rule %q", name), hint: "the rules: " + strings.Join(ruleNames(), ", ")}
		}
	}
	l := &linter{ctx: ctx, seen: make(map[string]bool), rules: slices.DeleteFunc(lintRules(), func(r lintRule) bool { return slices.Contains(o.skip, r.name) })}
	var errs []error
	for _, d := range dirs {
		errs = append(errs, l.directory(d))
	}
	errs = append(errs, l.errs...)
	slices.SortStableFunc(l.problems, func(a, b lintProblem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
	})
	if err := o.print(printer, l.problems); err != nil {
		return err
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if len(l.problems) > 0 {
		return silent(exitFailed)
	}
	return nil
}

func (o *lintOptions) print(printer printers.ResourcePrinter, problems []lintProblem) error {
	s, out := o.session, o.output
	if printer != nil {
		items := []object{}
		for _, p := range problems {
			items = append(items, object{name: p.File, content: p})
		}
		return printList(s.Out, printer, "Problem", items)
	}
	for _, p := range problems {
		rule := ""
		if out.wide() {
			rule = " (" + p.Rule + ")"
		}
		fmt.Fprintln(s.Out, clean(fmt.Sprintf("%s:%d:%d: %s%s", p.File, p.Line, p.Column, p.Message, rule)))
		if p.Hint != "" && !s.quiet {
			fmt.Fprintln(s.Out, "hint: "+clean(p.Hint))
		}
	}
	return nil
}

// linter is one run of the rules.
type linter struct {
	ctx      context.Context
	rules    []lintRule
	seen     map[string]bool // files, where directories overlap
	problems []lintProblem
	errs     []error // files that could not be read
}

// directory reads all kustomization files below a directory.
func (l *linter) directory(top string) error {
	info, err := os.Stat(top)
	if err != nil {
		return fileError(err)
	}
	if !info.IsDir() {
		return &usageError{msg: top + " is not a directory"}
	}
	return filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		switch {
		case l.ctx.Err() != nil:
			return l.ctx.Err()
		case err != nil:
			l.errs = append(l.errs, fileError(err))
			return nil
		case d.IsDir() && d.Name() == ".git":
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
	data, err := readBounded(path)
	if err != nil {
		l.errs = append(l.errs, err)
		return
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		l.errs = append(l.errs, yamlError(filepath.ToSlash(path), err))
		return
	}
	if len(doc.Content) == 0 {
		return
	}
	f := &lintFile{path: filepath.ToSlash(path), dir: filepath.Dir(path), root: doc.Content[0]}
	for _, r := range l.rules {
		for _, p := range r.check(f) {
			p.Rule = r.name
			l.problems = append(l.problems, p)
		}
	}
}
