package kubectl

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// userAgent is sent to registries.
func userAgent() string {
	return "kubectl-promote/" + buildVersion() + " (" + runtime.GOOS + "; " + runtime.GOARCH + ")"
}

// buildVersion gives the release's version, or the module's, or "devel".
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return strings.Trim(info.Main.Version, "()")
	}
	return "devel"
}

// version is set by the build of a release: -ldflags "-X …/plugins/kubectl.version=v1.2.3".
var version string
