package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

const (
	program   = "kubectl-promote"
	home      = "https://github.com/kubepromote/kubepromote"
	checksums = "checksums.txt"
	manifest  = "krew-manifest.yaml"
)

//go:embed krew-manifest.yaml.tmpl
var manifestText string

// platform is one of the manifest's: a pair that krew knows, and its archive.
type platform struct{ OS, Arch, URI, SHA256, Bin string }

// krewPlatforms are all pairs that krew knows.
var krewPlatforms = []platform{
	{OS: "darwin", Arch: "386"}, {OS: "darwin", Arch: "amd64"}, {OS: "darwin", Arch: "arm64"},
	{OS: "linux", Arch: "386"}, {OS: "linux", Arch: "amd64"}, {OS: "linux", Arch: "arm"}, {OS: "linux", Arch: "arm64"}, {OS: "linux", Arch: "ppc64le"},
	{OS: "windows", Arch: "386"}, {OS: "windows", Arch: "amd64"}, {OS: "windows", Arch: "arm64"},
}

// writeManifest writes krew's manifest beside the archives.
//
// goreleaser's own has neither 386 nor ppc64le, and wants archives with one
// program in them.
func writeManifest(version, dist string) error {
	sums, err := os.ReadFile(filepath.Join(dist, checksums))
	if err != nil {
		return err
	}
	text, err := krewManifest(version, string(sums))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dist, manifest), text, 0o644)
}

// krewManifest gives the manifest of the archives that a list of checksums has.
func krewManifest(version, sums string) ([]byte, error) {
	hashes := map[string]string{}
	for line := range strings.Lines(sums) {
		if hash, name, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			hashes[name] = hash
		}
	}
	var have []platform
	for _, p := range krewPlatforms {
		name := p.archive(version)
		if hash, ok := hashes[name]; ok {
			p.URI, p.SHA256, p.Bin = home+"/releases/download/"+version+"/"+name, hash, p.exe(program)
			have = append(have, p)
		}
	}
	if len(have) == 0 {
		return nil, fmt.Errorf("%s has no archive of %s %s", checksums, program, version)
	}
	t, err := template.New(manifest).Parse(manifestText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{"Version": version, "Home": home, "Platforms": have})
	return b.Bytes(), err
}

// archive is the name of the archive that serves a platform. Go has not compiled
// for darwin/386 since 1.15, and macOS has not run such programs since 10.15; a
// krew of that kind runs on an Intel Mac, as does the program for darwin/amd64.
func (p platform) archive(version string) string {
	arch, extension := p.Arch, ".tar.gz"
	if p.OS == "darwin" && arch == "386" {
		arch = "amd64"
	}
	if p.OS == "windows" {
		extension = ".zip"
	}
	return program + "_" + version + "_" + p.OS + "_" + arch + extension
}

// exe gives a program's file name on the platform.
func (p platform) exe(name string) string {
	if p.OS == "windows" {
		return name + ".exe"
	}
	return name
}
