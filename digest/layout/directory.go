package layout

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	annotationRefName = "org.opencontainers.image.ref.name"

	// annotationCosignKind is how "cosign save" says what an entry is.
	annotationCosignKind = "kind"
	cosignImage          = "dev.cosignproject.cosign/image"
	cosignIndex          = "dev.cosignproject.cosign/imageIndex"
	cosignSignatures     = "dev.cosignproject.cosign/sigs"
	cosignAttestations   = "dev.cosignproject.cosign/atts"

	// maxLayoutEntries bounds the entries of index.json.
	maxLayoutEntries = 10_000
)

// fileStore is where the files of a layout are: a directory or an archive.
type fileStore interface {
	// open opens a regular file by its path in the layout, with slashes.
	open(name string) (io.ReadCloser, int64, error)
	io.Closer
}

// dirStore reads below one directory, and nowhere else.
type dirStore struct {
	ctx  context.Context
	root *os.Root
}

func (d *dirStore) open(name string) (io.ReadCloser, int64, error) {
	local := filepath.FromSlash(name)
	// Opening a pipe would wait for its other end.
	info, err := d.root.Lstat(local)
	if err != nil {
		return nil, 0, storeFault(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fault.Text(name + " is not a regular file")
	}
	f, err := d.root.Open(local)
	if err != nil {
		return nil, 0, storeFault(name, err)
	}
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, 0, fault.Text(name + " is not a regular file")
	}
	return &openFile{boundReader{d.ctx, f}, f}, info.Size(), nil
}

// Close implements [io.Closer].
func (d *dirStore) Close() error { return d.root.Close() }

// openFile is a file whose reading ends with a context.
type openFile struct {
	io.Reader
	io.Closer
}

func missing(name string) fault.Text { return fault.Text("there is no " + name) }

// storeFault leaves out of an error all but its cause.
func storeFault(name string, err error) error {
	if os.IsNotExist(err) {
		return missing(name)
	}
	text := err.Error()
	if e, ok := err.(*os.PathError); ok {
		text = e.Err.Error()
	}
	return &fault.Cause{Text: name + ": " + fault.WithoutURLs(text), Err: err}
}

// readSmall reads a file whole, if it is no larger than a manifest may be.
func readSmall(store fileStore, name string) ([]byte, error) {
	tooLarge := fault.Text(fmt.Sprintf("%s is larger than %d MiB", name, content.MaxManifest>>20))
	r, size, err := store.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > content.MaxManifest {
		return nil, tooLarge
	}
	data, over, err := content.ReadAtMost(r, content.MaxManifest)
	switch {
	case err != nil:
		return nil, storeFault(name, err)
	case over:
		return nil, tooLarge
	}
	return data, nil
}

// openLayout opens an image in an OCI image layout (image-layout.md of the OCI
// image specification).
func (s *Image) openLayout(ctx context.Context) error {
	store, err := openStore(ctx, s.ref)
	if err != nil {
		return err
	}
	s.files = store
	data, err := readSmall(store, "oci-layout")
	if err != nil {
		return err
	}
	var marker struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(data, &marker); err != nil || !strings.HasPrefix(marker.Version, "1.") {
		return fault.Text("oci-layout does not name version 1 of the image layout")
	}
	if data, err = readSmall(store, "index.json"); err != nil {
		return err
	}
	var more bool
	if s.entries, more, err = content.ParseIndex(data, maxLayoutEntries); err != nil {
		return fault.Text("index.json is not an image index")
	} else if more {
		return fault.Text(fmt.Sprintf("index.json has more than %d manifests", maxLayoutEntries))
	}
	desc, err := s.chooseEntry()
	if err != nil {
		return err
	}
	if s.manifest, err = readManifest(store, desc); err != nil {
		return err
	}
	return s.checkManifest()
}

// checkManifest refuses what is neither an image nor an index.
func (s *Image) checkManifest() error {
	d, raw := s.manifest.desc, s.manifest.raw
	switch {
	case d.MediaType.IsImage():
		if _, err := v1.ParseManifest(bytes.NewReader(raw)); err != nil {
			return fault.Text("manifest " + d.Digest.String() + " is not an image manifest")
		}
	case d.MediaType.IsIndex():
		if _, err := v1.ParseIndexManifest(bytes.NewReader(raw)); err != nil {
			return fault.Text("manifest " + d.Digest.String() + " is not an image index")
		}
	default:
		return fault.Text(fmt.Sprintf("media type %q is neither an image nor an index", fault.Shorten(string(d.MediaType))))
	}
	return nil
}

func openStore(ctx context.Context, ref Ref) (fileStore, error) {
	if ref.Kind == sourceOCIArchive {
		return openArchive(ctx, ref.Path)
	}
	root, err := os.OpenRoot(ref.Path)
	if err != nil {
		return nil, err
	}
	return &dirStore{ctx, root}, nil
}

// chooseEntry finds what the reference stands for.
func (s *Image) chooseEntry() (v1.Descriptor, error) {
	switch {
	case s.ref.Digest != "":
		hash, err := v1.NewHash(s.ref.Digest)
		if err != nil {
			return v1.Descriptor{}, err
		}
		return byDigest(s.files, s.entries, hash)
	case s.ref.Name != "":
		return choose(s.entries, s.ref.Name)
	}
	s.findSubjects()
	main := slices.DeleteFunc(slices.Clone(s.entries), func(d v1.Descriptor) bool {
		_, refers := s.subjects[d.Digest]
		return refers
	})
	return choose(main, "")
}

