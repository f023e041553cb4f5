package lintcmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/codeowners"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/places"
	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/lint"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/waves"
)

// deliveryRule is a rule about how services are delivered.
type deliveryRule struct {
	lint.Rule
	check func(ctx context.Context, r *repository) []lint.Finding
}

// deliveryRules lists them.
func deliveryRules() []deliveryRule {
	return []deliveryRule{
		{lint.Rule{Name: "hold", About: "a hold that is over, holds nothing, or cannot be read"}, holds},
		{lint.Rule{Name: "order", About: "an order of Argo CD or Flux that contradicts dependsOn"}, orders},
		{lint.Rule{Name: "unowned", About: "files that pull requests change and that CODEOWNERS names nobody for"}, unowned},
		{lint.Rule{Name: "unprotected", About: "a branch that promotions are merged into and that files of the repository leave unprotected"}, unprotected},
		{lint.Rule{Name: "runbook", About: "a runbook that is not what its pipeline would have written now"}, runbooks},
	}
}

// repository is what these rules look at: the files of the working tree.
type repository struct {
	session  *cli.Session
	Home     *places.Home
	Pipeline *pipeline.Pipeline
	root     string
	sites    pipeline.ByService
	partial  bool // not all that is there could be told
	now      time.Time
	most     int     // files and folders
	errs     []error // where the search has ended early
	// names gives the full name of a reference; nil where nobody can.
	names func(ctx context.Context, revision string) (string, error)
}

// delivery looks at how the services of a pipeline are delivered. What cannot be listed
// package lint has told.
func (o *options) delivery(ctx context.Context, home *places.Home, repo *git.Repo, p *pipeline.Pipeline) ([]lint.Finding, error) {
	sites, err := p.Sites(home).All()
	r := &repository{session: o.session, Home: home, Pipeline: p, root: repo.Root(), sites: sites, partial: err != nil, now: time.Now(), most: maxEntries, names: repo.FullName}
	var all []lint.Finding
	for _, rule := range deliveryRules() {
		if slices.Contains(o.skip, rule.Name) {
			continue
		}
		for _, found := range rule.check(ctx, r) {
			found.Rule = rule.Name
			all = append(all, found)
		}
	}
	return all, errors.Join(r.errs...)
}

