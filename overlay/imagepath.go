package overlay

import (
	"cmp"
	"fmt"

	"github.com/kubepromote/kubepromote/overlay/internal/convention"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
	"go.yaml.in/yaml/v3"
)

// ImagePath names a place where images stand that no convention finds. In YAML the
// path alone is short for it.
//
// With a path alone, what stands there is a whole reference, or a mapping with
// repository and tag. With a name or a repository it may be a part of one as well: a
// tag, TAG@DIGEST, or a digest, in a file that says nowhere of which image.
type ImagePath struct {
	// Path leads there: keys with dots between them, as ValueChange.Path has it.
	Path string `yaml:"path" json:"path"`
	// Name is what the pins are called by; without one, they have their repository's.
	Name string `yaml:"name" json:"name,omitempty"`
	// Repository is the image, with its registry. Without one it is not known which
	// image a tag is one of.
	Repository string `yaml:"repository" json:"repository,omitempty"`
}

// ImagePaths gives paths without names and repositories.
func ImagePaths(paths ...string) []ImagePath {
	var out []ImagePath
	for _, p := range paths {
		out = append(out, ImagePath{Path: p})
	}
	return out
}

// UnmarshalYAML reads a mapping with path, name and repository, or a path alone.
func (i *ImagePath) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*i = ImagePath{}
		return n.Decode(&i.Path)
	}
	type plain ImagePath
	return n.Decode((*plain)(i))
}

// Check tells what is wrong with the path, the name or the repository, or nil.
func (i ImagePath) Check() error {
	if err := CheckPath(i.Path); err != nil {
		return err
	}
	if i.Name != "" && !reference.IsName(i.Name) {
		return malformed("name", i.Name)
	}
	repository, tag, digest, ok := reference.SplitRef(i.Repository, false)
	if i.Repository != "" && (!ok || tag != "" || digest != "" || !reference.IsName(repository)) {
		return malformed("repository", i.Repository)
	}
	return nil
}

// says tells whether there is more than a path.
func (i ImagePath) says() bool { return i.Name != "" || i.Repository != "" }

// names gives a pin with the name and the repository, where the file does not know
// them itself.
func (i ImagePath) names(p Pin) Pin {
	if p.Known() || !i.says() {
		return p
	}
	p.Name = cmp.Or(i.Name, i.Repository)
	if i.Repository == "" {
		return p
	}
	p.Unknown, p.NewName = "", ""
	if i.Name != "" && i.Name != i.Repository {
		p.NewName = i.Repository
	}
	return p
}

// nameable is a site whose pin may be one of an image that stands elsewhere.
type nameable interface{ name(i ImagePath) }

func (t *tagSite) name(i ImagePath) {
	if t.part != partName {
		t.p = i.names(t.p)
	}
}

func (v *valuesSite) name(i ImagePath) { v.p = i.names(v.p) }

func (s *parameterSite) name(i ImagePath) { s.p = i.names(s.p) }

// valuePin makes a pin of a scalar that holds a part of a reference; false where it
// holds none, as a variable does.
func (f *finder) valuePin(n *yaml.Node, path, field string, format Format, i ImagePath) bool {
	what, ok := partTag, reference.IsVersion(nodes.Line(n))
	if reference.IsDigest(nodes.Line(n)) {
		what, ok = partDigest, true
	}
	if !ok {
		return false
	}
	p := Pin{Type: TypeImage, Format: format, Name: path, Path: path, Unknown: convention.NotHere("a repository declared with its path")}
	f.sites = append(f.sites, newTagSite(f.src, n, i.names(p), field, what))
	return true
}

func malformed(what, text string) error {
	return fmt.Errorf("%s %q of an image is malformed: want a name such as registry.example.com/shop/web", what, reference.Shown(text))
}
