package layout

import (
	"bytes"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// Manifest reads the manifest with a digest: that of the image, or another one
// of the layout. It hashes to the digest.
func (s *Image) Manifest(digest v1.Hash) (v1.Descriptor, []byte, error) {
	if digest == s.manifest.desc.Digest {
		return s.manifest.desc, s.manifest.raw, nil
	}
	desc, err := byDigest(s.files, s.entries, digest)
	if err != nil {
		return desc, nil, s.failure(err)
	}
	m, err := readManifest(s.files, desc)
	if err != nil {
		return desc, nil, s.failure(s.absentBlob(desc, err))
	}
	return m.desc, m.raw, nil
}

// absentBlob makes a definite no of a blob that is not in a layout.
func (s *Image) absentBlob(desc v1.Descriptor, err error) error {
	if name, why := blobName(desc); why == nil && err == missing(name) {
		return fault.Missing(fault.Text(s.ref.Kind+":"+s.ref.Path+" has no "+name), "")
	}
	return err
}

// Blob opens the blob with a digest, whatever its size. Its content is not
// checked: whoever reads it compares it with the digest.
func (s *Image) Blob(digest v1.Hash) (io.ReadCloser, error) {
	var r io.ReadCloser
	var err error
	if s.ref.Kind == sourceDocker {
		r, err = s.savedBlob(digest)
	} else {
		r, err = s.layoutBlob(v1.Descriptor{Digest: digest})
	}
	if err != nil {
		return nil, s.failure(err)
	}
	return r, nil
}

func (s *Image) layoutBlob(desc v1.Descriptor) (io.ReadCloser, error) {
	name, err := blobName(desc)
	if err != nil {
		return nil, err
	}
	r, _, err := s.files.open(name)
	return r, s.absentBlob(desc, err)
}

// savedBlob gives a blob of the image that an archive of Docker's is pushed as:
// its layers are compressed on the way.
func (s *Image) savedBlob(hash v1.Hash) (io.ReadCloser, error) {
	config, err := s.saved.RawConfigFile()
	if err != nil {
		return nil, fault.Text("configuration of the image cannot be read")
	}
	if content.Hash(config) == hash {
		return io.NopCloser(bytes.NewReader(config)), nil
	}
	layer, err := s.saved.LayerByDigest(hash)
	if err != nil {
		return nil, fault.Missing(fault.Text("the image in the archive has no layer "+hash.String()), "")
	}
	return layer.Compressed()
}

// Tagged gives the digest of the entry with a tag as its name, such as one of
// cosign's, "sha256-….sig"; ok is false where there is none.
func (s *Image) Tagged(tag string) (digest v1.Hash, ok bool) {
	for _, e := range s.entries {
		if isNamed(e, tag) {
			return e.Digest, true
		}
	}
	return s.savedByCosign(tag)
}

// savedByCosign finds the signatures of the one image that "cosign save"
// leaves in a layout, marked with their kind instead of a tag.
func (s *Image) savedByCosign(tag string) (v1.Hash, bool) {
	var image, attached v1.Hash
	for _, e := range s.entries {
		switch e.Annotations[annotationCosignKind] {
		case cosignImage, cosignIndex:
			image = e.Digest
		case cosignSignatures:
			if strings.HasSuffix(tag, ".sig") {
				attached = e.Digest
			}
		case cosignAttestations:
			if strings.HasSuffix(tag, ".att") {
				attached = e.Digest
			}
		}
	}
	if image.Hex == "" || attached.Hex == "" || !strings.HasPrefix(tag, content.FallbackTag(image.String())) {
		return v1.Hash{}, false
	}
	return attached, true
}

// Referrers lists the entries of the layout that refer to a digest, and those
// in a list under the tag for referrers (OCI distribution specification,
// "Referrers Tag Schema"). With an error, such as an entry that cannot be read and
// could be one, it returns what else there is.
func (s *Image) Referrers(digest v1.Hash) ([]v1.Descriptor, error) {
	s.findSubjects()
	var all []v1.Descriptor
	seen := map[v1.Hash]bool{}
	for _, e := range s.entries {
		if subject, ok := s.subjects[e.Digest]; ok && subject == digest && !seen[e.Digest] {
			seen[e.Digest] = true
			all = append(all, e)
		}
	}
	unread := s.unread
	if list, ok := s.Tagged(content.FallbackTag(digest.String())); ok {
		_, body, err := s.Manifest(list)
		if err != nil {
			return all, err
		}
		listed, err := content.ParseReferrers(body, len(all))
		if all = append(all, listed...); err != nil {
			unread = err
		}
	}
	if unread != nil {
		return all, s.failure(unread)
	}
	return all, nil
}
