package lock

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
)

const (
	imagesLockVersion = "imgpkg.carvel.dev/v1alpha1"
	imagesLockKind    = "ImagesLock"
	// annotationID is kbld's: the image as the configuration names it.
	annotationID = "kbld.carvel.dev/id"

	maxImagesLockSize   = 4 << 20
	maxImagesLockValues = 1 << 20
	maxImagesLockItems  = 10_000
	maxAnnotations      = 256
)

// ImagesLock is the lock file of kbld and imgpkg (kind ImagesLock of
// imgpkg.carvel.dev/v1alpha1).
type ImagesLock struct {
	Images []LockedImage

	name string // of the file, for messages
}

// LockedImage is one image of an [ImagesLock].
type LockedImage struct {
	// Image is "repository@sha256:…": where the image is to be pulled from.
	Image string
	// Annotations are kept as they are. kbld writes "kbld.carvel.dev/id", the
	// image as the configuration names it, and "kbld.carvel.dev/origins".
	Annotations map[string]string
}

// ParseImagesLock reads an ImagesLock. name is the file's name in messages.
// Faults are [*FileError] values, joined, each with its place. Unknown fields,
// aliases, further documents and images without a digest are faults.
func ParseImagesLock(name string, data []byte) (*ImagesLock, error) {
	f := yamlfile.Parse(name, data, yamlfile.Options{Size: maxImagesLockSize, Values: maxImagesLockValues})
	l := &ImagesLock{name: name}
	for _, doc := range f.Documents() {
		var file imagesLockFile
		f.Check(doc, imagesLockShape())
		switch {
		case len(f.Faults()) > 0:
		case doc.Decode(&file) != nil:
			f.Add(doc, "", "is not an %s that can be read", imagesLockKind)
		default:
			l.read(f, &file)
		}
	}
	err := f.Err(func(x yamlfile.Fault) error {
		return &FileError{File: x.File, Line: x.Line, Col: x.Col, Msg: x.Msg, Hint: x.Hint}
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// imagesLockFile is the file as kbld and imgpkg write it.
type imagesLockFile struct {
	APIVersion string            `yaml:"apiVersion"`
	Images     []imagesLockImage `yaml:"images,omitempty"`
	Kind       string            `yaml:"kind"`
}

type imagesLockImage struct {
	Annotations map[string]string `yaml:"annotations,omitempty"`
	Image       string            `yaml:"image"`
}

// imagesLockShape is stricter than the type: 1.20 in quotes is a text, and without
// them it is 1.2.
func imagesLockShape() *yamlfile.Shape {
	text := &yamlfile.Shape{Kind: yamlfile.String}
	image := &yamlfile.Shape{Kind: yamlfile.Mapping, Fields: []yamlfile.Field{
		{Name: "image", Shape: text, Required: true},
		{Name: "annotations", Shape: &yamlfile.Shape{Kind: yamlfile.Mapping, Items: text, Null: true}},
	}}
	return &yamlfile.Shape{Kind: yamlfile.Mapping, Fields: []yamlfile.Field{
		{Name: "apiVersion", Shape: text},
		{Name: "kind", Shape: text},
		{Name: "images", Shape: &yamlfile.Shape{Kind: yamlfile.List, Items: image, Null: true}},
	}}
}

// read takes over what a file of the right shape says.
func (l *ImagesLock) read(f *yamlfile.File, file *imagesLockFile) {
	switch {
	case file.APIVersion != imagesLockVersion || file.Kind != imagesLockKind:
		f.At("", "", "kind %q of apiVersion %q is not %s of %s", fault.Shorten(file.Kind), fault.Shorten(file.APIVersion), imagesLockKind, imagesLockVersion)
		return
	case len(file.Images) > maxImagesLockItems:
		f.At("images", "", "more than %d images", maxImagesLockItems)
		return
	}
	for i, img := range file.Images {
		path := fmt.Sprintf("images[%d]", i)
		if ref, at, why := grammar.ParseReference(img.Image); why != "" {
			f.At(path+".image", "", "%s.image: byte %d: %s", path, at+1, why)
		} else if ref.Digest == "" {
			f.At(path+".image", "", "%s.image has no digest", path)
		}
		if len(img.Annotations) > maxAnnotations {
			f.At(path+".annotations", "", "%s.annotations has more than %d annotations", path, maxAnnotations)
		}
		l.Images = append(l.Images, LockedImage{Image: img.Image, Annotations: img.Annotations})
	}
}

// Bytes is the file as kbld and imgpkg write it, byte for byte.
func (l *ImagesLock) Bytes() ([]byte, error) {
	file := imagesLockFile{APIVersion: imagesLockVersion, Kind: imagesLockKind}
	for _, img := range l.Images {
		if ref, err := digest.ParseReference(img.Image); err != nil {
			return nil, err
		} else if ref.Digest == "" {
			return nil, &digest.Error{Ref: img.Image, Kind: digest.ErrMalformed, Err: fault.Text("has no digest to be locked")}
		}
		file.Images = append(file.Images, imagesLockImage{img.Annotations, img.Image})
	}
	b := bytes.NewBufferString("---\n")
	enc := yaml.NewEncoder(b)
	enc.SetIndent(2)
	enc.CompactSeqIndent()
	if err := errors.Join(enc.Encode(file), enc.Close()); err != nil {
		return nil, fmt.Errorf("%s cannot be written: %w", imagesLockKind, err)
	}
	return b.Bytes(), nil
}

// Lock gives what the file says about references: the digest of what its
// annotation "kbld.carvel.dev/id" names. Where the image is pulled from is no
// part of a [Lock].
//
// An id may be any text: kbld builds images from names such as "sample-app". An
// image whose id is missing or outside the grammar of [digest.ParseReference] is locked
// under its own reference by digest, and such ids are listed in unnamed, sorted.
//
// Two digests for one reference are an error, as is an id with another digest
// than its image.
func (l *ImagesLock) Lock() (lock *Lock, unnamed []string, err error) {
	lock = &Lock{name: l.name}
	for _, img := range l.Images {
		own, err := digest.ParseReference(img.Image)
		if err != nil {
			return nil, nil, err
		}
		own.Tag = ""
		name := img.Annotations[annotationID]
		id, err := digest.ParseReference(name)
		if err != nil {
			if name != "" {
				unnamed = append(unnamed, name)
			}
			id = own
		}
		if known, ok := lock.entries[lockKey(id)]; ok && known.Digest != own.Digest {
			return nil, nil, &digest.Error{Ref: id.String(), Kind: digest.ErrMalformed, Err: fault.Text("is locked twice, as " + known.Digest + " and as " + own.Digest)}
		}
		if err := lock.Set(Locked{Ref: id.String(), Digest: own.Digest}); err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(unnamed)
	return lock, slices.Compact(unnamed), nil
}

// Update gives the file with the digests that a lock has for the references of
// its images, followed by the references that only the lock has. Everything else
// stays: the order, where an image is pulled from, annotations, and images whose
// id is no reference.
func (l *ImagesLock) Update(lock *Lock) (*ImagesLock, error) {
	out := &ImagesLock{name: l.name}
	here := make(map[digest.Reference]bool)
	for _, img := range l.Images {
		own, err := digest.ParseReference(img.Image)
		if err != nil {
			return nil, err
		}
		id, err := digest.ParseReference(img.Annotations[annotationID])
		if err != nil {
			id = digest.Reference{Repository: own.Repository, Digest: own.Digest}
		}
		here[lockKey(id)] = true
		if e := lock.entries[lockKey(id)]; e != nil && e.Digest != own.Digest {
			img.Image = own.Repository + "@" + e.Digest
		}
		out.Images = append(out.Images, img)
	}
	for _, img := range lock.ImagesLock().Images {
		id, err := digest.ParseReference(img.Annotations[annotationID])
		if err != nil {
			return nil, err
		}
		if !here[lockKey(id)] {
			out.Images = append(out.Images, img)
		}
	}
	return out, nil
}

// ImagesLock gives the lock in the form of kbld and imgpkg. The annotation
// "kbld.carvel.dev/id" of each image is its reference, in the spelling it has
// here: kbld compares it with the configuration byte for byte. Media types and
// platforms have no place there.
func (l *Lock) ImagesLock() *ImagesLock {
	out := &ImagesLock{name: l.name}
	for _, key := range l.order() {
		e := l.entries[key]
		repository := key.Repository
		if rest, ok := strings.CutPrefix(repository, grammar.DefaultRegistry+"/"); ok {
			repository = "index." + grammar.DefaultRegistry + "/" + rest // as kbld spells it
		}
		out.Images = append(out.Images, LockedImage{
			Image:       repository + "@" + e.Digest,
			Annotations: map[string]string{annotationID: e.Ref},
		})
	}
	slices.SortStableFunc(out.Images, func(a, b LockedImage) int {
		return cmp.Or(strings.Compare(a.Annotations[annotationID], b.Annotations[annotationID]), strings.Compare(a.Image, b.Image))
	})
	return out
}
