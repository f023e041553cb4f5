package promote

import (
	"context"
	"slices"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Carrier is the target of a promotion that is carried out in another way than by edits of
// its files, such as by a merge. Its files are the target's, and those that would come new
// and that pins are to be compared in; its Commit makes what [Carrier.Finish] has found.
type Carrier interface {
	Repo
	// Brings gives the files that come with a service, as they shall be; one that goes has no
	// bytes.
	Brings(service string) ([]File, error)
	// Finish looks at the plan once it stands. It puts what is written in the place of the
	// edits, and says by verdicts where that is not what was planned.
	Finish(ctx context.Context, plan *Plan) error
}

// Carried is what a Carrier is made for.
type Carried struct {
	Pipeline *pipeline.Pipeline
	// Home is the promoter's repository; Source and Target are where the two environments are.
	// Whoever makes the Carrier may put another Source in its place.
	Home, Source, Target Repo
	From, To             *pipeline.Environment
	Request              Request
}

// Becoming is the plan of a file that shall be what a [Carrier] makes of it.
func (f FilePlan) Becoming(file File) FilePlan {
	f.file, f.write = file, true
	return f
}

// carry has the target's strategy begin, where that is another than edits.
func (w *planner) carry(ctx context.Context) (err error) {
	reverts := w.req.Back != nil && w.req.Back.Revert != ""
	if w.to.Tagging() != nil && !reverts && w.req.enters() {
		return usage("--mode tag, for the way back", "%q is tags, in which nothing is edited", w.to.Name)
	}
	if !reverts && (w.to.Merging() == nil && w.to.Tagging() == nil || w.req.enters()) {
		return nil
	}
	if w.Carriers == nil {
		return failure("", "promotions to %q are merges, which nobody can make here", w.to.Name)
	}
	asked := &Carried{Pipeline: w.Pipeline, Home: w.Repo, Source: w.source, Target: w.target, From: w.from, To: w.to, Request: w.req}
	if w.carrier, err = w.Carriers(ctx, asked); err == nil {
		w.source, w.target = asked.Source, w.carrier
		w.sites = w.Pipeline.Sites(pipeline.Replacing(pipeline.Replacing(w.Repo, w.from.Place(), w.source), w.to.Place(), w.target))
	}
	return err
}

// brought gives the files that a carrier brings with a service.
func (w *planner) brought(service string) ([]File, error) {
	if w.carrier == nil {
		return nil, nil
	}
	return w.carrier.Brings(service)
}

// arrives tells whether a file of the target is not there yet.
func (w *planner) arrives(c *draft, file string) bool {
	files, err := w.brought(c.plan.Service)
	return err == nil && slices.ContainsFunc(files, func(f File) bool { return f.New && f.Path == file })
}

// finish has the carrier look at the plan.
func (w *planner) finish(ctx context.Context) error {
	if w.carrier == nil {
		return nil
	}
	err := w.carrier.Finish(ctx, w.plan)
	w.plan.Answer = Worst()
	for _, s := range w.plan.Services {
		w.plan.Answer = Worst(w.plan.Answer, s.Answer())
	}
	return err
}
