package branch

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/git/internal/stored"
	"github.com/kubepromote/kubepromote/promote/history"
)

// pair is two trees that stand at one path in a commit and in its first parent; an empty
// one is not there.
type pair struct {
	of             int // the commit's number
	path, old, now string
	segments       [][]string // what is asked for
	depth          int        // how many elements lead here
}

// anything stands for all that there may be from some element of a path on.
const anything = "**"

// segments takes pathspecs apart into the elements of paths, each a glob as path.Match has
// it (https://git-scm.com/docs/gitglossary#Documentation/gitglossary.txt-pathspec).
func segments(pathspecs []string) [][]string {
	if len(pathspecs) == 0 {
		return [][]string{{anything}}
	}
	var out [][]string
	for _, spec := range pathspecs {
		magic, at, ok := strings.Cut(spec, ")")
		if !ok || !strings.HasPrefix(magic, ":(") {
			return [][]string{{anything}}
		}
		if strings.Contains(magic, "literal") {
			at = globQuoter.Replace(at)
		}
		out = append(out, strings.Split(at, "/"))
	}
	return out
}

var globQuoter = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`)

// below are those of the segments that an entry of a tree may lead to, and whether one of
// them is about the entry itself, or all that is below it. at is the entry's path.
func below(all [][]string, depth int, name, at string) (further [][]string, meant bool) {
	for _, s := range all {
		star := slices.Index(s[:min(depth+1, len(s))], anything) >= 0
		if depth < len(s) && !star {
			if ok, err := path.Match(s[depth], name); !ok && err == nil {
				continue
			}
		}
		further = append(further, s)
		if star {
			whole := strings.Join(s, "/")
			is, _ := doublestar.Match(whole, at)
			in, _ := doublestar.Match(whole+"/**", at)
			meant = meant || is || in
		} else {
			meant = meant || depth >= len(s)-1
		}
	}
	return further, meant
}

// mostTrees bounds what is read of a history that differs everywhere.
const mostTrees = 2_000_000

// filesOf gives for each commit the files that it has changed, as far as they are asked
// for. The trees that differ are fetched, all of one depth at once. A commit whose parents
// are not here, or that is there as a parent alone, has none.
func (b *Branch) filesOf(ctx context.Context, all []commitTree, segments [][]string) ([][]history.FileVersion, error) {
	roots := make(map[string]string, len(all))
	for _, c := range all {
		roots[c.Hash] = c.root
	}
	var pairs []pair
	for n, c := range all {
		if c.cut || c.boundary {
			continue
		}
		one := pair{of: n, now: c.root, segments: segments}
		if len(c.Parents) > 0 {
			if one.old = roots[c.Parents[0]]; one.old == "" {
				return nil, &gitcmd.Error{Op: "git rev-list", Msg: "unexpected answer: the parent of " + c.Hash + " is missing"}
			}
		}
		pairs = append(pairs, one)
	}
	files := make([][]history.FileVersion, len(all))
	for looked := 0; len(pairs) > 0; {
		ids := make(map[string]bool)
		for _, p := range pairs {
			ids[p.old], ids[p.now] = true, true
		}
		delete(ids, "")
		if looked += len(ids); looked > mostTrees {
			return nil, &gitcmd.Error{Msg: "the history of " + gitcmd.Clean(b.Where()) + " differs in more than can be read", Hint: "git clone, and -C DIR"}
		}
		if err := b.objects.FetchLacking(ctx, slices.Collect(maps.Keys(ids))); err != nil {
			return nil, err
		}
		var next []pair
		for _, p := range pairs {
			further, err := b.differ(ctx, p, &files[p.of])
			if err != nil {
				return nil, err
			}
			next = append(next, further...)
		}
		pairs = next
	}
	for _, f := range files {
		slices.SortFunc(f, func(a, b history.FileVersion) int { return strings.Compare(a.Path, b.Path) })
	}
	return files, nil
}

// differ compares two trees: the files that differ, and the directories.
func (b *Branch) differ(ctx context.Context, p pair, files *[]history.FileVersion) ([]pair, error) {
	if p.old == p.now {
		return nil, nil
	}
	old, err := b.entriesOf(ctx, p.old)
	if err != nil {
		return nil, err
	}
	now, err := b.entriesOf(ctx, p.now)
	if err != nil {
		return nil, err
	}
	before := make(map[string]stored.Entry, len(old))
	for _, e := range old {
		before[e.Name()] = e
	}
	var next []pair
	add := func(was, is stored.Entry, name string) {
		at := path.Join(p.path, name)
		further, meant := below(p.segments, p.depth, name, at)
		if was == is || len(further) == 0 {
			return
		}
		one := pair{of: p.of, path: at, segments: further, depth: p.depth + 1}
		if was.Mode == stored.ModeTree {
			one.old = was.ID
		}
		if is.Mode == stored.ModeTree {
			one.now = is.ID
		}
		if one.old != one.now {
			next = append(next, one)
		}
		blob := func(e stored.Entry) string {
			if e.IsDir() {
				return ""
			}
			return e.ID
		}
		if v := (history.FileVersion{Path: at, Old: blob(was), New: blob(is)}); meant && v.Old+v.New != "" {
			*files = append(*files, v)
		}
	}
	for _, e := range now {
		add(before[e.Name()], e, e.Name())
		delete(before, e.Name())
	}
	for name, e := range before {
		add(e, stored.Entry{}, name)
	}
	return next, nil
}

// entriesOf reads a tree, which is not kept: there may be many, and each is read once.
func (b *Branch) entriesOf(ctx context.Context, id string) ([]stored.Entry, error) {
	if id == "" {
		return nil, nil
	}
	return b.objects.TreeOnce(ctx, id)
}
