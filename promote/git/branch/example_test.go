package branch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/branch"
)

// A file of a repository that is known by its URL is changed without a clone.
func ExampleOfURL() {
	address, remove := someRepository()
	defer remove()
	ctx := context.Background()
	b, err := branch.OfURL(ctx, address, "main", branch.Cache{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	before, err := b.ReadFile("production.env")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = b.Commit(ctx, promote.Delivery{
		Head:    b.Tip(),
		Files:   []promote.File{{Path: "production.env", Data: []byte("TAG=v2\n"), Old: before}},
		Message: "promote(production): cart → v2",
	})
	var moved *promote.Moved
	if errors.As(err, &moved) {
		fmt.Println("somebody else was faster: b.Fetch, and plan again")
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	after, err := b.ReadFile("production.env")
	fmt.Printf("%s→ %s%v", before, after, err)
	// Output:
	// TAG=v1
	// → TAG=v2
	// <nil>
}

// someRepository makes a repository that serves parts of it.
func someRepository() (address string, remove func()) {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "production.env"), []byte("TAG=v1\n"), 0o644); err != nil {
		panic(err)
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "begin"}, {"switch", "-q", "--detach"},
		{"config", "uploadpack.allowFilter", "true"}, {"config", "uploadpack.allowAnySHA1InWant", "true"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
		if out, err := cmd.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("git %v: %v: %s", args, err, out))
		}
	}
	return "file://" + filepath.ToSlash(dir), func() { _ = os.RemoveAll(dir) }
}
