// Gen writes what is documented from the sources themselves: the command
// reference in docs/reference, the libraries' API in docs/api, the schema of the
// pipeline file, and the picture of how it works. With -check it fails where the files differ from that. With -man DIR it writes the commands'
// manual pages to a folder, and nothing else.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// generated are the folders that are written, each by one function.
var generated = map[string]func(dir string) error{
	"docs/reference": writeReference,
	"docs/api":       writeAPI,
}

// files are the single files that are written.
var files = map[string]func() ([]byte, error){
	pipelineSchema: pipelineSchemaOf,
	fleetSchema:    fleetSchemaOf,
	picture:        drawSteps,
	recording:      record,
}

func main() {
	log.SetFlags(0)
	check := flag.Bool("check", false, "fail where the files are not up to date")
	man := flag.String("man", "", "write the manual pages to this folder, and nothing else")
	flag.Parse()
	if *man != "" {
		if err := writeManual(*man); err != nil {
			log.Fatal(err)
		}
		return
	}
	failed := false
	for dir, write := range generated {
		if err := run(dir, write, *check); err != nil {
			log.Print(err)
			failed = true
		}
	}
	for file, text := range files {
		if err := runFile(file, text, *check); err != nil {
			log.Print(err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// run writes a folder anew, or compares it with what would be written.
func run(dir string, write func(string) error, check bool) error {
	fresh, err := os.MkdirTemp("", "gen-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	if err := write(fresh); err != nil {
		return err
	}
	if check {
		return compare(dir, fresh)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.CopyFS(dir, os.DirFS(fresh))
}

// runFile writes a file, or compares it.
func runFile(file string, fresh func() ([]byte, error), check bool) error {
	text, err := fresh()
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(file, text, 0o644)
	}
	if there, err := os.ReadFile(file); err != nil || !bytes.Equal(there, text) {
		return fmt.Errorf("not up to date: %s\nhint: make generate", file)
	}
	return nil
}

func commands() *cobra.Command {
	root := kubectl.NewCommand(genericiooptions.NewTestIOStreamsDiscard())
	root.DisableAutoGenTag = true
	return root
}

func writeReference(dir string) error { return doc.GenMarkdownTree(commands(), dir) }

// compare tells which files of a folder are not as they would be written.
func compare(dir, fresh string) error {
	names := map[string]bool{}
	for _, d := range []string{fresh, dir} {
		entries, err := os.ReadDir(d)
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
		got, gotErr := os.ReadFile(filepath.Join(dir, name))
		if err != nil || gotErr != nil || !bytes.Equal(want, got) {
			stale = append(stale, name)
		}
	}
	if len(stale) > 0 {
		slices.Sort(stale)
		return fmt.Errorf("not up to date in %s: %s\nhint: make generate", dir, strings.Join(stale, ", "))
	}
	return nil
}
