package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore-go/pkg/bundle"
)

func TestSBOM(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Path: modulePath, Version: "(devel)"}, Deps: []*debug.Module{
		{Path: "example.com/z_under", Version: "v1.0.0+incompatible"},
		{Path: "example.com/old", Version: "v0.1.0", Replace: &debug.Module{Path: "example.com/new", Version: "v0.2.0"}},
	}}
	a := archive{platform: platform{"linux", "amd64"}, file: "a.tar.gz", sha256: strings.Repeat("0", 64)}
	doc := sbom(info, "v1.2.3", a, entryTime)
	if len(doc.Packages) != 4 || len(doc.Relationships) != 4 || doc.CreationInfo.Created != "1980-01-01T00:00:00Z" {
		t.Fatalf("%+v", doc)
	}
	ids, valid := map[string]bool{documentID: true}, regexp.MustCompile(`^SPDXRef-[A-Za-z0-9.-]+$`)
	locators := ""
	for _, p := range doc.Packages {
		if ids[p.SPDXID] || !valid.MatchString(p.SPDXID) {
			t.Errorf("the identifier %q is taken, or malformed", p.SPDXID)
		}
		ids[p.SPDXID] = true
		locators += p.ExternalRefs[0].Locator + "\n"
	}
	for _, r := range doc.Relationships {
		if !ids[r.Element] || !ids[r.Related] {
			t.Errorf("%+v names what is not there", r)
		}
	}
	for _, want := range []string{"pkg:golang/stdlib@1.26.8\n", "pkg:golang/example.com/new@v0.2.0\n", "pkg:golang/example.com/z_under@v1.0.0%2Bincompatible\n", "pkg:golang/" + modulePath + "@v1.2.3\n"} {
		if !strings.Contains(locators, want) {
			t.Errorf("%q is not in\n%s", want, locators)
		}
	}
}

func TestCreated(t *testing.T) {
	for _, c := range []struct {
		epoch, want string
	}{{"", "1980-01-01 00:00:00 +0000 UTC"}, {"1700000000", "2023-11-14 22:13:20 +0000 UTC"}, {"today", ""}} {
		t.Setenv("SOURCE_DATE_EPOCH", c.epoch)
		got, err := created()
		if (err != nil) != (c.want == "") || err == nil && got.String() != c.want {
			t.Errorf("%q: %v, %v", c.epoch, got, err)
		}
	}
}

func TestCheckSettings(t *testing.T) {
	good := []debug.BuildSetting{{Key: "-trimpath", Value: "true"}, {Key: "GOOS", Value: "linux"}, {Key: "CGO_ENABLED", Value: "0"}}
	if err := checkSettings(good); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"vcs.revision", "GOEXPERIMENT", "-tags", "-gcflags", "CGO_CFLAGS"} {
		if err := checkSettings(append(good, debug.BuildSetting{Key: key, Value: "x"})); err == nil {
			t.Errorf("%s is taken", key)
		}
	}
}

