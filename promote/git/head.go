package git

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kubepromote/kubepromote/promote"
)

// manyPaths is from how many files on a commit's objects are written as one pack.
const manyPaths = 50

// errNotMade says that the commit is to be made by git commit.
var errNotMade = errors.New("git commit makes the commit")

// made is a commit that no reference leads to yet.
type made struct {
	commit   string
	index    *nextIndex
	ref      *refUpdate
	maintain bool // settings.maintain
}

// makeCommit writes the objects of a commit of many files, and the commit itself,
// as one pack. Git commit would write a file for each blob and each directory,
// four thousand for a thousand services, and that is most of its time. Where git
// commit has more to do than to make the commit, the result is errNotMade, but the
// blobs and trees are there: it does not write them again.
func (r *Repo) makeCommit(ctx context.Context, d promote.Delivery, who func() (identity, error), wanted func() error) (made, error) {
	if len(d.Files) < manyPaths || d.Head == "" || r.busy() != "" {
		return made{}, errNotMade
	}
	stored := later(func() (bool, error) { return r.storedAsTheyAre(ctx, pathsOf(d.Files)) })
	setUp := later(func() (settings, error) { return r.settings(ctx) })
	top := directories(d.Files)
	next := r.nextIndex(top)
	commit, set, err := r.build(ctx, d, top, next.index, who)
	served := err == nil && next.index != nil && next.exchange()
	asTheyAre, serr := stored()
	user, uerr := setUp()
	if err = cmp.Or(err, serr, uerr); err != nil {
		return made{}, err
	}
	if !asTheyAre {
		return made{}, errNotMade
	}
	user.plain = user.plain && served
	if !user.plain {
		set.objects = set.objects[:len(set.objects)-1] // all but the commit
	}
	if err := wanted(); err != nil {
		return made{}, err
	}
	if err = r.writePack(ctx, set); err != nil || !user.plain {
		return made{}, cmp.Or(err, errNotMade)
	}
	subject, _, _ := strings.Cut(d.Message, "\n")
	ref, err := r.beginUpdate(ctx, "commit: "+subject)
	return made{commit, next, ref, user.maintain}, err
}

// build makes the objects, of which the commit is the last, and gives its name.
func (r *Repo) build(ctx context.Context, d promote.Delivery, top *directory, x *index, who func() (identity, error)) (string, *objectSet, error) {
	out, err := r.run(ctx, call{op: "git rev-parse", args: []string{"rev-parse", "--verify", d.Head + "^{tree}"}, env: reading()})
	if err != nil {
		return "", nil, err
	}
	old, err := hex.DecodeString(strings.TrimSpace(string(out)))
	if err != nil {
		return "", nil, errNotMade
	}
	if err := r.readDirectories(ctx, top, old, x); err != nil {
		return "", nil, err
	}
	set := r.newObjects()
	tree, err := r.rebuild(top, set)
	if err != nil {
		return "", nil, err
	}
	names, err := who()
	if err != nil {
		return "", nil, err
	}
	commit := fmt.Sprintf("tree %x\nparent %s\nauthor %s\ncommitter %s\n\n%s", tree, d.Head, names.author, names.committer, d.Message)
	// Git commit refuses a commit that changes nothing, and recodes what is not
	// UTF-8.
	if bytes.Equal(tree, old) || !utf8.ValidString(commit) {
		return "", nil, errNotMade
	}
	return hex.EncodeToString(set.add(typeCommit, []byte(commit))), set, nil
}

// commitHooks are the hooks that have a say in a commit.
var commitHooks = []string{"pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "reference-transaction", "post-index-change"}

// settings is what the user has set up for commits.
type settings struct {
	// plain tells that git commit would do nothing beside making the commit: it
	// would not sign it, recode its message, or run a hook.
	plain bool
	// maintain tells that git looks after the repository once it has committed.
	maintain bool
}

func (r *Repo) settings(ctx context.Context) (settings, error) {
	s := settings{plain: true, maintain: true}
	for _, name := range commitHooks {
		if _, err := os.Stat(filepath.Join(r.common, "hooks", name)); err == nil {
			s.plain = false
		}
	}
	out, err := r.run(ctx, call{op: "git config", env: reading(), args: []string{"config", "-z", "--get-regexp",
		`^(core\.(hookspath|safecrlf|sharedrepository|splitindex)|hook\..*|commit\.gpgsign|i18n\.commitencoding|maintenance\.auto)$`}})
	if err != nil && exitCode(err) != 1 { // 1: nothing of it is set
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

// moveHead makes the commit the head, if that still is the one that the commit
// was made on. The branch is locked before the index is changed: nobody commits
// in between, and with it what is staged for this commit. The index is changed
// before the branch: a crash in between leaves files that are staged, and the
// same promotion made again commits them. The other way round it would leave
// their old contents staged, to be committed by whoever is next.
//
// The result is errNotMade where the index is not as it was planned on, or of a
// form that only git knows.
func (r *Repo) moveHead(ctx context.Context, d promote.Delivery, m made, stats map[string]fileStat) (string, error) {
	if err := m.ref.prepare(m.commit, d.Head); err != nil {
		return "", refusedByGit(err)
	}
	if err := r.useIndex(m.index, stats); err != nil {
		m.ref.abandon()
		return "", err
	}
	if err := m.ref.commit(); err != nil {
		// Git may have been ended when it was done, before it could say so.
		if head, herr := r.head(ctx); herr != nil || head != m.commit {
			r.unstage(ctx, pathsOf(d.Files))
			return "", refusedByGit(err)
		}
	}
	if unknown := func(s fileStat) bool { return s.ino == 0 }; slices.ContainsFunc(slices.Collect(maps.Values(stats)), unknown) {
		// Git would take the others for changed until it looks at them.
		_, _ = r.run(ctx, call{op: "git update-index", args: []string{"update-index", "-q", "--refresh"}, env: inEnglish()})
	}
	if m.maintain {
		// Git commit ignores how it ends, too.
		_, _ = r.run(ctx, call{op: "git maintenance", args: []string{"maintenance", "run", "--auto", "--quiet"}})
	}
	return m.commit, nil
}

// unstage gives the index what the head has of the files.
func (r *Repo) unstage(ctx context.Context, paths []string) {
	specs := literal + strings.Join(paths, "\x00"+literal) + "\x00"
	_, _ = r.run(ctx, call{op: "git reset", args: []string{"reset", "--quiet", "--pathspec-from-file=-", "--pathspec-file-nul", "HEAD", "--"},
		stdin: strings.NewReader(specs), env: inEnglish()})
}
