package promote

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/internal/edits"
	"github.com/kubepromote/kubepromote/promote/internal/imagepolicy"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// Plan finds out what a promotion would do, and whether it may. It writes
// nothing. A refusal is no error: it is in the plan's verdicts. An error means
// that there is no plan; where several things are wrong, all are reported.
func (p *Promoter) Plan(ctx context.Context, req Request) (*Plan, error) {
	if req.Mode != "" && !req.Mode.Known() {
		return nil, usage(spelling.Hint(string(req.Mode), pipeline.DeliverModes()), "unknown delivery mode %q", req.Mode)
	}
	to, err := p.Pipeline.Environment(req.To)
	if err != nil {
		return nil, err
	}
	if to.Tagging() != nil && len(to.From) > 0 {
		req.TagVersion, req.Version = req.Version, ""
	} else if req.AllowDowngrade && !req.Newest {
		return nil, usage("", "a downgrade is allowed where the newest is not asked for")
	}
	from, err := p.origin(to, req)
	if err != nil {
		return nil, forRequest(err, req)
	}
	w := &planner{Promoter: p, req: req, from: from, to: to, plan: &Plan{From: from.Name, To: to.Name, Mode: to.Deliver.Mode, skip: req.SkipRefused, each: req.each}}
	if req.enters() {
		w.plan.From, w.plan.Entry = "", req.entry(to)
	}
	if b := req.Back; b != nil {
		w.to, w.plan.RollbackOf, w.plan.reason, w.plan.holds = to.ForRollback(), b.Of, b.Reason, b.Holds
	}
	if w.source, err = p.RepoOf(from); err == nil {
		w.target, err = p.RepoOf(to)
	}
	if err != nil {
		return nil, err
	}
	w.sites = p.Pipeline.Sites(p.Repo)
	if err := w.carry(ctx); err != nil {
		return nil, err
	}
	w.plan.at, w.plan.place, w.plan.deliver = w.target, to.Place(), to.Deliver
	w.overlays = sync.OnceValues(w.sites.Reached)
	w.policies = sync.OnceValues(func() (*imagepolicy.Set, error) { return imagepolicy.Read(ctx, w.target) })
	if req.Mode != "" {
		w.plan.Mode = req.Mode
	}
	for _, step := range []func(context.Context) error{w.chooseServices, w.read, w.chooseImages, w.checkState, w.enter, w.resolve, w.verify, w.copies, w.holds, w.gates, w.edit, w.writtenOver} {
		if err := step(ctx); err != nil {
			return nil, err
		}
		if err := w.interrupted(ctx); err != nil {
			return nil, err
		}
	}
	if err := w.assemble(); err != nil {
		return nil, err
	}
	if err := w.finish(ctx); err != nil {
		return nil, err
	}
	if err := w.keepVersions(ctx); err != nil {
		return nil, err
	}
	if p.Rules.Elsewhere != nil {
		w.plan.Rules = p.Rules.Elsewhere()
	}
	if to.Elsewhere() && p.Rules.Commit != "" {
		w.plan.Rules = append(w.plan.Rules, RuleFile{Kind: "commit", Name: w.states[pipeline.Place{}].Branch, Digest: p.Rules.Commit})
	}
	return w.plan, nil
}

// interrupted gives an error where the plan cannot be finished. A time limit that
// has run out while registries were asked is in the verdicts: unknown.
func (w *planner) interrupted(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		if slices.ContainsFunc(w.drafts, func(d *draft) bool { return d != nil && len(d.plan.Verdicts) > 0 }) {
			return nil
		}
		return &Error{Msg: "the time limit ran out before the plan stood; nothing was changed", Advice: advise(DoAllowTime), Err: err}
	}
	return &Error{Msg: "planning was interrupted; nothing was changed", Err: context.Cause(ctx)}
}

// planner carries the making of one plan.
type planner struct {
	*Promoter
	req      Request
	from, to *pipeline.Environment
	// source and target are where the two are; often both are the promoter's repository.
	source, target Repo
	carrier        Carrier // that target is, or nil
	plan           *Plan
	names          []string
	several        bool // all services are asked for, or all that are labelled so
	drafts         []*draft
	aside          map[string][]error // services of which there is no plan
	states         map[pipeline.Place]State
	sites          *pipeline.Sites
	overlays       func() (pipeline.ByService, error)
	policies       func() (*imagepolicy.Set, error) // of Flux's image automation
}

