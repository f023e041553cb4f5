package overlay

import (
	"bytes"

	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"github.com/rogpeppe/go-internal/diff"
)

// Error is a fault at a place in a file. Error() gives "file:line:col: what";
// HintText() what to do about it, or "". Functions that find several faults
// join them with errors.Join.
type Error = syntax.Error

// Position is a place in a file. Line and Col count from 1; Col counts
// characters, not bytes.
type Position struct {
	Line int `json:"line"`
	Col  int `json:"col"`
}

// Format names a format that pins stand in.
type Format string

// Kustomization is the images field of a kustomization file, whose kind is
// Kustomization or Component.
const Kustomization Format = "kustomization"

// Image is one image entry of a file.
type Image struct {
	// Format is the format of the entry.
	Format Format `json:"format"`
	// Name is the image's name as the manifests below the overlay have it.
	Name string `json:"name"`
	// NewName replaces Name, if it is not empty.
	NewName string `json:"newName,omitempty"`
	// Tag and Digest say what runs; one of them or both may be empty.
	Tag    string `json:"tag,omitempty"`
	Digest string `json:"digest,omitempty"`
	// TagSuffix is appended to the tag that the manifests have (kustomize).
	TagSuffix string `json:"tagSuffix,omitempty"`
	// Position is where the entry begins.
	Position Position `json:"position"`
}

// Repository is the image without tag and digest, as it is rendered.
func (i Image) Repository() string {
	if i.NewName != "" {
		return i.NewName
	}
	return i.Name
}

// Ref is the image as it is rendered: repository[:tag][@digest].
func (i Image) Ref() string {
	ref := i.Repository()
	if i.Tag != "" {
		ref += ":" + i.Tag
	}
	if i.Digest != "" {
		ref += "@" + i.Digest
	}
	return ref
}

// File is a parsed file. It is immutable and safe for concurrent use.
type File struct {
	src    *syntax.Source
	kust   *kustomization
	images []Image
}

// Parse reads a file. The name decides nothing but messages, except that a file
// named kustomization.yaml, kustomization.yml or Kustomization is taken for one
// when its content does not say.
//
// What cannot be edited safely is an error: text that is not UTF-8, malformed
// YAML, templates, duplicate keys, two entries for one image, a file of another
// format. All faults found are joined.
func Parse(name string, src []byte) (*File, error) {
	s, err := syntax.Parse(name, src)
	if err != nil {
		return nil, err
	}
	k, err := parseKustomization(s)
	if err != nil {
		return nil, err
	}
	f := &File{src: s, kust: k}
	for _, e := range k.entries {
		f.images = append(f.images, e.image)
	}
	return f, nil
}

// Name is the name that the file was parsed under.
func (f *File) Name() string { return f.src.Name }

// Bytes is the file's text. The caller must not change it.
func (f *File) Bytes() []byte { return f.src.Bytes }

// Images lists the image entries in the file's order. The caller must not
// change the slice.
func (f *File) Images() []Image { return f.images }

// Image gives the entry with a name.
func (f *File) Image(name string) (Image, bool) {
	for _, i := range f.images {
		if i.Name == name {
			return i, true
		}
	}
	return Image{}, false
}

// FieldChange is one value that an edit writes, adds or removes.
type FieldChange struct {
	// Image is the entry's name, Field its key: newName, newTag, digest, tagSuffix.
	Image string `json:"image"`
	Field string `json:"field"`
	// Old and New are the values; empty where the field is added or removed.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Position is where the value or, for a new field, the entry stands before
	// the edit. It is zero for a new entry.
	Position Position `json:"position"`
}

// Edit is the outcome of File.Set: a value, nothing is written anywhere.
type Edit struct {
	// Before and After are the file as it was and as it shall be. They are the
	// same where nothing had to change.
	Before, After *File
	// Changes lists what differs, in the order of the entries.
	Changes []FieldChange
	// Warnings are facts to be told, such as an anchor whose aliases follow.
	Warnings []string
}

// Changed tells whether any byte differs.
func (e *Edit) Changed() bool { return !bytes.Equal(e.Before.src.Bytes, e.After.src.Bytes) }

// Diff gives the edit as a unified diff with the file's name on both sides
// (a/ and b/), or "" where nothing differs.
func (e *Edit) Diff() string {
	name := e.Before.Name()
	d := diff.Diff("a/"+name, e.Before.Bytes(), "b/"+name, e.After.Bytes())
	if i := bytes.IndexByte(d, '\n'); i >= 0 {
		d = d[i+1:] // "diff a/… b/…" says nothing that the next two lines do not
	}
	return string(d)
}
