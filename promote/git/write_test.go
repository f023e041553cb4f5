package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"a/x": "1", "same": "s", "run.sh": "1", "a/" + strings.Repeat("l", 250): "1"})
	dir := r.Root()
	if err := os.Chmod(filepath.Join(dir, "run.sh"), 0o751); err != nil {
		t.Fatal(err)
	}
	old := time.Unix(1e9, 0)
	os.Chtimes(filepath.Join(dir, "same"), old, old)
	want := map[string]string{"a/x": "22", "same": "s", "run.sh": "", "a/" + strings.Repeat("l", 250): "2"}
	for _, name := range awkward {
		put(t, dir, map[string]string{name: "1"})
		want[name] = "2"
	}
	if err := r.Write(t.Context(), asFiles(want)); err != nil {
		t.Fatal(err)
	}
	for name, data := range want {
		if got := get(t, dir, name); got != data {
			t.Errorf("%s: %q", name, got)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "run.sh")); err != nil || info.Mode() != 0o751 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Join(dir, "same")); err != nil || !info.ModTime().Equal(old) {
		t.Errorf("the same bytes were written: %v, %v", info.ModTime(), err)
	}
	noLitter(t, dir)
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"good": "1", "ro": "1", "dir/x": "1"})
	dir := r.Root()
	os.Chmod(filepath.Join(dir, "ro"), 0o444)
	symlink(t, "dir/x", filepath.Join(dir, "link"))
	symlink(t, t.TempDir(), filepath.Join(dir, "out"))
	for name, want := range map[string]string{
		"ro": "ro is read-only (mode -r--r--r--)", "link": "link is a symbolic link", "dir": "dir is not a regular file",
		"out/x": "out/x lies behind the symbolic link", "absent": "write absent: no such file", "../y": "leads out",
		".git/config": "belongs to git", "good": "good is to be written twice", ".x.kubepromote": "has the name of a temporary file",
	} {
		err := r.Write(t.Context(), []promote.File{{Path: "good", Data: []byte("2")}, {Path: name, Data: []byte("2")}})
		wantError(t, err, want)
		if errors.Is(err, fs.ErrNotExist) != (name == "absent") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := get(t, dir, "good"); got != "1" {
		t.Errorf("written in spite of an error: %q", got)
	}
	noLitter(t, dir)
}

// What a crash left behind is used or removed, also next to a file that was
// replaced before it, and a planted link is not written through.
func TestWriteAfterCrash(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"new": "2", "old": "1", "old2": "1", "victim": "v"})
	dir := r.Root()
	put(t, dir, map[string]string{".new.kubepromote": "half", ".old.kubepromote": "half of something longer"})
	symlink(t, "victim", filepath.Join(dir, ".old2.kubepromote"))
	if err := r.Write(t.Context(), asFiles(map[string]string{"new": "2", "old": "2", "old2": "2"})); err != nil {
		t.Fatal(err)
	}
	if got := get(t, dir, "new") + get(t, dir, "old") + get(t, dir, "old2") + get(t, dir, "victim"); got != "222v" {
		t.Errorf("%q", got)
	}
	noLitter(t, dir)
}

func testWriter(t *testing.T, r *Repo, hook func(step, path string) error) *writer {
	t.Helper()
	return &writer{root: r.root, hook: hook}
}

