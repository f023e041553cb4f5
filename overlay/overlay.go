package overlay

import (
	"bytes"
	"errors"
	"slices"
	"sync"

	"github.com/kubepromote/kubepromote/overlay/internal/paths"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"github.com/kubepromote/kubepromote/overlay/internal/texts"
	"github.com/kubepromote/kubepromote/overlay/internal/unified"
)

// Error is a fault at a place in a file. Functions that find several faults join
// them with errors.Join.
type Error struct {
	// File is the name that the file was parsed under.
	File string
	// Line and Col count from 1; Col counts characters, not bytes. Both are zero
	// where the fault concerns the file as a whole.
	Line, Col int
	// Msg says what is wrong: one line, lower case, no full stop.
	Msg string
	// Hint, if any, says what to type or to change.
	Hint string
}

// Error gives "file:line:col: what", without the hint.
func (e *Error) Error() string { return (*syntax.Error)(e).Error() }

// HintText gives the hint, or "".
func (e *Error) HintText() string { return e.Hint }

// public makes the errors of this package of those of the syntax below it.
func public(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range joined.Unwrap() {
			errs = append(errs, public(e))
		}
		return errors.Join(errs...)
	}
	if e, ok := err.(*syntax.Error); ok {
		return (*Error)(e)
	}
	return err
}

// Position is a place in a file. Line and Col count from 1; Col counts
// characters, not bytes.
type Position struct {
	Line int `json:"line"`
	Col  int `json:"col"`
}

// Place is a position in a file that is named.
type Place struct {
	File string `json:"file"`
	Position
}

// Type is what a pin chooses.
type Type string

// The types of pins: a container image by tag and digest, a Helm chart by its
// version, a revision of a Git repository, or files at an OCI artifact's tag.
const (
	TypeImage    Type = "image"
	TypeChart    Type = "chart"
	TypeRevision Type = "revision"
)

// Format names a format that pins stand in.
type Format string

// The formats, by the file or field that the pin stands in.
const (
	Kustomization Format = "kustomization" // images, helmCharts and remote resources of a kustomization file
	Manifest      Format = "manifest"      // a pod's containers, in any kind
	HelmValues    Format = "helm-values"   // a values file, or values inside another file
	HelmChart     Format = "helm-chart"    // dependencies of Chart.yaml
	ArgoCD        Format = "argocd"        // Application, ApplicationSet, .argocd-source files
	Flux          Format = "flux"          // Kustomization, HelmRelease and sources of Flux
	FluxMarker    Format = "flux-marker"   // a scalar with an $imagepolicy comment
	Declared      Format = "declared"      // a scalar at a path that the caller has named
	Env           Format = "env"           // KEY=VALUE lines, as in .env and .properties files
	OneLine       Format = "one-line"      // a file of one line, whose path is "."
)

// Pin is one place in a file that says which version of something is used.
type Pin struct {
	Type   Type   `json:"type"`
	Format Format `json:"format"`
	// Name is what the pin is called by: an image's name as the manifests below
	// a kustomization have it, or the repository where it stands in the file
	// itself; the name of a chart; the URL of a repository. Where none of these
	// stands beside the pin, it is the pin's path.
	Name string `json:"name"`
	// Unknown says why the repository is not known, as "its repository is not in
	// this file (image.repository would name it)"; empty where it is known.
	Unknown string `json:"unknown,omitempty"`
	// RepositoryFrom is where the repository stands if that is Options.Base.
	RepositoryFrom Place `json:"repositoryFrom,omitzero"`
	// NewName replaces Name, if it is not empty (kustomizations). Where other entries
	// apply to what this one makes, NewName, Tag and Digest are what comes out.
	NewName string `json:"newName,omitempty"`
	// Tag and Digest say what runs; one of them or both may be empty. A chart's
	// version and a repository's revision are tags here.
	Tag    string `json:"tag,omitempty"`
	Digest string `json:"digest,omitempty"`
	// TagSuffix is appended to the tag that the manifests have (kustomize).
	TagSuffix string `json:"tagSuffix,omitempty"`
	// Path is where the pin stands, in the form that set --value takes, with the
	// document's number in front where a file has several. It is unique.
	Path string `json:"path"`
	// Policy is the Flux image policy, as namespace:name, whose marker stands
	// beside the pin.
	Policy string `json:"policy,omitempty"`
	// Position is where the pin begins.
	Position Position `json:"position"`
	// Misread, if not zero, says that who reads the file takes the tag or the digest
	// for another.
	Misread Misread `json:"misread,omitzero"`
}

