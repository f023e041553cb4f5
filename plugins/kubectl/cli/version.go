package cli

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// UserAgent is sent to registries.
func UserAgent() string {
	return "kubectl-promote/" + Version() + " (" + runtime.GOOS + "; " + runtime.GOARCH + ")"
}

// Version gives the release's version, or the module's, or "devel".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return strings.Trim(info.Main.Version, "()")
	}
	return "devel"
}

// version is set by the build of a release: -ldflags "-X …/plugins/kubectl/cli.version=v1.2.3".
var version string
