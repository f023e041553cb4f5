package branch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/internal/unbroken"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/git/internal/stored"
)

// Cache is where parts of repositories are kept that are known by their URL alone.
type Cache struct {
	// Dir is the directory; empty for none: then what is fetched is forgotten at the end.
	Dir string
	// Env are more variables for git, such as those that name a helper for credentials.
	Env []string
	// User, if not empty, is the directory of a clone whose configuration says who commits.
	User string
	// Filled, if not nil, is set where a repository of the directory is fetched into: who
	// has done so calls Prune.
	Filled *atomic.Bool
}

// CheckURL refuses what is not the URL of a repository: git would take some texts for
// commands to run. Accepted are https, http, ssh, git and file URLs, and USER@HOST:PATH.
func CheckURL(address string) error {
	bad := &gitcmd.Error{Msg: "not the URL of a repository: " + gitcmd.Clean(address), Hint: "https://HOST/PATH.git"}
	if strings.HasPrefix(address, "-") || strings.Contains(address, "::") || strings.ContainsAny(address, "\x00\n\r") {
		return bad
	}
	if !IsURL(address) {
		return bad
	}
	u, err := url.Parse(address)
	if err != nil || !strings.Contains(address, "://") {
		return nil // USER@HOST:PATH
	}
	switch u.Scheme {
	case "https", "http", "ssh", "git":
		if u.Host == "" || strings.HasPrefix(u.Host, "-") {
			return bad
		}
	case "file":
	default:
		return bad
	}
	return nil
}

