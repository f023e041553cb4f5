package render

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Services renders services by the layout of a pipeline. What was rendered for one gate
// serves the others. Its methods may be called concurrently.
type Services struct {
	// Pipeline says where services are.
	Pipeline *pipeline.Pipeline
	// At gives the tree of a commit, for requests that name no trees. It is asked once for
	// each.
	At func(ctx context.Context, commit string) (pipeline.Tree, error)
	// Elsewhere gives what is committed of an environment where the files of one, or of the
	// one that is promoted to, are in another place than the home. It is asked once for each
	// place.
	Elsewhere func(ctx context.Context, e *pipeline.Environment) (pipeline.Tree, error)
	Options

	mu    sync.Mutex
	at    map[string]*call[pipeline.Tree]
	trees []*rendering
	known map[string]*call[[]objects.Object]
}

// call is what is done once for all who ask for it.
type call[T any] struct {
	turn chan struct{} // has room for the one who does it
	done bool
	out  T
}

// once does what has not been done yet, and keeps what it gives. An error is of the one who
// has asked, and of that one's time, and is not kept: who waits does it anew.
func once[T any](ctx context.Context, mu *sync.Mutex, known *map[string]*call[T], key string, do func() (T, error)) (out T, err error) {
	mu.Lock()
	if *known == nil {
		*known = make(map[string]*call[T])
	}
	c := (*known)[key]
	if c == nil {
		c = &call[T]{turn: make(chan struct{}, 1)}
		(*known)[key] = c
	}
	mu.Unlock()
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		_, what, _ := strings.Cut(key, "\n")
		return out, &promote.Error{Msg: strings.Join(strings.Fields(what), " in ") + ": what is rendered for another gate did not end in time", Hint: "timeout: 2m in the gate, or --timeout", Err: ctx.Err()}
	}
	defer func() { <-c.turn }()
	if c.done {
		return c.out, nil
	}
	if out, err = do(); err == nil {
		c.out, c.done = out, true
	}
	return out, err
}

// rendering is a tree and its renderer.
type rendering struct {
	tree     pipeline.Tree
	renderer *Renderer
	number   int
}

// Of gives the objects of a service in an environment, as a tree has them, or what that has
// of the environment's place: see [pipeline.Places].
func (s *Services) Of(ctx context.Context, tree pipeline.Tree, service, environment string) ([]objects.Object, error) {
	if places, ok := tree.(pipeline.Places); ok {
		e, err := s.Pipeline.Of(service).Environment(environment)
		if err == nil {
			tree, err = places.At(e.Place())
		}
		if err != nil {
			return nil, err
		}
	}
	t := s.of(tree)
	return once(ctx, &s.mu, &s.known, fmt.Sprintf("%d\n%s\n%s", t.number, service, environment), func() ([]objects.Object, error) {
		return t.renderer.service(ctx, s.Pipeline, tree, service, environment)
	})
}

// In gives the objects of a request's service in an environment, as they are.
func (s *Services) In(ctx context.Context, q promote.GateRequest, environment string) ([]objects.Object, error) {
	tree, err := s.before(ctx, q, environment)
	if err != nil {
		return nil, err
	}
	return s.Of(ctx, tree, q.Service, environment)
}

// Rendered gives the objects of a request's service in the environment that it is about, as
// they are and as they would be.
func (s *Services) Rendered(ctx context.Context, q promote.GateRequest) (before, after []objects.Object, err error) {
	tree, err := s.before(ctx, q, q.To)
	if places, ok := tree.(pipeline.Places); ok && err == nil {
		var to *pipeline.Environment
		if to, err = s.Pipeline.Of(q.Service).Environment(q.To); err == nil {
			tree, err = places.At(to.Place())
		}
	}
	if err != nil {
		return nil, nil, err
	}
	before, err = s.Of(ctx, tree, q.Service, q.To)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case q.After != nil:
		after, err = s.Of(ctx, q.After, q.Service, q.To)
	case q.Edits != nil:
		after, err = s.edited(ctx, tree, q)
	default:
		after = before
	}
	return before, after, err
}

// edited renders what a promotion would make.
func (s *Services) edited(ctx context.Context, tree pipeline.Tree, q promote.GateRequest) ([]objects.Object, error) {
	files, err := q.Edits()
	if err != nil {
		return nil, err
	}
	over, sum := make(map[string][]byte, len(files)), sha256.New()
	for _, f := range files {
		switch {
		case f.Unread:
			return nil, fmt.Errorf("%s: comes with it, and is too large to be read", f.Path)
		case f.Is != "" && !strings.HasPrefix(f.Is, "100"): // Git's modes of files
			return nil, fmt.Errorf("%s: comes with it as a link or a submodule, and is not followed to render", f.Path)
		case f.Gone || f.Was != "" && f.Is == "":
			over[f.Path] = nil
		default:
			over[f.Path] = append([]byte{}, f.Data...) // nil would be one that is gone
		}
		fmt.Fprintf(sum, "%s\n%t\n%d\n%s", f.Path, over[f.Path] == nil, len(f.Data), f.Data)
	}
	t := s.of(tree)
	return once(ctx, &s.mu, &s.known, fmt.Sprintf("%d\n%s\n%s\n%x", t.number, q.Service, q.To, sum.Sum(nil)), func() ([]objects.Object, error) {
		return t.renderer.With(over).service(ctx, s.Pipeline, tree, q.Service, q.To)
	})
}