// draft is a service on its way into the plan.
type draft struct {
	plan  *ServicePlan
	parts []*part
	// chosen tells how many of the source's images are asked for, errs why some
	// of them cannot be promoted.
	chosen int
	// unread are images of which nobody can say what they are.
	unread []status.UnreadImage
	errs   []error
}

// part is one file of a draft's target and what comes into it.
type part struct {
	plan   FilePlan
	site   pipeline.Site
	alone  bool          // no other file of the target has the same counterpart
	images []overlay.Pin // of the source
	target []byte        // the file
	// working holds the target's bytes in the working tree where they differ
	// from the committed ones, which target then has.
	working []byte
	paired  []*draftImage
	byName  map[string]*draftImage
	ahead   *edits.Made
	shared  *overlay.File // the target's, where services share it
	along   along
}

// all gives the images of all parts.
func (d *draft) all() []*draftImage {
	var out []*draftImage
	for _, p := range d.parts {
		out = append(out, p.paired...)
	}
	return out
}

// sourceImages gives the images of all sources.
func (d *draft) sourceImages() []overlay.Pin {
	var out []overlay.Pin
	for _, p := range d.parts {
		out = append(out, p.images...)
	}
	return out
}

// sourceFiles are the files that the images come from.
func (d *draft) sourceFiles() []string {
	var out []string
	for _, p := range d.parts {
		out = append(out, p.plan.Source)
		for _, i := range p.paired {
			out = append(out, i.file)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// sourceFile is the first of the source's files, for messages about the service.
func (d *draft) sourceFile() string { return d.parts[0].plan.Source }

type draftImage struct {
	source overlay.Pin
	file   string      // the source's
	target overlay.Pin // zero where the target has no entry
	key    string      // its path, where pins of one name are told apart by it
	byPath bool        // the target's pin has another name and is named by its path
	create bool
	digest string // what is promoted, once known
	done   bool   // the target has this pin already
	plan   ImagePlan
}

// promotedRef is the image as the target will pull it.
func (i *draftImage) promotedRef() string { return i.plan.Repository + "@" + i.digest }

// say adds a verdict, and gives it for more to be said.
func (w *planner) say(d *draft, gate string, a Answer, hint, format string, args ...any) *Verdict {
	d.plan.Verdicts = append(d.plan.Verdicts, Verdict{Gate: gate, Answer: a, Reason: fmt.Sprintf(format, args...), Hint: hint})
	return &d.plan.Verdicts[len(d.plan.Verdicts)-1]
}

// pinAdvice is to pin an image of the source, or some image where none is named.
func (w *planner) pinAdvice(d *draft, image string) Advice {
	if w.req.enters() && w.req.Back == nil && image != "" {
		return advise(DoEnter, "service", d.plan.Service, "to", w.to.Name)
	}
	return pinIn(w.Pipeline, d.plan.Service, w.from.Name, image)
}

func (w *planner) progress(step string, total int) func() {
	n := 0
	return func() {
		n++
		if w.Progress != nil {
			w.Progress(step, n, total)
		}
	}
}

// checkState refuses to build on files that are not committed. A target that
// differs from the head is looked at again in edit: it may be what an earlier,
// interrupted run of the same promotion has written.
func (w *planner) checkState(ctx context.Context) error {
	err := w.askStates(ctx)
	if err != nil && w.several && w.dropUnlisted() {
		if len(w.drafts) == 0 {
			return w.nowhere()
		}
		err = w.askStates(ctx)
	}
	if err != nil {
		return err
	}
	home, source, state := w.states[pipeline.Place{}], w.states[w.from.Place()], w.states[w.to.Place()]
	if c := w.Rules.Commit; c != "" && c != home.Head {
		return failure("promote again", "the repository has a new commit since its pipeline was read")
	}
	w.plan.Head, w.plan.Branch, w.plan.Remote, w.plan.index, w.plan.sourceHead = state.Head, state.Branch, state.Remote, state.Index, source.Head
	w.plan.held = home.Dirty[hold.FileName] != ""
	if w.plan.Mode.Commits() && !w.req.Preview {
		if err := checkCommittable(state); err != nil {
			return err
		}
	}
	var dirty []string
	var all []error
	for _, c := range slices.Clone(w.drafts) {
		var errs []error
		for _, file := range c.sourceFiles() {
			if w.req.enters() {
				break // which are the targets
			}
			if how := source.Dirty[file]; how != "" {
				errs = append(errs, uncommitted(file, how))
			}
		}
		for _, p := range w.copyPaths(c) {
			if how := source.Dirty[p[0]]; how != "" && how != "deleted" {
				errs = append(errs, uncommitted(p[0], how))
			}
		}
		for _, p := range c.parts {
			if how := state.Dirty[p.plan.Target]; how == "modified" || how == "staged" {
				dirty = append(dirty, p.plan.Target)
			} else if how != "" {
				errs = append(errs, uncommitted(p.plan.Target, how))
			}
		}
		all = append(all, w.setAside(c.plan.Service, errs...))
	}
	if err := errors.Join(all...); err != nil || len(dirty) == 0 {
		return err
	}
	return w.useCommitted(ctx, state, dirty)
}

// askStates asks where the repositories stand that the plan is made of.
func (w *planner) askStates(ctx context.Context) (err error) {
	w.states = make(map[pipeline.Place]State)
	for at, repo := range map[pipeline.Place]Repo{{}: w.Repo, w.from.Place(): w.source, w.to.Place(): w.target} {
		if w.states[at], err = repo.State(ctx, w.paths(at)); err != nil {
			return err
		}
	}
	return nil
}

// paths are the files of a place that the plan is made of.
func (w *planner) paths(of pipeline.Place) []string {
	var paths []string
	add := func(at pipeline.Place, more ...string) {
		if at == of {
			paths = append(paths, more...)
		}
	}
	source, target := w.from.Place(), w.to.Place()
	add(pipeline.Place{}, append([]string{hold.FileName}, w.Pipeline.Spec.Record.Versions...)...)
	for _, c := range w.drafts {
		add(source, c.sourceFiles()...)
		for _, p := range c.parts {
			add(target, p.plan.Target)
		}
		for _, p := range w.copyPaths(c) {
			add(source, p[0])
			add(target, p[1])
		}
	}
	return paths
}

func uncommitted(file, how string) error {
	if how == "hidden" {
		return failure("git update-index --no-assume-unchanged --no-skip-worktree "+shell.Path(file),
			"%s: git is told not to look for changes in it (assume-unchanged or skip-worktree)", file)
	}
	if how == "foreign" {
		return failure("", "%s: belongs to another repository inside this one, such as a submodule: promote it there", file).advising(advise(DoStatus, "dir", path.Dir(file)))
	}
	hint := "git commit " + shell.Pathspecs(file) + ", or git stash"
	if how == "untracked" {
		hint = "git add " + shell.Pathspecs(file) + " && git commit"
	}
	return failure(hint, "%s: has uncommitted changes (%s)", file, how)
}

func checkCommittable(s State) error {
	switch {
	case s.Busy != "":
		return failure("finish it, or git "+s.Busy+" --abort", "a %s is in progress", s.Busy)
	case s.Branch == "":
		return failure("git switch BRANCH", "HEAD is detached: a commit would be on no branch").advising(advise(DoNotCommit))
	}
	return nil
}

// useCommitted plans on the committed content of targets that differ from it.
func (w *planner) useCommitted(ctx context.Context, state State, dirty []string) error {
	committed, err := w.target.Committed(ctx, dirty)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range slices.Clone(w.drafts) {
		for _, p := range c.parts {
			if how := state.Dirty[p.plan.Target]; how != "" {
				data, ok := committed[p.plan.Target]
				if !ok {
					err = uncommitted(p.plan.Target, how+", and not in the head")
				} else {
					err = w.useBytes(p, data)
				}
				errs = append(errs, w.setAside(c.plan.Service, err))
			}
		}
	}
	return errors.Join(errs...)
}

// useBytes pairs a target's images anew, as other bytes of its file have them.
func (w *planner) useBytes(p *part, data []byte) error {
	p.working, p.target, p.ahead, p.shared = p.target, data, nil, nil
	f, err := w.sites.Parse(p.site, p.plan.Target, data)
	if err != nil {
		return uncommitted(p.plan.Target, "modified")
	}
	pins, err := p.site.Pins(f)
	if err != nil {
		return err
	}
	target := newSiteFile(f, p.site, pins)
	for _, i := range p.paired {
		var ok bool
		i.target, ok = i.counterpart(target)
		i.create = !ok
		i.plan.Old = Pin{Tag: i.target.Tag, Digest: i.target.Digest}
		i.done = !i.create && i.source.Digest != "" && w.pinned(i) == i.plan.Old
	}
	return nil
}