// Every platform is built with its least level, whatever the user's settings.
func TestEnvironment(t *testing.T) {
	got := strings.Join(platform{"linux", "arm"}.environment(), " ")
	for _, want := range []string{"GOOS=linux", "GOARCH=arm", "GOARM=6", "GOAMD64=v1"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}

func writeKey(t *testing.T, password string) (file string) {
	t.Helper()
	keys, err := cosign.GenerateKeyPair(func(bool) ([]byte, error) { return []byte(password), nil })
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "cosign.key")
	if err := os.WriteFile(file, keys.PrivateBytes, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoadKey(t *testing.T) {
	if k, err := (&releaser{}).loadKey(); k != nil || err != nil {
		t.Errorf("without a key: %v, %v", k, err)
	}
	r := &releaser{key: writeKey(t, "secret")}
	t.Setenv("COSIGN_PASSWORD", "wrong")
	if _, err := r.loadKey(); err == nil || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with a wrong password: %v", err)
	}
	t.Setenv("COSIGN_PASSWORD", "secret")
	if k, err := r.loadKey(); err != nil || len(k.GetHint()) != 44 {
		t.Errorf("%v, %v", k, err)
	}
	if _, err := (&releaser{key: filepath.Join(t.TempDir(), "none")}).loadKey(); err == nil {
		t.Error("a missing key is no error")
	}
}

// The bundle is a sigstore bundle, and its signature is the key's.
func TestSignBlob(t *testing.T) {
	t.Setenv("COSIGN_PASSWORD", "")
	k, err := (&releaser{key: writeKey(t, "")}).loadKey()
	if err != nil {
		t.Fatal(err)
	}
	data, file := []byte("checksums\n"), filepath.Join(t.TempDir(), "bundle.json")
	if err := k.signBlob(t.Context(), data, file); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.LoadJSONFromPath(file)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(data)
	signature := b.GetMessageSignature()
	if !bytes.Equal(signature.GetMessageDigest().GetDigest(), digest[:]) || !ecdsa.VerifyASN1(k.public, digest[:], signature.GetSignature()) {
		t.Error("the signature is not over the data")
	}
}

// The image has one layer, no root and no shell; the layout is whole; and a second
// one is the same.
func TestImage(t *testing.T) {
	t.Chdir("../..")
	_, toolchain, err := readVersion()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOTOOLCHAIN", toolchain)
	certs := filepath.Join(t.TempDir(), "certs.pem")
	if err := os.WriteFile(certs, []byte("certificates\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var digests []v1.Hash
	for range 2 {
		var log bytes.Buffer
		r := &releaser{version: "v1.2.3", toolchain: toolchain, platforms: []platform{{"linux", "amd64"}}, dist: t.TempDir(), fn: "./examples/setimage", certs: certs, log: &log}
		if err := r.image(t.Context()); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, checkImage(t, r.imageDir()))
		if !strings.Contains(log.String(), digests[0].String()) {
			t.Errorf("the digest is not in %q", log.String())
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("two images: %v", digests)
	}
	r := &releaser{toolchain: toolchain, fn: "./cmd/none"}
	if err := r.image(t.Context()); err == nil || !strings.Contains(err.Error(), "cmd/none is not there") {
		t.Errorf("without a program: %v", err)
	}
}

func checkImage(t *testing.T, dir string) v1.Hash {
	t.Helper()
	top, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(top); err != nil {
		t.Error(err)
	}
	list, err := top.IndexManifest()
	if err != nil || len(list.Manifests) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	index, err := top.ImageIndex(list.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 || manifest.Manifests[0].Platform.Architecture != "amd64" {
		t.Fatalf("%v, %v", manifest, err)
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil || config.Config.User != nobody || config.Config.Entrypoint[0] != "/setimage" || config.Config.Labels["org.opencontainers.image.version"] != "v1.2.3" {
		t.Errorf("%+v, %v", config, err)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Errorf("%d layers, %v", len(layers), err)
	}
	return list.Manifests[0].Digest
}

func TestSizes(t *testing.T) {
	var log bytes.Buffer
	r := &releaser{log: &log}
	small := archive{file: "small", size: maxArchive, programSize: maxProgram}
	if err := r.sizes([]archive{small}); err != nil || !strings.Contains(log.String(), "25.0 MB, program  70.0 MB") {
		t.Errorf("%v: %s", err, log.String())
	}
	for _, big := range []archive{{file: "archive", size: maxArchive + 1}, {file: "program", programSize: maxProgram + 1}} {
		if err := r.sizes([]archive{small, big}); err == nil || !strings.Contains(err.Error(), big.file+" is larger than 25 MB, or its program than 70 MB") {
			t.Errorf("%s: %v", big.file, err)
		}
	}
}

func TestModuleOf(t *testing.T) {
	info := &debug.BuildInfo{Main: debug.Module{Path: modulePath}, Deps: []*debug.Module{{Path: "go.yaml.in/yaml/v3"}, {Path: "example.com/a"}, {Path: "example.com/a/b"}}}
	for symbol, want := range map[string]string{
		"example.com/a/b/c.(*T).Do":        "example.com/a/b",
		"example.com/a.F":                  "example.com/a",
		"go.yaml.in/yaml/v3.Unmarshal":     "go.yaml.in/yaml/v3",
		"type:.eq.example.com/a.T":         "example.com/a",
		"net/http.(*Client).Do":            "Go: standard library",
		"runtime.mallocgc":                 "Go: runtime and types",
		modulePath + "/overlay.Parse":      modulePath,
		"slices.SortFunc[example.com/a.T]": "Go: standard library",
	} {
		if got := moduleOf(symbol, info); got != want {
			t.Errorf("%s: %s, want %s", symbol, got, want)
		}
	}
}

// The statement that is signed for an image is cosign's.
func TestSignImage(t *testing.T) {
	t.Setenv("COSIGN_PASSWORD", "")
	k, err := (&releaser{key: writeKey(t, "")}).loadKey()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bundle.json")
	if err := k.signImage(t.Context(), imageName, strings.Repeat("a", 64), file); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.LoadJSONFromPath(file)
	if err != nil {
		t.Fatal(err)
	}
	var statement struct {
		PredicateType string
		Subject       []struct{ Digest map[string]string }
	}
	if err := json.Unmarshal(b.GetDsseEnvelope().GetPayload(), &statement); err != nil || statement.PredicateType != "https://sigstore.dev/cosign/sign/v1" || statement.Subject[0].Digest["sha256"] != strings.Repeat("a", 64) {
		t.Errorf("%v, %+v", err, statement)
	}
}