// before gives the tree of an environment that a request is about, as it is.
func (s *Services) before(ctx context.Context, q promote.GateRequest, environment string) (pipeline.Tree, error) {
	if q.Before != nil {
		return q.Before, nil
	}
	p := s.Pipeline.Of(q.Service)
	e, err := p.Environment(environment)
	if err != nil {
		return nil, err
	}
	to, err := p.Environment(q.To)
	if err != nil {
		return nil, err
	}
	elsewhere := e.Elsewhere() || to.Elsewhere() // then the request's commit is not one of the home
	if s.At == nil || elsewhere && s.Elsewhere == nil {
		return nil, &promote.Error{Msg: "there is no commit to render"}
	}
	key, ask := q.Head, func(ctx context.Context) (pipeline.Tree, error) { return s.At(ctx, q.Head) }
	if elsewhere {
		key, ask = "\n"+e.Place().String(), func(ctx context.Context) (pipeline.Tree, error) { return s.Elsewhere(ctx, e) }
	}
	// The tree outlives the one who asks for it first.
	return once(ctx, &s.mu, &s.at, key, func() (pipeline.Tree, error) { return ask(context.WithoutCancel(ctx)) })
}

// of gives the renderer of a tree; the same for the same one.
func (s *Services) of(tree pipeline.Tree) *rendering {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reflect.ValueOf(tree).Comparable() {
		for _, t := range s.trees {
			if t.tree == tree {
				return t
			}
		}
	}
	t := &rendering{renderer: New(tree, s.Options), number: len(s.trees)}
	if reflect.ValueOf(tree).Comparable() {
		t.tree = tree
	}
	s.trees = append(s.trees, t)
	return t
}

// service renders all that the layout has of a service in an environment.
func (r *Renderer) service(ctx context.Context, p *pipeline.Pipeline, tree pipeline.Tree, service, environment string) ([]objects.Object, error) {
	e, err := p.Environment(environment)
	if err != nil {
		return nil, err
	}
	sites, err := p.Sites(pipeline.Everywhere{Tree: tree}).Of(e, service)
	if err != nil {
		return nil, err
	}
	var out []objects.Object
	done := make(map[string]bool)
	var charts []string
	values := make(map[string][]string)
	for _, one := range sites {
		if chart, is := r.chartOf(one.Path, service); chart != "" {
			if !slices.Contains(charts, chart) {
				charts = append(charts, chart)
			}
			if is && !slices.Contains(values[chart], one.Path) {
				values[chart] = append(values[chart], one.Path)
			}
			continue
		}
		at, whole, err := r.unit(p, one)
		if err != nil {
			return nil, err
		}
		if at == "" || done[at] {
			continue
		}
		done[at] = true
		var more *Rendered
		if whole {
			more, err = r.Dir(ctx, at)
		} else if more, err = r.plain([]string{at}); err == nil && len(more.Objects) == 0 {
			err = &promote.Error{Msg: at + " has no object of Kubernetes, and there is no chart around it that it could be values of", Hint: "keep the chart in a directory around it"}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, more.Objects...)
	}
	for _, chart := range charts {
		more, err := r.values(ctx, chart, service, values[chart])
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	if len(done)+len(charts) == 0 {
		return nil, &promote.Error{Msg: fmt.Sprintf("%s has nothing in %s to render", service, environment)}
	}
	return r.releases(ctx, out, environment)
}

// unit gives what is rendered for a site: a directory, or a file alone where what lies
// beside it is not the service's. It is empty where there is nothing.
func (r *Renderer) unit(p *pipeline.Pipeline, one pipeline.Site) (at string, dir bool, err error) {
	k, err := r.source.at(one.Path)
	switch {
	case err != nil || k == nothing:
		return "", false, err
	case k == isLink:
		return "", false, linked(one.Path)
	case k == isDir:
		return one.Path, true, nil
	}
	around := path.Dir(one.Path)
	if file, err := r.source.kustomization(around); err != nil || file != "" {
		return around, true, err
	}
	template := path.Dir(p.Location(one).Path)
	if strings.Contains(template, "{"+location.Environment+"}") && strings.Contains(template, "{"+location.Service+"}") {
		if all, err := r.plainDir(around); err == nil && slices.ContainsFunc(all.Objects, func(o objects.Object) bool { return o.Place(nil).File == one.Path }) {
			return around, true, nil
		}
	}
	return one.Path, false, nil
}
