package git

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/fastimport"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// manyPaths is from how many files on a commit is made by git fast-import. Git
// commit would write a file for each blob and each directory, four thousand for a
// thousand services, and that is most of its time.
const manyPaths = 50

// tempRef leads to a commit until the head does. Each work tree has its own, whose
// lock is held. It is not one of those that git itself keeps for each work tree
// (refs/worktree): git repack, run in another work tree, does not see these.
func (r *Repo) tempRef() string {
	if rel, err := filepath.Rel(r.common, r.gitDir); err == nil && rel != "." {
		return "refs/promote/" + filepath.ToSlash(rel) // worktrees/NAME
	}
	return "refs/promote/worktree"
}

// errNotMade says that the commit is to be made by git commit.
var errNotMade = errors.New("git commit makes the commit")

// plan is what git has told before a commit of many files.
type plan struct {
	staged   map[string]staged
	maintain bool // settings.maintain
}

// staged is what the index has of a file.
type staged struct{ mode, blob string }

// plan asks git whether it would do nothing beside making the commit. If it would,
// as run a hook, sign, or store a file otherwise than it is, the result is
// errNotMade.
func (r *Repo) plan(ctx context.Context, d promote.Delivery, converted func() (map[string]string, error)) (plan, error) {
	if len(d.Files) < manyPaths || d.Head == "" || r.busy() != "" || !utf8.ValidString(d.Message) {
		return plan{}, errNotMade
	}
	for _, f := range d.Files {
		if bytes.Contains(f.Data, []byte("\r\n")) {
			return plan{}, errNotMade // git may store such lines otherwise
		}
	}
	paths := pathsOf(d.Files)
	checks := []func() (bool, error){
		func() (bool, error) { all, err := converted(); return len(all) == 0, err },
		gitcmd.Later(func() (bool, error) { return r.withoutHooks(ctx) }),
		gitcmd.Later(func() (bool, error) { return r.withoutReplacements(ctx) }),
	}
	index := gitcmd.Later(func() (map[string]staged, error) { return r.staged(ctx, paths) })
	set, err := r.settings(ctx)
	plain := set.plain
	for _, check := range checks {
		ok, cerr := check()
		plain, err = plain && ok, cmp.Or(err, cerr)
	}
	entries, ierr := index()
	if err = cmp.Or(err, ierr); err == nil && !plain {
		err = errNotMade
	}
	return plan{entries, set.maintain}, err
}

// commitHooks are the hooks that have a say in a commit.
var commitHooks = []string{"pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "reference-transaction", "post-index-change"}

func (r *Repo) withoutHooks(ctx context.Context) (bool, error) {
	dir, err := revParse(ctx, r.top, "--git-path hooks")
	for _, name := range commitHooks {
		if _, serr := os.Stat(filepath.Join(dir, name)); serr == nil {
			return false, err
		}
	}
	return true, err
}

// withoutReplacements tells that no object stands for another.
func (r *Repo) withoutReplacements(ctx context.Context) (bool, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git replace", Args: []string{"replace", "--list"}, Reads: true})
	return len(out) == 0, err
}

// settings is what the user has set up for commits.
type settings struct {
	// plain tells that git commit would neither sign a commit nor recode its message,
	// and that the index is of the usual form.
	plain bool
	// maintain tells that git looks after the repository once it has committed.
	maintain bool
}

func (r *Repo) settings(ctx context.Context) (settings, error) {
	s := settings{plain: true, maintain: true}
	out, err := r.run(ctx, gitcmd.Call{Op: "git config", Reads: true, Args: []string{"config", "-z", "--get-regexp",
		`^(core\.splitindex|index\.sparse|hook\..*|commit\.gpgsign|i18n\.commitencoding|maintenance\.auto)$`}})
	if err != nil && gitcmd.ExitCode(err) != 1 { // 1: nothing of it is set
		return s, err
	}
	// The last value of a key counts.
	signed := false
	for setting := range strings.SplitSeq(string(out), "\x00") {
		key, value, _ := strings.Cut(setting, "\n")
		switch {
		case key == "":
		case key == "commit.gpgsign":
			signed = !isOff(value)
		case key == "maintenance.auto":
			s.maintain = !isOff(value)
		default:
			s.plain = false
		}
	}
	s.plain = s.plain && !signed
	return s, nil
}

// isOff tells whether git takes the value for no. A key without a value means yes.
func isOff(value string) bool {
	switch strings.ToLower(value) {
	case "false", "no", "off", "0":
		return true
	}
	return false
}

// staged gives what the index has of the files. One that it does not have, that it
// has in conflict, or that git is told not to look at, is errNotMade.
func (r *Repo) staged(ctx context.Context, paths []string) (map[string]staged, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git ls-files", Args: append([]string{"ls-files", "-s", "-v", "-z", "--"}, covering(paths)...), Reads: true})
	if err != nil {
		return nil, err
	}
	all := map[string]staged{}
	for entry := range strings.SplitSeq(string(out), "\x00") {
		// tag, mode, blob, stage, a tab, the path
		meta, name, _ := strings.Cut(entry, "\t")
		if fields := strings.Fields(meta); len(fields) == 4 && fields[0] == "H" && fields[3] == "0" {
			all[name] = staged{fields[1], fields[2]}
		}
	}
	found := make(map[string]staged, len(paths))
	for _, p := range paths {
		s, ok := all[p]
		if !ok {
			return nil, errNotMade
		}
		found[p] = s
	}
	return found, nil
}

// built is a commit that only Repo.tempRef leads to.
type built struct {
	commit string
	plan
	files []fastimport.File
}

// build makes the commit, if that is not left to git commit.
func (r *Repo) build(ctx context.Context, d promote.Delivery, ask func() (plan, error), who func() (gitcmd.Identity, error)) (built, error) {
	p, err := ask()
	id, werr := who()
	if err = cmp.Or(err, werr); err != nil {
		return built{}, err
	}
	begin := time.Now()
	hash, list, err := fastimport.Make(ctx, r.gitDir, fastimport.Commit{Parent: d.Head, Files: d.Files, Message: d.Message, Author: id.Author, Committer: id.Committer, Ref: r.tempRef(), Store: r.store})
	if err != nil {
		r.clearObjects(begin)
		return built{}, err
	}
	b := built{hash, p, list}
	same := true
	for i, f := range d.Files {
		// Git commit takes the mode that the file has.
		info, err := r.root.Lstat(f.Path)
		if err != nil || list[i].Mode != p.staged[f.Path].mode || (list[i].Mode == "100755") != (info.Mode()&0o100 != 0) {
			r.forget(ctx, b)
			return built{}, errNotMade
		}
		same = same && list[i].Was == list[i].Now
	}
	if same { // git commit refuses that
		r.forget(ctx, b)
		return built{}, errNotMade
	}
	return b, nil
}

// forget gives a commit up, if there is one.
func (r *Repo) forget(ctx context.Context, b built) {
	if b.commit != "" {
		fastimport.DeleteRef(ctx, r.gitDir, r.tempRef())
	}
}
