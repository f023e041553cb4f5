package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// writeManual writes a manual page for each command. A page bears no date: the
// same sources give the same bytes on every day.
func writeManual(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var walk func(c *cobra.Command) error
	walk = func(c *cobra.Command) error {
		if !c.IsAvailableCommand() && c.HasParent() {
			return nil
		}
		page, err := manualPage(c)
		if err != nil {
			return err
		}
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		if err := os.WriteFile(filepath.Join(dir, name), page, 0o644); err != nil {
			return err
		}
		for _, child := range c.Commands() {
			if err := walk(child); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(commands())
}

func manualPage(c *cobra.Command) ([]byte, error) {
	c.DisableAutoGenTag = true
	epoch := time.Unix(0, 0).UTC()
	var b bytes.Buffer
	header := &doc.GenManHeader{Section: "1", Date: &epoch, Source: "kubepromote", Manual: "kubectl promote"}
	if err := doc.GenMan(c, header, &b); err != nil {
		return nil, err
	}
	return bytes.Replace(b.Bytes(), []byte(`"Jan 1970"`), []byte(`""`), 1), nil
}
