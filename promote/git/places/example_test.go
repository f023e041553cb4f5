package places_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/git/places"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// The files of production are on a branch of its own, which nobody has checked out.
func ExampleHome_At() {
	dir, remove := someClone()
	defer remove()
	ctx := context.Background()
	clone, err := git.Open(ctx, dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer clone.Close()
	home := places.OfClone(ctx, clone, branch.Cache{})
	defer home.Close()
	there, err := home.At(pipeline.Place{Branch: "env/production"})
	if err != nil {
		fmt.Println(err)
		return
	}
	here, err := home.ReadFile("TAG")
	if err != nil {
		fmt.Println(err)
		return
	}
	tag, err := there.ReadFile("TAG")
	fmt.Printf("home %sproduction %s%v", here, tag, err)
	// Output:
	// home v2
	// production v1
	// <nil>
}

// someClone makes a repository with v2 on main, which is checked out, and v1 on the branch of production.
func someClone() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	run := func(args ...string) {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
		if out, err := cmd.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("git %v: %v: %s", args, err, out))
		}
	}
	commit := func(tag string) {
		if err := os.WriteFile(filepath.Join(dir, "TAG"), []byte(tag+"\n"), 0o644); err != nil {
			panic(err)
		}
		run("add", "TAG")
		run("commit", "-q", "-m", tag)
	}
	run("init", "-q", "-b", "main")
	commit("v1")
	run("branch", "env/production")
	commit("v2")
	return dir, func() { _ = os.RemoveAll(dir) }
}
