package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

const (
	modulePath = "github.com/kubepromote/kubepromote"
	// program is the plugin's file name, and the beginning of the archives'.
	program = "kubectl-promote"
)

// build compiles a package for a platform. Whatever could make the result depend
// on the machine, its settings or the commit is shut out: the paths, the version
// control's state, C, and the levels of the architecture.
func (r *releaser) build(ctx context.Context, p platform, pkg, target string) error {
	started := time.Now()
	flags := "-s -w -X " + modulePath + "/plugins/kubectl/cli.version=" + r.version
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", target, pkg)
	cmd.Env = append(os.Environ(), p.environment()...)
	// Not empty: that would let the user's settings in.
	cmd.Env = append(cmd.Env, "GOFLAGS=-trimpath", "GOTOOLCHAIN="+r.toolchain, "GOWORK=off", "CGO_ENABLED=0", "GOFIPS140=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s for %s: %w\n%s", pkg, p, err, strings.TrimSpace(string(out)))
	}
	if err := r.checkBuild(target); err != nil {
		return err
	}
	r.say("built %s for %s in %s", filepath.Base(target), p, time.Since(started).Round(time.Second))
	return nil
}

// usualSettings are the settings that every build here has.
var usualSettings = map[string]bool{
	"-buildmode": true, "-compiler": true, "-trimpath": true, "CGO_ENABLED": true, "DefaultGODEBUG": true,
	"GOARCH": true, "GOOS": true, "GO386": true, "GOAMD64": true, "GOARM": true, "GOARM64": true, "GOPPC64": true,
}

// checkBuild refuses a program that was built by another Go release or with a
// setting that others do not have: nobody could build it again.
func (r *releaser) checkBuild(file string) error {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return err
	}
	if info.GoVersion != r.toolchain {
		return fmt.Errorf("%s is built by %s, not by %s as VERSION says", file, info.GoVersion, r.toolchain)
	}
	return checkSettings(info.Settings)
}

func checkSettings(settings []debug.BuildSetting) error {
	for _, s := range settings {
		if !usualSettings[s.Key] {
			return fmt.Errorf("the build has the setting %s=%s, which others do not have\nhint: unset it; see go env", s.Key, s.Value)
		}
	}
	return nil
}
