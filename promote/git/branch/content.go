package branch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/mergeplan"
)

// With gives the branch with another tree as its content: reads are of that, and all else
// is as it was.
func (b *Branch) With(tree string) *Branch {
	other := *b
	other.root, other.release = tree, nil
	return &other
}

// Root is the tree of the newest commit.
func (b *Branch) Root() string { return b.root }

// Change is a file that differs between two trees. Old or New is empty where there is
// none.
type Change struct {
	Path     string
	Old, New string // the objects
	OldMode  string // in octal digits, as trees have them
	NewMode  string
}

// IsFile tells that neither side is something else than a file: a link, a submodule.
func (c Change) IsFile() bool {
	return c.OldMode != ModeLink && c.NewMode != ModeLink && c.OldMode != ModeSubmodule && c.NewMode != ModeSubmodule
}

// mostChanges is how many files a merge may change that is looked at.
const mostChanges = 20_000

// Changes gives the files that differ between two trees, in the order of their paths, as far as
// they fit one of the pathspecs if there are any.
func (b *Branch) Changes(ctx context.Context, old, now string, pathspecs ...string) ([]Change, error) {
	args := append([]string{"diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--end-of-options", old, now, "--"}, pathspecs...)
	out, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git diff-tree", Args: args, Reads: true, Env: b.lazily()})
	if err != nil {
		return nil, err
	}
	var all []Change
	fields := strings.Split(string(out), "\x00") // ":MODE MODE OBJECT OBJECT STATUS", then the path
	for ; len(fields) > 2; fields = fields[2:] {
		f := strings.Fields(strings.TrimPrefix(fields[0], ":"))
		if len(f) != 5 || !gitcmd.IsHash(f[2]) || !gitcmd.IsHash(f[3]) {
			return nil, &gitcmd.Error{Op: "git diff-tree", Msg: "unexpected answer: " + gitcmd.Clean(fields[0])}
		}
		c := Change{Path: fields[1], Old: f[2], New: f[3], OldMode: f[0], NewMode: f[1]}
		if strings.Trim(c.OldMode, "0") == "" {
			c.Old, c.OldMode = "", ""
		}
		if strings.Trim(c.NewMode, "0") == "" {
			c.New, c.NewMode = "", ""
		}
		if all = append(all, c); len(all) > mostChanges {
			return nil, &gitcmd.Error{Msg: fmt.Sprintf("a merge changes more than %d files", mostChanges), Hint: "git merge, by hand"}
		}
	}
	return all, nil
}

// Taking is a tree in which files of another one stand: those of the changes.
func (b *Branch) Taking(ctx context.Context, tree string, changes []Change) (string, error) {
	var list strings.Builder
	for _, c := range changes {
		if c.New == "" {
			fmt.Fprintf(&list, "0 %s\t%s\x00", strings.Repeat("0", len(c.Old)), c.Path)
			continue
		}
		fmt.Fprintf(&list, "%s %s\t%s\x00", c.NewMode, c.New, c.Path)
	}
	return b.written(ctx, tree, list.String())
}

// written makes a tree of another one and of lines for git update-index, by an index of
// its own.
func (b *Branch) written(ctx context.Context, tree, lines string) (string, error) {
	if lines == "" {
		return tree, nil
	}
	dir, err := os.MkdirTemp(b.gitDir, gitcmd.Temporary(b.gitDir, "index"))
	if err != nil {
		return "", gitcmd.FileError("make", "a directory for an index", err)
	}
	defer os.RemoveAll(dir)
	env := append(b.lazily(), "GIT_INDEX_FILE="+filepath.Join(dir, "index"))
	for _, c := range []gitcmd.Call{
		{Op: "git read-tree", Args: []string{"read-tree", "--end-of-options", tree}, Env: env},
		{Op: "git update-index", Args: []string{"update-index", "-z", "--index-info"}, Stdin: strings.NewReader(lines), Env: env},
	} {
		if _, err := gitcmd.Run(ctx, b.dir, c); err != nil {
			return "", err
		}
	}
	return b.answer(ctx, gitcmd.Call{Op: "git write-tree", Args: gitcmd.Durably("write-tree", "--missing-ok"), Env: env})
}

// Bounds of what is said of a drift.
const (
	mostSubjects = 5
	mostDrifted  = 20
)

// Drift finds out what the branch has that a merged commit lacks.
func (b *Branch) Drift(ctx context.Context, m *Merge) (*mergeplan.Drift, error) {
	out, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git rev-list", Args: []string{"rev-list", "--no-merges", "--max-count=10000", "--no-commit-header", "--encoding=UTF-8", "--format=%h %s", b.tip, "^" + m.From, "--"}, Reads: true, Env: b.lazily()})
	if err != nil {
		return nil, err
	}
	base, err := b.objects.RootOf(ctx, m.Base)
	if err != nil {
		return nil, err
	}
	files, err := b.Changes(ctx, base, b.root)
	if err != nil {
		return nil, err
	}
	d := &mergeplan.Drift{}
	for line := range strings.Lines(string(out)) {
		if d.Commits++; d.Commits <= mostSubjects {
			d.Subjects = append(d.Subjects, gitcmd.Clean(strings.TrimSpace(line)))
		}
	}
	for _, f := range files[:min(len(files), mostDrifted)] {
		d.Files = append(d.Files, f.Path)
	}
	d.More = len(files) - len(d.Files)
	if d.Commits == 0 && len(files) == 0 {
		return nil, nil
	}
	return d, nil
}

// Content is what a commit shall have in place of files: a whole tree.
type Content struct {
	Tree string
	// Merged, if not empty, is the commit that it merges; with FastForward the one that the
	// branch is moved to, without a commit.
	Merged      string
	FastForward bool
}

// CommitTree is Commit with a whole tree as what the commit has. d.Files are what is known
// to come of it.
func (b *Branch) CommitTree(ctx context.Context, d promote.Delivery, c Content) (string, error) {
	return b.deliver(ctx, d, func(ctx context.Context, _ string) (string, error) {
		if c.FastForward {
			return c.Merged, nil
		}
		message, err := b.checked(ctx, d)
		if err != nil {
			return "", err
		}
		who, err := b.identity(ctx)
		if err != nil {
			return "", err
		}
		parents := []string{"-p", d.Head}
		if c.Merged != "" {
			parents = append(parents, "-p", c.Merged)
		}
		sign := "--no-gpg-sign"
		if b.signs(ctx, "commit.gpgSign") {
			sign = "-S"
		}
		args := gitcmd.Durably(slices.Concat([]string{"-c", "i18n.commitEncoding=UTF-8", "commit-tree", sign}, parents, []string{"-F", "-", c.Tree})...)
		hash, err := b.answer(ctx, gitcmd.Call{Op: "git commit-tree", Stdin: strings.NewReader(message), Env: slices.Concat(b.lazily(), asIdentity("AUTHOR", who.Author), asIdentity("COMMITTER", who.Committer)), Args: args})
		if err != nil && sign == "-S" {
			err = gitcmd.Hinted(err, "git config commit.gpgSign false, or mend the key")
		}
		return hash, err
	})
}

// asIdentity has git commit as somebody: a name, an address and a time.
func asIdentity(role, who string) []string {
	name, rest, _ := strings.Cut(who, " <")
	address, when, _ := strings.Cut(rest, "> ")
	return []string{"GIT_" + role + "_NAME=" + name, "GIT_" + role + "_EMAIL=" + address, "GIT_" + role + "_DATE=@" + when}
}
