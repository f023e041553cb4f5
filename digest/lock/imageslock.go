package lock

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	imagesLockVersion = "imgpkg.carvel.dev/v1alpha1"
	imagesLockKind    = "ImagesLock"
	// annotationID is kbld's: the image as the configuration names it.
	annotationID = "kbld.carvel.dev/id"

	maxImagesLockSize  = 4 << 20
	maxImagesLockItems = 10_000
	maxAnnotations     = 256
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
	p := &imagesLockParser{file: name}
	if len(data) > maxImagesLockSize {
		p.add(nil, "", "is larger than %d MiB", maxImagesLockSize>>20)
		return nil, p.err()
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		p.add(nil, "", "is empty")
	case err != nil:
		p.yamlFault(err)
	default:
		p.document(doc.Content[0])
		if err := dec.Decode(&next); err == nil {
			p.add(&next, "keep one document", "a second document")
		} else if !errors.Is(err, io.EOF) {
			p.yamlFault(err)
		}
	}
	if len(p.errs) > 0 {
		return nil, p.err()
	}
	p.lock.name = name
	return &p.lock, nil
}

type imagesLockParser struct {
	file string
	lock ImagesLock
	errs []error
}

func (p *imagesLockParser) add(n *yaml.Node, hint, format string, args ...any) {
	e := &FileError{File: p.file, Msg: fmt.Sprintf(format, args...), Hint: hint}
	if n != nil {
		e.Line, e.Col = n.Line, n.Column
	}
	p.errs = append(p.errs, e)
}

func (p *imagesLockParser) err() error {
	return errors.Join(p.errs[:min(len(p.errs), maxFaults)]...)
}

// yamlFault gives the parser's message a place.
func (p *imagesLockParser) yamlFault(err error) {
	msg, at := strings.TrimPrefix(err.Error(), "yaml: "), &yaml.Node{Line: 1, Column: 1}
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		number, text, _ := strings.Cut(rest, ": ")
		if line, err := strconv.Atoi(number); err == nil {
			at.Line, msg = line, text
		}
	}
	p.add(at, "", "not valid YAML: %s", msg)
}

func (p *imagesLockParser) document(n *yaml.Node) {
	var version, kind string
	var images *yaml.Node
	p.fields(n, "the document", map[string]func(*yaml.Node){
		"apiVersion": func(v *yaml.Node) { version = p.text(v, "apiVersion") },
		"kind":       func(v *yaml.Node) { kind = p.text(v, "kind") },
		"images":     func(v *yaml.Node) { images = v },
	})
	switch {
	case len(p.errs) > 0:
		return
	case version != imagesLockVersion || kind != imagesLockKind:
		p.add(n, "", "kind %q of apiVersion %q is not %s of %s", fault.Shorten(kind), fault.Shorten(version), imagesLockKind, imagesLockVersion)
		return
	case images == nil, images.ShortTag() == "!!null":
		return // no images, as kbld reads it
	case images.Kind != yaml.SequenceNode:
		p.add(images, "", "images is not a list")
		return
	case len(images.Content) > maxImagesLockItems:
		p.add(images, "", "more than %d images", maxImagesLockItems)
		return
	}
	for i, item := range images.Content {
		p.image(item, fmt.Sprintf("images[%d]", i))
	}
}

func (p *imagesLockParser) image(n *yaml.Node, path string) {
	var img LockedImage
	found := false
	p.fields(n, path, map[string]func(*yaml.Node){
		"image": func(v *yaml.Node) {
			img.Image, found = p.text(v, path+".image"), true
			if !isText(v) {
				return
			}
			if ref, at, why := grammar.ParseReference(img.Image); why != "" {
				p.add(v, "", "%s.image: byte %d: %s", path, at+1, why)
			} else if ref.Digest == "" {
				p.add(v, "", "%s.image has no digest", path)
			}
		},
		"annotations": func(v *yaml.Node) { img.Annotations = p.annotations(v, path+".annotations") },
	})
	if !found && n.Kind == yaml.MappingNode {
		p.add(n, "", "%s has no image", path)
	}
	p.lock.Images = append(p.lock.Images, img)
}

func (p *imagesLockParser) annotations(n *yaml.Node, path string) map[string]string {
	out := make(map[string]string)
	switch {
	case n.ShortTag() == "!!null":
		return nil // none, as kbld reads it
	case n.Kind != yaml.MappingNode:
		p.add(n, "", "%s is not a mapping", path)
		return nil
	case len(n.Content) > 2*maxAnnotations:
		p.add(n, "", "%s has more than %d annotations", path, maxAnnotations)
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := p.text(n.Content[i], path+"'s key")
		if _, twice := out[key]; twice {
			p.add(n.Content[i], "remove one of them", "%s has %q twice", path, fault.Shorten(key))
		}
		out[key] = p.text(n.Content[i+1], path+" "+strconv.Quote(fault.Shorten(key)))
	}
	return out
}

// fields calls the function of each field. Others, and doubles, are faults.
func (p *imagesLockParser) fields(n *yaml.Node, path string, known map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.add(n, "", "%s is not a mapping", path)
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch read := known[key.Value]; {
		case seen[key.Value]:
			p.add(key, "remove one of them", "%s has field %q twice", path, fault.Shorten(key.Value))
		case read == nil || key.Kind != yaml.ScalarNode:
			p.add(key, "", "%s has an unknown field %q", path, fault.Shorten(key.Value))
		default:
			read(n.Content[i+1])
		}
		seen[key.Value] = true
	}
}

func (p *imagesLockParser) text(n *yaml.Node, path string) string {
	if !isText(n) {
		p.add(n, "put it in quotes, if it is a text", "%s is not a text", path)
		return ""
	}
	return n.Value
}

func isText(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" }

// Bytes is the file as kbld and imgpkg write it, byte for byte.
func (l *ImagesLock) Bytes() ([]byte, error) {
	type image struct {
		Annotations map[string]string `yaml:"annotations,omitempty"`
		Image       string            `yaml:"image"`
	}
	file := struct {
		APIVersion string  `yaml:"apiVersion"`
		Images     []image `yaml:"images,omitempty"`
		Kind       string  `yaml:"kind"`
	}{APIVersion: imagesLockVersion, Kind: imagesLockKind}
	for _, img := range l.Images {
		if ref, err := digest.ParseReference(img.Image); err != nil {
			return nil, err
		} else if ref.Digest == "" {
			return nil, &digest.Error{Ref: img.Image, Kind: digest.ErrMalformed, Err: fault.Text("has no digest to be locked")}
		}
		file.Images = append(file.Images, image{img.Annotations, img.Image})
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
	out := &ImagesLock{}
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
