// Package merging carries out promotions of environments that are branches of one
// repository by merging the source's branch into the target's, and takes such merges back.
//
// [Carriers] is the promoter's way to it. What git makes of the merge is found out first,
// in the object database: a tree, or conflicts. The promotion is planned as any other, with
// digests, policies and gates. Then the two are held against one another: what the merged
// tree has at the target's locations must be the pins of the plan, and no service may move
// that is not in it. Only such a merge is committed, with the promotion's record, or
// proposed; anything else is a verdict that says what differs.
package merging

import (
	"context"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/mergeplan"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// GateMerge is the name of the verdict on what a merge brings.
const GateMerge = "merge"

// How a branch moves, as mergeplan.Plan has it.
const (
	HowCommit      = "commit"
	HowFastForward = "fast-forward"
	HowPaths       = "paths"
	HowRevert      = "revert"
	HowTag         = "tag"
)

// target is a branch that can be merged into.
type target interface {
	promote.Repo
	Root() string
	With(tree string) *branch.Branch
	Blob(id string) ([]byte, error)
	Sizes(ids []string) (map[string]int64, error)
	Merge(ctx context.Context, from string, undo ...string) (*branch.Merge, error)
	Revert(ctx context.Context, commit string) (*branch.Merge, error)
	Changes(ctx context.Context, old, now string, pathspecs ...string) ([]branch.Change, error)
	Taking(ctx context.Context, tree string, changes []branch.Change) (string, error)
	Drift(ctx context.Context, m *branch.Merge) (*mergeplan.Drift, error)
	CommitTree(ctx context.Context, d promote.Delivery, c branch.Content) (string, error)
}

var _ target = (*branch.Branch)(nil)

// carrier is a target, and what a merge into it comes to.
type carrier struct {
	promote.Repo // the target's files, and those of services that come new
	asked        *promote.Carried
	rules        *pipeline.Merge // nil for a revert
	target       target
	source       promote.State
	merge        *branch.Merge
	how          string
	changes      *changes
	content      branch.Content // once it is known
	tag          *tagging       // nil where branches are merged
	// head is the target's commit, and drifted are files that it has otherwise than where the
	// two have parted.
	head    string
	drifted []string
}

// Carriers makes what carries out a merge, or takes one back; see promote.Promoter.
func Carriers(ctx context.Context, asked *promote.Carried) (promote.Carrier, error) {
	c := &carrier{asked: asked, rules: asked.To.Merging(), how: HowCommit}
	var err error
	if c.target, err = targetOf(asked); err != nil {
		return nil, err
	}
	if asked.To.Tagging() != nil {
		if err := c.chooseTag(ctx); err != nil {
			return nil, err
		}
		return c, c.study(ctx)
	}
	if c.source, err = asked.Source.State(ctx, nil); err != nil {
		return nil, err
	}
	c.Repo = c.target
	if back := asked.Request.Back; back != nil {
		if c.rules == nil {
			return nil, &promote.Error{Msg: fmt.Sprintf("promotions to %q are no merges, and what edits pins is taken back by its pins", asked.To.Name), Hint: "--mode pin", Err: promote.ErrUsage}
		}
		c.rules, c.how = nil, HowRevert
		c.merge, err = c.target.Revert(ctx, back.Revert)
	} else {
		if len(c.rules.Paths) > 0 {
			c.how = HowPaths
		}
		if c.source.Head == "" {
			return nil, &promote.Error{Msg: fmt.Sprintf("%q has no commit yet that could be merged", asked.From.Name)}
		}
		c.merge, err = c.target.Merge(ctx, c.source.Head)
	}
	if err != nil {
		return nil, err
	}
	return c, c.study(ctx)
}

// targetOf gives the branch that is merged into. A working tree is none: what is checked
// out would have to be merged with it.
func targetOf(asked *promote.Carried) (target, error) {
	if t, ok := asked.Target.(target); ok {
		return t, nil
	}
	if home, ok := asked.Target.(interface {
		BranchAt(pipeline.Place) (*branch.Branch, error)
	}); ok {
		if b, err := home.BranchAt(pipeline.Place{}); err != nil || b != nil {
			return b, err
		}
	}
	return nil, &promote.Error{Msg: fmt.Sprintf("the branch of %q is checked out here, and a merge into it would leave its files behind", asked.To.Name), Hint: "--push, or git switch --detach"}
}

// study finds out what changes, and shows the files of services that come new.
func (c *carrier) study(ctx context.Context) (err error) {
	if c.changes, err = c.changed(ctx); err != nil {
		return err
	}
	var fresh []branch.Change
	for _, all := range c.changes.own {
		for _, one := range all {
			if one.Old == "" {
				fresh = append(fresh, one)
			}
		}
	}
	if len(fresh) == 0 || c.how == HowRevert || c.asked.Request.Back != nil {
		return nil
	}
	tree, err := c.target.Taking(ctx, c.target.Root(), fresh)
	if err == nil {
		c.Repo = c.target.With(tree)
	}
	return err
}

// State is that of the target, whatever its files are shown as.
func (c *carrier) State(ctx context.Context, paths []string) (promote.State, error) {
	state, err := c.target.State(ctx, paths)
	if c.tag != nil {
		state.Branch = c.tag.name
	}
	return state, err
}

// Write is an error: a merge is a commit.
func (c *carrier) Write(context.Context, []promote.File) error {
	if c.tag != nil {
		return &promote.Error{Msg: fmt.Sprintf("a promotion to %q is a tag, and no file is edited for it", c.asked.To.Name), Hint: "--commit, or --push"}
	}
	return &promote.Error{Msg: fmt.Sprintf("a promotion to %q is a merge, and that is a commit", c.asked.To.Name), Hint: "--commit, --push, or --pr"}
}

// Commit makes what Finish has found.
func (c *carrier) Commit(ctx context.Context, d promote.Delivery) (string, error) {
	if c.content.Tree == "" {
		return "", &promote.Error{Msg: "there is no merge to commit"}
	}
	if c.tag != nil {
		return c.commitTag(ctx, d)
	}
	return c.target.CommitTree(ctx, d, c.content)
}

// Brings gives the files that a merge brings with a service: its own, and those of no
// service, which concern each that changes, or all where none does.
func (c *carrier) Brings(service string) ([]promote.File, error) { return c.files(c.brings(service)) }

func (c *carrier) brings(service string) []branch.Change {
	own := c.changes.own[service]
	all := own
	if len(own) > 0 || len(c.changes.own) == 0 {
		all = append(all[:len(all):len(all)], c.changes.beside...)
	}
	return c.within(all, []string{service})
}

// within leaves those of the changes that are taken at all.
func (c *carrier) within(all []branch.Change, services []string) []branch.Change {
	if c.how != HowPaths {
		return all
	}
	var out []branch.Change
	for _, one := range all {
		for _, p := range c.rules.TakenOf(services) {
			if one.Path == p || strings.HasPrefix(one.Path, p+"/") {
				out = append(out, one)
				break
			}
		}
	}
	return out
}

// mostBytes is how large a file may be that is looked at; of a larger one it is known that
// it changes.
const mostBytes = 4 << 20

// files reads what changes, each file once. A link or a submodule has no bytes that could be
// read in its place.
func (c *carrier) files(changes []branch.Change) ([]promote.File, error) {
	c.changes.reading.Lock()
	defer c.changes.reading.Unlock()
	if err := c.measure(); err != nil {
		return nil, err
	}
	var out []promote.File
	for _, one := range changes {
		f, known := c.changes.read[one.Path]
		if !known {
			var err error
			if f, err = c.file(one); err != nil {
				return nil, err
			}
			c.changes.read[one.Path] = f
		}
		out = append(out, f)
	}
	return out, nil
}

// measure asks once how large all is that changes.
func (c *carrier) measure() (err error) {
	if c.changes.read != nil {
		return nil
	}
	var ids []string
	for _, one := range c.changes.all {
		if one.IsFile() {
			ids = append(ids, one.Old, one.New)
		}
	}
	if c.changes.sizes, err = c.target.Sizes(ids); err == nil {
		c.changes.read = make(map[string]promote.File)
	}
	return err
}

// file reads one of the changes.
func (c *carrier) file(one branch.Change) (f promote.File, err error) {
	f = promote.File{Path: one.Path, New: one.Old == "", Was: standingAs(one.OldMode, one.Old), Is: standingAs(one.NewMode, one.New)}
	f.Unread = max(c.changes.sizes[one.Old], c.changes.sizes[one.New]) > mostBytes
	reads := one.IsFile() && !f.Unread
	if reads && one.Old != "" {
		f.Old, err = c.target.Blob(one.Old)
	}
	if one.New != "" && err == nil {
		f.Data = []byte{}
		if reads {
			f.Data, err = c.target.Blob(one.New)
		}
	}
	return f, err
}

// standingAs is what stands at a path as git has it; empty where nothing does.
func standingAs(mode, object string) string { return strings.TrimSpace(mode + " " + object) }

// names are both branches, for people.
func (c *carrier) names(ctx context.Context) (from, into string) {
	state, err := c.target.State(ctx, nil)
	if into = state.Branch; err != nil || into == "" {
		into = c.asked.To.Name
	}
	if from = c.source.Branch; from == "" {
		from = c.asked.From.Name
	}
	return from, into
}

// byHand is how somebody merges who has to decide something. The source's branch need not be
// in the clone, but its commit is.
func (c *carrier) byHand(ctx context.Context) string {
	_, into := c.names(ctx)
	return c.inClone(ctx, "git switch "+shell.Quote(into)+" && git merge "+short(c.merge.From))
}

// inClone leaves out a hint to type git where there is no clone to type it in.
func (c *carrier) inClone(ctx context.Context, hint string) string {
	if state, err := c.target.State(ctx, nil); err != nil || branch.IsURL(state.Remote) {
		return ""
	}
	return hint
}

// short is as much of a commit's name as is typed.
func short(commit string) string { return commit[:min(len(commit), 12)] }
