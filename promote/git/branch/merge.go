package branch

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/mergeplan"
)

// Merge is what comes of a merge into a branch, which has not been made.
type Merge struct {
	// From is the commit that is merged, Base the one from which both have come.
	From, Base string
	// Tree is the content. Where there are conflicts it has marks of them in the files.
	Tree string
	// Contained tells that the branch has all of From, FastForward that it has nothing else
	// than what From has.
	Contained, FastForward bool
	Conflicts              []mergeplan.Conflict
}

// Merge finds out what merging a commit of the same repository into the branch comes to.
// Commits of the branch that are to be undone are taken back before it, newest first.
// Nothing is changed, but that the repository gets objects that nothing leads to.
func (b *Branch) Merge(ctx context.Context, from string, undo ...string) (*Merge, error) {
	base, err := b.meet(ctx, from)
	if err != nil {
		return nil, err
	}
	m := &Merge{From: from, Base: base, Contained: base == from, FastForward: base == b.tip && base != from}
	ours := b.tip
	m.Tree = b.root
	for _, commit := range undo {
		m.FastForward = false
		if err := b.takeBack(ctx, m, ours, commit); err != nil || len(m.Conflicts) > 0 {
			return m, err
		}
		if ours, err = b.passing(ctx, m.Tree, ours); err != nil {
			return nil, err
		}
	}
	switch {
	case m.Contained:
		return m, nil
	case m.FastForward:
		m.Tree, err = b.objects.RootOf(ctx, from)
		return m, err
	}
	return m, b.mergeTree(ctx, m, ours, from)
}

// Revert finds out what taking a commit of the branch back comes to: the difference
// between it and its first parent, the other way round (git revert -m 1).
func (b *Branch) Revert(ctx context.Context, commit string) (*Merge, error) {
	m := &Merge{Base: commit}
	return m, b.takeBack(ctx, m, b.tip, commit)
}

// takeBack merges the way back from a commit to its first parent into ours.
func (b *Branch) takeBack(ctx context.Context, m *Merge, ours, commit string) error {
	parent, err := b.revision(ctx, commit+"^1")
	if err == nil && parent == "" {
		err = &gitcmd.Error{Msg: "commit " + gitcmd.Clean(commit) + " has no parent to go back to"}
	}
	if err != nil {
		return err
	}
	before, err := b.objects.RootOf(ctx, parent)
	if err != nil {
		return err
	}
	// The commit is what both sides have come from: git before 2.40 cannot be told a base.
	theirs, err := b.passing(ctx, before, commit)
	if err != nil {
		return err
	}
	return b.mergeTree(ctx, m, ours, theirs)
}

// meet gives the commit from which the branch and another commit have come.
func (b *Branch) meet(ctx context.Context, from string) (string, error) {
	if !gitcmd.IsHash(from) {
		return "", &gitcmd.Error{Msg: "not an object name: " + gitcmd.Clean(from)}
	}
	for n := 0; ; n++ {
		out, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git merge-base", Args: []string{"merge-base", b.tip, from}, Reads: true, Env: b.lazily()})
		if err == nil {
			return strings.TrimSpace(string(out)), nil
		}
		if gitcmd.ExitCode(err) != 1 {
			return "", err
		}
		if b.objects.Fetch == nil || n == len(fetchDepths) {
			return "", b.apart(ctx)
		}
		_, err = b.reach(ctx, "fetch the history of "+gitcmd.Clean(b.Where()), "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
			"--no-recurse-submodules", "--no-auto-maintenance", "--filter=tree:0", fmt.Sprintf("--depth=%d", fetchDepths[n]), "--end-of-options", b.remote, b.tip, from)
		b.objects.Changed()
		if err != nil {
			return "", err
		}
	}
}

// apart says why two histories do not meet.
func (b *Branch) apart(ctx context.Context) error {
	out, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git rev-parse", Args: []string{"rev-parse", "--is-shallow-repository"}, Reads: true})
	if err == nil && strings.TrimSpace(string(out)) == "true" {
		return &gitcmd.Error{Msg: "the history here does not reach back to where " + gitcmd.Clean(b.name) + " and what is to be merged have parted", Hint: "git fetch --unshallow"}
	}
	return &gitcmd.Error{Msg: "branch " + gitcmd.Clean(b.name) + " and what is to be merged have no commit in common", Hint: "git merge --allow-unrelated-histories, once and by hand"}
}

// lazily is the environment of a git that may fetch what it lacks.
func (b *Branch) lazily() []string {
	return append([]string{gitcmd.InEnglish, gitcmd.AsStored}, b.env...)
}

