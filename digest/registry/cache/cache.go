// Package cache keeps manifests and configurations of images on disk, under their
// digests: content that never changes, and need not be asked of a registry twice.
//
// What is read from it is compared with its digest each time, so that nobody has
// to trust the disk. What a tag stands for is never kept. It is bounded in bytes
// and in entries, and several processes may share one directory.
package cache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	defaultCacheBytes = 256 << 20
	// maxCacheEntry bounds what is kept: manifests, configurations,
	// signatures, not layers.
	maxCacheEntry = content.MaxManifest
	// maxCacheCount bounds the entries of a cache.
	maxCacheCount = 10_000
	// cacheRecount is how many entries are put before those of other
	// processes are counted again.
	cacheRecount = 256
	// abandonedAfter is the age at which a file that was never finished is
	// taken to be left over from a process that has died.
	abandonedAfter = time.Hour

	cachePrefix     = "sha256-"
	cacheUnfinished = "unfinished-"
)

// Cache keeps content on disk under its digest, for one user. It never keeps
// what a tag stands for, which may change at any time.
//
// Several processes may use one directory at the same time. Content is checked
// against its digest each time it is read, so that a broken or forged entry is
// no more than an entry that is not there. It is safe for concurrent use. Make
// it with [OpenCache].
type Cache struct {
	root     *os.Root
	maxBytes int64

	mu    sync.Mutex // guards the estimates
	bytes int64
	count int
	puts  int // since they were counted
}

// OpenCache opens the cache in dir, and makes dir if it is not there, readable
// by this user only. The cache keeps at most maxBytes, 0 or less for 256 MiB,
// and at most 10,000 entries; when there is more, the oldest go.
//
// It is an error if dir is a symbolic link, or may be written by other users:
// they could not forge content, but they could see what is asked for.
func OpenCache(dir string, maxBytes int64) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, cacheError("cache cannot be made", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, cacheError("cache cannot be opened", err)
	}
	if !info.IsDir() {
		return nil, fault.Text("cache is not a folder, or a link to one")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, cacheError("cache cannot be opened", err)
	}
	// What was opened is what was looked at, and nobody else may write there.
	opened, err := root.Stat(".")
	if err == nil && !os.SameFile(info, opened) {
		err = fault.Text("cache was replaced while it was opened")
	}
	if err == nil && writableByOthers(opened.Mode()) {
		err = fault.Text("cache may be written by other users, run chmod 700 on its folder")
	}
	c := &Cache{root: root, maxBytes: maxBytes}
	if maxBytes <= 0 {
		c.maxBytes = defaultCacheBytes
	}
	if err == nil {
		err = c.trim()
	}
	if err != nil {
		root.Close()
		return nil, cacheError("cache cannot be opened", err)
	}
	return c, nil
}

// Close ends the use of the cache.
func (c *Cache) Close() error { return c.root.Close() }

func cacheError(text string, err error) error {
	if own, ok := errors.AsType[fault.Text](err); ok {
		return own
	}
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		text += ": " + file.Err.Error()
	}
	return &fault.Cause{Text: text, Err: err}
}

// cacheName is the file of a digest; it says why there is none.
func cacheName(digest string) (name, why string) {
	if _, why := grammar.CheckDigest(digest); why != "" {
		return "", why
	}
	return cachePrefix + strings.TrimPrefix(digest, grammar.DigestPrefix), ""
}

// Get gives the content of digest, "sha256:…", if the cache has it. An entry
// that does not have that digest is removed.
func (c *Cache) Get(digest string) ([]byte, bool) {
	name, why := cacheName(digest)
	if why != "" {
		return nil, false
	}
	data, err := c.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false
	}
	if err != nil || content.Hash(data).String() != digest {
		c.root.Remove(name)
		return nil, false
	}
	return data, true
}

