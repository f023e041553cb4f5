package announce

import (
	"context"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/onforge"
	"github.com/kubepromote/kubepromote/promote/events"
	"github.com/kubepromote/kubepromote/promote/forge/deployments"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// forges are those that show deployments, each looked for once.
type forges struct {
	session   *cli.Session
	workspace *cli.Workspace
	known     map[destination]found
}

// destination is an environment, which may be in another place for each service.
type destination struct {
	environment string
	place       pipeline.Place
}

type found struct {
	maker  *deployments.Maker
	branch string
	err    error
}

func newForges(s *cli.Session, w *cli.Workspace) *forges {
	return &forges{s, w, make(map[destination]found)}
}

// of finds the forge of an environment.
func (f *forges) of(ctx context.Context, e *pipeline.Environment) found {
	key := destination{e.Name, e.Place()}
	out, ok := f.known[key]
	if ok {
		return out
	}
	home, at, err := f.session.RemoteOf(ctx, f.workspace, e)
	if out.err = err; err == nil {
		out.branch = at.Name()
		out.maker, out.err = onforge.Deployments(ctx, home, at, e.Deliver, cli.UserAgent())
	}
	f.known[key] = out
	return out
}

// deploy has the forge show what an event has brought to an environment.
func (f *forges) deploy(ctx context.Context, e events.Event) error {
	environment, err := f.workspace.Pipeline.Of(e.Service).Environment(e.Environment)
	if err != nil {
		return err
	}
	at := f.of(ctx, environment)
	if at.err != nil {
		return at.err
	}
	return at.maker.Record(ctx, deployments.Deployment{
		Environment: deployments.Name(e.Environment, e.Service), Commit: e.Commit, Branch: at.branch, Description: e.Text(),
		Payload: map[string]any{"kind": e.Kind, "service": e.Service, "environment": e.Environment, "from": e.From, "images": e.Images},
	})
}
