package git

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/history"
)

func TestState(t *testing.T) {
	t.Parallel()
	files := map[string]string{".gitignore": "ign/\n*.log\n", "mod": "1", "staged": "1", "both": "1", "gone": "1", "rm": "1", "same": "1", "sub/deep": "1"}
	for _, name := range awkward {
		files["odd/"+name] = "1"
	}
	r := newRepo(t, files)
	dir := r.Root()
	put(t, dir, map[string]string{"mod": "2", "staged": "2", "both": "2", "new/file": "1", "ign/a/b": "1", "x.log": "1", ":(glob)*.log": "1", "new/*": "1", "added": "1"})
	gitIn(t, dir, "add", "staged", "both", "added")
	put(t, dir, map[string]string{"both": "3"})
	gitIn(t, dir, "rm", "-q", "--cached", "rm")
	os.Remove(filepath.Join(dir, "gone"))
	want := map[string]string{"mod": "modified", "staged": "staged", "both": "modified", "gone": "deleted", "rm": "deleted",
		"new/file": "untracked", "ign/a/b": "ignored", "x.log": "ignored", ":(glob)*.log": "ignored", "new/*": "untracked", "added": "staged"}
	for _, name := range awkward {
		put(t, dir, map[string]string{"odd/" + name: "22"})
		want["odd/"+name] = "modified"
	}
	paths := []string{"same", "absent", "sub/deep"}
	for name := range want {
		paths = append(paths, name)
	}
	many := slices.Clone(paths)
	for i := range 2 * fewPaths {
		many = append(many, fmt.Sprintf("absent/%d", i))
	}
	from := open(t, filepath.Join(dir, "sub"))
	for _, asked := range [][]string{paths, many} {
		state, err := from.State(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, state.Dirty); diff != "" {
			t.Errorf("%d paths: %s", len(asked), diff)
		}
		if state.Head != gitIn(t, dir, "rev-parse", "HEAD") || state.Branch != "main" || state.Busy != "" {
			t.Errorf("%+v", state)
		}
	}
	if state, err := r.State(t.Context(), nil); err != nil || len(state.Dirty) != 0 || state.Branch != "main" {
		t.Errorf("%+v, %v", state, err)
	}
}

func TestStateUnborn(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil)
	put(t, r.Root(), map[string]string{"x": "1", "y": "1"})
	gitIn(t, r.Root(), "add", "y")
	state, err := r.State(t.Context(), []string{"x", "y"})
	want := map[string]string{"x": "untracked", "y": "staged"}
	if err != nil || state.Head != "" || state.Branch != "main" || !cmp.Equal(want, state.Dirty) {
		t.Errorf("%+v, %v", state, err)
	}
}

func TestStateBusyDetachedWorktree(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1\n"})
	dir := r.Root()
	gitIn(t, dir, "checkout", "-q", "-b", "other")
	put(t, dir, map[string]string{"x": "2\n"})
	gitIn(t, dir, "commit", "-qam", "two")
	gitIn(t, dir, "checkout", "-q", "main")
	put(t, dir, map[string]string{"x": "3\n"})
	gitIn(t, dir, "commit", "-qam", "three")
	tree := filepath.Join(t.TempDir(), "linked")
	gitIn(t, dir, "worktree", "add", "-q", "--detach", tree, "main")
	for op, name := range map[string]string{"merge": "merge", "cherry-pick": "cherry-pick", "rebase": "rebase"} {
		exec.Command("git", "-C", tree, "-c", "user.name=a", "-c", "user.email=a@b", op, "other").Run()
		linked := open(t, tree)
		state, err := linked.State(t.Context(), []string{"x"})
		if err != nil || state.Busy != name || state.Branch != "" || state.Dirty["x"] != "conflicted" {
			t.Errorf("%s: %+v, %v", op, state, err)
		}
		if op == "merge" {
			_, err = linked.Commit(t.Context(), delivery(t, linked, map[string]string{"x": "4\n"}))
			wantError(t, err, "the commit was refused by git: cannot do a partial commit during a merge")
		}
		gitIn(t, tree, op, "--abort")
	}
	if state, err := r.State(t.Context(), []string{"x"}); err != nil || state.Busy != "" || len(state.Dirty) != 0 {
		t.Errorf("%+v, %v", state, err)
	}
}

