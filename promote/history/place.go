package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Places is a Log, that of the home of a pipeline, which has those of the other places
// that its environments are in.
type Places interface {
	Log
	// LogAt gives the history of a place. Its error is a [*pipeline.Unreached] where nobody
	// can tell what is there.
	LogAt(pipeline.Place) (Log, error)
}

// Everywhere is a log that is the one of all places: that of the environment at hand.
type Everywhere struct{ Log }

// LogAt implements [Places].
func (e Everywhere) LogAt(pipeline.Place) (Log, error) { return e.Log, nil }

// part is the history of environments that are in one place.
type part struct {
	tree         pipeline.Tree
	log          Log
	environments []string
	service      string // whose place it is, if it is that of one
}

// mostParts bounds the places that are read at once.
const mostParts = 256

// partsOf gives the places that a history is asked for, in the order of the environments.
// Those of which nobody can tell what is there are the error, beside the others.
func partsOf(p *pipeline.Pipeline, tree pipeline.Tree, log Log, req Request) ([]*part, error) {
	var parts []*part
	var lost []error
	type key struct {
		pipeline.Place
		service string
	}
	at := make(map[key]*part)
	var unreached *pipeline.Unreached
	add := func(e *pipeline.Environment, service string) error {
		one, known := at[key{e.Place(), service}]
		if !known {
			var err error
			switch one, err = partAt(e, tree, log); {
			case errors.As(err, &unreached):
				lost = append(lost, err)
			case service != "" && errors.Is(err, fs.ErrNotExist): // it has no branch there
			case err != nil:
				return err
			default:
				one.service, parts = service, append(parts, one)
			}
			at[key{e.Place(), service}] = one
		}
		if one != nil {
			one.environments = append(one.environments, e.Name)
		}
		return nil
	}
	for i := range p.Spec.Environments {
		e := &p.Spec.Environments[i]
		if req.Environment != "" && req.Environment != e.Name {
			continue
		}
		services, err := placesOf(p, e, tree, req)
		switch {
		case errors.As(err, &unreached): // some are told by a place that cannot be read
			lost = append(lost, err)
		case err != nil:
			return nil, err
		}
		for _, service := range services {
			one, err := p.Of(service).Environment(e.Name)
			if err == nil {
				err = add(one, service)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	if len(parts) > mostParts {
		return nil, fmt.Errorf("the history of %d branches is too much at once: name services", len(parts))
	}
	return parts, errors.Join(lost...)
}

// placesOf names the services that are asked for where each has a place of its own in an
// environment; one without a name where that is one place for all.
func placesOf(p *pipeline.Pipeline, e *pipeline.Environment, tree pipeline.Tree, req Request) ([]string, error) {
	if !e.EachService() {
		return []string{""}, nil
	}
	if len(req.Services) > 0 {
		return req.Services, nil
	}
	all, err := p.Sites(tree).Listed(e)
	return slices.Sorted(maps.Keys(all)), err
}

// partAt opens the place of an environment.
func partAt(e *pipeline.Environment, tree pipeline.Tree, log Log) (*part, error) {
	there, err := e.TreeOf(tree)
	if err != nil {
		return nil, err
	}
	if places, ok := log.(Places); ok {
		if log, err = places.LogAt(e.Place()); err != nil {
			return nil, err
		}
	}
	return &part{tree: there, log: log}, nil
}

// changes are what Read visits of one place. An error comes last.
func (o *part) changes(ctx context.Context, p *pipeline.Pipeline, req Request) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		more := true
		err := o.read(ctx, p, req, func(c Change) bool {
			more = yield(c, nil)
			return more
		})
		if err != nil && more {
			yield(Change{}, err)
		}
	}
}

// merge visits the changes of several places by their times, newest first. Where one has
// the newer part of its history alone, the error is the last one of these, after the rest.
func merge(ctx context.Context, p *pipeline.Pipeline, parts []*part, req Request, visit func(Change) bool) error {
	type stream struct {
		next func() (Change, error, bool) //nolint:staticcheck // as iter.Pull2 has it
		head Change
	}
	var open []*stream
	var cut error
	// step takes a stream's next change, or takes the stream out.
	step := func(s *stream) (bool, error) {
		c, err, ok := s.next()
		var truncated *Truncated
		if errors.As(err, &truncated) {
			cut, ok, err = err, false, nil
		}
		s.head = c
		return ok, err
	}
	for _, one := range parts {
		next, stop := iter.Pull2(one.changes(ctx, p, req))
		defer stop()
		s := &stream{next: next}
		ok, err := step(s)
		if err != nil {
			return err
		}
		if ok {
			open = append(open, s)
		}
	}
	for len(open) > 0 {
		newest := 0
		for i, s := range open {
			if s.head.Time.After(open[newest].head.Time) {
				newest = i
			}
		}
		s := open[newest]
		if !visit(s.head) {
			return nil
		}
		ok, err := step(s)
		if err != nil {
			return err
		}
		if !ok {
			open = append(open[:newest], open[newest+1:]...)
		}
	}
	return cmp.Or(cut, ctx.Err())
}