// holds finds those that are over or are for no service, and faults of the file.
func holds(_ context.Context, r *repository) []lint.Finding {
	data, err := r.Home.ReadFile(hold.FileName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var list *hold.List
	if err == nil {
		list, err = hold.Parse(hold.FileName, data, r.Pipeline)
	}
	if err != nil {
		return holdFaults(err)
	}
	var all []lint.Finding
	for n, h := range list.Holds {
		at := lint.Finding{File: hold.FileName, Line: lineOf(data, n), Column: 3}
		name := strings.Join(strings.Fields(h.Service+" "+h.Environment), " in ")
		at.Hint = r.session.WithAdvice("", string(promote.DoUnhold), map[string]string{"service": h.Service, "env": h.Environment})
		unknown := slices.IndexFunc(h.Except, func(glob string) bool { return !strings.ContainsAny(glob, `*?[`) && !r.has(glob) })
		switch {
		case !h.Until.IsZero() && !r.now.Before(h.Until):
			at.Message = fmt.Sprintf("the hold of %s is over since %s", name, h.Until.UTC().Format("2006-01-02 15:04 MST"))
		case h.Service != "" && !r.partial && !r.has(h.Service):
			at.Message = fmt.Sprintf("there is no service %q, so that nothing is held", h.Service)
		case unknown >= 0 && !r.partial:
			at.Message = fmt.Sprintf("there is no service %q, which the hold of %s is to leave out", h.Except[unknown], name)
		default:
			continue
		}
		all = append(all, at)
	}
	return all
}

// lineOf is where an entry of the file of holds begins.
func lineOf(data []byte, n int) int {
	line, seen, inside := 0, 0, false
	for text := range strings.Lines(string(data)) {
		line++
		inside = inside || strings.HasPrefix(text, "holds:")
		if inside && strings.HasPrefix(strings.TrimLeft(text, " "), "- ") {
			if seen == n {
				return line
			}
			seen++
		}
	}
	return 1
}

func (r *repository) has(service string) bool {
	for name := range r.sites {
		if name == service || strings.HasSuffix(name, "/"+service) {
			return true
		}
	}
	return false
}

// faults are the errors of a file, each at its place.
func holdFaults(err error) []lint.Finding {
	var many interface{ Unwrap() []error }
	var one *overlay.Error
	switch {
	case errors.As(err, &many):
		var all []lint.Finding
		for _, e := range many.Unwrap() {
			all = append(all, holdFaults(e)...)
		}
		return all
	case errors.As(err, &one):
		return []lint.Finding{{File: one.File, Line: one.Line, Column: one.Col, Message: one.Msg, Hint: one.Hint}}
	}
	return []lint.Finding{{File: hold.FileName, Line: 1, Column: 1, Message: err.Error()}}
}

// unowned finds files that come by pull requests and whose review nobody is asked for.
func unowned(_ context.Context, r *repository) []lint.Finding {
	var all []lint.Finding
	for i := range r.Pipeline.Spec.Environments {
		e := &r.Pipeline.Spec.Environments[i]
		dialect := codeowners.Dialect(e.Deliver.Forge)
		if e.Deliver.Mode != pipeline.DeliverPullRequest || len(dialect.Paths()) == 0 {
			continue
		}
		var files []string
		sites := r.Pipeline.Sites(r.Home)
		for _, environments := range r.sites {
			for _, one := range sites.WithNamed(environments[e.Name]) {
				if f, err := sites.Read(one, false); err == nil && !slices.Contains(files, f.Name()) {
					files = append(files, f.Name())
				}
			}
		}
		slices.Sort(files)
		if tree, err := e.TreeOf(r.Home); err == nil {
			all = append(all, owners(tree, e.Name, dialect, files)...)
		}
	}
	return all
}

func owners(tree pipeline.Tree, environment string, dialect codeowners.Dialect, files []string) []lint.Finding {
	kind := forge.Kind(dialect).String()
	for _, name := range dialect.Paths() {
		data, err := tree.ReadFile(name)
		if err != nil {
			continue
		}
		f, err := codeowners.Parse(dialect, name, data)
		if err != nil {
			var all []lint.Finding
			for line := range strings.Lines(err.Error()) {
				all = append(all, lint.Finding{File: name, Line: 1, Column: 1, Message: strings.TrimSpace(strings.TrimPrefix(line, name+":"))})
			}
			return all
		}
		var open []string
		for _, file := range files {
			if len(f.Owners(file)) == 0 {
				open = append(open, file)
			}
		}
		if len(open) == 0 {
			return nil
		}
		said := open[0]
		if len(open) > 1 {
			said += fmt.Sprintf(" and %d more", len(open)-1)
		}
		return []lint.Finding{{File: name, Line: 1, Column: 1, Message: fmt.Sprintf("nobody owns %s, which pull requests to %s change", said, environment), Hint: "a line for it"}}
	}
	if len(files) == 0 {
		return nil
	}
	return []lint.Finding{{File: pipeline.FileName, Line: 1, Column: 1, Message: fmt.Sprintf("%s is delivered by pull requests on %s, and there is no file CODEOWNERS", environment, kind), Hint: "kubectl promote init --owner NAME"}}
}

// mostManifest is how large a file may be that is searched for what deploys services.
const mostManifest = 1 << 20

// skipOrder leaves out the rule where a search has ended early.
const skipOrder = "kubectl promote lint --skip order"

// readUpTo reads so many bytes of a file.
func readUpTo(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// orders finds where what deploys the services has another order.
func orders(ctx context.Context, r *repository) []lint.Finding {
	if !slices.ContainsFunc(r.Pipeline.Spec.Services, func(s pipeline.Service) bool { return len(s.DependsOn) > 0 }) {
		return nil
	}
	var files []waves.File
	entries := 0
	_ = filepath.WalkDir(r.root, func(path string, d fs.DirEntry, err error) error { // what cannot be read has no order
		entries++
		switch {
		case err != nil:
			return nil
		case ctx.Err() != nil:
			r.errs = append(r.errs, &promote.Error{Msg: "order: the search has not ended in time, at " + path, Err: ctx.Err(), Hint: skipOrder})
			return fs.SkipAll
		case entries > r.most:
			r.errs = append(r.errs, &promote.Error{Msg: fmt.Sprintf("order: more than %d files and folders, at %s", r.most, path), Hint: skipOrder})
			return fs.SkipAll
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case !d.Type().IsRegular() || filepath.Ext(path) != ".yaml" && filepath.Ext(path) != ".yml":
			return nil
		}
		data, err := readUpTo(path, mostManifest+1)
		if err == nil && (bytes.Contains(data, []byte("argoproj.io/")) || bytes.Contains(data, []byte("fluxcd.io/"))) {
			if name, err := filepath.Rel(r.root, path); err == nil {
				if len(data) > mostManifest {
					r.errs = append(r.errs, &promote.Error{Msg: fmt.Sprintf("order: %s has more than %d bytes, and is not read", filepath.ToSlash(name), mostManifest), Hint: skipOrder})
					return nil
				}
				files = append(files, waves.File{Path: filepath.ToSlash(name), Data: data})
			}
		}
		return nil
	})
	var all []lint.Finding
	for n := range r.Pipeline.Spec.Environments {
		for _, text := range waves.Contradictions(r.Pipeline, &r.Pipeline.Spec.Environments[n], r.sites, files) {
			place, message, _ := strings.Cut(text, ": ")
			file, number, _ := strings.Cut(place, ":")
			line := 1
			fmt.Sscan(number, &line) //nolint:errcheck // it was written as a number
			all = append(all, lint.Finding{File: file, Line: line, Column: 1, Message: message, Hint: "the same order in both"})
		}
	}
	return all
}