// read reads a regular file: a link may lead to another one, and a pipe would
// be waited on without end.
func (c *Cache) read(name string) ([]byte, error) {
	info, err := c.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxCacheEntry {
		return nil, fault.Text("not an entry of a cache")
	}
	f, err := c.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if now, err := f.Stat(); err != nil || !os.SameFile(info, now) {
		return nil, fault.Text("not an entry of a cache")
	}
	data, over, err := content.ReadAtMost(f, maxCacheEntry)
	if over {
		return nil, fault.Text("not an entry of a cache")
	}
	return data, err
}

// Put keeps content under digest. Content that has another digest, or is
// larger than 4 MiB or than the whole cache, is an error. What is there
// already is not written again.
func (c *Cache) Put(digest string, data []byte) error {
	name, why := cacheName(digest)
	if why != "" {
		return fault.Text(why)
	}
	if size := int64(len(data)); size > maxCacheEntry || size > c.maxBytes {
		return fault.Text(fmt.Sprintf("content of %d bytes is too large for the cache", size))
	}
	if got := content.Hash(data).String(); got != digest {
		return content.ErrForged + fault.Text(got)
	}
	if info, err := c.root.Lstat(name); err == nil && info.Mode().IsRegular() && info.Size() == int64(len(data)) {
		return nil
	}
	if err := c.write(name, data); err != nil {
		return cacheError("cache cannot be written", err)
	}
	c.mu.Lock()
	c.bytes += int64(len(data))
	c.count++
	c.puts++
	full := c.bytes > c.maxBytes || c.count > maxCacheCount || c.puts >= cacheRecount
	c.mu.Unlock()
	if !full {
		return nil
	}
	if err := c.trim(); err != nil {
		return cacheError("cache cannot be tidied", err)
	}
	return nil
}

// write makes an entry whole or not at all. It need not survive a power cut: a
// broken entry is found when it is read.
func (c *Cache) write(name string, data []byte) error {
	temporary := cacheUnfinished + rand.Text()
	f, err := c.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = c.root.Rename(temporary, name)
	}
	if err != nil {
		c.root.Remove(temporary)
	}
	return err
}

// cacheFile is an entry as trim sees it.
type cacheFile struct {
	name string
	size int64
	at   time.Time
}

// trim counts the entries of all processes, and removes the oldest when there
// are too many. It then leaves a tenth free, so as not to be called each time.
func (c *Cache) trim() error {
	files, err := c.list()
	if err != nil {
		return err
	}
	var total int64
	for _, f := range files {
		total += f.size
	}
	count := len(files)
	if total > c.maxBytes || count > maxCacheCount {
		slices.SortFunc(files, func(a, b cacheFile) int { return a.at.Compare(b.at) })
		for _, f := range files {
			if total <= c.maxBytes/10*9 && count <= maxCacheCount/10*9 {
				break
			}
			// Another process may have been faster.
			if err := c.root.Remove(f.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			total -= f.size
			count--
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes, c.count, c.puts = total, count, 0
	return nil
}

// list finds the entries, and clears away what dead processes have left. Files
// that are not of a cache are not touched.
func (c *Cache) list() ([]cacheFile, error) {
	dir, err := c.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var files []cacheFile
	for {
		entries, err := dir.ReadDir(1000)
		for _, e := range entries {
			unfinished := strings.HasPrefix(e.Name(), cacheUnfinished)
			if !unfinished && !strings.HasPrefix(e.Name(), cachePrefix) {
				continue
			}
			info, err := e.Info()
			if err != nil || !info.Mode().IsRegular() {
				continue // gone, or none of ours
			}
			if !unfinished {
				files = append(files, cacheFile{e.Name(), info.Size(), info.ModTime()})
			} else if time.Since(info.ModTime()) > abandonedAfter {
				c.root.Remove(e.Name())
			}
		}
		if errors.Is(err, io.EOF) || err == nil && len(entries) == 0 {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// writableByOthers reads the permissions of a folder. On Windows the mode says
// nothing about who may write.
func writableByOthers(mode fs.FileMode) bool {
	return runtime.GOOS != "windows" && mode.Perm()&0o022 != 0
}