func TestWriteFailsWhilePreparing(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 20 {
		files[fmt.Sprintf("d/%d", i)] = "1"
	}
	r := newRepo(t, files)
	changed := map[string]string{}
	for name := range files {
		changed[name] = "2"
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	refuse := errors.New("the disk is gone")
	hooks := map[string]func(step, path string) error{
		"write d/7: the disk is gone": func(step, path string) error {
			if path == "d/7" {
				return refuse
			}
			return nil
		},
		"interrupted": func(step, path string) error {
			if step == "prepared" {
				cancel()
			}
			return nil
		},
	}
	for _, want := range []string{"write d/7: the disk is gone", "interrupted"} {
		wantError(t, testWriter(t, r, hooks[want]).write(ctx, asFiles(changed)), want)
		noLitter(t, r.Root())
		for name := range files {
			if got := get(t, r.Root(), name); got != "1" {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
}

func TestWriteFailsWhileReplacing(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"a": "1", "b": "1", "c": "1"})
	files := []promote.File{{Path: "a", Data: []byte("2")}, {Path: "b", Data: []byte("2")}, {Path: "c", Data: []byte("2")}}
	ctx, cancel := context.WithCancel(t.Context())
	err := testWriter(t, r, func(step, path string) error {
		if step != "rename" {
			return nil
		}
		cancel() // too late to have an effect
		if path == "b" {
			return &fs.PathError{Op: "rename", Path: "b", Err: fs.ErrPermission}
		}
		return nil
	}).write(ctx, files)
	wantError(t, err, "replace b: permission denied; 1 of 3 files are replaced (a), the same command again completes it")
	noLitter(t, r.Root())
	if got := get(t, r.Root(), "a") + get(t, r.Root(), "b"); got != "21" {
		t.Errorf("%q", got)
	}
	if err := r.Write(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	if got := get(t, r.Root(), "a") + get(t, r.Root(), "b") + get(t, r.Root(), "c"); got != "222" {
		t.Errorf("%q", got)
	}
}

func TestWriteMany(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before, after := map[string]string{}, map[string]string{}
	for i := range 1000 {
		name := fmt.Sprintf("apps/s%d/overlays/production/kustomization.yaml", i)
		before[name], after[name] = "tag: 1\n", "tag: 2\n"
	}
	put(t, dir, before)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := WriteFiles(t.Context(), root, asFiles(after)); err != nil {
		t.Fatal(err)
	}
	for name, want := range after {
		if got := get(t, dir, name); got != want {
			t.Fatalf("%s: %q", name, got)
		}
	}
	noLitter(t, dir)
}

// BenchmarkWrite1000 and its figure without synchronization tell what of the
// time is this package's.
func BenchmarkWrite1000(b *testing.B) {
	dir := b.TempDir()
	files := make([]promote.File, 1000)
	for i := range files {
		files[i].Path = fmt.Sprintf("apps/s%d/overlays/production/kustomization.yaml", i)
		put(b, dir, map[string]string{files[i].Path: ""})
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	n := 0
	for b.Loop() {
		n++
		for i := range files {
			files[i].Data = fmt.Appendf(nil, "images:\n- name: app\n  newTag: v%d\n", n)
		}
		if err := WriteFiles(b.Context(), root, files); err != nil {
			b.Fatal(err)
		}
	}
}

// Of many files, those that are replaced already are told, and the rest is
// replaced by the same call again.
func TestWriteManyFailsWhileReplacing(t *testing.T) {
	t.Parallel()
	files, changed := map[string]string{}, []promote.File{} // in this order
	for i := range 100 {
		name := fmt.Sprintf("d%d/x", i)
		files[name] = "1"
		changed = append(changed, promote.File{Path: name, Data: []byte("2")})
	}
	r := newRepo(t, files)
	err := testWriter(t, r, func(step, path string) error {
		if step == "rename" && path == "d50/x" {
			return fs.ErrPermission
		}
		return nil
	}).write(t.Context(), changed)
	wantError(t, err, "replace d50/x: permission denied")
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%#v", err)
	}
	noLitter(t, r.Root())
	replaced := 0
	for name := range files {
		if get(t, r.Root(), name) == "2" {
			replaced++
		}
	}
	if replaced == 0 || replaced > 99 {
		t.Fatalf("%d files are replaced", replaced)
	}
	wantError(t, err, fmt.Sprintf("; %d of 100 files are replaced (", replaced))
	if err := r.Write(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	for name := range files {
		if got := get(t, r.Root(), name); got != "2" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
