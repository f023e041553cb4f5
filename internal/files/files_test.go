package files

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
)

// awkward are file names that a careless use takes for something else.
var awkward = []string{"a b.yaml", "-rf", "new\nline", "ä/ö ü.yaml", "*.yaml", "tab\tquote\""}

// newDir makes a directory with the files, and opens it.
func newDir(t testing.TB, list map[string]string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	put(t, root, list)
	return root
}

func put(t testing.TB, root *os.Root, list map[string]string) {
	t.Helper()
	for name, data := range list {
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := root.WriteFile(name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func get(t testing.TB, root *os.Root, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root.Name(), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func symlink(t testing.TB, target string, root *os.Root, link string) {
	t.Helper()
	if err := os.Symlink(target, filepath.Join(root.Name(), link)); err != nil {
		t.Skip(err)
	}
}

func asFiles(m map[string]string) []File {
	var list []File
	for name, data := range m {
		list = append(list, File{Path: name, Data: []byte(data)})
	}
	return list
}

// wantError checks a part of an error's text, and that it is one line.
func wantError(t testing.TB, err error, part string) {
	t.Helper()
	switch {
	case err == nil:
		t.Fatalf("no error, want %q", part)
	case !strings.Contains(err.Error(), part):
		t.Fatalf("error %q, want %q in it", err, part)
	case strings.ContainsAny(err.Error(), "\n\x1b"):
		t.Fatalf("error %q is not one plain line", err)
	case !errors.As(err, new(*Error)):
		t.Fatalf("%T: %v", err, err)
	}
}

// noLitter checks that no temporary file is left.
func noLitter(t testing.TB, root *os.Root) {
	t.Helper()
	err := fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, tempSuffix) {
			t.Errorf("left behind: %s", p)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// writeWith is Write with a hook.
func writeWith(ctx context.Context, root *os.Root, list []File, hook func(step, path string) error) error {
	c, err := Begin(ctx, root, list)
	if err != nil {
		return err
	}
	defer c.Close()
	c.hook = hook
	if err := c.Prepare(ctx); err != nil {
		return err
	}
	return c.Replace()
}

func TestWrite(t *testing.T) {
	t.Parallel()
	long := "a/" + strings.Repeat("l", 250)
	root := newDir(t, map[string]string{"a/x": "1", "same": "s", "run.sh": "1", long: "1"})
	if err := root.Chmod("run.sh", 0o751); err != nil {
		t.Fatal(err)
	}
	old := time.Unix(1e9, 0)
	root.Chtimes("same", old, old)
	want := map[string]string{"a/x": "22", "same": "s", "run.sh": "", long: "2"}
	for _, name := range awkward {
		put(t, root, map[string]string{name: "1"})
		want[name] = "2"
	}
	if err := Write(t.Context(), root, asFiles(want)); err != nil {
		t.Fatal(err)
	}
	for name, data := range want {
		if got := get(t, root, name); got != data {
			t.Errorf("%s: %q", name, got)
		}
	}
	if info, err := root.Stat("run.sh"); err != nil || info.Mode() != 0o751 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err := root.Stat("same"); err != nil || !info.ModTime().Equal(old) {
		t.Errorf("the same bytes were written: %v, %v", info.ModTime(), err)
	}
	noLitter(t, root)
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	root := newDir(t, map[string]string{"good": "1", "ro": "1", "dir/x": "1", "other": "1"})
	root.Chmod("ro", 0o444)
	symlink(t, "dir/x", root, "link")
	symlink(t, t.TempDir(), root, "out")
	symlink(t, "dir", root, "in")
	for name, want := range map[string]string{
		"ro": "ro is read-only (mode -r--r--r--)", "link": "link is a symbolic link", "dir": "dir is not a regular file",
		"out/x": "out/x lies behind the symbolic link out", "in/x": "in/x lies behind the symbolic link in",
		"absent": "write absent: no such file", "none/absent": "write none/absent: no such file", "../y": "leads out of the directory",
		"/etc/x": "leads out of the directory", "a//b": "is not clean", "": "is not clean", ".": "is not clean", "x\x00": "is not clean",
		"good": "good is to be written twice", ".x.kubepromote": "has the name of a temporary file",
		"other": "other has been changed by somebody else in the meantime",
	} {
		err := Write(t.Context(), root, []File{{Path: "good", Data: []byte("2")}, {Path: name, Data: []byte("2"), Old: []byte("0")}})
		wantError(t, err, want)
		if errors.Is(err, fs.ErrNotExist) != strings.HasSuffix(name, "absent") {
			t.Errorf("%s: %v", name, err)
		}
		if LeadsOut(err) != strings.Contains(want, "leads out") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := get(t, root, "good"); got != "1" {
		t.Errorf("written in spite of an error: %q", got)
	}
	noLitter(t, root)
}

// What a crash left behind is used or removed, also next to a file that was
// replaced before it, and a planted link is not written through.
func TestWriteAfterCrash(t *testing.T) {
	t.Parallel()
	root := newDir(t, map[string]string{"new": "2", "old": "1", "old2": "1", "victim": "v",
		".new.kubepromote": "half", ".old.kubepromote": "half of something longer"})
	symlink(t, "victim", root, ".old2.kubepromote")
	if err := Write(t.Context(), root, asFiles(map[string]string{"new": "2", "old": "2", "old2": "2"})); err != nil {
		t.Fatal(err)
	}
	if got := get(t, root, "new") + get(t, root, "old") + get(t, root, "old2") + get(t, root, "victim"); got != "222v" {
		t.Errorf("%q", got)
	}
	noLitter(t, root)
}

func TestWriteFailsWhilePreparing(t *testing.T) {
	t.Parallel()
	before, after := map[string]string{}, map[string]string{}
	for i := range 20 {
		before[fmt.Sprintf("d/%d", i)], after[fmt.Sprintf("d/%d", i)] = "1", "2"
	}
	root := newDir(t, before)
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
		wantError(t, writeWith(ctx, root, asFiles(after), hooks[want]), want)
		noLitter(t, root)
		for name := range before {
			if got := get(t, root, name); got != "1" {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
}

func TestWriteFailsWhileReplacing(t *testing.T) {
	t.Parallel()
	root := newDir(t, map[string]string{"a": "1", "b": "1", "c": "1"})
	list := []File{{Path: "a", Data: []byte("2")}, {Path: "b", Data: []byte("2")}, {Path: "c", Data: []byte("2")}}
	ctx, cancel := context.WithCancel(t.Context())
	err := writeWith(ctx, root, list, func(step, path string) error {
		if step != "rename" {
			return nil
		}
		cancel() // too late to have an effect
		if path == "b" {
			return &fs.PathError{Op: "rename", Path: "b", Err: fs.ErrPermission}
		}
		return nil
	})
	wantError(t, err, "replace b: permission denied; 1 of 3 files are replaced (a), the same command again completes it")
	noLitter(t, root)
	if got := get(t, root, "a") + get(t, root, "b"); got != "21" {
		t.Errorf("%q", got)
	}
	if err := Write(t.Context(), root, list); err != nil {
		t.Fatal(err)
	}
	if got := get(t, root, "a") + get(t, root, "b") + get(t, root, "c"); got != "222" {
		t.Errorf("%q", got)
	}
}

// What somebody saves between our look at a file and its replacement stays, in
// each way to save, and at each moment: an editor's work is not lost.
func TestWriteKeepsLaterSave(t *testing.T) {
	t.Parallel()
	saves := map[string]func(root *os.Root) error{
		"in place": func(root *os.Root) error { return root.WriteFile("b", []byte("theirs"), 0o644) },
		"by rename": func(root *os.Root) error {
			return errors.Join(root.WriteFile("b~", []byte("theirs"), 0o644), root.Rename("b~", "b"))
		},
		"the same size": func(root *os.Root) error { return root.WriteFile("b", []byte("3"), 0o644) },
	}
	for how, save := range saves {
		for _, moment := range []string{"prepared", "rename"} {
			t.Run(how+" "+moment, func(t *testing.T) {
				root := newDir(t, map[string]string{"a": "1", "b": "1", "c": "1"})
				list := []File{{Path: "a", Data: []byte("2")}, {Path: "b", Data: []byte("2")}, {Path: "c", Data: []byte("2")}}
				theirs := ""
				err := writeWith(t.Context(), root, list, func(step, path string) error {
					if step != moment || path != "b" && path != "" {
						return nil
					}
					err := save(root)
					theirs = get(t, root, "b")
					return err
				})
				wantError(t, err, "b has been changed by somebody else in the meantime")
				if got := get(t, root, "b"); got != theirs || theirs == "1" {
					t.Errorf("b holds %q, they saved %q", got, theirs)
				}
				if got := get(t, root, "a"); moment == "prepared" && got != "1" {
					t.Errorf("a was replaced before all were compared: %q", got)
				}
				if got := get(t, root, "c"); got != "1" {
					t.Errorf("c was replaced after the error: %q", got)
				}
				noLitter(t, root)
			})
		}
	}
}

// A file that is gone, or that is a link or has another mode by now, is not
// replaced either.
func TestWriteKeepsLaterChange(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want   string
		change func(root *os.Root) error
	}{
		{"replace b: no such file", func(root *os.Root) error { return root.Remove("b") }},
		{"b has been changed by somebody else", func(root *os.Root) error { return root.Chmod("b", 0o755) }},
		{"b has been changed by somebody else", func(root *os.Root) error { return errors.Join(root.Remove("b"), root.Symlink("a", "b")) }},
	} {
		root := newDir(t, map[string]string{"a": "1", "b": "1"})
		err := writeWith(t.Context(), root, []File{{Path: "b", Data: []byte("2")}}, func(step, path string) error {
			if step == "rename" {
				return test.change(root)
			}
			return nil
		})
		wantError(t, err, test.want)
		noLitter(t, root)
		if got := get(t, root, "a"); got != "1" {
			t.Errorf("a: %q", got)
		}
	}
}

// A temporary file that is another's by now is not removed.
func TestCloseKeepsOthersFile(t *testing.T) {
	t.Parallel()
	root := newDir(t, map[string]string{"a": "1"})
	stop := errors.New("stop")
	err := writeWith(t.Context(), root, []File{{Path: "a", Data: []byte("2")}}, func(step, path string) error {
		if step != "prepared" {
			return nil
		}
		return errors.Join(root.WriteFile("x", []byte("theirs"), 0o644), root.Rename("x", tempName("a")), stop)
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if got := get(t, root, tempName("a")); got != "theirs" {
		t.Errorf("%q", got)
	}
}

func TestWriteMany(t *testing.T) {
	t.Parallel()
	before, after := map[string]string{}, map[string]string{}
	for i := range 1000 {
		name := fmt.Sprintf("apps/s%d/overlays/production/kustomization.yaml", i)
		before[name], after[name] = "tag: 1\n", "tag: 2\n"
	}
	root := newDir(t, before)
	if err := Write(t.Context(), root, asFiles(after)); err != nil {
		t.Fatal(err)
	}
	for name, want := range after {
		if got := get(t, root, name); got != want {
			t.Fatalf("%s: %q", name, got)
		}
	}
	noLitter(t, root)
}

// Of many files, those that are replaced already are told, and the rest is
// replaced by the same call again.
func TestWriteManyFailsWhileReplacing(t *testing.T) {
	t.Parallel()
	before, list := map[string]string{}, []File{} // in this order
	for i := range 100 {
		name := fmt.Sprintf("d%d/x", i)
		before[name] = "1"
		list = append(list, File{Path: name, Data: []byte("2")})
	}
	root := newDir(t, before)
	err := writeWith(t.Context(), root, list, func(step, path string) error {
		if step == "rename" && path == "d50/x" {
			return fs.ErrPermission
		}
		return nil
	})
	wantError(t, err, "replace d50/x: permission denied")
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%#v", err)
	}
	noLitter(t, root)
	replaced := 0
	for name := range before {
		if get(t, root, name) == "2" {
			replaced++
		}
	}
	if replaced == 0 || replaced > 99 {
		t.Fatalf("%d files are replaced", replaced)
	}
	wantError(t, err, fmt.Sprintf("; %d of 100 files are replaced (", replaced))
	if err := Write(t.Context(), root, list); err != nil {
		t.Fatal(err)
	}
	for name := range before {
		if got := get(t, root, name); got != "2" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// BenchmarkWrite1000 tells what of the time of a large promotion is this
// package's.
func BenchmarkWrite1000(b *testing.B) {
	root := newDir(b, nil)
	list := make([]File, 1000)
	for i := range list {
		list[i].Path = fmt.Sprintf("apps/s%d/overlays/production/kustomization.yaml", i)
		put(b, root, map[string]string{list[i].Path: ""})
	}
	n := 0
	for b.Loop() {
		n++
		for i := range list {
			list[i].Data = fmt.Appendf(nil, "images:\n- name: app\n  newTag: v%d\n", n)
		}
		if err := Write(b.Context(), root, list); err != nil {
			b.Fatal(err)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	root := newDir(t, map[string]string{"a/x": "text", "empty": "", "large": ""})
	symlink(t, "a/x", root, "inside")
	symlink(t, t.TempDir(), root, "outside")
	for name, want := range map[string]string{"a/x": "text", "inside": "text", "empty": ""} {
		if data, err := Read(root, name); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if err := os.Truncate(filepath.Join(root.Name(), "large"), MaxSize+1); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a": "a is not a regular file", "large": "large is larger than 64 MiB", "absent": "read absent: no such file", "outside/x": "outside/x leads out",
	} {
		_, err := Read(root, name)
		wantError(t, err, want)
	}
}

// A new file comes whole, or not at all where something has its name: what somebody has
// written there in the meantime is never replaced.
func TestWriteNew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	write := func(data string) error {
		return Write(t.Context(), root, []File{{Path: "new.yaml", Data: []byte(data), New: true}})
	}
	read := func() string {
		data, err := os.ReadFile(filepath.Join(dir, "new.yaml"))
		if err != nil {
			return err.Error()
		}
		return string(data)
	}
	if err := write("a"); err != nil || read() != "a" {
		t.Fatalf("%v: %s", err, read())
	}
	if err := write("a"); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := write("b"); err == nil || read() != "a" {
		t.Errorf("%v: %s", err, read())
	}
	// It comes between the look at the directory and the write.
	if err := os.Remove(filepath.Join(dir, "new.yaml")); err != nil {
		t.Fatal(err)
	}
	c, err := Begin(t.Context(), root, []File{{Path: "new.yaml", Data: []byte("b"), New: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "new.yaml"), []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Replace(); err == nil || read() != "theirs" {
		t.Errorf("%v: %s", err, read())
	}
	c.Close()
	if names, _ := filepath.Glob(filepath.Join(dir, ".*")); len(names) > 0 {
		t.Errorf("left: %v", names)
	}
}
