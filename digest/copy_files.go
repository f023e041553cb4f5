package digest

import (
	"bytes"
	"context"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// fileSource reads from a [Source]: a layout, with what is attached to its
// images, or the archive of "docker save", which has nothing attached.
type fileSource struct {
	*Source
	refer map[v1.Hash][]v1.Descriptor // entries that refer to a digest
}

// openFileSource also gives the digest to start at.
func openFileSource(ctx context.Context, ref string) (*fileSource, string, error) {
	s, err := OpenSource(ctx, ref)
	if err != nil {
		return nil, "", err
	}
	f := &fileSource{Source: s, refer: map[v1.Hash][]v1.Descriptor{}}
	if err := s.findSubjects(); err != nil {
		s.Close()
		return nil, "", sourceFailure(ref, err)
	}
	seen := map[v1.Hash]bool{}
	for _, e := range s.entries {
		if subject, ok := s.subjects[e.Digest]; ok && !seen[e.Digest] {
			seen[e.Digest] = true
			f.refer[subject] = append(f.refer[subject], e)
		}
	}
	return f, s.manifest.desc.Digest.String(), nil
}

func (f *fileSource) String() string { return f.ref.Kind + ":" + f.ref.Path }

func (f *fileSource) mountable() (registry, path string) { return "", "" }

func (f *fileSource) manifest(_ context.Context, digest string) (v1.Descriptor, []byte, error) {
	if digest == f.Source.manifest.desc.Digest.String() {
		return f.Source.manifest.desc, f.Source.manifest.raw, nil
	}
	desc, err := byDigest(f.files, f.entries, digest)
	if err != nil {
		return desc, nil, sourceFailure(f.given, err)
	}
	m, err := readManifest(f.files, desc)
	if err != nil {
		return desc, nil, sourceFailure(f.given, absentIn(f.ref, desc, err))
	}
	return m.desc, m.raw, nil
}

// absentIn makes a definite no of a blob that is not in a layout.
func absentIn(ref SourceRef, desc v1.Descriptor, err error) error {
	if name, why := blobName(desc); why == nil && err == missing(name) {
		return &absent{hintedFault{fault(ref.Kind + ":" + ref.Path + " has no " + name), ""}}
	}
	return err
}

func (f *fileSource) tagged(_ context.Context, tag string) (string, error) {
	if digest := f.entryOf(tag); digest != "" {
		return digest, nil
	}
	return f.savedByCosign(tag), nil
}

func (f *fileSource) entryOf(tag string) string {
	for _, e := range f.entries {
		if e.Annotations[annotationRefName] == tag {
			return e.Digest.String()
		}
	}
	return ""
}

// savedByCosign finds the signatures of the one image that "cosign save"
// leaves in a layout, marked with their kind instead of a tag.
func (f *fileSource) savedByCosign(tag string) string {
	image, attached := "", ""
	for _, e := range f.entries {
		switch e.Annotations[annotationCosignKind] {
		case cosignImage, cosignIndex:
			image = e.Digest.String()
		case cosignSignatures:
			if strings.HasSuffix(tag, ".sig") {
				attached = e.Digest.String()
			}
		case cosignAttestations:
			if strings.HasSuffix(tag, ".att") {
				attached = e.Digest.String()
			}
		}
	}
	if image == "" || !strings.HasPrefix(tag, tagOf(image)) {
		return ""
	}
	return attached
}

func (f *fileSource) blob(_ context.Context, digest string) (io.ReadCloser, error) {
	hash, err := v1.NewHash(digest)
	if err != nil {
		return nil, sourceFailure(f.given, fault("digest that cannot be read"))
	}
	var r io.ReadCloser
	if f.ref.Kind == sourceDocker {
		r, err = f.savedBlob(hash)
	} else {
		r, err = f.layoutBlob(v1.Descriptor{Digest: hash})
	}
	if err != nil {
		return nil, sourceFailure(f.given, err)
	}
	return r, nil
}

func (f *fileSource) layoutBlob(desc v1.Descriptor) (io.ReadCloser, error) {
	name, err := blobName(desc)
	if err != nil {
		return nil, err
	}
	r, _, err := f.files.open(name)
	return r, absentIn(f.ref, desc, err)
}

// savedBlob gives a blob of the image that an archive of Docker's is pushed as:
// its layers are compressed on the way.
func (f *fileSource) savedBlob(hash v1.Hash) (io.ReadCloser, error) {
	config, err := f.image.RawConfigFile()
	if err != nil {
		return nil, fault("configuration of the image cannot be read")
	}
	if hashOf(config) == hash {
		return io.NopCloser(bytes.NewReader(config)), nil
	}
	layer, err := f.image.LayerByDigest(hash)
	if err != nil {
		return nil, &absent{hintedFault{fault("the image in the archive has no layer " + hash.String()), ""}}
	}
	return layer.Compressed()
}

// referrers are the entries of the layout's index that refer to digest, and
// those in a list under the tag for referrers.
func (f *fileSource) referrers(ctx context.Context, digest string) ([]v1.Descriptor, error) {
	hash, err := v1.NewHash(digest)
	if err != nil {
		return nil, sourceFailure(f.given, fault("digest that cannot be read"))
	}
	all := f.refer[hash]
	list := f.entryOf(tagOf(digest))
	if list == "" {
		return all, nil
	}
	_, body, err := f.manifest(ctx, list)
	if err != nil {
		return nil, err
	}
	listed, err := parseReferrers(body, 0)
	if err != nil {
		return nil, unreadable(f, "referrers of "+digest, err)
	}
	return append(all[:len(all):len(all)], listed...), nil
}