// IsURL tells a repository's URL from a directory.
func IsURL(s string) bool {
	if strings.Contains(s, "://") {
		return true
	}
	host, path, ok := strings.Cut(s, ":")
	return ok && path != "" && strings.Contains(host, "@") && !strings.ContainsAny(host, `/\`)
}

// WithoutCredentials gives a URL as it may be shown.
func WithoutCredentials(address string) string { return gitcmd.Clean(address) }

// OfURL gives a branch of a repository that is known by its URL; of an empty name the
// one that the repository has as its default. The repository's trees and files are
// fetched as they are read (https://git-scm.com/docs/partial-clone).
func OfURL(ctx context.Context, address, name string, cache Cache) (*Branch, error) {
	if err := CheckURL(address); err != nil {
		return nil, err
	}
	dir, release, err := cache.take(ctx, address)
	if err != nil {
		return nil, err
	}
	b := &Branch{ctx: ctx, dir: dir, gitDir: dir, remote: "origin", address: address, name: name, env: append(remoteURL(address), cache.Env...), user: cache.User, release: release}
	b.objects, b.far = &stored.Objects{Dir: dir, Fetch: b.fetchObjects}, &far{}
	if name == "" {
		if b.name, err = defaultBranch(ctx, b, "origin"); err != nil {
			b.Close()
			return nil, err
		}
	}
	return open(ctx, b)
}

// passwordVariable has the password of a URL for the helper below.
const passwordVariable = "KUBEPROMOTE_GIT_PASSWORD"

// passwordHelper answers git with it (https://git-scm.com/docs/gitcredentials).
const passwordHelper = `!f() { test "$1" = get && printf 'password=%s\n' "$` + passwordVariable + `"; }; f`

// remoteURL has git take an address for the remote's. A password in it is neither written
// to the cache, nor seen among the arguments of programs, nor given to the user's own
// helpers to be kept, nor told to another host that this one redirects to. What the user's own variables say stays
// (https://git-scm.com/docs/git-config#ENVIRONMENT).
func remoteURL(address string) []string {
	settings, env := [][2]string{}, []string{}
	if u, err := url.Parse(address); err == nil && u.User != nil {
		if password, ok := u.User.Password(); ok {
			u.User = url.User(u.User.Username())
			address, env = u.String(), []string{passwordVariable + "=" + password}
			helper := "credential." + u.Scheme + "://" + u.Host + ".helper"
			settings = [][2]string{{helper, ""}, {helper, passwordHelper}}
		}
	}
	n, err := strconv.Atoi(os.Getenv("GIT_CONFIG_COUNT"))
	if err != nil || n < 0 {
		n = 0
	}
	for _, set := range append(settings, [2]string{"remote.origin.url", address}) {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", n, set[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, set[1]))
		n++
	}
	return append(env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", n))
}

// take gives a repository to fetch into: the one in the cache, unless another program is
// at it; else one that is forgotten.
func (c Cache) take(ctx context.Context, address string) (dir string, release func(), err error) {
	if c.Dir != "" {
		dir = filepath.Join(c.Dir, fmt.Sprintf("%x", sha256.Sum256([]byte(withoutUser(address))))[:32]+".git")
		f, err := lockDir(dir)
		if err != nil {
			return "", nil, gitcmd.FileError("open", dir, err)
		}
		if f != nil {
			release = func() { _ = f.Close() } // that gives the lock back
			now := time.Now()
			_ = os.Chtimes(dir, now, now) // see Prune
			if c.Filled != nil {
				c.Filled.Store(true)
			}
			if err = prepare(ctx, dir); err == nil {
				return dir, release, nil
			}
			// A cache that is broken is made anew once.
			if ctx.Err() == nil && emptyDir(dir) == nil && prepare(ctx, dir) == nil {
				return dir, release, nil
			}
			release()
			return "", nil, err
		}
	}
	dir, remove, err := unbroken.MkdirTemp("kubepromote-git-")
	if err != nil {
		return "", nil, gitcmd.FileError("make", "a directory for the repository", err)
	}
	release = func() { _ = remove() }
	if err = prepare(ctx, dir); err != nil {
		release()
		return "", nil, err
	}
	return dir, release, nil
}

// lockDir makes a directory that is not there and locks it; it gives nothing where another
// program has the lock. One that was removed while it was opened is no directory any more,
// and its lock keeps nobody out.
func lockDir(dir string) (*os.File, error) {
	const most = 10 // as often as others remove it meanwhile
	for range most {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		f, err := os.Open(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !files.TryLock(f) {
			return nil, f.Close()
		}
		if standsAt(f, dir) {
			return f, nil
		}
		_ = f.Close()
	}
	return nil, nil
}

// standsAt tells whether what is open is what stands at a path now.
func standsAt(f *os.File, dir string) bool {
	is, err := f.Stat()
	there, terr := os.Stat(dir)
	return err == nil && terr == nil && os.SameFile(is, there)
}

// prepare makes the repository, or sees that it is one.
func prepare(ctx context.Context, dir string) error {
	// Locks and halves of objects that a killed run has left: whoever holds the lock on the
	// directory is alone.
	for _, pattern := range []string{"*.lock", "objects/??/tmp_obj_*", "objects/pack/tmp_*"} {
		left, _ := filepath.Glob(filepath.Join(gitcmd.GlobQuoter.Replace(dir), pattern))
		for _, name := range left {
			_ = os.Remove(name)
		}
	}
	_ = filepath.WalkDir(filepath.Join(dir, "refs"), func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(name, ".lock") { // no branch is called so
			_ = os.Remove(name)
		}
		return nil
	})
	// One that was killed while it was made is made to its end.
	if slices.ContainsFunc([]string{"HEAD", "objects", "refs"}, func(part string) bool { _, err := os.Lstat(filepath.Join(dir, part)); return err != nil }) {
		if _, err := gitcmd.Run(ctx, dir, gitcmd.Call{Op: "git init", Args: []string{"init", "--quiet", "--bare", "--template=", "."}}); err != nil {
			return err
		}
	}
	for _, set := range [][2]string{
		{"remote.origin.promisor", "true"}, {"remote.origin.partialCloneFilter", "tree:0"},
		{"core.repositoryFormatVersion", "1"}, {"extensions.partialClone", "origin"}, {"core.hooksPath", os.DevNull}, {"gc.auto", "0"},
	} {
		if _, err := gitcmd.Run(ctx, dir, gitcmd.Call{Op: "git config", Args: []string{"config", "--file", filepath.Join(dir, "config"), set[0], set[1]}}); err != nil {
			return err
		}
	}
	return nil
}

// withoutUser is a URL without the user and the password in it, so that one repository
// has one cache.
func withoutUser(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		u.User = nil
		return u.String()
	}
	return address
}

// emptyDir removes what a repository has, and the objects last: one of which that was
// interrupted has nothing that leads to objects which are gone.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, last := range []bool{false, true} {
		for _, e := range entries {
			if (e.Name() == "objects") == last {
				err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
			}
		}
	}
	return err
}

// fetchObjects gets objects by their names, and nothing that they lead to. Without
// noop git would look for commits to tell the remote of, which are no help.
func (b *Branch) fetchObjects(ctx context.Context, ids []string) error {
	_, err := gitcmd.Run(ctx, b.dir, gitcmd.Call{
		Op:    "fetch from " + gitcmd.Clean(b.address),
		Args:  []string{"-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance", "--filter=tree:0", "--stdin", "origin"},
		Stdin: strings.NewReader(strings.Join(ids, "\n") + "\n"), Env: append([]string{gitcmd.InEnglish}, b.env...),
	})
	return err
}
