package build

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/kubepromote/kubepromote/internal/yamlbound"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// maxDepth bounds how deep bases may lie in bases, and maxBuilds how many are built:
// a base that is used twice is built twice, with all that it is made of.
const (
	maxDepth  = 64
	maxBuilds = 10_000
)

// repository gives the directory that no base may lie outside of: the nearest one
// upwards with .git or else with promotion.yaml. It is empty where there is none, or
// where anything may be read.
func repository(fs filesys.FileSystem, dir string) string {
	for _, mark := range []string{".git", "promotion.yaml"} {
		for up := dir; ; up = filepath.Dir(up) {
			if fs.Exists(filepath.Join(up, mark)) {
				return up
			}
			if up == filepath.Dir(up) {
				break
			}
		}
	}
	return ""
}

// enter tells whether the kustomization of a directory may be made of what another
// gives.
func (b *builder) enter(from, path, dir string) error {
	if b.repository == "" || within(dir, b.repository) {
		return nil
	}
	return failure("--load-restrictor LoadRestrictionsNone reads files and bases from anywhere",
		"%s: %s is outside of the repository %s", relative(from), path, relative(b.repository))
}

// count notes how many kustomizations a target is built from.
func (b *builder) count(t *target, children []string) error {
	builds := 1
	for _, dir := range children {
		builds += b.builds[dir]
	}
	if b.builds[t.dir] = builds; builds > maxBuilds {
		return failure("use a base once", "%s is built from more than %d kustomizations", relative(t.dir), maxBuilds)
	}
	return nil
}

// bounded is a file system whose files can be read in the memory and time that there
// is, as kustomize reads them.
type bounded struct {
	filesys.FileSystem
	disk bool
}

// ReadFile implements filesys.FileSystem.
func (f bounded) ReadFile(path string) ([]byte, error) {
	if f.disk {
		if info, err := os.Stat(path); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
			return nil, failure("", "%s: is not a file", relative(path))
		} else if err == nil && info.Size() > yamlbound.MaxInput {
			return nil, failure("build the parts", "%s: is larger than %d MiB", relative(path), yamlbound.MaxInput>>20)
		}
	}
	data, err := f.FileSystem.ReadFile(path)
	if err != nil {
		return nil, err
	}
	const hint = "write it without aliases, or build the parts"
	if err := yamlbound.Check(data); err != nil {
		return nil, failure(hint, "%s: %v", relative(path), err)
	}
	if line, err := yamlbound.CheckNested(data); err != nil {
		return nil, failure(hint, "%s:%d: %v", relative(path), line, err)
	}
	return data, nil
}

// cycle tells whether a directory is being prepared.
func (b *builder) cycle(dir string) bool { return slices.Contains(b.stack, dir) }
