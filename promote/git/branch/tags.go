package branch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/internal/unbroken"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/git/internal/stored"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Tag is a tag that names a version of an environment.
type Tag struct {
	Name, Version, Commit string
	// Time, By and Email are those of the tag, or of its commit where it has none itself.
	Time      time.Time
	By, Email string
	Message   string

	version *semver.Version
}

// Older tells whether the version is an older one, as semantic versions have it.
func (t Tag) Older(than Tag) bool { return t.version.LessThan(than.version) }

// InClone is the clone itself, for what is asked of it as of the branch of a remote.
func InClone(ctx context.Context, r *git.Repo) *Branch {
	return &Branch{ctx: ctx, dir: r.Root(), gitDir: r.GitDir(), hooks: true, objects: &stored.Objects{Dir: r.Root()}}
}

// tagsAt is where the tags of a remote are kept, apart from the user's own.
const tagsAt = "refs/promote/tags/"

// mostTags is how many tags may fit the template of one environment.
const mostTags = 20_000

// Tags gives the tags of a place, of the remote as it has them now, those of the newest
// version first. One that names no version is none of them, nor is one that is of another
// of all places.
func (b *Branch) Tags(ctx context.Context, at pipeline.Place, all []pipeline.Place) ([]Tag, error) {
	before, after, _ := strings.Cut(at.Tag, "{version}")
	ref := "refs/tags/"
	if b.remote != "" {
		ref = tagsAt
		args := append([]string{"fetch", "--quiet", "--no-tags", "--prune", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"}, b.partial()...)
		spec := "+refs/tags/" + before + "*" + after + ":" + tagsAt + before + "*" + after
		if _, err := b.reach(ctx, "fetch the tags of "+gitcmd.Clean(b.Remote()), append(args, "--end-of-options", b.remote, spec)...); err != nil {
			return nil, err
		}
		b.objects.Changed()
	}
	format := "%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)%00%(creatordate:unix)%00%(taggername)%(authorname)%00%(taggeremail)%(authoremail)%00%(contents)%00"
	out, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git for-each-ref", Args: []string{"for-each-ref", fmt.Sprintf("--count=%d", mostTags+1), "--format=" + format, ref + globQuoter.Replace(before) + "*" + globQuoter.Replace(after)}, Reads: true, Env: b.lazily()})
	if err != nil {
		return nil, err
	}
	var tags []Tag
	seen := 0
	for fields := strings.Split(string(out), "\x00"); len(fields) > 9; fields = fields[9:] {
		if seen++; seen > mostTags { // the newest version may be any of them
			return nil, &gitcmd.Error{Msg: fmt.Sprintf("more than %d tags fit %s", mostTags, gitcmd.Clean(at.Tag)), Hint: `strategy: {tag: "{environment}/{version}"}, or fewer tags`}
		}
		t := Tag{Name: strings.TrimPrefix(strings.TrimLeft(fields[0], "\n"), ref), By: fields[6], Email: strings.Trim(fields[7], "<>"), Message: fields[8]}
		switch {
		case fields[1] == "commit":
			t.Commit, t.Message = fields[2], ""
		case fields[3] == "commit":
			t.Commit = fields[4]
		default:
			continue
		}
		seconds, _ := strconv.ParseInt(fields[5], 10, 64)
		t.Time = time.Unix(seconds, 0).UTC()
		var ok bool
		if t.Version, ok = at.VersionIn(t.Name, all); !ok {
			continue
		}
		if t.version, err = semver.NewVersion(t.Version); err == nil {
			tags = append(tags, t)
		}
	}
	slices.SortStableFunc(tags, func(a, b Tag) int { return b.version.Compare(a.version) })
	return tags, nil
}

// AtTag gives the files of a tag's commit; without one there are none.
func (b *Branch) AtTag(ctx context.Context, t Tag) (*Branch, error) {
	if t.Commit != "" {
		return b.at(ctx, t.Commit)
	}
	empty, err := b.answer(ctx, gitcmd.Call{Op: "git hash-object", Args: []string{"hash-object", "-w", "-t", "tree", "--stdin"}, Stdin: strings.NewReader("")})
	other := b.With(empty)
	other.tip = ""
	return other, err
}

// CreateTag makes an annotated tag of a commit, signed where the user's git is set up to,
// and pushes it where the branch is a remote's. One that is there already on the same commit
// with the same message was made by a run that was interrupted, and is pushed; any other is an
// error: it would be pushed in the place of the promotion's. A tag is never moved.
func (b *Branch) CreateTag(ctx context.Context, name, commit, message string) error {
	ref := "refs/tags/" + name
	there, err := b.revision(ctx, ref)
	if err != nil {
		return err
	}
	if there != "" && there != commit {
		return &gitcmd.Error{Msg: fmt.Sprintf("there is a tag %s here already, of commit %.9s", gitcmd.Clean(name), there), Hint: "git show " + shell.Quote(name)}
	}
	defer unbroken.Begin()()
	made := there == ""
	if made {
		if err := b.makeTag(ctx, name, commit, message); err != nil {
			return err
		}
	}
	sheltered, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
	defer cancel()
	if made && ctx.Err() != nil {
		return errors.Join(gitcmd.Interrupted("git tag", ctx.Err()), b.deleteTag(sheltered, name))
	}
	if is, err := b.tagSays(sheltered, name, message); err != nil {
		return err
	} else if !is {
		return &gitcmd.Error{Msg: fmt.Sprintf("a tag %s is here that is not pushed, and it is not of this promotion", gitcmd.Clean(name)), Hint: "git tag -d " + shell.Quote(name)}
	}
	// One that is there already may be what a run has left that was ended before this.
	switch err := b.checkSigned(sheltered, name); {
	case err != nil && made:
		return errors.Join(err, b.deleteTag(sheltered, name))
	case err != nil:
		return gitcmd.Hinted(err, "git tag -d "+shell.Quote(name)+", and run the same command again")
	}
	if b.remote == "" {
		return nil
	}
	err = b.pushTag(sheltered, name)
	if made && (err != nil || b.address != "") {
		if derr := b.deleteTag(sheltered, name); err == nil {
			err = derr
		}
	}
	return err
}

func (b *Branch) makeTag(ctx context.Context, name, commit, message string) error {
	who, err := b.identity(ctx)
	if err != nil {
		return err
	}
	_, err = gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git tag", Stdin: strings.NewReader(message), Env: append(b.lazily(), asIdentity("COMMITTER", who.Committer)...),
		Args: gitcmd.Durably("tag", "--annotate", "--cleanup=verbatim", "--file=-", "--end-of-options", name, commit)})
	if err != nil {
		return gitcmd.Hinted(err, "mend the key, or git config tag.gpgSign false")
	}
	return nil
}

