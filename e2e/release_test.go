package e2e

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// repositoryRoot is the folder of the product's sources.
const repositoryRoot = ".."

// releaseLimit bounds one run of cmd/release; with an empty build cache it
// compiles everything.
const releaseLimit = 10 * time.Minute

// release runs cmd/release of the sources in a folder and gives what it says. It
// has the environment of the tests: it needs Go's caches.
func release(t *testing.T, sources string, env []string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), releaseLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append([]string{"run", "./cmd/release"}, args...)...)
	cmd.Dir = sources
	cmd.Env = append(os.Environ(), append([]string{"GOWORK=off", "COSIGN_KEY=", "GOTOOLCHAIN=" + releaseToolchain(t)}, env...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("release %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// releaseToolchain is the Go release in the second line of the file VERSION.
func releaseToolchain(t *testing.T) string {
	t.Helper()
	lines := strings.Fields(read(t, filepath.Join(repositoryRoot, "VERSION")))
	if len(lines) != 2 {
		t.Fatalf("VERSION: %q", lines)
	}
	return lines[1]
}

// The same sources give the same bytes, in whatever folder and with whatever
// settings of Go they are built, and without any version control.
func TestReleaseIsReproducible(t *testing.T) {
	copied := copySources(t)
	first, second := t.TempDir(), t.TempDir()
	args := []string{"-platforms", runtime.GOOS + "/" + runtime.GOARCH, "-main", "./examples/setimage"}
	said := release(t, repositoryRoot, nil, append(args, "-dist", first, "release")...)
	if !strings.Contains(said, "nothing is signed: there is no key") {
		t.Errorf("without a key release says\n%s", said)
	}
	release(t, copied, []string{"GOFLAGS=-buildvcs=false -tags=other", "TMPDIR=" + t.TempDir(), "TZ=Pacific/Apia"}, append(args, "-dist", second, "release")...)
	n := 0
	err := filepath.WalkDir(first, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		rel, err := filepath.Rel(first, path)
		sameBytes(t, path, filepath.Join(second, rel))
		return err
	})
	if err != nil || n < 8 {
		t.Errorf("%d files compared: %v", n, err)
	}
}

// copySources copies the files that Git knows, without its folder.
func copySources(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = repositoryRoot
	out, err := list.Output()
	if err != nil {
		t.Skipf("the sources are not in a Git repository: %v", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(repositoryRoot, name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What a release signs, cosign verifies: the checksums, and the image's digest.
func TestReleaseSignatures(t *testing.T) {
	s := newShell(t, t.TempDir())
	s.run("cosign", "generate-key-pair")
	key := filepath.Join(s.dir, "cosign.key")
	release(t, repositoryRoot, []string{"COSIGN_KEY=" + key, "COSIGN_PASSWORD="},
		"-platforms", runtime.GOOS+"/"+runtime.GOARCH, "-main", "./examples/setimage", "-dist", s.dir, "release")
	// cosign wants a root of trust even where a key stands for it.
	write(t, filepath.Join(s.dir, "root.json"), `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`)
	verify := []string{"--key", "cosign.pub", "--new-bundle-format", "--trusted-root", "root.json", "--insecure-ignore-tlog=true", "--bundle"}
	blob := func(bundle, file string) []string {
		return append(append([]string{"verify-blob"}, verify...), bundle, file)
	}
	s.run("cosign", blob("checksums.txt.sigstore.json", "checksums.txt")...)
	if status, _, _ := s.try("cosign", blob("checksums.txt.sigstore.json", "krew-manifest.yaml")...); status == 0 {
		t.Error("the signature of the checksums is taken for another file")
	}
	sums := s.run("sha256sum", "--check", "--strict", "checksums.txt")
	if strings.Count(sums, ": OK\n") != 3 {
		t.Errorf("the checksums cover\n%s", sums)
	}
	var layout struct{ Manifests []struct{ Digest string } }
	if err := json.Unmarshal([]byte(read(t, filepath.Join(s.dir, "image", "index.json"))), &layout); err != nil || len(layout.Manifests) != 1 {
		t.Fatalf("the image's layout holds %v: %v", layout, err)
	}
	index := filepath.Join("image", "blobs", "sha256", strings.TrimPrefix(layout.Manifests[0].Digest, "sha256:"))
	attestation := append(append([]string{"verify-blob-attestation", "--type", "https://sigstore.dev/cosign/sign/v1"}, verify...), "image.sigstore.json")
	s.run("cosign", append(attestation, index)...)
	if status, _, _ := s.try("cosign", append(attestation, "checksums.txt")...); status == 0 {
		t.Error("the signature of the image is taken for another digest")
	}
}

// crane pushes the layout that `make image` writes as it is, and its index is the
// one that was built.
func TestReleaseImage(t *testing.T) {
	s := newShell(t, t.TempDir())
	r := startRegistry(t)
	release(t, repositoryRoot, nil, "-platforms", "linux/amd64", "-main", "./examples/setimage", "-dist", s.dir, "image")
	var layout struct{ Manifests []struct{ Digest string } }
	if err := json.Unmarshal([]byte(read(t, filepath.Join(s.dir, "image", "index.json"))), &layout); err != nil || len(layout.Manifests) != 1 {
		t.Fatalf("the image's layout holds %v: %v", layout, err)
	}
	image := r.Host + "/setimage"
	s.run("crane", "push", "image", image+":v1")
	if pushed := strings.TrimSpace(s.run("crane", "digest", image+":v1")); pushed != layout.Manifests[0].Digest {
		t.Errorf("pushed is %s, built was %s", pushed, layout.Manifests[0].Digest)
	}
	config := s.run("crane", "config", "--platform", "linux/amd64", image+":v1")
	for _, want := range []string{`"User":"65532:65532"`, `"Entrypoint":["/setimage"]`, `"architecture":"amd64"`} {
		if !strings.Contains(config, want) {
			t.Errorf("%s is not in the image's configuration\n%s", want, config)
		}
	}
}
