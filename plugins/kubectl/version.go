package kubectl

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the build of a release: -ldflags "-X …/plugins/kubectl.version=v1.2.3".
var version string

// versionInfo is what `version` prints.
type versionInfo struct {
	Version   string            `json:"version"`
	Commit    string            `json:"commit,omitempty"`
	Modified  bool              `json:"modified,omitempty"`
	GoVersion string            `json:"goVersion"`
	Platform  string            `json:"platform"`
	Libraries map[string]string `json:"libraries"`
}

// libraries are the parts whose version matters to a user.
var libraries = []string{"github.com/sigstore/cosign/v2", "github.com/sigstore/sigstore-go", "github.com/google/go-containerregistry", "go.yaml.in/yaml/v3"}

func newVersionCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "Print the version of this program and of the libraries that decide what it does.",
		Example: "  # the version alone\n  kubectl promote version -o jsonpath='{.version}'",
	}
	out := addOutput(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		printer, err := out.printer()
		if err != nil {
			return err
		}
		info := readVersion()
		if printer != nil {
			return printObject(s.Out, printer, "Version", object{"kubectl-promote", info})
		}
		fmt.Fprintf(s.Out, "kubectl-promote %s %s %s\n", info.Version, info.GoVersion, info.Platform)
		if out.wide() {
			for _, l := range libraries {
				fmt.Fprintf(s.Out, "%s %s\n", l, dash(info.Libraries[l]))
			}
		}
		return nil
	}
	return cmd
}

func readVersion() versionInfo {
	v := versionInfo{Version: buildVersion(), GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Libraries: map[string]string{}}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, d := range info.Deps {
		for _, l := range libraries {
			if d.Path == l {
				v.Libraries[l] = d.Version
			}
		}
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
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