// checkSigned finds a tag that is not signed although git is set up to: without its key of
// ssh, git 2.39 complains, makes the tag all the same, and says that all is well.
func (b *Branch) checkSigned(ctx context.Context, name string) error {
	if !b.signs(ctx, "tag.gpgSign") {
		return nil
	}
	text, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git for-each-ref", Args: []string{"for-each-ref", "--format=%(contents:signature)", "refs/tags/" + name}, Reads: true})
	if err == nil && strings.TrimSpace(string(text)) == "" {
		err = &gitcmd.Error{Op: "git tag", Msg: "the tag could not be signed", Hint: "mend the key, or git config tag.gpgSign false"}
	}
	return err
}

// tagSays tells whether a tag is annotated with a message, and with nothing else but a signature.
func (b *Branch) tagSays(ctx context.Context, name, message string) (bool, error) {
	text, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git for-each-ref", Args: []string{"for-each-ref", "--format=%(objecttype)%00%(contents)", "refs/tags/" + name}, Reads: true})
	kind, says, _ := strings.Cut(string(text), "\x00")
	return kind == "tag" && saysSame(says, message), err
}

func (b *Branch) deleteTag(ctx context.Context, name string) error {
	_, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{Op: "git update-ref", Args: []string{"update-ref", "-d", "refs/tags/" + name}})
	return err
}

// saysSame compares the message of a tag, behind which there may be a signature.
func saysSame(has, message string) bool {
	has, _, _ = strings.Cut(has, "-----BEGIN ")
	return strings.TrimSpace(has) == strings.TrimSpace(message)
}

// pushTag pushes a tag, which the remote may have got from somebody else meanwhile.
func (b *Branch) pushTag(ctx context.Context, name string) error {
	out, err := b.pushTo(ctx, "push tag "+gitcmd.Clean(name)+" to "+b.Remote(), nil, b.remote, "refs/tags/"+name+":refs/tags/"+name)
	if err != nil && (strings.Contains(out, "already exists") || strings.Contains(out, "cannot lock ref")) {
		return &promote.Moved{Branch: "tag " + gitcmd.Clean(name), Err: err}
	}
	return err
}

// TagLog is a history of which each tag is a commit that differs from the next one; the
// newest come first.
func (b *Branch) TagLog(tags []Tag) history.Log { return &tagLog{b, tags} }

type tagLog struct {
	branch *Branch
	tags   []Tag
}

// Commits implements [history.Log].
func (l *tagLog) Commits(ctx context.Context, pathspecs []string, visit func(history.Commit) (bool, error)) error {
	for n, t := range l.tags {
		var older Tag
		if n+1 < len(l.tags) {
			older = l.tags[n+1]
		}
		before, err := l.branch.AtTag(ctx, older)
		if err != nil {
			return err
		}
		now, err := l.branch.AtTag(ctx, t)
		if err != nil {
			return err
		}
		changes, err := l.branch.Changes(ctx, before.root, now.root, pathspecs...)
		if err != nil {
			return err
		}
		c := history.Commit{Hash: t.Commit, Author: t.By, Email: t.Email, Time: t.Time, Message: t.Message}
		for _, one := range changes {
			if one.IsFile() {
				c.Files = append(c.Files, history.FileVersion{Path: one.Path, Old: one.Old, New: one.New})
			}
		}
		if len(c.Files) == 0 && len(pathspecs) > 0 {
			continue
		}
		if more, err := visit(c); err != nil || !more {
			return err
		}
	}
	return nil
}

// Merged has nothing to visit: a tag brings what it differs in.
func (*tagLog) Merged(context.Context, string, []string, func(history.Commit) (bool, error)) error {
	return nil
}

// Blobs implements [history.Log].
func (l *tagLog) Blobs(ctx context.Context, ids []string, visit func(id string, data []byte) error) error {
	for _, id := range ids {
		found, err := l.branch.objects.Get(ctx, id)
		if err == nil {
			err = visit(id, found.Data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