// Repository is the image without tag and digest, as it is rendered.
func (p Pin) Repository() string {
	if p.NewName != "" {
		return p.NewName
	}
	if p.Type == TypeImage && p.Known() && (p.Format == Kustomization || p.Format == Flux) {
		// The name of an entry may hold the tag or the digest that is matched below.
		if repository, _, _, ok := reference.SplitRef(p.Name, true); ok {
			return repository
		}
	}
	return p.Name
}

// Ref is the image as it is rendered: repository[:tag][@digest].
func (p Pin) Ref() string {
	ref := p.Repository()
	if p.Tag != "" {
		ref += ":" + p.Tag
	}
	if p.Digest != "" {
		ref += "@" + p.Digest
	}
	return ref
}

// Options say more about a file than its content does. The zero value is useful.
type Options struct {
	// Images are where images stand that no convention finds, such as a field of a
	// custom resource, or that a convention finds without knowing their repository.
	// A path that a file does not have is no error: one list serves many files.
	Images []ImagePath
	// Base is what the file's values are laid over: the chart's values.yaml, or the
	// HelmRelease that a patch is for. What the file does not say of an image, its
	// repository or its registry, is looked up there at the same path. It is read only.
	Base *File
}

// File is a parsed file. It is immutable and safe for concurrent use.
type File struct {
	src    *syntax.Source
	opts   Options
	found  *finder
	pins   []Pin
	images []Pin
	// indices of the images
	byName, byPath map[string]int
	texts          func() texts.Index
	taken          func() map[Position]bool
	names          *paths.Namer
	imagesBelow    func() *paths.Tree
}

// Parse reads a file of any format that it knows; see Options.Parse.
func Parse(name string, src []byte) (*File, error) { return Options{}.Parse(name, src) }

// Parse reads a file. Its formats are told by its content, document by document;
// the name decides where the content is silent: kustomization.yaml,
// kustomization.yml, Kustomization and .argocd-source-*.yaml. Files named .env*,
// *.env and *.properties are lines of KEY=VALUE, in which no escapes and variables are
// read. A file of one line of plain text, without the name of a YAML or JSON file, is
// that text.
//
// What cannot be edited safely is an error: text that is not UTF-8, malformed
// YAML, templates, duplicate keys, two entries of a kustomization for one image.
// All faults found are joined.
func (o Options) Parse(name string, src []byte) (*File, error) {
	s, err := syntax.Parse(name, src)
	if err != nil {
		return nil, public(err)
	}
	f, err := o.parse(s)
	return f, public(err)
}

func (o Options) parse(s *syntax.Source) (*File, error) {
	found, err := find(s, o)
	if err != nil {
		return nil, err
	}
	n := len(found.sites) // pins are large: room for all at once
	f := &File{src: s, opts: o, found: found, pins: make([]Pin, n), byName: make(map[string]int, n), byPath: make(map[string]int, n), names: paths.NewNamer(s.Docs)}
	f.texts, f.taken = sync.OnceValue(func() texts.Index { return texts.Of(s.Docs) }), sync.OnceValue(f.pinned)
	f.imagesBelow = sync.OnceValue(func() *paths.Tree { return paths.NewTree(s.Docs, f.images, func(p Pin) string { return p.Path }) })
	for i, st := range found.sites {
		f.pins[i] = st.pin()
		f.pins[i].Misread = misread(st, f.pins[i])
	}
	// Callers are given the images: what they do with that list changes no pin.
	f.images = slices.DeleteFunc(slices.Clone(f.pins), func(p Pin) bool { return p.Type != TypeImage })
	for i, p := range slices.Backward(f.images) { // the first of each name counts
		f.byName[p.Name], f.byPath[p.Path] = i, i
	}
	return f, nil
}

