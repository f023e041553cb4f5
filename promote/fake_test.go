package promote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"golang.org/x/tools/txtar"
)

// sha gives a digest whose digits are all the same.
func sha(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// fakeRepo is a repository in memory: a working tree, commits, and what Git would
// say of them. It refuses what the contract of Repo lets it refuse.
type fakeRepo struct {
	memory
	commits []fakeCommit
	merged  map[string][]history.Commit
	branch  string
	busy    string
	index   string
	// dirty says of paths what cannot be seen by comparing: staged, hidden.
	dirty map[string]string
	// commitErr fails Commit once the files are written, stateErr State.
	commitErr, stateErr error
	// written are all files that were replaced, in their order.
	written []string
	// states counts the questions about the whole repository.
	states int
}

type fakeCommit struct {
	history.Commit
	files map[string][]byte
}

var (
	_ Repo        = (*fakeRepo)(nil)
	_ history.Log = (*fakeRepo)(nil)
)

// newRepo makes a repository with one commit of the files of a txtar archive.
func newRepo(archive string) *fakeRepo {
	r := &fakeRepo{memory: memory{fstest.MapFS{}}, branch: "main"}
	r.edit(archive)
	r.record("begin", "ada")
	return r
}

// edit changes files in the working tree.
func (r *fakeRepo) edit(archive string) {
	for _, f := range txtar.Parse([]byte(archive)).Files {
		r.MapFS[f.Name] = &fstest.MapFile{Data: f.Data}
	}
}

// record commits the whole working tree.
func (r *fakeRepo) record(message, author string) string {
	c := fakeCommit{files: r.working()}
	n := len(r.commits) + 1
	c.Commit = history.Commit{
		Hash: fmt.Sprintf("c%d", n), Author: author, Email: author + "@example.com", Message: message,
		Time: time.Date(2026, 1, n, 12, 0, 0, 0, time.UTC),
	}
	before := r.head()
	names := slices.Concat(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(c.files)))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if old, now := blobID(before[name]), blobID(c.files[name]); old != now {
			c.Files = append(c.Files, history.FileVersion{Path: name, Old: old, New: now})
		}
	}
	r.commits = append(r.commits, c)
	return c.Hash
}

