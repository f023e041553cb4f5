// Package across has a command be about all repositories of a fleet file: each is opened by
// a session of its own, as -C would open it, several side by side. What one of them says has
// its name in front, and one that fails keeps the others from nothing.
package across

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/fleet"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/spf13/cobra"
)

// mostAtOnce is how many repositories are read side by side.
const mostAtOnce = 8

// Var gives a command the flag --fleet.
func Var(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "fleet", "", "about all repositories that this fleet file lists, in place of the one at hand")
	cli.Must(cmd.MarkFlagFilename("fleet", "yaml", "yml"))
}

// Choose gives those of the services that were asked for which a repository has; all tells
// that none was asked for.
type Choose func(context.Context, *cli.Workspace) (services []string, all bool, err error)

// Member is a repository that is read.
type Member struct {
	*cli.Session
	services []string
	found    map[string]bool
	unsure   *bool
}

// Services is a [Choose]. Patterns are given as they are.
func (m *Member) Services(ctx context.Context, w *cli.Workspace) (names []string, all bool, err error) {
	if len(m.services) == 0 {
		return nil, true, nil
	}
	defer func() { *m.unsure = *m.unsure || err != nil }()
	if err := w.Whole(ctx); err != nil {
		return nil, false, err
	}
	overlays, err := w.Pipeline.Sites(w.Promoter.Repo).All()
	if err != nil && !errors.As(err, new(*pipeline.Unreached)) {
		return nil, false, err
	}
	for _, name := range m.services {
		if strings.ContainsAny(name, "*?[") || overlays.Check([]string{name}) == nil {
			names = append(names, name)
			m.found[name] = true
		}
	}
	if len(names) < len(m.services) && err != nil {
		return names, false, err // it may be one of the place that could not be read
	}
	return names, false, nil
}

// Result is what was read of a repository: Value is nil where nothing was.
type Result[T any] struct {
	Name  string
	Value *T
	// Status is the exit status that the repository alone would give.
	Status int
	// Err is what has failed, in one line; it may be so beside a value.
	Err string

	found map[string]bool
	none  error // it has nothing of what was asked for
	// unsure tells that nobody knows which services it has: a place of it could not be read.
	unsure bool
	voice  voice
}

// All is what was read of all repositories, in the order of the file.
type All[T any] struct {
	Name    string // the fleet's
	Results []*Result[T]
	// Read is when they were read.
	Read time.Time
}

// Read reads the repositories of a fleet file side by side, and tells what each of them has
// said, one after the other. The error is about the command line or the file alone, or tells
// that no repository has what was asked for.
func Read[T any](cmd *cobra.Command, s *cli.Session, file string, services []string, read func(context.Context, *Member) (*T, error)) (*All[T], error) {
	f, err := open(cmd, file)
	if err != nil {
		return nil, err
	}
	ctx, all := cmd.Context(), &All[T]{Name: f.Metadata.Name, Read: time.Now()}
	bar, done := s.NewProgress(), 0
	var shown sync.Mutex
	var wait sync.WaitGroup
	places := make(chan struct{}, mostAtOnce)
	for _, r := range f.Spec.Repositories {
		one := &Result[T]{Name: r.Name, found: make(map[string]bool), voice: voice{name: r.Name}}
		all.Results = append(all.Results, one)
		m := &Member{s.Member(r.Repository, r.Branch, r.Pipeline, &one.voice), services, one.found, &one.unsure}
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			one.read(ctx, m, read)
			shown.Lock()
			defer shown.Unlock()
			done++
			bar.Show("reading repositories", done, len(f.Spec.Repositories))
		})
	}
	wait.Wait()
	bar.Clear()
	for _, one := range all.Results {
		if err := one.voice.flush(s.ErrOut); err != nil {
			return nil, err
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return all, all.missed(services)
}

// read reads one repository. What it has not got is no failure: another may have it.
func (r *Result[T]) read(ctx context.Context, m *Member, read func(context.Context, *Member) (*T, error)) {
	if ctx.Err() != nil {
		return
	}
	defer m.Close()
	value, err := read(ctx, m)
	switch {
	case err == nil, value == nil && ctx.Err() != nil:
		r.Value = value
	case value == nil && errors.Is(err, promote.ErrUsage):
		r.Value, r.none = new(T), err
		m.Note("%v", err)
	default:
		before := r.voice.size()
		r.Value, r.Status = value, m.Fail(err)
		r.Err = r.voice.lineAt(before)
	}
}

// open reads a fleet file.
func open(cmd *cobra.Command, file string) (*fleet.Fleet, error) {
	for _, other := range []string{"repo", "pipeline", "branch"} {
		if cmd.Flags().Changed(other) {
			return nil, &cli.UsageError{Msg: "--fleet stands beside --" + other, Hint: "one of the two: the fleet file has it for each repository", Command: cmd.CommandPath()}
		}
	}
	data, err := cli.ReadBounded(file)
	if err != nil {
		return nil, err
	}
	return fleet.Parse(file, data)
}

// missed gives an error where a service that was asked for is in no repository, or where
// none has anything of what was asked for. While one could not be read, all of it or a place
// that it names, it may be there.
func (a *All[T]) missed(services []string) error {
	if slices.ContainsFunc(a.Results, func(r *Result[T]) bool { return r.Value == nil }) {
		return nil
	}
	if !slices.ContainsFunc(a.Results, func(r *Result[T]) bool { return r.none == nil }) {
		return a.Results[0].none
	}
	for _, name := range services {
		if !slices.ContainsFunc(a.Results, func(r *Result[T]) bool { return r.found[name] || r.none != nil || r.unsure }) {
			return &promote.Error{Msg: fmt.Sprintf("unknown service %q: none of %d repositories has it", name, len(a.Results)), Hint: "kubectl promote status --fleet FILE shows all", Err: promote.ErrUsage}
		}
	}
	return nil
}
