package promote

import (
	"bytes"
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
	at := spec.placement().overlayPath(service, environment)
	if spec.Layout.isFile() {
		return spec.parseOverlay(tree, at)
	}
	found, err := tree.ReadAny(at, kustomizationNames)
	switch {
	case strict && len(found.Have) > 1:
		return nil, failure("keep one of them", "%s has both %s and %s", at, found.Have[0], found.Have[1])
	case errors.Is(err, fs.ErrNotExist):
		return nil, errNoOverlay
	case err != nil:
		return nil, err
	}
	return spec.parse(path.Join(at, found.Name), found.Data)
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
	f, err := overlay.Options{Images: s.Images}.Parse(file, data)
	if err != nil && s.Layout.isFile() && blank(data) {
		// Helm takes a file of values without a value for one that changes nothing.
		return overlay.Options{Images: s.Images}.Parse(file, []byte("{}\n"))
	}
	return f, err
}

// blank tells whether a file has nothing but comments and marks of documents.
func blank(data []byte) bool {
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && string(line) != "---" {
			return false
		}
	}
	return true
}
