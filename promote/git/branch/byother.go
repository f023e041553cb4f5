package branch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/record"
)

// Committer makes commits in the place of git: a forge, which signs them.
type Committer interface {
	// Make makes one on a new branch of the remote.
	Make(ctx context.Context, m Making) (commit string, err error)
}

// Making is a commit that another makes.
type Making struct {
	// Branch is the new one, Base the one that Parent is the newest commit of.
	Branch, Base, Parent string
	Message              string
	// Name and Email are those of who asks for it.
	Name, Email string
	Files       []promote.File
	// Objects are what the parent has at the files' paths; empty where it has nothing.
	Objects []string
}

// MakeBy has another make the commits of which the delivery says that the forge of an
// environment makes them; the branch may be that of other environments as well, on another
// forge. Each is fetched and compared with what was meant before any branch leads to it.
func (b *Branch) MakeBy(environment string, c Committer) {
	if b.makes == nil {
		b.makes = make(map[string]Committer)
	}
	b.makes[environment] = c
}

// madeIn begins the name of the branch that such a commit is made on. What follows comes
// from what is to be committed: a run that was killed leaves it, and the next one removes it.
const madeIn = "kubepromote-commit-"

// byOther has a commit made by a Committer of the branch, where the delivery says so. Hash is the
// commit as git makes it, and ref leads to the other one afterwards.
func (b *Branch) byOther(ctx context.Context, d promote.Delivery, hash, ref string) (string, error) {
	by := b.makes[d.ByForge]
	switch {
	case d.ByForge == "":
		return hash, nil
	case by == nil:
		return "", &gitcmd.Error{Msg: "a forge is to make the commit, and none is known", Hint: "remove the line deliver.commits: git commits then"}
	}
	meant, err := b.objects.Get(ctx, hash)
	if err != nil {
		return "", err
	}
	head, message := partsOf(meant.Data)
	m := Making{Branch: fmt.Sprintf("%s%x", madeIn, sha256.Sum256([]byte(d.Head+head["tree"]+message)))[:len(madeIn)+20], Base: b.name, Parent: d.Head, Message: message, Files: d.Files}
	m.Name, m.Email = nameOf(head["author"])
	for _, f := range d.Files {
		is, err := b.Object(f.Path)
		if err != nil {
			return "", err
		}
		_, object, _ := strings.Cut(is, " ")
		m.Objects = append(m.Objects, object)
	}
	b.unmake(ctx, m.Branch)
	made, err := by.Make(ctx, m)
	if err == nil {
		err = b.fetchMade(ctx, m.Branch, made, ref)
	}
	b.unmake(context.WithoutCancel(ctx), m.Branch)
	if err != nil {
		return "", err
	}
	return made, b.isAsMeant(ctx, made, d, head["tree"], message)
}

// unmake removes the branch that a commit is made on, if it is there.
func (b *Branch) unmake(ctx context.Context, name string) {
	out, err := b.reach(ctx, "ask "+gitcmd.Clean(b.Remote()), "ls-remote", "--end-of-options", b.remote, "refs/heads/"+name)
	if err == nil && len(out) > 0 {
		_, _ = b.reach(ctx, "clean up", "-c", "core.hooksPath=/dev/null", "push", "--quiet", "--no-recurse-submodules", "--end-of-options", b.remote, ":refs/heads/"+name)
	}
}

// fetchMade fetches the commit, so that ref leads to it.
func (b *Branch) fetchMade(ctx context.Context, name, made, ref string) error {
	args := append([]string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"}, b.twoDeep()...)
	_, err := b.reach(ctx, "fetch "+gitcmd.Clean(b.Remote()+"/"+name), append(args, "--end-of-options", b.remote, "+refs/heads/"+name+":"+ref)...)
	b.objects.Changed()
	if err != nil {
		return err
	}
	is, err := b.revision(ctx, ref)
	if err == nil && is != made {
		err = &gitcmd.Error{Msg: fmt.Sprintf("the forge says that it has made commit %.12s, and branch %s is at %.12s", gitcmd.Clean(made), name, is)}
	}
	return err
}

// isAsMeant compares what was made with what was meant: its parent, its files, and its
// record. It is a *promote.Moved where it was made on another commit.
func (b *Branch) isAsMeant(ctx context.Context, made string, d promote.Delivery, tree, message string) error {
	o, err := b.objects.Get(ctx, made)
	if err != nil {
		return err
	}
	head, says := partsOf(o.Data)
	const hint = "remove the line deliver.commits: git commits then"
	switch {
	case head["parent"] != d.Head:
		return &promote.Moved{Branch: b.Where(), Err: errors.New("the forge has made the commit on another one")}
	case head["tree"] != tree:
		return &gitcmd.Error{Msg: fmt.Sprintf("the forge has made a commit whose files are not those of the plan (tree %.12s, and not %.12s); it is thrown away", head["tree"], tree), Hint: hint}
	case !strings.HasPrefix(gitcmd.Tidy(says), strings.TrimSpace(message)) || fmt.Sprint(record.Parse(says)) != fmt.Sprint(record.Parse(message)):
		return &gitcmd.Error{Msg: "the forge has made a commit with another message than that of the plan; it is thrown away", Hint: hint}
	}
	if d.Check != nil {
		return d.Check(says)
	}
	return nil
}

// partsOf gives the fields of a commit's head, those that stand several times in one, and
// its message.
func partsOf(commit []byte) (head map[string]string, message string) {
	before, message, _ := strings.Cut(string(commit), "\n\n")
	head = make(map[string]string)
	for line := range strings.Lines(before) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		head[name] = strings.TrimSpace(head[name] + " " + value)
	}
	return head, message
}

// nameOf takes the time off an author.
func nameOf(author string) (name, email string) {
	name, rest, _ := strings.Cut(author, " <")
	email, _, _ = strings.Cut(rest, ">")
	return name, email
}
