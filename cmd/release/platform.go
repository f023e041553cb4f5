package main

import (
	"fmt"
	"strings"
)

// platform is a pair of operating system and architecture that krew knows.
type platform struct{ os, arch string }

// krewPlatforms are all pairs that krew knows.
var krewPlatforms = []platform{
	{"darwin", "386"}, {"darwin", "amd64"}, {"darwin", "arm64"},
	{"linux", "386"}, {"linux", "amd64"}, {"linux", "arm"}, {"linux", "arm64"}, {"linux", "ppc64le"},
	{"windows", "386"}, {"windows", "amd64"}, {"windows", "arm64"},
}

// imagePlatforms are the pairs that the container image is made for.
var imagePlatforms = []platform{{"linux", "386"}, {"linux", "amd64"}, {"linux", "arm"}, {"linux", "arm64"}, {"linux", "ppc64le"}}

func (p platform) String() string { return p.os + "/" + p.arch }

// built gives the platform whose archive serves this one. Go has not compiled
// for darwin/386 since 1.15, and macOS has not run such programs since 10.15; a
// krew of that kind runs on an Intel Mac, as does the program for darwin/amd64.
func (p platform) built() platform {
	if p == (platform{"darwin", "386"}) {
		return platform{"darwin", "amd64"}
	}
	return p
}

// exe gives a program's file name on the platform.
func (p platform) exe(name string) string {
	if p.os == "windows" {
		return name + ".exe"
	}
	return name
}

// extension is that of the platform's archive.
func (p platform) extension() string {
	if p.os == "windows" {
		return ".zip"
	}
	return ".tar.gz"
}

// environment fixes everything that Go lets a user choose for an architecture:
// the least that is still in use.
func (p platform) environment() []string {
	return []string{"GOOS=" + p.os, "GOARCH=" + p.arch, "GO386=sse2", "GOAMD64=v1", "GOARM=6", "GOARM64=v8.0", "GOPPC64=power8"}
}

// parsePlatforms reads a list of pairs; an empty one means all.
func parsePlatforms(list string) ([]platform, error) {
	names := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	if len(names) == 0 {
		return krewPlatforms, nil
	}
	var out []platform
	for _, name := range names {
		found := false
		for _, p := range krewPlatforms {
			if p.String() == name {
				out, found = append(out, p), true
			}
		}
		if !found {
			return nil, fmt.Errorf("unknown platform %q\nhint: one of %v", name, krewPlatforms)
		}
	}
	return out, nil
}
