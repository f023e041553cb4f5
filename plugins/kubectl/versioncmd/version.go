// Package versioncmd implements kubectl promote version: which version of the
// program this is, which versions of the libraries that decide what it does are in
// it, and how it was built.
package versioncmd

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
)

// info is what `version` prints.
type info struct {
	Version   string `json:"version"`
	Commit    string `json:"commit,omitempty"`
	Modified  bool   `json:"modified,omitempty"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
	// Libraries are the versions of modules by their paths. A module that is no
	// part of this build is not there.
	Libraries map[string]string `json:"libraries"`
	// Build are the settings that Go has recorded, for example CGO_ENABLED.
	Build map[string]string `json:"build,omitempty"`
}

// libraries are the parts whose version matters to a user, by the names that
// users have for them.
var libraries = []struct{ name, module string }{
	{"kustomize", "sigs.k8s.io/kustomize/api"},
	{"cosign", "github.com/sigstore/cosign/v2"},
	{"sigstore-go", "github.com/sigstore/sigstore-go"},
	{"go-containerregistry", "github.com/google/go-containerregistry"},
	{"yaml", "go.yaml.in/yaml/v3"},
}

const long = `Print the version of this program, and of the libraries that decide what it does:
kustomize renders, cosign and sigstore-go verify, go-containerregistry asks
registries. -o wide adds how the program was built.`

const example = `  # the version, and those of kustomize and cosign in it
  kubectl promote version

  # the version alone
  kubectl promote version -o jsonpath='{.version}'`

// New makes kubectl promote version.
func New(s *cli.Session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version and build information",
		Long:    long,
		Example: example,
		GroupID: cli.GroupOther,
	}
	out := cli.AddOutput(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		printer, err := out.Printer()
		if err != nil {
			return err
		}
		build, _ := debug.ReadBuildInfo()
		info := readVersion(build)
		if printer != nil {
			return cli.PrintObject(s.Out, printer, "Version", cli.Object{Name: "kubectl-promote", Content: info})
		}
		return info.print(s.Out, out.Wide())
	}
	return cmd
}

// print writes the version on a line of its own, as kubectl does, and the
// libraries below it.
func (v info) print(w io.Writer, wide bool) error {
	if _, err := fmt.Fprintf(w, "kubectl-promote %s %s %s\n", v.Version, v.GoVersion, v.Platform); err != nil {
		return err
	}
	var rows [][]string
	for _, l := range libraries {
		rows = append(rows, []string{l.name, cmp.Or(v.Libraries[l.module], "not in this build"), l.module})
	}
	if wide {
		for _, key := range buildSettings {
			if value := v.Build[key]; value != "" {
				rows = append(rows, []string{key, value})
			}
		}
		if v.Commit != "" {
			rows = append(rows, []string{"commit", v.Commit})
		}
	}
	return cli.Table(w, rows)
}

// buildSettings are the settings of the build that are shown, in this order.
// Those with paths of the building machine are not among them.
var buildSettings = []string{"-tags", "-trimpath", "CGO_ENABLED", "GO386", "GOAMD64", "GOARM", "GOARM64", "GOPPC64"}

func readVersion(build *debug.BuildInfo) info {
	v := info{Version: cli.Version(), GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Libraries: map[string]string{}, Build: map[string]string{}}
	if build == nil {
		return v
	}
	for _, d := range build.Deps {
		for _, l := range libraries {
			if d.Path != l.module {
				continue
			}
			v.Libraries[d.Path] = d.Version
			if d.Replace != nil {
				v.Libraries[d.Path] = d.Replace.Version + " of " + d.Replace.Path
			}
		}
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		default:
			if slices.Contains(buildSettings, s.Key) {
				v.Build[s.Key] = s.Value
			}
		}
	}
	return v
}