// Name is the name that the file was parsed under.
func (f *File) Name() string { return f.src.Name }

// Bytes is the file's text. The caller must not change it.
func (f *File) Bytes() []byte { return f.src.Bytes }

// Pins lists all pins in the file's order. The caller must not change the slice.
func (f *File) Pins() []Pin { return f.pins }

// Images lists the pins of container images in the file's order. The caller must
// not change the slice.
func (f *File) Images() []Pin { return f.images }

// Unread is a place where an image of a container stands that cannot be read as a
// reference: ${IMAGE}, web:{TAG}, a number, a list. What runs there is not known.
type Unread struct {
	Text     string   `json:"text"` // as it stands there; empty where it is no scalar
	Path     string   `json:"path"`
	Position Position `json:"position"`
}

// Unread lists the images of containers that cannot be read, in no order that
// means anything. Who judges a file must not pass over them. The caller must not
// change the slice.
func (f *File) Unread() []Unread { return f.found.unread }

// Image gives the first image with a name.
func (f *File) Image(name string) (Pin, bool) {
	i, ok := f.byName[name]
	if !ok {
		return Pin{}, false
	}
	return f.images[i], true
}

// ImageAt gives the image at a path; see Pin.Path.
func (f *File) ImageAt(path string) (Pin, bool) {
	i, ok := f.byPath[path]
	if !ok {
		return Pin{}, false
	}
	return f.images[i], true
}

// FieldValue is the field of a change of a scalar that was named by its path.
const FieldValue = "value"

// FieldChange is one value that an edit writes, adds or removes.
type FieldChange struct {
	// Image is the pin's name, Field the key of the value, such as newTag, or
	// image where name, tag and digest are one value. For a scalar that was named
	// by its path, Image is that path and Field is FieldValue.
	Image string `json:"image"`
	Field string `json:"field"`
	// Old and New are the values; empty where the field is added or removed.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Position is where the value or, for a new field, the pin stands before
	// the edit. It is zero for a new entry.
	Position Position `json:"position"`
}

// Edit is the outcome of File.Set: a value, nothing is written anywhere.
type Edit struct {
	// Before and After are the file as it was and as it shall be. They are the
	// same where nothing had to change.
	Before, After *File
	// Changes lists what differs, in the order of the pins.
	Changes []FieldChange
	// Warnings are facts to be told, such as an anchor whose aliases follow.
	Warnings []string
	// Notes are facts to be told that concern no value but those asked for, such as
	// one name that stood for two tags.
	Notes []string
}

// Changed tells whether any byte differs.
func (e *Edit) Changed() bool { return !bytes.Equal(e.Before.src.Bytes, e.After.src.Bytes) }

// Diff gives the edit as a unified diff with the file's name on both sides
// (a/ and b/), or "" where nothing differs.
func (e *Edit) Diff() string {
	return unified.Diff(e.Before.Name(), e.Before.Bytes(), e.After.Bytes())
}

// Known tells whether the file says which repository an image's pin is about. Where
// it does not, Repository and Ref are nothing that a registry could be asked for.
func (p Pin) Known() bool { return p.Unknown == "" }

// isName tells whether a text may name a pin of a type.
func (t Type) isName(s string) bool {
	switch t {
	case TypeImage:
		return reference.IsName(s)
	case TypeChart, TypeRevision:
		return reference.IsWord(s)
	}
	return false
}