func blobID(data []byte) string {
	if data == nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

func (r *fakeRepo) working() map[string][]byte {
	files := make(map[string][]byte)
	for name, f := range r.MapFS {
		files[name] = f.Data
	}
	return files
}

func (r *fakeRepo) head() map[string][]byte {
	if len(r.commits) == 0 {
		return nil
	}
	return r.commits[len(r.commits)-1].files
}

func (r *fakeRepo) State(_ context.Context, paths []string) (State, error) {
	if r.stateErr != nil {
		return State{}, r.stateErr
	}
	r.states++
	s := State{Branch: r.branch, Busy: r.busy, Index: r.index, Dirty: make(map[string]string)}
	if n := len(r.commits); n > 0 {
		s.Head = r.commits[n-1].Hash
	}
	head, working := r.head(), r.working()
	for _, p := range paths {
		old, committed := head[p]
		now, there := working[p]
		switch {
		case r.dirty[p] != "":
			s.Dirty[p] = r.dirty[p]
		case there && !committed:
			s.Dirty[p] = "untracked"
		case committed && !there:
			s.Dirty[p] = "deleted"
		case !bytes.Equal(old, now):
			s.Dirty[p] = "modified"
		}
	}
	return s, nil
}

func (r *fakeRepo) Committed(_ context.Context, paths []string) (map[string][]byte, error) {
	out := make(map[string][]byte)
	for _, p := range paths {
		if data, ok := r.head()[p]; ok {
			out[p] = data
		}
	}
	return out, nil
}

func (r *fakeRepo) Write(_ context.Context, files []File) error {
	for _, f := range files {
		there, ok := r.MapFS[f.Path]
		if !ok {
			return fmt.Errorf("%s: %w", f.Path, fs.ErrNotExist)
		}
		if f.Old != nil && !bytes.Equal(there.Data, f.Old) && !bytes.Equal(there.Data, f.Data) {
			return fmt.Errorf("%s: was changed in the meantime", f.Path)
		}
	}
	for _, f := range files {
		r.MapFS[f.Path] = &fstest.MapFile{Data: f.Data}
		r.written = append(r.written, f.Path)
	}
	return nil
}

func (r *fakeRepo) Commit(ctx context.Context, d Delivery) (string, error) {
	if head := r.commits[len(r.commits)-1].Hash; head != d.Head {
		return "", fmt.Errorf("the head is %s, not %s", head, d.Head)
	}
	if err := d.Ready(ctx); err != nil {
		return "", err
	}
	if err := r.Write(ctx, d.Files); err != nil {
		return "", err
	}
	if r.commitErr != nil {
		return "", &NotCommitted{r.commitErr}
	}
	return r.record(d.Message, "bob"), nil
}

func (r *fakeRepo) Commits(_ context.Context, _ []string, visit func(history.Commit) (bool, error)) error {
	for _, c := range slices.Backward(r.commits) {
		if more, err := visit(c.Commit); err != nil || !more {
			return err
		}
	}
	return nil
}

// merged are the commits that a merge has brought, by its name.
func (r *fakeRepo) Merged(_ context.Context, merge string, _ []string, visit func(history.Commit) (bool, error)) error {
	for _, c := range r.merged[merge] {
		if more, err := visit(c); err != nil || !more {
			return err
		}
	}
	return nil
}

func (r *fakeRepo) Blobs(_ context.Context, ids []string, visit func(string, []byte) error) error {
	for _, id := range ids {
		for _, c := range r.commits {
			for _, data := range c.files {
				if blobID(data) == id {
					if err := visit(id, data); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// registry answers by what it holds: repository:tag to digest, and repository@digest
// to itself. Those in down cannot be asked.
type registry struct {
	tags  map[string]string
	down  []string
	asked []string
}

func (r *registry) Resolve(_ context.Context, refs []string, done func()) []Resolution {
	var out []Resolution
	for _, ref := range refs {
		r.asked = append(r.asked, ref)
		out = append(out, r.resolve(ref))
		done()
	}
	return out
}

func (r *registry) resolve(ref string) Resolution {
	named, digest, pinned := strings.Cut(ref, "@")
	for _, d := range r.down {
		if strings.HasPrefix(ref, d) {
			return Resolution{Answer: Unknown, Reason: "no route to " + d}
		}
	}
	switch {
	case !pinned && r.tags[named] != "":
		return Resolution{Answer: Pass, Digest: r.tags[named]}
	case pinned && r.holds(named, digest):
		return Resolution{Answer: Pass, Digest: digest, TagDigest: r.tags[named]}
	}
	return Resolution{Answer: Fail, Reason: ref + " is not there"}
}

// holds tells whether a repository has a digest under any tag.
func (r *registry) holds(named, digest string) bool {
	repository, _, _ := strings.Cut(named, ":")
	for tag, d := range r.tags {
		if at, _, _ := strings.Cut(tag, ":"); at == repository && d == digest {
			return true
		}
	}
	return false
}

// pipelineOf makes a pipeline of staging and production with more lines of spec.
func pipelineOf(t testing.TB, spec string) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.Parse("promotion.yaml", []byte(`apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments:
  - {name: dev}
  - {name: staging, from: [dev]}
  - {name: production, from: [staging]}
`+spec))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// twoServices are two services of which the first is one tag behind in production.
const twoServices = `
-- apps/cart/overlays/staging/kustomization.yaml --
images:
- name: shop/cart
  newTag: v2
-- apps/cart/overlays/production/kustomization.yaml --
# the cart
images:
- name: shop/cart
  newTag: v1 # since May
-- apps/web/overlays/staging/kustomization.yaml --
images:
- name: shop/web
  newTag: v7
-- apps/web/overlays/production/kustomization.yaml --
images:
- name: shop/web
  newTag: v7
`

func twoTags() *registry {
	return &registry{tags: map[string]string{"shop/cart:v1": sha("1"), "shop/cart:v2": sha("2"), "shop/web:v7": sha("7")}}
}

// newShop is a promoter for a repository, with the registry of the two services.
func newShop(t testing.TB, archive string) (*Promoter, *fakeRepo) {
	t.Helper()
	repo := newRepo(archive)
	return &Promoter{Repo: repo, Pipeline: pipelineOf(t, ""), Resolver: twoTags()}, repo
}

// outline is a plan in short: for each service its images and what is said of it.
func outline(p *Plan) []string {
	var out []string
	for _, w := range p.Warnings {
		out = append(out, "warning: "+w)
	}
	for _, s := range p.Services {
		for _, i := range s.Images {
			out = append(out, fmt.Sprintf("%s: %s %s → %s", s.Service, i.Name, i.Old.Ref(""), i.New.Ref("")))
		}
		for _, v := range s.Verdicts {
			out = append(out, fmt.Sprintf("%s: %s=%s %s", s.Service, v.Gate, v.Answer, v.Text()))
		}
		for _, w := range s.Warnings {
			out = append(out, s.Service+": warning: "+w)
		}
		if s.Changed() {
			out = append(out, s.Service+" changes")
		}
	}
	for i := range out {
		for _, digit := range strings.Split("0123456789abcdef", "") {
			out[i] = strings.ReplaceAll(out[i], sha(digit), "sha:"+digit)
		}
	}
	return out
}

// wantError compares what an error says, and its hints, line by line.
func wantError(t *testing.T, err error, want ...string) {
	t.Helper()
	var got []string
	for _, e := range split(err) {
		got = append(got, e.Error())
		var hint interface{ HintText() string }
		if errors.As(e, &hint) && hint.HintText() != "" {
			got = append(got, "hint: "+hint.HintText())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func split(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, split(e)...)
		}
		return all
	}
	return []error{err}
}

// memory is a tree of files for tests that need no Git.
type memory struct{ fstest.MapFS }

func (m memory) ReadAny(dir string, names []string) (found Found, err error) {
	for _, name := range names {
		if data, err := m.ReadFile(path.Join(dir, name)); err == nil {
			if found.Have = append(found.Have, name); len(found.Have) == 1 {
				found.Name, found.Data = name, data
			}
		}
	}
	if len(found.Have) == 0 {
		return found, fs.ErrNotExist
	}
	return found, nil
}
