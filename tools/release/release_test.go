package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// The manifest has the platforms whose archives there are, and darwin/386 by the
// archive for darwin/amd64.
func TestManifest(t *testing.T) {
	sums := "aa  kubectl-promote_v1.2.3_darwin_amd64.tar.gz\nbb  kubectl-promote_v1.2.3_windows_arm64.zip\n" +
		"cc  kubectl-promote_v1.2.3_linux_amd64.cdx.json\ndd  kubectl-promote_v1.2.2_linux_amd64.tar.gz\n"
	have, err := krewManifest("v1.2.3", sums)
	if err != nil {
		t.Fatal(err)
	}
	_, platforms, _ := strings.Cut(string(have), "  platforms:\n")
	want := `  - selector:
      matchLabels:
        os: darwin
        arch: "386"
    uri: https://github.com/kubepromote/kubepromote/releases/download/v1.2.3/kubectl-promote_v1.2.3_darwin_amd64.tar.gz
    sha256: aa
    bin: kubectl-promote
  - selector:
      matchLabels:
        os: darwin
        arch: "amd64"
    uri: https://github.com/kubepromote/kubepromote/releases/download/v1.2.3/kubectl-promote_v1.2.3_darwin_amd64.tar.gz
    sha256: aa
    bin: kubectl-promote
  - selector:
      matchLabels:
        os: windows
        arch: "arm64"
    uri: https://github.com/kubepromote/kubepromote/releases/download/v1.2.3/kubectl-promote_v1.2.3_windows_arm64.zip
    sha256: bb
    bin: kubectl-promote.exe
`
	if platforms != want {
		t.Errorf("%s", platforms)
	}
	if _, err := krewManifest("v9.9.9", sums); err == nil {
		t.Error("there is a manifest without an archive")
	}
}

// What a program consists of is told from the program alone, the standard library
// and the version included, and twice the same.
func TestSBOM(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var texts []string
	for _, name := range []string{"a.json", "b.json"} {
		file := filepath.Join(dir, name)
		if err := writeSBOM("v1.2.3", program, file); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(data))
	}
	if texts[0] != texts[1] {
		t.Error("two SBOMs of one program differ")
	}
	var bom cyclonedx.BOM
	if err := json.Unmarshal([]byte(texts[0]), &bom); err != nil {
		t.Fatal(err)
	}
	if bom.Metadata.Component.Version != "v1.2.3" || !strings.Contains(texts[0], `"name": "std"`) || !strings.Contains(texts[0], "github.com/google/go-containerregistry") {
		t.Errorf("%s", texts[0])
	}
}

// The layout is one that others read, has the Linux programs only, and is the
// same whatever the order in which they were built.
func TestImage(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	arm := `{"name":"promote-fn","path":"arm","goos":"linux","goarch":"arm","type":"Binary"}`
	amd := `{"name":"promote-fn","path":"amd64","goos":"linux","goarch":"amd64","type":"Binary"}`
	others := `{"name":"promote-fn","path":"mac","goos":"darwin","goarch":"arm64","type":"Binary"},{"name":"kubectl-promote","path":"x","goos":"linux","goarch":"amd64","type":"Binary"}`
	write("LICENSE", "licence\n")
	write("arm", "program for arm")
	write("amd64", "program for amd64")
	write("one/artifacts.json", "["+arm+","+others+","+amd+"]")
	write("two/artifacts.json", "["+amd+","+arm+"]")
	write("none/artifacts.json", "["+others+"]")
	var digests []string
	for _, dist := range []string{"one", "two"} {
		if err := writeImage("v1.2.3", dist); err != nil {
			t.Fatal(err)
		}
		index, err := layout.ImageIndexFromPath(filepath.Join(dist, "image"))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(index); err != nil {
			t.Error(err)
		}
		list, err := index.IndexManifest()
		if err != nil || len(list.Manifests) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		inner, err := index.ImageIndex(list.Manifests[0].Digest)
		if err != nil {
			t.Fatal(err)
		}
		if images, err := inner.IndexManifest(); err != nil || len(images.Manifests) != 2 || images.Manifests[1].Platform.String() != "linux/arm/v6" {
			t.Errorf("%+v, %v", images, err)
		}
		digests = append(digests, list.Manifests[0].Digest.String())
	}
	if digests[0] != digests[1] {
		t.Errorf("%v", digests)
	}
	if err := writeImage("v1.2.3", "none"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("none/image"); err == nil {
		t.Error("there is an image without a program")
	}
}
