package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// krewManifest is what the tests read of krew's manifest.
type krewManifest struct {
	Spec struct {
		Version   string
		Platforms []struct {
			Selector struct{ MatchLabels struct{ OS, Arch string } }
			URI      string
			SHA256   string
		}
	}
}

func readManifest(t *testing.T, file string) krewManifest {
	t.Helper()
	var m krewManifest
	if err := yaml.Unmarshal([]byte(read(t, file)), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

var releaseURL = regexp.MustCompile(`https://github\.com/kubepromote/kubepromote/releases/download/v[0-9.]+/`)

// servedManifest writes a manifest whose archives come from a server of this
// test, under the name that krew wants: the plugin's.
func servedManifest(t *testing.T, manifest, server, dir string) string {
	t.Helper()
	text := releaseURL.ReplaceAllString(read(t, manifest), server+"/")
	file := filepath.Join(dir, "promote.yaml")
	write(t, file, text)
	return file
}

// newKrewShell has krew and kubectl, and a plugin only when krew installs it.
func newKrewShell(t *testing.T) (s *shell, root string) {
	t.Helper()
	needs(t, "kubectl", "krew is a plugin of it")
	s = newShell(t, t.TempDir())
	root = filepath.Join(t.TempDir(), "krew")
	programs := t.TempDir()
	for _, name := range []string{"kubectl-krew", "validate-krew-manifest"} {
		if err := os.Symlink(filepath.Join(bin, name), filepath.Join(programs, name)); err != nil {
			t.Fatal(err)
		}
	}
	path := strings.Join([]string{filepath.Join(root, "bin"), programs, os.Getenv("PATH")}, string(filepath.ListSeparator))
	s.env = append(s.env, "KREW_ROOT="+root, "KREW_NO_UPGRADE_CHECK=1", "PATH="+path)
	return s, root
}

// addIndex gives krew an index, without which it uninstalls nothing.
func addIndex(t *testing.T, s *shell) {
	t.Helper()
	index := s.in(t.TempDir())
	write(t, filepath.Join(index.dir, "plugins", "README"), "no plugins yet\n")
	index.run("git", "init", "-q")
	index.run("git", "add", "--all")
	index.run("git", "commit", "-qm", "begin")
	s.run("kubectl", "krew", "index", "add", "empty", index.dir)
}

// nothingLeft fails where a file of the plugin is left in krew's folder.
func nothingLeft(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "index" {
			return fs.SkipDir
		}
		if err == nil && strings.Contains(d.Name(), "promote") {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// krew installs the plugin from manifest and archive, kubectl runs it, and when
// it is gone nothing is left.
func TestKrewInstall(t *testing.T) {
	s, root := newKrewShell(t)
	addIndex(t, s)
	dist := hostRelease(t)
	archive := archiveIn(t, dist)
	_, stderr := s.exits(0, "kubectl", "krew", "install", "--manifest="+filepath.Join(dist, "krew-manifest.yaml"), "--archive="+archive)
	if !strings.Contains(stderr, "Installed plugin: promote") || !strings.Contains(stderr, "completion install") {
		t.Errorf("krew says\n%s", stderr)
	}
	version := readManifest(t, filepath.Join(dist, "krew-manifest.yaml")).Spec.Version
	out := s.run("kubectl", "promote", "version")
	if !strings.HasPrefix(out, "kubectl-promote "+version+" ") || !regexp.MustCompile(`(?m)^cosign +v2\.[0-9.]+ `).MatchString(out) {
		t.Errorf("version prints\n%s", out)
	}
	s.run("kubectl", "promote", "completion", "install")
	if out := s.run("kubectl", "__complete", "promote", "vers"); !strings.HasPrefix(out, "version") {
		t.Errorf("kubectl completes the plugin's commands to\n%s", out)
	}
	if out := s.run("kubectl", "__complete", "promote", "version", "-o", "js"); !strings.Contains(out, "\njson\n") {
		t.Errorf("kubectl completes the plugin's flags to\n%s", out)
	}
	s.run("kubectl", "promote", "completion", "uninstall")
	s.run("kubectl", "krew", "uninstall", "promote")
	nothingLeft(t, root)
}

// An upgrade through an index leaves only the new version, and an uninstallation
// nothing.
func TestKrewUpgrade(t *testing.T) {
	s, root := newKrewShell(t)
	old, fresh := hostRelease(t), otherRelease(t, "v99.0.0")
	files := http.NewServeMux()
	for _, dist := range []string{old, fresh} {
		archive := archiveIn(t, dist)
		files.HandleFunc("/"+filepath.Base(archive), func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, archive) })
	}
	server := httptest.NewServer(files)
	defer server.Close()
	index := s.in(t.TempDir())
	index.run("git", "init", "-q")
	publish := func(dist string) {
		servedManifest(t, filepath.Join(dist, "krew-manifest.yaml"), server.URL, filepath.Join(index.dir, "plugins"))
		index.run("git", "add", "--all")
		index.run("git", "commit", "-qm", "publish")
	}
	publish(old)
	s.run("kubectl", "krew", "index", "add", "local", index.dir)
	s.run("kubectl", "krew", "install", "local/promote")
	s.run("kubectl", "promote", "completion", "install")
	publish(fresh)
	s.run("kubectl", "krew", "upgrade")
	if out := s.run("kubectl", "promote", "version"); !strings.HasPrefix(out, "kubectl-promote v99.0.0 ") {
		t.Errorf("after the upgrade version prints\n%s", out)
	}
	if out := s.run("kubectl", "__complete", "promote", "vers"); !strings.HasPrefix(out, "version") {
		t.Errorf("after the upgrade kubectl completes to\n%s", out)
	}
	versions, err := os.ReadDir(filepath.Join(root, "store", "promote"))
	if err != nil || len(versions) != 1 || versions[0].Name() != "v99.0.0" {
		t.Errorf("in the store are %v, %v", versions, err)
	}
	s.run("kubectl", "promote", "completion", "uninstall")
	s.run("kubectl", "krew", "uninstall", "promote")
	nothingLeft(t, root)
}

// krew's own validation takes the manifest of what is built here: structure,
// download, hash and the files installed.
func TestKrewValidate(t *testing.T) {
	s, _ := newKrewShell(t)
	dist := t.TempDir()
	if err := os.CopyFS(dist, os.DirFS(hostRelease(t))); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(dist)))
	defer server.Close()
	file := servedManifest(t, filepath.Join(dist, "krew-manifest.yaml"), server.URL, t.TempDir())
	if _, stderr := s.exits(0, "validate-krew-manifest", "-manifest", file); !strings.Contains(stderr, "all 1 spec.platforms installed fine") {
		t.Errorf("validate-krew-manifest says\n%s", stderr)
	}
	// A byte more, and it does not.
	archive := archiveIn(t, dist)
	write(t, archive, read(t, archive)+"\n")
	if status, _, _ := s.try("validate-krew-manifest", "-manifest", file); status == 0 {
		t.Error("an archive with another hash is taken")
	}
}

