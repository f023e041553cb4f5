package git

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/history"
)

// hashLike is what may be a hash, or the beginning of one.
var hashLike = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{7,64}$`) })

// Revision gives the hash of the commit that a revision names, as git rev-parse takes it:
// a branch, a tag, a hash, HEAD^1. Where a shallow clone lacks what stands behind another
// commit, or a hash, the error is a [*history.Truncated].
func (r *Repo) Revision(ctx context.Context, revision string) (string, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git rev-parse", Args: []string{"rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}"}, Reads: true, Env: []string{gitcmd.AsStored}})
	if code := gitcmd.ExitCode(err); code == 1 || code == 128 {
		if cut, cerr := r.cutOff(); cerr == nil && len(cut) > 0 && (strings.ContainsAny(revision, "~^") || hashLike().MatchString(revision)) {
			t := &history.Truncated{Commit: slices.Min(slices.Collect(maps.Keys(cut)))}
			return "", &Error{Msg: "this clone has no commit " + shell.Quote(gitcmd.Clean(revision)) + ": it is shallow", Hint: t.HintText(), Err: t}
		}
		return "", &Error{Msg: "this clone has no commit " + shell.Quote(gitcmd.Clean(revision)), Hint: "git fetch origin", Err: err}
	}
	return strings.TrimSpace(string(out)), err
}

// MergeBase gives the newest commit that is in the history of both. In a shallow clone
// that is sure only of the first itself: of any other commit there may be a newer one
// behind what the clone lacks, and the error is a [*history.Truncated].
func (r *Repo) MergeBase(ctx context.Context, base, head string) (string, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git merge-base", Args: []string{"merge-base", "--end-of-options", base, head}, Reads: true, Env: []string{gitcmd.AsStored}})
	if err != nil && gitcmd.ExitCode(err) != 1 {
		return "", err
	}
	found := strings.TrimSpace(string(out))
	if found == base {
		return found, nil
	}
	cut, err := r.cutOff()
	switch {
	case err != nil:
		return "", err
	case len(cut) > 0:
		return "", &history.Truncated{Commit: slices.Min(slices.Collect(maps.Keys(cut)))}
	case found == "":
		return "", &Error{Msg: gitcmd.Clean(base) + " and " + gitcmd.Clean(head) + " have no commit in common"}
	}
	return found, nil
}

// Changed gives the files that differ between two commits, by their paths. One that has
// got another path is gone from the old one and new at the other.
func (r *Repo) Changed(ctx context.Context, base, head string) ([]history.FileVersion, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git diff-tree", Args: []string{"diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames",
		"--no-relative", "--no-ext-diff", "--no-textconv", "--end-of-options", base, head, "--"}, Reads: true, Env: []string{gitcmd.AsStored}})
	if err != nil {
		return nil, err
	}
	var all []history.FileVersion
	fields := strings.Split(string(out), "\x00")
	for ; len(fields) > 1; fields = fields[2:] {
		v, _, err := parseRaw(fields[0])
		if err != nil {
			return nil, err
		}
		v.Path = fields[1]
		all = append(all, v)
	}
	return all, nil
}

// Authors are those who have made the commits that one has and another has not, as the
// commits say: authors by their addresses, and who is named as a co-author.
func (r *Repo) Authors(ctx context.Context, base, head string) ([]string, error) {
	const format = "--format=%ae%n%(trailers:key=Co-authored-by,valueonly,unfold)"
	out, err := r.run(ctx, gitcmd.Call{Op: "git log", Args: []string{"log", format, "--no-show-signature", "--no-color", "--end-of-options", base + ".." + head}, Reads: true})
	var all []string
	for line := range strings.SplitSeq(string(out), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), err
}

// MostOfLine is how many commits [Repo.Line] gives at most.
const MostOfLine = 1000

// Line are the commits that a head has on top of a base, along first parents, newest first:
// those that change one of some files, or all of them where no file is named. Of more than
// [MostOfLine] these are the newest.
func (r *Repo) Line(ctx context.Context, base, head string, files []string) ([]string, error) {
	args := []string{"rev-list", "--first-parent", fmt.Sprintf("--max-count=%d", MostOfLine), "--end-of-options", base + ".." + head, "--"}
	for _, f := range files {
		args = append(args, ":(top,literal)"+f)
	}
	out, err := r.run(ctx, gitcmd.Call{Op: "git rev-list", Args: args, Reads: true, Env: r.asStored()})
	return slices.DeleteFunc(strings.Fields(string(out)), func(s string) bool { return strings.HasPrefix(s, "-") }), err
}

// Parents are those of a commit.
func (r *Repo) Parents(ctx context.Context, commit string) ([]string, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git rev-parse", Args: []string{"rev-parse", "--end-of-options", commit + "^@"}, Reads: true, Env: []string{gitcmd.AsStored}})
	return slices.DeleteFunc(strings.Fields(string(out)), func(s string) bool { return strings.HasPrefix(s, "-") }), err
}

// FullName is that of the reference that a revision names; empty where it names none.
func (r *Repo) FullName(ctx context.Context, revision string) (string, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git rev-parse", Args: []string{"rev-parse", "--symbolic-full-name", "--verify", "--quiet", "--end-of-options", revision}, Reads: true})
	return strings.TrimSpace(strings.TrimPrefix(string(out), "--end-of-options")), err
}
