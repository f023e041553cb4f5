package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// history is what is sent to git fast-import: a repository of any size in seconds, without a
// working tree.
type history struct {
	w       *bufio.Writer
	commits int
}

// commit begins one. Its files follow.
func (h *history) commit(message string) {
	h.commits++
	fmt.Fprintf(h.w, "commit refs/heads/main\ncommitter Bench <bench@example.com> %d +0000\ndata %d\n%s\n", 1_700_000_000+60*h.commits, len(message), message)
}

// file is one of a commit.
func (h *history) file(name, text string) {
	fmt.Fprintf(h.w, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text)
}

// imported makes a repository, bare or not, and names its head.
func imported(ctx context.Context, dir string, bare bool, write func(*history)) (*repository, error) {
	fmt.Fprintf(os.Stderr, "making %s\n", filepath.Base(dir))
	r := &repository{dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	begin := []string{"init", "--quiet", "--initial-branch=main"}
	if bare {
		begin = append(begin, "--bare")
	}
	if _, err := r.git(ctx, begin...); err != nil {
		return nil, err
	}
	for _, set := range []string{"gc.auto=0", "maintenance.auto=false", "uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true"} {
		name, value, _ := strings.Cut(set, "=")
		if _, err := r.git(ctx, "config", name, value); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, "git", "fast-import", "--quiet")
	cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), gitEnvironment...), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	h := &history{w: bufio.NewWriter(in)}
	write(h)
	if err := errors.Join(h.w.Flush(), in.Close(), cmd.Wait()); err != nil {
		return nil, fmt.Errorf("git fast-import: %w", err)
	}
	if !bare {
		if _, err := r.git(ctx, "reset", "--quiet", "--hard", "main"); err != nil {
			return nil, err
		}
	}
	_, err = r.git(ctx, "update-ref", start, "main")
	return r, err
}

// overlayOf is a service's file in an environment, without what a promotion does not read.
func overlayOf(i int, environment, tag string) string {
	return strings.NewReplacer("NAME", service(i), "ENV", environment, "TAG", tag, "DIGEST", digest(i, tag)).Replace(overlayFiles["kustomization.yaml"])
}

// pathOf is that file.
func pathOf(i int, environment string) string {
	return "apps/" + service(i) + "/overlays/" + environment + "/kustomization.yaml"
}

// twoEnvironments is a pipeline without a first environment that nobody promotes from.
const twoEnvironments = `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
metadata: {name: bench}
spec:
  layout: apps/{service}/overlays/{environment}
  environments:
  - name: staging
  - name: production
    from: [staging]
`

// pairs writes services that are to be promoted from staging to production.
func (h *history) pairs(services int) {
	for i := range services {
		h.file(pathOf(i, "staging"), overlayOf(i, "staging", newTag))
		h.file(pathOf(i, "production"), overlayOf(i, "production", oldTag))
	}
}
