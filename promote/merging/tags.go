package merging

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/internal/textdiff"
	"github.com/kubepromote/kubepromote/promote/mergeplan"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// GateTag is the name of the verdict on a tag that is to be made.
const GateTag = "tag"

// tagHome is a home that knows tags.
type tagHome interface {
	promote.Repo
	Tags(ctx context.Context, at pipeline.Place) ([]branch.Tag, *branch.Branch, error)
}

// tagging is what a promotion by a tag is made of.
type tagging struct {
	home    tagHome
	in      *branch.Branch
	name    string     // of the tag that the environment gets
	from    branch.Tag // of the source; on the way back the one that is gone back to
	now     branch.Tag // that the target has; without a name where it has none
	there   branch.Tag // that has the name already
	follows []promote.File
	along   []promote.AlongPlan
}

// chooseTag finds the source's tag, and the one that the target shall have.
func (c *carrier) chooseTag(ctx context.Context) error {
	home, ok := c.asked.Home.(tagHome)
	if !ok {
		return &promote.Error{Msg: fmt.Sprintf("%q is tags, which cannot be made here", c.asked.To.Name)}
	}
	c.tag, c.rules, c.how = &tagging{home: home}, nil, HowTag
	ours, in, err := home.Tags(ctx, c.asked.To.Place())
	if err != nil {
		return err
	}
	c.tag.in = in
	state, err := c.asked.Target.State(ctx, nil)
	if err != nil {
		return err
	}
	if n := slices.IndexFunc(ours, func(t branch.Tag) bool { return t.Name == state.Branch }); n >= 0 {
		c.tag.now = ours[n]
	}
	if c.asked.Request.Back != nil {
		err = c.goBack(ours)
	} else {
		err = c.sourceTag(ctx)
	}
	if err != nil {
		return err
	}
	if n := slices.IndexFunc(ours, func(t branch.Tag) bool { return t.Name == c.tag.name }); n >= 0 {
		c.tag.there = ours[n]
	}
	at, err := in.AtTag(ctx, c.tag.from)
	if err != nil {
		return err
	}
	if c.asked.Request.Back == nil {
		c.asked.Source = named{at, c.tag.from.Name}
	}
	c.Repo = c.target
	c.merge = &branch.Merge{From: c.tag.from.Commit, Tree: at.Root()}
	c.source = promote.State{Head: c.tag.from.Commit, Branch: c.tag.from.Name}
	return c.follow(ctx)
}

// sourceTag takes the source's tag of the version that is asked for, or of the newest.
func (c *carrier) sourceTag(ctx context.Context) error {
	tags, _, err := c.tag.home.Tags(ctx, c.asked.From.Place())
	if err != nil {
		return err
	}
	wanted := c.asked.Request.TagVersion
	n := slices.IndexFunc(tags, func(t branch.Tag) bool { return wanted == "" || t.Version == wanted })
	if n < 0 {
		name := c.asked.From.Place().Tag
		if wanted != "" {
			name = c.asked.From.TagOf(wanted)
		}
		return &promote.Error{Msg: fmt.Sprintf("%q has no tag %s", c.asked.From.Name, name), Hint: "git tag --list " + shell.Quote(c.asked.From.TagOf("*"))}
	}
	c.tag.from, c.tag.name = tags[n], c.asked.To.TagOf(tags[n].Version)
	return nil
}

// goBack takes the tag before the one that the target has.
func (c *carrier) goBack(ours []branch.Tag) error {
	// What is taken back came with one of the tags up to the one that it has.
	now := slices.IndexFunc(ours, func(t branch.Tag) bool { return t.Name == c.tag.now.Name })
	n := now
	for n >= 0 && n < len(ours) && ours[n].Commit != c.asked.Request.Back.Revert {
		n++
	}
	switch {
	case len(c.asked.To.Tagging().Follow) == 0:
		return &promote.Error{Msg: fmt.Sprintf("no file says which tag %q has, so that it could say another one; a tag is never moved", c.asked.To.Name),
			Hint: `strategy: {tag: {follow: ["argocd/{environment}.yaml"]}} in the pipeline`}
	case n < 0 || n+1 >= len(ours):
		return &promote.Error{Msg: fmt.Sprintf("%q has no tag before the one that it has", c.asked.To.Name), Hint: "git tag --list " + shell.Quote(c.asked.To.TagOf("*"))}
	}
	c.tag.from, c.tag.name = ours[n+1], ours[n+1].Name
	return nil
}

// named is a commit with the name of its tag.
type named struct {
	*branch.Branch
	tag string
}

// State names the tag.
func (n named) State(ctx context.Context, paths []string) (promote.State, error) {
	state, err := n.Branch.State(ctx, paths)
	state.Branch = n.tag
	return state, err
}

