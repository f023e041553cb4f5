package git_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/history"
)

// Change a file and record it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "image.txt"), []byte("cart:v1\n"), 0o644); err != nil {
		log.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"config", "user.name", "Ann"}, {"config", "user.email", "ann@example.com"},
		{"add", "."}, {"commit", "-q", "-m", "first"},
	} {
		if err := exec.Command("git", append([]string{"-C", dir}, args...)...).Run(); err != nil {
			log.Fatal(err)
		}
	}

	repo, err := git.Open(ctx, dir)
	if err != nil {
		log.Fatal(err)
	}
	defer repo.Close()
	paths := []string{"image.txt"}
	state, err := repo.State(ctx, paths)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("on", state.Branch, "with", len(state.Dirty), "dirty files")
	_, err = repo.Commit(ctx, promote.Delivery{
		Head:    state.Head,
		Files:   []promote.File{{Path: "image.txt", Data: []byte("cart:v2\n")}},
		Message: "promote cart to v2",
	})
	if err != nil {
		log.Fatal(err)
	}
	err = repo.Commits(ctx, paths, func(c history.Commit) (bool, error) {
		fmt.Print(c.Author, ": ", c.Message)
		return true, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// on main with 0 dirty files
	// Ann: promote cart to v2
	// Ann: first
}
