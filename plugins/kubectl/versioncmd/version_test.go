package versioncmd

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"
)

func TestReadVersion(t *testing.T) {
	build := &debug.BuildInfo{
		Deps: []*debug.Module{
			{Path: "sigs.k8s.io/kustomize/api", Version: "v0.21.2"},
			{Path: "go.yaml.in/yaml/v3", Version: "v3.0.6", Replace: &debug.Module{Path: "example.com/yaml", Version: "v9.0.0"}},
			{Path: "example.com/unrelated", Version: "v1.0.0"},
		},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"},
			{Key: "CGO_ENABLED", Value: "0"}, {Key: "-ldflags", Value: "-X secret"},
		},
	}
	v := readVersion(build)
	if len(v.Libraries) != 2 || v.Libraries["sigs.k8s.io/kustomize/api"] != "v0.21.2" || v.Libraries["go.yaml.in/yaml/v3"] != "v9.0.0 of example.com/yaml" {
		t.Errorf("libraries: %v", v.Libraries)
	}
	if v.Commit != "abc" || !v.Modified || len(v.Build) != 1 || v.Build["CGO_ENABLED"] != "0" {
		t.Errorf("%+v", v)
	}
	var b bytes.Buffer
	if err := v.print(&b, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"kustomize             v0.21.2 ", "cosign                not in this build", "commit                abc"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "secret") {
		t.Error("a setting that may hold a path is shown")
	}
	if v := readVersion(nil); v.Version == "" || v.Platform == "" {
		t.Errorf("without build information: %+v", v)
	}
}