// findSubjects finds out which entries of a layout belong to another manifest,
// and to which. Of those that cannot be read nobody knows: that is told when
// they are needed.
func (s *Image) findSubjects() {
	if s.subjects != nil {
		return
	}
	s.subjects = map[v1.Hash]v1.Hash{}
	looked := map[v1.Hash]bool{}
	for _, e := range s.entries {
		if looked[e.Digest] || e.MediaType != "" && !content.IsManifestType(e.MediaType) {
			continue
		}
		looked[e.Digest] = true
		var m struct {
			Subject *v1.Descriptor `json:"subject"`
		}
		data, err := readBlob(s.files, e)
		switch {
		case err != nil && s.unread == nil && !isAttached(e):
			s.unread = err
		case err == nil && json.Unmarshal(data, &m) == nil && m.Subject != nil:
			s.subjects[e.Digest] = m.Subject.Digest
		}
	}
}

// choose finds the descriptor with a name, or the only one. What "cosign save"
// puts beside an image is not an image to be found without a name.
func choose(descs []v1.Descriptor, name string) (v1.Descriptor, error) {
	var found []v1.Descriptor
	var names []string
	for _, d := range descs {
		own := d.Annotations[annotationRefName]
		if own != "" {
			names = append(names, own)
		}
		// A name that stands twice for one manifest is no question.
		same := slices.ContainsFunc(found, func(f v1.Descriptor) bool { return f.Digest == d.Digest })
		if (name == "" && !isAttached(d) || name != "" && isNamed(d, name)) && !same {
			found = append(found, d)
		}
	}
	slices.Sort(names)
	hint := ""
	if len(names) > 0 {
		hint = "its images are named " + fault.SomeOf(slices.Compact(names))
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1 && name == "":
		return v1.Descriptor{}, fault.WithHint(fault.Text(fmt.Sprintf("index.json has %d images, and the reference names none", len(found))), hint)
	case len(found) > 1:
		return v1.Descriptor{}, fault.Text(fmt.Sprintf("index.json has %d images named %q", len(found), name))
	case name == "":
		return v1.Descriptor{}, fault.Missing("index.json has no image", "")
	}
	return v1.Descriptor{}, fault.Missing(fault.Text(fmt.Sprintf("index.json has no image named %q", name)), hint)
}

// byDigest describes a manifest in a layout, also one that is only in an index.
func byDigest(store fileStore, descs []v1.Descriptor, hash v1.Hash) (v1.Descriptor, error) {
	for _, d := range descs {
		if d.Digest == hash {
			return d, nil
		}
	}
	name, err := blobName(v1.Descriptor{Digest: hash})
	if err != nil {
		return v1.Descriptor{}, err
	}
	data, err := readSmall(store, name)
	if err == missing(name) {
		return v1.Descriptor{}, fault.Missing(fault.Text("the layout has no manifest "+hash.String()), "")
	} else if err != nil {
		return v1.Descriptor{}, err
	}
	mediaType := content.MediaTypeOf(data)
	if mediaType == "" {
		return v1.Descriptor{}, fault.Text(name + " does not say which kind of manifest it is")
	}
	return v1.Descriptor{MediaType: mediaType, Digest: hash, Size: int64(len(data))}, nil
}

// isNamed tells whether an entry has a name. Some tools write the whole
// reference there, of which the tag is the name.
func isNamed(d v1.Descriptor, name string) bool {
	own := d.Annotations[annotationRefName]
	return own == name || strings.HasSuffix(own, ":"+name)
}

// isAttached knows signatures and attestations by cosign's annotation and by the
// tags that they have in a registry.
func isAttached(d v1.Descriptor) bool {
	kind := d.Annotations[annotationCosignKind]
	name := d.Annotations[annotationRefName]
	return kind == cosignSignatures || kind == cosignAttestations ||
		strings.HasPrefix(name, "sha256-") || strings.Contains(name, ":sha256-")
}

// readManifest reads a manifest and compares it with what its descriptor says.
func readManifest(store fileStore, desc v1.Descriptor) (manifestFile, error) {
	raw, err := readBlob(store, desc)
	if err != nil {
		return manifestFile{}, err
	}
	var own struct {
		MediaType string `json:"mediaType"`
	}
	if err := json.Unmarshal(raw, &own); err != nil {
		return manifestFile{}, fault.Text("manifest " + desc.Digest.String() + " is not JSON")
	}
	if own.MediaType != "" && own.MediaType != string(desc.MediaType) {
		return manifestFile{}, fault.Text(fmt.Sprintf("manifest %s says it is %q, and what refers to it %q", desc.Digest, fault.Shorten(own.MediaType), fault.Shorten(string(desc.MediaType))))
	}
	return manifestFile{desc, raw}, nil
}

// readBlob reads a small blob whole and compares its size and digest.
func readBlob(store fileStore, desc v1.Descriptor) ([]byte, error) {
	name, err := blobName(desc)
	if err != nil {
		return nil, err
	}
	data, err := readSmall(store, name)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != desc.Size {
		return nil, fault.Text(fmt.Sprintf("%s has %d bytes, not %d", name, len(data), desc.Size))
	}
	if hash := content.Hash(data); hash != desc.Digest {
		return nil, fault.Text(name + " does not hash to its name, but to " + hash.String())
	}
	return data, nil
}

// blobName is the path of a blob. Nothing of it is taken over unchecked.
func blobName(desc v1.Descriptor) (string, error) {
	if _, why := grammar.CheckDigest(desc.Digest.String()); why != "" {
		return "", fault.Text(fmt.Sprintf("blob %q: %s", fault.Shorten(desc.Digest.String()), why))
	}
	if desc.Size < 0 {
		return "", fault.Text("negative size of " + desc.Digest.String())
	}
	return "blobs/sha256/" + desc.Digest.Hex, nil
}