// follow makes the edits of the files at home that say which tag the environment has: each
// revision that names one of its tags, or the only one of a file that names none yet.
func (c *carrier) follow(ctx context.Context) error {
	at := c.asked.To.Place()
	paths := c.asked.To.FollowedBy()
	if len(paths) == 0 {
		return nil
	}
	state, err := c.tag.home.State(ctx, paths)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if how := state.Dirty[path]; how != "" {
			return &promote.Error{Msg: path + ": has uncommitted changes (" + how + ")", Hint: "git commit " + shell.Pathspecs(path) + ", or git stash"}
		}
		data, err := c.tag.home.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := overlay.Parse(path, data)
		if err != nil {
			return err
		}
		var ours, all []overlay.Pin
		for _, p := range f.Pins() {
			if p.Type != overlay.TypeRevision {
				continue
			}
			all = append(all, p)
			if _, ok := at.VersionIn(p.Tag, c.asked.Pipeline.Spec.Places()); ok {
				ours = append(ours, p)
			}
		}
		if len(ours) == 0 && len(all) == 1 {
			ours = all
		}
		if len(ours) == 0 {
			return &promote.Error{Msg: fmt.Sprintf("%s: has no targetRevision and no ref.tag that names a tag of %q", path, c.asked.To.Name), Hint: c.tag.name + " in one of them, by hand"}
		}
		if err := c.tag.edit(f, ours, data); err != nil {
			return err
		}
	}
	return nil
}

// edit has a file name the tag.
func (t *tagging) edit(f *overlay.File, pins []overlay.Pin, data []byte) error {
	var changes []overlay.Change
	for _, p := range pins {
		if p.Tag == t.name {
			continue
		}
		changes = append(changes, overlay.Change{Path: p.Path, Type: overlay.TypeRevision, Tag: overlay.To(t.name)})
		t.along = append(t.along, promote.AlongPlan{Kind: string(p.Type), Name: p.Name, File: f.Name(), Old: p.Tag, New: t.name})
	}
	if len(changes) == 0 {
		return nil
	}
	edit, err := f.Edit(overlay.Request{Changes: changes})
	if err != nil {
		return err
	}
	if after := edit.After.Bytes(); !bytes.Equal(after, data) {
		t.follows = append(t.follows, promote.File{Path: f.Name(), Data: after, Old: data})
	}
	return nil
}

// tagRefusals are why the tag may not be made.
func (c *carrier) tagRefusals(ctx context.Context, plan *promote.Plan) []promote.Verdict {
	t := c.tag
	var out []promote.Verdict
	if t.there.Commit != "" && t.there.Commit != t.from.Commit {
		out = append(out, promote.Verdict{Gate: GateTag, Answer: promote.Fail, Hint: c.inClone(ctx, "git log --oneline "+short(t.there.Commit)+".."+short(t.from.Commit)),
			Reason: fmt.Sprintf("tag %s is there already, of commit %.9s and not of %.9s as %s; a tag is never moved", t.name, t.there.Commit, t.from.Commit, t.from.Name)})
	}
	if t.now.Name != "" && c.asked.Request.Back == nil && t.from.Older(t.now) && !c.asked.Request.AllowDowngrade {
		out = append(out, promote.Verdict{Gate: GateTag, Answer: promote.Fail, Advice: promote.Advice{Do: promote.DoAllowDowngrade},
			Reason: fmt.Sprintf("%s is older than %s, which %s has", t.from.Version, t.now.Version, plan.To)})
	}
	if plan.Mode == pipeline.DeliverPullRequest {
		out = append(out, promote.Verdict{Gate: GateTag, Answer: promote.Fail, Hint: "--push, or --commit", Reason: "a tag cannot be proposed by a pull request"})
	}
	return out
}

// takeFollowing adds to a service's plan what follows the tag.
func (c *carrier) takeFollowing(s *promote.ServicePlan, first bool) {
	for _, f := range c.tag.follows {
		one := promote.FilePlan{Source: f.Path, Target: f.Path}
		if first && !c.asked.Request.NoDiff {
			one.Diff = textdiff.Unified(f.Path, f.Old, f.Data)
		}
		s.Files = append(s.Files, one.Becoming(f))
	}
	s.Along = append(s.Along, c.tag.along...)
}

// commitTag makes the tag, then has what follows it name it. The commit is that at home, or
// the tag's where nothing follows.
func (c *carrier) commitTag(ctx context.Context, d promote.Delivery) (string, error) {
	if d.Ready != nil {
		if err := d.Ready(ctx); err != nil {
			return "", err
		}
	}
	if c.tag.there.Commit == "" {
		if err := c.tag.in.CreateTag(ctx, c.tag.name, c.tag.from.Commit, d.Message); err != nil {
			return "", err
		}
	}
	if len(c.tag.follows) == 0 {
		return c.tag.from.Commit, nil
	}
	state, err := c.tag.home.State(ctx, nil)
	if err != nil {
		return "", err
	}
	files := c.tag.follows
	if back := c.asked.Request.Back; back != nil && back.Holds != nil {
		files = append(slices.Clone(files), *back.Holds)
	}
	commit, err := c.tag.home.Commit(ctx, promote.Delivery{Head: state.Head, Files: files, Message: d.Message, Check: d.Check})
	if err != nil && commit == "" {
		err = &promote.Error{Msg: fmt.Sprintf("tag %s is there, and %s does not name it yet", c.tag.name, c.tag.follows[0].Path), Hint: "run the same command again", Err: err}
	}
	return commit, err
}

// describeTag says in the plan what is tagged.
func (c *carrier) describeTag(plan *promote.Plan) {
	plan.Merge = &mergeplan.Plan{How: HowTag, From: c.tag.from.Name, Commit: c.tag.from.Commit, Tag: c.tag.name}
}
