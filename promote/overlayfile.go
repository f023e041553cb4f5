package promote

import (
	"errors"
	"io/fs"
	"path"

	"github.com/kubepromote/kubepromote/overlay"
)

// errNoOverlay says that a service has no overlay in an environment.
var errNoOverlay = errors.New("no overlay")

// readOverlay reads the overlay of a service in an environment: the file that
// the layout names, or the kustomization file of the directory. It returns
// errNoOverlay where there is none. strict refuses a directory that has several
// kustomization files, as kustomize does.
func readOverlay(tree Tree, spec *PipelineSpec, service, environment string, strict bool) (*overlay.File, error) {
	at := spec.Layout.OverlayPath(service, environment)
	if spec.Layout.isFile() {
		return spec.parseOverlay(tree, at)
	}
	if strict {
		if err := checkOneKustomization(tree, at); err != nil {
			return nil, err
		}
	}
	for _, name := range kustomizationNames {
		f, err := spec.parseOverlay(tree, path.Join(at, name))
		if !errors.Is(err, errNoOverlay) {
			return f, err
		}
	}
	return nil, errNoOverlay
}

func checkOneKustomization(tree Tree, dir string) error {
	entries, err := tree.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoOverlay
	}
	if err != nil {
		return err
	}
	first := ""
	for _, e := range entries {
		if !isKustomizationName(e.Name()) {
			continue
		}
		if first != "" {
			return failure("keep one of them", "%s has both %s and %s", dir, first, e.Name())
		}
		first = e.Name()
	}
	return nil
}

func (s *PipelineSpec) parseOverlay(tree Tree, file string) (*overlay.File, error) {
	data, err := tree.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoOverlay
	}
	if err != nil {
		return nil, err
	}
	return s.parse(file, data)
}

func (s *PipelineSpec) parse(file string, data []byte) (*overlay.File, error) {
	return overlay.Options{Images: s.Images}.Parse(file, data)
}