// The manifest at the root is the last release's, and has all platforms that krew
// knows. Its structure is validated for all of them, and the installation for those
// whose archives are in dist: after make release.
func TestKrewRootManifest(t *testing.T) {
	s, _ := newKrewShell(t)
	manifest := filepath.Join(repositoryRoot, "krew-manifest.yaml")
	m := readManifest(t, manifest)
	const known = 11
	if len(m.Spec.Platforms) != known {
		t.Errorf("%d platforms, krew knows %d", len(m.Spec.Platforms), known)
	}
	dist := filepath.Join(repositoryRoot, "dist")
	server := httptest.NewServer(http.FileServer(http.Dir(dist)))
	defer server.Close()
	file := servedManifest(t, manifest, server.URL, t.TempDir())
	s.run("validate-krew-manifest", "-skip-install", "-manifest", file)
	missing := 0
	for _, p := range m.Spec.Platforms {
		l := p.Selector.MatchLabels
		t.Run(l.OS+"_"+l.Arch, func(t *testing.T) {
			name := filepath.Base(p.URI)
			data, err := os.ReadFile(filepath.Join(dist, name))
			missing++
			if err != nil {
				t.Skipf("dist/ does not hold %s; make release builds it", name)
			}
			if s := sha256.Sum256(data); hex.EncodeToString(s[:]) != p.SHA256 {
				t.Skipf("dist/%s is another build than the one in the root manifest", name)
			}
			missing--
			installFor(t, file, l.OS, l.Arch)
		})
	}
	t.Run("validate", func(t *testing.T) {
		if missing > 0 {
			t.Skipf("dist/ lacks the archives of %d platforms; make release builds them", missing)
		}
		s.run("validate-krew-manifest", "-manifest", file)
	})
}

// installFor installs what a manifest has for a platform, wherever this runs.
func installFor(t *testing.T, manifest, goos, arch string) {
	t.Helper()
	s, root := newKrewShell(t)
	addIndex(t, s)
	s.env = append(s.env, "KREW_OS="+goos, "KREW_ARCH="+arch)
	s.run("kubectl", "krew", "install", "--manifest="+manifest)
	program := "kubectl-promote"
	if goos == "windows" {
		program += ".exe"
	}
	for _, name := range []string{program, strings.Replace(program, "kubectl-promote", "promote-fn", 1), "LICENSE", "README", filepath.Join("man", "man1", "kubectl-promote.1")} {
		found, err := filepath.Glob(filepath.Join(root, "store", "promote", "*", name))
		if err != nil || len(found) != 1 {
			t.Errorf("%s is installed as %v, %v", name, found, err)
		}
	}
	s.run("kubectl", "krew", "uninstall", "promote")
	nothingLeft(t, root)
}

// archiveIn gives the one archive in a folder.
func archiveIn(t *testing.T, dist string) string {
	t.Helper()
	for _, pattern := range []string{"kubectl-promote_*.tar.gz", "kubectl-promote_*.zip"} {
		if found, err := filepath.Glob(filepath.Join(dist, pattern)); err == nil && len(found) == 1 {
			return found[0]
		}
	}
	t.Fatalf("not one archive in %s", dist)
	return ""
}

// otherRelease builds the archive and the manifest for this machine as another
// version than the current one.
func otherRelease(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	copySources(t, dir)
	_, toolchain, _ := strings.Cut(read(t, filepath.Join(dir, "VERSION")), "\n")
	write(t, filepath.Join(dir, "VERSION"), version+"\n"+toolchain)
	release(t, dir, "krew")
	return filepath.Join(dir, "dist")
}

func sameBytes(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		t.Errorf("%s differs between two builds", filepath.Base(a))
	}
}
