package places

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// tagged is the commit that a tag names.
type tagged struct {
	*branch.Branch
	tag branch.Tag
}

// State tells which tag it is; its name is empty where there is none yet.
func (t *tagged) State(ctx context.Context, paths []string) (promote.State, error) {
	state, err := t.Branch.State(ctx, paths)
	state.Branch = t.tag.Name
	return state, err
}

// Commit is an error: what a tag names stays.
func (t *tagged) Commit(context.Context, promote.Delivery) (string, error) {
	return "", &promote.Error{Msg: fmt.Sprintf("tag %s stays what it is, and nothing is edited in it", t.tag.Name), Hint: "--mode tag, for the way back"}
}

// lookTag finds the commit of an environment that is tags: of the one that the files at home
// follow, or else that of the newest version. Where there is no tag there are no files.
func (h *Home) lookTag(at pipeline.Place) (*found, error) {
	tags, b, err := h.Tags(h.ctx, at)
	if err != nil {
		return nil, err
	}
	n, err := h.followed(at, tags)
	if err != nil {
		return nil, err
	}
	t := branch.Tag{}
	if n < len(tags) {
		t, tags = tags[n], tags[n:]
	}
	files, err := b.AtTag(h.ctx, t)
	if err != nil {
		return nil, err
	}
	return &found{repo: &tagged{files, t}, branch: files, log: func() history.Log { return files.TagLog(tags) }}, nil
}

// Tags gives the tags of a place, those of the newest version first, and what they are in.
func (h *Home) Tags(ctx context.Context, at pipeline.Place) ([]branch.Tag, *branch.Branch, error) {
	b, err := h.tagsIn(ctx, at)
	if err != nil {
		return nil, nil, err
	}
	tags, err := b.Tags(ctx, at, h.all)
	return tags, b, err
}

// tagsIn is the repository that a place's tags are in, as what is at home is: the clone, or
// what others have.
func (h *Home) tagsIn(ctx context.Context, at pipeline.Place) (*branch.Branch, error) {
	if at.Repository != "" {
		f, err := h.look(pipeline.Place{Repository: at.Repository, Remote: at.Remote})
		if err != nil {
			return nil, err
		}
		if f.branch == nil {
			return nil, &promote.Error{Msg: "tags are read in this repository, or in one that is known by its URL", Hint: "repository: https://HOST/PATH.git"}
		}
		return f.branch, nil
	}
	if h.branch != nil && h.branch.Name() != "" {
		return h.branch, nil
	}
	return branch.InClone(ctx, h.clone), nil
}

// followed is the number of the tag that the files at home name; 0 where none does.
func (h *Home) followed(at pipeline.Place, tags []branch.Tag) (int, error) {
	name := ""
	for _, file := range h.follows[at] {
		pins, err := followedIn(h.Repo, at, h.all, file)
		if err != nil {
			return 0, err
		}
		for _, p := range pins {
			if name != "" && p.Tag != name {
				return 0, &promote.Error{Msg: fmt.Sprintf("%s:%d:%d: is at %s, and what else follows the same tags at %s", file, p.Position.Line, p.Position.Col, p.Tag, name)}
			}
			name = p.Tag
		}
	}
	if name == "" {
		return 0, nil
	}
	n := slices.IndexFunc(tags, func(t branch.Tag) bool { return t.Name == name })
	if n < 0 {
		return 0, &promote.Error{Msg: fmt.Sprintf("%s is at %s, and there is no such tag", h.follows[at][0], name), Hint: "git fetch --tags"}
	}
	return n, nil
}

// followedIn are the revisions of a file that name a tag of a place, of all that there are.
func followedIn(tree pipeline.Tree, at pipeline.Place, all []pipeline.Place, file string) ([]overlay.Pin, error) {
	data, err := tree.ReadFile(file)
	if err != nil {
		return nil, err
	}
	f, err := overlay.Parse(file, data)
	if err != nil {
		return nil, err
	}
	var out []overlay.Pin
	for _, p := range f.Pins() {
		if _, ok := at.VersionIn(p.Tag, all); ok && p.Type == overlay.TypeRevision {
			out = append(out, p)
		}
	}
	return out, nil
}
