package main

import (
	"io"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// made is an archive for every platform that can be built.
func made(r *releaser) []archive {
	var out []archive
	for _, p := range krewPlatforms {
		if p == p.built() {
			out = append(out, archive{platform: p, file: r.archiveName(p), sha256: sum([]byte(p.String()))})
		}
	}
	return out
}

func TestManifest(t *testing.T) {
	r := &releaser{version: "v1.2.3", platforms: krewPlatforms, log: io.Discard}
	data, err := r.manifest(made(r))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Metadata struct{ Name string }
		Spec     struct {
			ShortDescription string `yaml:"shortDescription"`
			Platforms        []struct {
				Selector struct {
					MatchLabels map[string]string `yaml:"matchLabels"`
				}
				URI, Bin string
			}
		}
	}
	if err := yaml.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	if m.Metadata.Name != pluginName || len(m.Spec.ShortDescription) > 50 || strings.HasSuffix(m.Spec.ShortDescription, ".") {
		t.Errorf("%+v", m)
	}
	if len(m.Spec.Platforms) != 11 {
		t.Errorf("%d platforms", len(m.Spec.Platforms))
	}
	for _, p := range m.Spec.Platforms {
		goos, windows := p.Selector.MatchLabels["os"], strings.HasSuffix(p.URI, ".zip")
		if (goos == "windows") != windows || strings.HasSuffix(p.Bin, ".exe") != windows || !strings.Contains(p.URI, "/download/v1.2.3/kubectl-promote_v1.2.3_"+goos+"_") {
			t.Errorf("%+v", p)
		}
	}
	for _, p := range krewPlatforms {
		version, hash, err := manifestHash(data, p)
		if want := sum([]byte(p.built().String())); err != nil || version != "v1.2.3" || hash != want {
			t.Errorf("%s: %s %s %v", p, version, hash, err)
		}
	}
	if _, _, err := manifestHash(data, platform{"plan9", "amd64"}); err == nil {
		t.Error("a platform that is not there has a hash")
	}
	if _, _, err := manifestHash([]byte("{"), krewPlatforms[0]); err == nil {
		t.Error("what is no YAML has a hash")
	}
	if _, err := r.manifest(made(r)[1:]); err == nil {
		t.Error("a manifest lacks an archive, in silence")
	}
}

func TestParsePlatforms(t *testing.T) {
	for _, c := range []struct {
		list string
		want int
		fail bool
	}{
		{"", 11, false},
		{"linux/amd64", 1, false},
		{"linux/amd64,windows/arm64 darwin/386", 3, false},
		{"linux/riscv64", 0, true},
		{"linux", 0, true},
	} {
		got, err := parsePlatforms(c.list)
		if len(got) != c.want || (err != nil) != c.fail {
			t.Errorf("%q: %v, %v", c.list, got, err)
		}
	}
}

func TestParse(t *testing.T) {
	t.Chdir("../..")
	for _, c := range []struct {
		args []string
		fail string
	}{
		{[]string{"-platforms", "linux/amd64", "-version", "v9.9.9", "krew"}, ""},
		{nil, "one command is needed"},
		{[]string{"krew", "image"}, "one command is needed"},
		{[]string{"-platforms", "amiga/68k", "krew"}, "unknown platform"},
	} {
		r, command, err := parse(c.args, io.Discard, io.Discard)
		switch {
		case c.fail != "":
			if err == nil || !strings.Contains(err.Error(), c.fail) {
				t.Errorf("%q: %v", c.args, err)
			}
		case err != nil || command != "krew" || r.version != "v9.9.9" || len(r.platforms) != 1:
			t.Errorf("%q: %+v %s %v", c.args, r, command, err)
		}
	}
	if err := run(t.Context(), []string{"bake"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), `unknown command "bake"`) {
		t.Errorf("%v", err)
	}
}
