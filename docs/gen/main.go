// Gen writes the command reference in docs/reference from the commands
// themselves. With -check it fails where the files differ from that.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl"
	"github.com/spf13/cobra/doc"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

const reference = "docs/reference"

func main() {
	log.SetFlags(0)
	check := flag.Bool("check", false, "fail where the files are not up to date")
	flag.Parse()
	fresh, err := os.MkdirTemp("", "reference-")
	if err != nil {
		log.Fatal(err)
	}
	err = run(fresh, *check)
	if rmErr := os.RemoveAll(fresh); err == nil {
		err = rmErr
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(fresh string, check bool) error {
	root := kubectl.NewCommand(genericiooptions.NewTestIOStreamsDiscard())
	root.DisableAutoGenTag = true
	if err := doc.GenMarkdownTree(root, fresh); err != nil {
		return err
	}
	if check {
		return compare(fresh)
	}
	if err := os.RemoveAll(reference); err != nil {
		return err
	}
	return os.CopyFS(reference, os.DirFS(fresh))
}

// compare tells which files of the reference are not as they would be written.
func compare(fresh string) error {
	names := map[string]bool{}
	for _, dir := range []string{fresh, reference} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			names[e.Name()] = true
		}
	}
	var stale []string
	for name := range names {
		want, err := os.ReadFile(filepath.Join(fresh, name))
		got, gotErr := os.ReadFile(filepath.Join(reference, name))
		if err != nil || gotErr != nil || !bytes.Equal(want, got) {
			stale = append(stale, name)
		}
	}
	if len(stale) > 0 {
		return fmt.Errorf("not up to date in %s: %s\nhint: make generate", reference, strings.Join(stale, ", "))
	}
	return nil
}