// passing makes a commit that nobody is to see: it stands for a tree while git merges.
func (b *Branch) passing(ctx context.Context, tree, parent string) (string, error) {
	env := append(b.lazily(), "GIT_AUTHOR_NAME=kubepromote", "GIT_AUTHOR_EMAIL=kubepromote@localhost", "GIT_AUTHOR_DATE=@0 +0000",
		"GIT_COMMITTER_NAME=kubepromote", "GIT_COMMITTER_EMAIL=kubepromote@localhost", "GIT_COMMITTER_DATE=@0 +0000")
	return b.answer(ctx, gitcmd.Call{Op: "git commit-tree", Args: []string{"commit-tree", "--no-gpg-sign", "-m", "in passing", "-p", parent, tree}, Env: env})
}

// answer runs git for the name of an object.
func (b *Branch) answer(ctx context.Context, c gitcmd.Call) (string, error) {
	out, err := gitcmd.Run(ctx, b.dir, c)
	id := strings.TrimSpace(string(out))
	if err == nil && !gitcmd.IsHash(id) {
		err = &gitcmd.Error{Op: c.Op, Msg: "unexpected answer: " + gitcmd.Clean(id)}
	}
	b.objects.Changed()
	return id, err
}

// mergeTree has git merge, and reads what it says: with -z the tree, then a line for each
// version of a file in conflict, then the messages, each with the paths that it is about
// (https://git-scm.com/docs/git-merge-tree#OUTPUT).
func (b *Branch) mergeTree(ctx context.Context, m *Merge, ours, theirs string) error {
	args := gitcmd.Durably("-c", "merge.conflictStyle=merge", "-c", "merge.renormalize=false", "merge-tree", "--write-tree", "-z", "--messages", ours, theirs)
	p, err := gitcmd.Start(ctx, b.dir, gitcmd.Call{Op: "git merge-tree", Args: args, Env: b.lazily()})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	_, _ = p.Out.WriteTo(&out) // a broken pipe shows in the exit status
	err = p.Wait()
	fields := strings.Split(out.String(), "\x00")
	if !gitcmd.IsHash(fields[0]) { // 1 may be a conflict, or that something is wrong
		if err == nil {
			err = p.Unexpected(fields[0])
		}
		return err
	}
	if err != nil && gitcmd.ExitCode(err) != 1 {
		return err
	}
	b.objects.Changed()
	m.Tree = fields[0]
	if err == nil {
		return nil
	}
	m.Conflicts = conflicts(fields[1:])
	if len(m.Conflicts) == 0 {
		return p.Unexpected("a conflict of no file")
	}
	merged := b.With(m.Tree)
	for i := range m.Conflicts {
		if data, err := merged.ReadFile(m.Conflicts[i].File); err == nil {
			m.Conflicts[i].Hunks = hunks(data)
		}
	}
	return nil
}

// conflicts reads what stands behind the tree.
func conflicts(fields []string) []mergeplan.Conflict {
	var out []mergeplan.Conflict
	n := 0
	for ; n < len(fields) && fields[n] != ""; n++ {
		_, file, _ := strings.Cut(fields[n], "\t")
		if len(out) == 0 || out[len(out)-1].File != file {
			out = append(out, mergeplan.Conflict{File: file})
		}
	}
	// A message: how many paths, these, a kind, and a text.
	for n++; n < len(fields); {
		var count int
		if _, err := fmt.Sscanf(fields[n], "%d", &count); err != nil || count < 0 || n+count+2 >= len(fields) {
			break
		}
		paths, kind := fields[n+1:n+1+count], fields[n+count+1]
		text := strings.TrimSpace(fields[n+count+2])
		n += count + 3
		if !strings.HasPrefix(kind, "CONFLICT") {
			continue
		}
		for i := range out {
			if slices.Contains(paths, out[i].File) && out[i].Why == "" {
				out[i].Why = gitcmd.Clean(text)
			}
		}
	}
	return out
}

// Bounds of what is kept of a conflict.
const (
	mostHunks = 20
	hunkSize  = 2000
)

// hunks finds git's marks in a file.
func hunks(data []byte) []mergeplan.Hunk {
	var out []mergeplan.Hunk
	var h mergeplan.Hunk
	line, side := 0, 0 // side is 1 in ours, 2 in theirs
	for text := range strings.Lines(string(data)) {
		switch {
		case side == 0 && strings.HasPrefix(text, "<<<<<<< "):
			side, h = 1, mergeplan.Hunk{Line: line + 1}
		case side == 1 && strings.TrimRight(text, "\r\n") == "=======":
			side = 2
		case side == 2 && strings.HasPrefix(text, ">>>>>>> "):
			side = 0
			if out = append(out, h); len(out) == mostHunks {
				return out
			}
		case side == 2:
			h.Theirs = (h.Theirs + text)[:min(len(h.Theirs)+len(text), hunkSize)]
		default:
			line++
			if side == 1 {
				h.Ours = (h.Ours + text)[:min(len(h.Ours)+len(text), hunkSize)]
			}
		}
	}
	return out
}
