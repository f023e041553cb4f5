package cache_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry/cache"
)

func openCache(t testing.TB, dir string, maxBytes int64) *cache.Cache {
	t.Helper()
	c, err := cache.OpenCache(dir, maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func sumOf(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

func fileOf(dir, digest string) string {
	return filepath.Join(dir, strings.Replace(digest, ":", "-", 1))
}

func put(t *testing.T, c *cache.Cache, content []byte) string {
	t.Helper()
	d := sumOf(content)
	if err := c.Put(d, content); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	c := openCache(t, dir, 0)
	d := put(t, c, []byte("one"))
	for range 2 {
		if got, ok := c.Get(d); !ok || string(got) != "one" {
			t.Errorf("got %q, %v", got, ok)
		}
		c = openCache(t, dir, 0) // what another process would see
	}
	if _, ok := c.Get(sumOf([]byte("two"))); ok {
		t.Error("got what was never put")
	}
	if empty := put(t, c, nil); empty != "" {
		if got, ok := c.Get(empty); !ok || len(got) != 0 {
			t.Errorf("empty content is %q, %v", got, ok)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("folder is %v, %v", info.Mode(), err)
	}
}

func TestCacheRefuses(t *testing.T) {
	c := openCache(t, t.TempDir(), 1<<20)
	small := []byte("x")
	for name, tt := range map[string]struct {
		digest  string
		content []byte
		want    string
	}{
		"another digest": {registrytest.SomeDigest, small, "content has another digest, " + sumOf(small)},
		"no digest":      {"../../x", small, "digest does not start"},
		"short digest":   {"sha256:ab", small, "2 hexadecimal digits"},
		"too large":      {sumOf(make([]byte, 2<<20)), make([]byte, 2<<20), "too large"},
	} {
		if err := c.Put(tt.digest, tt.content); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if _, ok := c.Get(tt.digest); ok {
			t.Errorf("%s: kept", name)
		}
	}
}

// Whatever is in the place of an entry, it is the content or nothing, and what
// is put later is found again.
func TestCacheCorrupted(t *testing.T) {
	content := []byte("some content")
	d := sumOf(content)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(file string) error{
		"changed":   func(f string) error { return os.WriteFile(f, []byte("same length!"), 0o600) },
		"cut short": func(f string) error { return os.Truncate(f, 3) },
		"empty":     func(f string) error { return os.Truncate(f, 0) },
		"huge":      func(f string) error { return os.Truncate(f, 1<<40) },
		"link":      func(f string) error { os.Remove(f); return os.Symlink(outside, f) },
		"folder":    func(f string) error { os.Remove(f); return os.Mkdir(f, 0o700) },
	} {
		dir := t.TempDir()
		c := openCache(t, dir, 0)
		put(t, c, content)
		if err := damage(fileOf(dir, d)); err != nil {
			t.Logf("%s cannot be tried here: %v", name, err)
			continue
		}
		if got, ok := c.Get(d); ok {
			t.Errorf("%s: got %q", name, got)
		}
		if _, err := os.Lstat(fileOf(dir, d)); !os.IsNotExist(err) {
			t.Errorf("%s: still there, %v", name, err)
		}
		put(t, c, content)
		if got, ok := c.Get(d); !ok || !bytes.Equal(got, content) {
			t.Errorf("%s: put again and got %q, %v", name, got, ok)
		}
	}
	if got, err := os.ReadFile(outside); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the file a link led to is %q, %v", got, err)
	}
}

func TestOpenCacheRefuses(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions, and links need a privilege")
	}
	dir := t.TempDir()
	open, link, file := filepath.Join(dir, "open"), filepath.Join(dir, "link"), filepath.Join(dir, "file")
	for _, err := range []error{
		os.Mkdir(open, 0o700), os.Chmod(open, 0o777), os.Symlink(t.TempDir(), link), os.WriteFile(file, nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		open: "may be written by other users, run chmod 700",
		link: "not a folder, or a link to one",
		file: "not a directory",
	} {
		if _, err := cache.OpenCache(path, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("OpenCache(%s): %v, want %q", path, err, want)
		}
	}
}

// The oldest entries go, also those of other processes, and nothing else does.
func TestCacheBounds(t *testing.T) {
	dir := t.TempDir()
	const size, room = 1000, 20
	other := openCache(t, dir, size*room)
	var digests []string
	for i := range room {
		d := put(t, other, bytes.Repeat([]byte{byte(i)}, size))
		at := time.Now().Add(time.Duration(i-100) * time.Minute)
		if err := os.Chtimes(fileOf(dir, d), at, at); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, d)
	}
	bystander, stale, fresh := filepath.Join(dir, "README"), filepath.Join(dir, "unfinished-A"), filepath.Join(dir, "unfinished-B")
	for _, f := range []string{bystander, stale, fresh} {
		if err := os.WriteFile(f, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-3 * time.Hour)
	if err := os.Chtimes(stale, old, old); err != nil {
		t.Fatal(err)
	}
	c := openCache(t, dir, size*room)
	last := put(t, c, bytes.Repeat([]byte{99}, size))
	gone := 0
	for i, d := range digests {
		if _, ok := c.Get(d); ok {
			continue
		}
		if gone++; gone != i+1 {
			t.Errorf("entry %d went before an older one", i)
		}
	}
	if _, ok := c.Get(last); !ok || gone != 3 {
		t.Errorf("%d of %d entries went, want 3; the newest is there: %v", gone, room, ok)
	}
	for file, want := range map[string]bool{bystander: true, fresh: true, stale: false} {
		if _, err := os.Stat(file); (err == nil) != want {
			t.Errorf("%s is there: %v", filepath.Base(file), err == nil)
		}
	}
}

// Many goroutines with handles of their own, as processes have, never see
// content that is not whole, and stay within bounds.
func TestCacheShared(t *testing.T) {
	dir := t.TempDir()
	const maxBytes = 64 << 10
	contents := make([][]byte, 40)
	for i := range contents {
		contents[i] = bytes.Repeat([]byte{byte(i)}, 3000+i)
	}
	var hits atomic.Int32
	var wg sync.WaitGroup
	for worker := range 6 {
		c := openCache(t, dir, maxBytes)
		for range 2 {
			wg.Go(func() {
				for i := range 150 {
					content := contents[(i*7+worker)%len(contents)]
					d := sumOf(content)
					if got, ok := c.Get(d); ok {
						hits.Add(1)
						if !bytes.Equal(got, content) {
							t.Errorf("%s has other content", d)
						}
					} else if err := c.Put(d, content); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if hits.Load() == 0 {
		t.Error("nothing was ever found")
	}
	openCache(t, dir, maxBytes)
	var total int64
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "unfinished-") {
			t.Errorf("%s is left", e.Name())
		}
		if info, err := e.Info(); err == nil {
			total += info.Size()
		}
	}
	if total > maxBytes {
		t.Errorf("%d bytes, %d allowed", total, maxBytes)
	}
}