func TestStateForeign(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1", "dir/y": "1"})
	inner := filepath.Join(r.Root(), "inner")
	gitIn(t, r.Root(), "init", "-q", inner)
	put(t, inner, map[string]string{"a/z": "1"})
	gitIn(t, r.Root(), "-c", "protocol.file.allow=always", "submodule", "add", "-q", newRepo(t, map[string]string{"m": "1"}).Root(), "mod")
	module := open(t, filepath.Join(r.Root(), "mod"))
	put(t, module.Root(), map[string]string{"m": "2"})
	if state, err := module.State(t.Context(), []string{"m"}); err != nil || state.Dirty["m"] != "modified" {
		t.Errorf("%+v, %v", state, err)
	}
	symlink(t, "dir", filepath.Join(r.Root(), "link"))
	for name, want := range map[string]string{
		"link/y":    "link/y lies behind the symbolic link link",
		"../x":      "leads out",
		"inner/a/z": "",
		"mod/m":     "",
	} {
		many := []string{name}
		for i := range 2 * fewPaths {
			many = append(many, fmt.Sprintf("absent/%d", i))
		}
		for _, paths := range [][]string{{name}, many} {
			state, err := r.State(t.Context(), paths)
			if want == "" {
				if err != nil || !maps.Equal(state.Dirty, map[string]string{name: "foreign"}) {
					t.Errorf("%s of %d: %v, %v", name, len(paths), state.Dirty, err)
				}
				continue
			}
			wantError(t, err, want)
		}
	}
	for name, want := range map[string]string{"link/y": "link/y lies behind the symbolic link link", "../x": "leads out"} {
		wantError(t, r.Write(t.Context(), fileList(map[string]string{name: "2"})), want)
	}
}

// A directory that gave way to a link is not taken for the directory, though
// git knows the files and finds the same bytes behind the link.
func TestStateDirectoryBecameLink(t *testing.T) {
	t.Parallel()
	files := map[string]string{"dir/y": "1"}
	for i := range 2 * fewPaths {
		files[fmt.Sprintf("rest/%d", i)] = "1"
	}
	r := newRepo(t, files)
	if err := os.Rename(filepath.Join(r.Root(), "dir"), filepath.Join(r.Root(), "moved")); err != nil {
		t.Fatal(err)
	}
	symlink(t, "moved", filepath.Join(r.Root(), "dir"))
	for _, paths := range [][]string{{"dir/y"}, names(files)} {
		_, err := r.State(t.Context(), paths)
		wantError(t, err, "dir/y lies behind the symbolic link dir")
	}
}

// The mark of the index stays as long as nothing is staged, whatever is changed
// beside it or asked.
func TestStateIndex(t *testing.T) {
	t.Parallel()
	if _, err := newRepo(t, nil).State(t.Context(), []string{"x"}); err != nil {
		t.Error(err)
	}
	r := newRepo(t, map[string]string{"x": "1"})
	first := indexOf(t, r)
	if first == "" {
		t.Fatal("no mark")
	}
	put(t, r.Root(), map[string]string{"x": "2"})
	if again := indexOf(t, r); again != first {
		t.Errorf("%q, then %q", first, again)
	}
	gitIn(t, r.Root(), "add", "x")
	staged := indexOf(t, r)
	gitIn(t, r.Root(), "reset", "-q", "--hard")
	if reset := indexOf(t, r); staged == first || reset == staged {
		t.Errorf("%q, staged %q, reset %q", first, staged, reset)
	}
	tree := filepath.Join(t.TempDir(), "linked")
	gitIn(t, r.Root(), "worktree", "add", "-q", tree)
	linked := open(t, tree)
	before, main := indexOf(t, linked), indexOf(t, r)
	put(t, tree, map[string]string{"x": "3"})
	gitIn(t, tree, "add", "x")
	if indexOf(t, linked) == before || indexOf(t, r) != main {
		t.Error("a linked work tree has an index of its own")
	}
}

