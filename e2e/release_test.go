package e2e

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// repositoryRoot is the folder of the product's sources.
const repositoryRoot = ".."

// releaseLimit bounds one run of make; with an empty build cache it compiles
// goreleaser and everything else.
const releaseLimit = 20 * time.Minute

// release runs a target of the Makefile in a folder with sources, for this
// machine's platform, and gives what it says. It has the environment of the tests:
// it needs Go's caches. The tools are those of the repository.
func release(t *testing.T, sources, target string, env ...string) string {
	t.Helper()
	tools, err := filepath.Abs(filepath.Join(repositoryRoot, "bin", "tools"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), releaseLimit)
	defer cancel()
	// What others may read is not the same everywhere, either.
	cmd := exec.CommandContext(ctx, "sh", "-c", `umask 077 && exec make "$@"`, "make", target, "TOOLS="+tools, "PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH)
	cmd.Dir = sources
	cmd.Env = append(os.Environ(), append([]string{"COSIGN_KEY=", "PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH")}, env...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make %s: %v\n%s", target, err, out)
	}
	return string(out)
}

// signedRelease is what make release has made once for all tests.
var signedRelease struct {
	sync.Once
	dir string // with the sources; key and root.json are in dist
}

// hostRelease gives the folder with the release for this machine, which no test
// writes to. It is made in a Git repository, and signed.
func hostRelease(t *testing.T) string {
	t.Helper()
	signedRelease.Do(func() {
		dir, err := os.MkdirTemp("", "release-")
		if err != nil {
			t.Fatal(err)
		}
		signedRelease.dir = dir
		copySources(t, dir)
		s := newShell(t, dir)
		s.run("git", "init", "-q")
		s.run("git", "add", "--all")
		s.run("git", "commit", "-qm", "sources")
		s.run("cosign", "generate-key-pair")
		release(t, dir, "release", "COSIGN_KEY=cosign.key", "COSIGN_PASSWORD=")
	})
	dist := filepath.Join(signedRelease.dir, "dist")
	if _, err := os.Stat(filepath.Join(dist, "krew-manifest.yaml")); err != nil {
		t.Fatalf("there is no release: %v", err)
	}
	return dist
}

// The same sources give the same bytes, in whatever folder and with whatever
// settings of Go they are built, and without any version control.
func TestReleaseIsReproducible(t *testing.T) {
	first, copied := hostRelease(t), t.TempDir()
	copySources(t, copied)
	said := release(t, copied, "release", "GOFLAGS=-buildvcs=false -tags=other", "TMPDIR="+t.TempDir(), "TZ=Pacific/Apia")
	if !strings.Contains(said, "nothing is signed: there is no key") {
		t.Errorf("without a key release says\n%s", said)
	}
	// goreleaser's notes on its run, which nobody publishes.
	notes := []string{"artifacts.json", "config.yaml", "metadata.json"}
	n := 0
	err := filepath.WalkDir(first, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains(notes, d.Name()) || strings.HasSuffix(d.Name(), ".sigstore.json") {
			return err
		}
		n++
		rel, err := filepath.Rel(first, path)
		sameBytes(t, path, filepath.Join(copied, "dist", rel))
		return err
	})
	if err != nil || n < 11 {
		t.Errorf("%d files compared: %v", n, err)
	}
}

// What is downloaded stays small; docs/size.md says what costs most.
func TestReleaseSize(t *testing.T) {
	const megabyte = 1_000_000
	limits := map[string]int64{archiveIn(t, hostRelease(t)): 45 * megabyte}
	for _, pattern := range []string{"kubectl-promote_*/kubectl-promote*", "promote-fn_*/promote-fn*", "promote-helm_*/promote-helm*"} {
		found, err := filepath.Glob(filepath.Join(hostRelease(t), pattern))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		limits[found[0]] = 70 * megabyte
	}
	for file, limit := range limits {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f MB", filepath.Base(file), float64(info.Size())/megabyte)
		if info.Size() > limit {
			t.Errorf("%s is larger than %d MB", file, limit/megabyte)
		}
	}
}

// copySources copies the files that Git knows to a folder, without Git's own.
func copySources(t *testing.T, dir string) {
	t.Helper()
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
}

// What a release signs, cosign verifies: the checksums, and the image's digest.
func TestReleaseSignatures(t *testing.T) {
	s := newShell(t, hostRelease(t))
	// cosign wants a root of trust even where a key stands for it.
	root := filepath.Join(t.TempDir(), "root.json")
	write(t, root, `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`)
	verify := []string{"--key", "../cosign.pub", "--new-bundle-format", "--trusted-root", root, "--insecure-ignore-tlog=true", "--bundle"}
	blob := func(bundle, file string) []string {
		return append(append([]string{"verify-blob"}, verify...), bundle, file)
	}
	s.run("cosign", blob("checksums.txt.sigstore.json", "checksums.txt")...)
	if status, _, _ := s.try("cosign", blob("checksums.txt.sigstore.json", "krew-manifest.yaml")...); status == 0 {
		t.Error("the signature of the checksums is taken for another file")
	}
	sums := s.run("sha256sum", "--check", "--strict", "checksums.txt")
	if strings.Count(sums, ": OK\n") != 5 { // two archives, one of which has two programs, and an SBOM of each program
		t.Errorf("the checksums cover\n%s", sums)
	}
	index := filepath.Join("image", "blobs", "sha256", strings.TrimPrefix(imageDigest(t), "sha256:"))
	attestation := append(append([]string{"verify-blob-attestation", "--type", "https://sigstore.dev/cosign/sign/v1"}, verify...), "image.sigstore.json")
	s.run("cosign", append(attestation, index)...)
	if status, _, _ := s.try("cosign", append(attestation, "checksums.txt")...); status == 0 {
		t.Error("the signature of the image is taken for another digest")
	}
}

// imageDigest is that of the index in the release's layout.
func imageDigest(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the image has programs for Linux alone")
	}
	var layout struct{ Manifests []struct{ Digest string } }
	if err := json.Unmarshal([]byte(read(t, filepath.Join(hostRelease(t), "image", "index.json"))), &layout); err != nil || len(layout.Manifests) != 1 {
		t.Fatalf("the image's layout holds %v: %v", layout, err)
	}
	return layout.Manifests[0].Digest
}

// crane pushes the layout as it is, and its index is the one that was built.
func TestReleaseImage(t *testing.T) {
	s := newShell(t, hostRelease(t))
	r := startRegistry(t)
	image := r.Host + "/promote-fn"
	s.run("crane", "push", "image", image+":v1")
	if pushed := strings.TrimSpace(s.run("crane", "digest", image+":v1")); pushed != imageDigest(t) {
		t.Errorf("pushed is %s, built was %s", pushed, imageDigest(t))
	}
	config := s.run("crane", "config", "--platform", "linux/"+runtime.GOARCH, image+":v1")
	for _, want := range []string{`"User":"65532:65532"`, `"Entrypoint":["/promote-fn"]`, `"architecture":"` + runtime.GOARCH + `"`} {
		if !strings.Contains(config, want) {
			t.Errorf("%s is not in the image's configuration\n%s", want, config)
		}
	}
}
