// Package lint looks for what is valid in a repository and does not do what it seems to: a
// production that nothing guards, an image that has no digest where digests are promoted,
// pins that stand where no location of the pipeline leads to.
//
// Rules read a tree through the interface that package pipeline has for it, and write
// nothing. What a rule finds it tells with its place and with what to do about it.
package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Finding is one trap.
type Finding struct {
	// Rule is the name of the rule that has found it.
	Rule string `json:"rule"`
	// File is in the repository, with slashes. Line and Column count from 1; they are 0
	// where the finding is about the whole file.
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	// Hint, if any, can be typed or done.
	Hint string `json:"hint,omitempty"`
}

// Place is file:line:col, or the file alone.
func (f Finding) Place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
}

// RulePolicy is the rule about policies. Run finds those that are missing; what one says is
// for package verify to judge.
const RulePolicy = "policy"

// RuleVersions is the rule about files of versions; --fix writes them.
const RuleVersions = "versions"

// Rule is a kind of trap.
type Rule struct{ Name, About string }

// rules are all of them; each takes from what was read what it is about.
var rules = []struct {
	Rule
	check func(*work)
}{
	{Rule{"pipeline", "a pipeline file that cannot be read, a location that fits nothing, or two that claim one pin"}, checkLayout},
	{Rule{RulePolicy, "a verification policy that is missing or cannot be read"}, checkPolicies},
	{Rule{"unguarded", "an environment at the end of the way that has no policy, no gate and no pull request"}, checkGuards},
	{Rule{"no-version", "an image with a tag that names no version: latest, an environment's name, or none"}, checkVersions},
	{Rule{"mutable-tag", "an image without a digest where digests are promoted to"}, checkDigests},
	{Rule{"misread-tag", "a tag that is a number or a boolean to who reads the file"}, checkMisread},
	{Rule{"unread-image", "an image of which nobody can say what it is"}, checkUnread},
	{Rule{"two-names", "one repository under two names in one file"}, checkNames},
	{Rule{"unlisted-image", "pins of an environment that no location of the pipeline leads to"}, checkUnlisted},
	{Rule{"unused-overlay", "an overlay beside those of environments that is of none, and that nothing in the repository names"}, checkUnused},
	{Rule{"unrecorded", "an environment whose branch is only moved by promotions, which leaves no record of them"}, checkRecorded},
	{Rule{RuleVersions, "a file of versions (record.versions) that is not there, not as it was written, or not what the overlays have"}, checkVersionsFiles},
}

// Rules gives the rules, in the order in which they are documented.
func Rules() []Rule {
	var out []Rule
	for _, r := range rules {
		out = append(out, r.Rule)
	}
	return out
}

// Input is what is looked at.
type Input struct {
	// Tree is the repository.
	Tree pipeline.Tree
	// Pipeline is what Source says, the file of that Name; without a file it is one that
	// was found, and Source is nil.
	Pipeline *pipeline.Pipeline
	Name     string
	Source   []byte
	// Skip names rules that are not looked at.
	Skip []string
}

// work is one run.
type work struct {
	Input
	ctx      context.Context
	overlays pipeline.ByService
	unknown  []string // environments of which nobody can tell what is there
	files    []siteFile
	findings []Finding
	rule     string
}

// siteFile is what stands at one site.
type siteFile struct {
	*overlay.File
	site pipeline.Site
	env  *pipeline.Environment
	pins []overlay.Pin
}

// Run looks at a repository. The findings are in the order of their places. An error is about
// what could not be read; what was found beside it is returned all the same.
func Run(ctx context.Context, in Input) ([]Finding, error) {
	w := &work{Input: in, ctx: ctx}
	err := w.read()
	for _, r := range rules {
		if ctx.Err() != nil {
			return w.findings, context.Cause(ctx)
		}
		if w.rule = r.Name; !slices.Contains(in.Skip, r.Name) {
			r.check(w)
		}
	}
	slices.SortStableFunc(w.findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
	})
	return slices.Compact(w.findings), err
}

// read reads the files of all sites.
func (w *work) read() error {
	sites := w.Pipeline.Sites(w.Tree)
	var err error
	var errs []error
	var unreached *pipeline.Unreached
	switch w.overlays, err = sites.All(); {
	case errors.As(err, &unreached): // the others are looked at
		errs = append(errs, err)
		for i := range w.Pipeline.Spec.Environments {
			e := &w.Pipeline.Spec.Environments[i]
			if _, err := e.TreeOf(w.Tree); !e.EachService() && errors.As(err, &unreached) {
				w.unknown = append(w.unknown, e.Name)
			}
		}
	case err != nil:
		return err
	}
	seen := make(map[string]bool)
	for service, environments := range w.overlays {
		for name, all := range environments {
			env, err := w.Pipeline.Of(service).Environment(name)
			if err != nil {
				return err
			}
			for _, one := range sites.WithNamed(all) {
				f, pins, err := sites.ReadPins(one, false)
				if errors.Is(err, pipeline.ErrNoOverlay) {
					continue
				}
				if err != nil && !seen[err.Error()] {
					seen[err.Error()] = true
					errs = append(errs, err)
				}
				if err == nil {
					w.files = append(w.files, siteFile{f, one, env, pins})
				}
			}
		}
	}
	slices.SortFunc(w.files, func(a, b siteFile) int {
		return cmp.Or(strings.Compare(a.Name(), b.Name()), strings.Compare(a.site.Service, b.site.Service))
	})
	return errors.Join(errs...)
}

// in notes a trap at a pin of a site.
func (w *work) in(f siteFile, p overlay.Position, hint, format string, args ...any) {
	if f.env.Elsewhere() {
		format, args, hint = format+" (%s)", append(args, f.env.Place()), ""
	}
	w.at(f.Name(), p, hint, format, args...)
}

// at notes a trap at a place.
func (w *work) at(file string, p overlay.Position, hint, format string, args ...any) {
	w.findings = append(w.findings, Finding{Rule: w.rule, File: file, Line: p.Line, Column: p.Col, Message: fmt.Sprintf(format, args...), Hint: hint})
}