func indexOf(t *testing.T, r *Repo) string {
	t.Helper()
	state, err := r.State(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return state.Index
}

// A checkout that turns line endings is clean, and the head's bytes are as stored.
func TestAutocrlf(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1\n2\n"})
	gitIn(t, r.Root(), "config", "core.autocrlf", "true")
	os.Remove(filepath.Join(r.Root(), "x"))
	gitIn(t, r.Root(), "checkout", "-q", "x")
	if got := get(t, r.Root(), "x"); got != "1\r\n2\r\n" {
		t.Fatalf("%q", got)
	}
	state, err := r.State(t.Context(), []string{"x"})
	if err != nil || len(state.Dirty) != 0 {
		t.Errorf("%+v, %v", state, err)
	}
	head, err := r.Committed(t.Context(), []string{"x"})
	if err != nil || string(head["x"]) != "1\n2\n" {
		t.Errorf("%q, %v", head, err)
	}
}

// The pathspecs for many paths match all of these, whatever is in their names.
func TestCovering(t *testing.T) {
	t.Parallel()
	for want, paths := range map[string][]string{
		":(top,glob)apps/*/overlays/dev/k.yaml :(top,glob)apps/*/overlays/prod/k.yaml": {
			"apps/a/overlays/dev/k.yaml", "apps/b/overlays/prod/k.yaml", "apps/c/overlays/dev/k.yaml", "apps/d/overlays/dev/k.yaml"},
		":(top,glob)a/x :(top,glob)x":        {"x", "a/x"},
		`:(top,glob)*/\*\?\[\\ :(top,glob)y`: {`a/*?[\`, `b/*?[\`, `c/*?[\`, `d/*?[\`, "y"},
	} {
		if got := strings.Join(covering(paths), " "); got != want {
			t.Errorf("%q: %q, want %q", paths, got, want)
		}
	}
	many := map[string]string{}
	for i := range 300 {
		many[fmt.Sprintf("f%d", i)] = "1"
		many[fmt.Sprintf("apps/[%d]*?\\/overlays/pro\"d/k.yaml", i)] = "1"
	}
	for _, name := range awkward {
		many["odd/"+name+"/x.yaml"] = "1"
	}
	all := names(many)
	for _, only := range []string{"yaml", ""} {
		paths := slices.DeleteFunc(slices.Clone(all), func(p string) bool { return !strings.HasSuffix(p, only) })
		if specs := covering(paths); (specs == nil) != (only == "") {
			t.Fatalf("%q", specs)
		}
		r := newRepo(t, many)
		for _, p := range paths {
			put(t, r.Root(), map[string]string{p: "22"})
		}
		state, err := r.State(t.Context(), paths)
		if err != nil || len(state.Dirty) != len(paths) {
			t.Errorf("%d of %d, %v", len(state.Dirty), len(paths), err)
		}
		for p, how := range state.Dirty {
			if how != "modified" {
				t.Errorf("%q is %s", p, how)
			}
		}
	}
}

// What git is told not to look at is not taken for clean.
func TestStateHidden(t *testing.T) {
	t.Parallel()
	for amount, files := range amounts {
		for _, flag := range []string{"--assume-unchanged", "--skip-worktree"} {
			r := newRepo(t, files("1"))
			var name string
			for name = range files("") {
				break
			}
			gitIn(t, r.Root(), "update-index", flag, "--", name)
			state, err := r.State(t.Context(), names(files("")))
			if err != nil || len(state.Dirty) != 1 || state.Dirty[name] != "hidden" {
				t.Errorf("%s, %s: %+v, %v", amount, flag, state, err)
			}
		}
	}
}

// Settings that concern what is shown to people do not stop the reading.
func TestOddSettings(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"ä": "1", "x": "1"})
	for _, setting := range []string{"diff.orderFile=/absent", "core.quotePath=true", "status.renames=copies", "diff.external=false", "color.ui=always", "core.fsmonitor=/absent"} {
		key, value, _ := strings.Cut(setting, "=")
		gitIn(t, r.Root(), "config", key, value)
	}
	put(t, r.Root(), map[string]string{"ä": "2"})
	state, err := r.State(t.Context(), []string{"ä", "x"})
	if err != nil || len(state.Dirty) != 1 || state.Dirty["ä"] != "modified" {
		t.Errorf("%+v, %v", state, err)
	}
	if _, err := r.Commit(t.Context(), delivery(t, r, map[string]string{"ä": "3"})); err != nil {
		t.Error(err)
	}
	n := 0
	err = r.Commits(t.Context(), []string{"ä"}, func(c history.Commit) (bool, error) { n++; return true, nil })
	if err != nil || n != 2 {
		t.Errorf("%d commits, %v", n, err)
	}
}
