package digest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const (
	maxArchiveEntries  = 50_000
	maxArchiveName     = 512
	maxArchiveImages   = 1000
	maxArchiveLayers   = 1000
	maxArchiveLinkHops = 8
)

// archive is a tar archive whose files have been found, and are read in place.
type archive struct {
	ctx   context.Context
	f     *os.File
	size  int64
	files map[string]archived
}

// archived is a file in an archive, or a symbolic link to one.
type archived struct {
	offset, size int64
	link         string // where it leads, from the top of the archive
}

// openArchive finds the files of an archive in one pass over its headers.
func openArchive(ctx context.Context, file string) (*archive, error) {
	// Opening a pipe would wait for its other end.
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fault("the archive is not a regular file")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	a := &archive{ctx: ctx, f: f, files: make(map[string]archived)}
	if err := a.scan(); err != nil {
		f.Close()
		return nil, err
	}
	return a, nil
}

func (a *archive) scan() error {
	info, err := a.f.Stat()
	if err != nil {
		return err
	}
	a.size = info.Size()
	if err := a.checkMagic(); err != nil {
		return err
	}
	in := boundReader{a.ctx, a.f}
	tr := tar.NewReader(in)
	for count := 0; ; count++ {
		header, err := tr.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case a.ctx.Err() != nil:
			return a.ctx.Err()
		case err != nil:
			return fault("the archive is not a tar archive, or is damaged")
		case count == maxArchiveEntries:
			return fault(fmt.Sprintf("the archive has more than %d entries", maxArchiveEntries))
		}
		// The reader takes whole headers only, so this is where the file starts.
		offset, err := in.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		if err := a.add(header, offset); err != nil {
			return err
		}
	}
}

func (a *archive) checkMagic() error {
	magic := make([]byte, 4)
	n, err := a.f.ReadAt(magic, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for kind, start := range map[string]string{"gzip": "\x1f\x8b", "zstd": "\x28\xb5\x2f\xfd", "xz": "\xfd7zX"} {
		if bytes.HasPrefix(magic[:n], []byte(start)) {
			return &hintedFault{fault("the archive is compressed with " + kind), kind + " -d " + a.f.Name()}
		}
	}
	return nil
}

func (a *archive) add(header *tar.Header, offset int64) error {
	if len(header.Name) > maxArchiveName || len(header.Linkname) > maxArchiveName {
		return fault(fmt.Sprintf("the archive has a name longer than %d bytes", maxArchiveName))
	}
	entry := archived{offset: offset, size: header.Size}
	file := path.Clean(header.Name)
	switch header.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	case tar.TypeReg:
		// A sparse file claims a size that it does not have.
		sparse := false
		for key := range header.PAXRecords {
			sparse = sparse || strings.HasPrefix(key, "GNU.sparse.")
		}
		if sparse || header.Size < 0 || header.Size > a.size-offset {
			return fault(fmt.Sprintf("entry %q of the archive is sparse or cut short", file))
		}
	case tar.TypeSymlink:
		entry.link = path.Join(path.Dir(file), header.Linkname)
		if path.IsAbs(header.Linkname) || !isInside(entry.link) {
			return fault(fmt.Sprintf("link %q leads out of the archive", file))
		}
	default:
		return fault(fmt.Sprintf("entry %q of the archive is neither a file nor a directory", file))
	}
	if !isInside(file) {
		return fault(fmt.Sprintf("entry %q is outside the archive", header.Name))
	}
	if _, twice := a.files[file]; twice {
		return fault(fmt.Sprintf("entry %q stands twice in the archive", file))
	}
	a.files[file] = entry
	return nil
}

// isInside tells a clean path that stays below where it starts.
func isInside(p string) bool {
	return !path.IsAbs(p) && p != "." && p != ".." && !strings.HasPrefix(p, "../")
}

// open implements fileStore: a layout has no links.
func (a *archive) open(name string) (io.ReadCloser, int64, error) {
	entry, ok := a.files[name]
	switch {
	case !ok:
		return nil, 0, fault("there is no " + name)
	case entry.link != "":
		return nil, 0, fault(name + " is not a regular file")
	}
	return boundReader{a.ctx, io.NewSectionReader(a.f, entry.offset, entry.size)}, entry.size, nil
}

// Close implements [io.Closer].
func (a *archive) Close() error { return a.f.Close() }

// follow finds a file, through links as "docker save" has them for layers that
// several images share.
func (a *archive) follow(name string) (archived, bool) {
	for range maxArchiveLinkHops {
		entry, ok := a.files[path.Clean(name)]
		if !ok || entry.link == "" {
			return entry, ok
		}
		name = entry.link
	}
	return archived{}, false
}

// openDocker opens an image in the archive of "docker save".
func (s *Source) openDocker(ctx context.Context) error {
	a, err := openArchive(ctx, s.ref.Path)
	if err != nil {
		return err
	}
	s.files = a
	data, err := readSmall(a, "manifest.json")
	if err != nil {
		return err
	}
	var images tarball.Manifest
	if err := json.Unmarshal(data, &images); err != nil {
		return fault("manifest.json is not what docker save writes")
	}
	image, tag, err := chooseSaved(images, s.ref.Name)
	if err != nil {
		return err
	}
	if err := a.checkSaved(image); err != nil {
		return err
	}
	s.image, err = tarball.Image(func() (io.ReadCloser, error) {
		return boundReader{ctx, io.NewSectionReader(a.f, 0, a.size)}, nil
	}, tag)
	if err != nil {
		return savedFault(ctx, err)
	}
	return s.sealSaved(a, image)
}

// chooseSaved finds the image with a tag, or the only one. tag is nil if there
// is no need to look for one.
func chooseSaved(images tarball.Manifest, ref string) (image tarball.Descriptor, tag *name.Tag, err error) {
	switch {
	case len(images) > maxArchiveImages:
		return image, nil, fault(fmt.Sprintf("manifest.json has more than %d images", maxArchiveImages))
	case len(images) == 0:
		return image, nil, &absent{hintedFault{"manifest.json has no image", ""}}
	case ref == "" && len(images) == 1:
		return images[0], nil, nil
	}
	wanted, _, _ := parseReference(ref)
	var tags []string
	matches := 0
	for _, img := range images {
		for _, repoTag := range img.RepoTags {
			own, _, why := parseReference(repoTag)
			if why != "" || own.Digest != "" {
				return image, nil, fault(fmt.Sprintf("manifest.json has tag %q, which is no reference with a tag", shorten(repoTag)))
			}
			tags = append(tags, repoTag)
			if ref != "" && own.canonical() == wanted.canonical() {
				image = img
				matches++
			}
		}
	}
	hint := ""
	if len(tags) > 0 {
		hint = "its images are tagged " + someOf(tags)
	}
	switch {
	case ref == "":
		return image, nil, &hintedFault{fault(fmt.Sprintf("manifest.json has %d images, and the reference names none", len(images))), hint}
	case matches == 0:
		return image, nil, &absent{hintedFault{fault(fmt.Sprintf("manifest.json has no image tagged %q", ref)), hint}}
	case matches > 1:
		return image, nil, fault(fmt.Sprintf("manifest.json has %d images tagged %q", matches, ref))
	case len(images) == 1:
		return image, nil, nil
	}
	t, err := name.NewTag(ref)
	if err != nil {
		return image, nil, fault("tag not accepted") // as in newQuestion
	}
	return image, &t, nil
}

// checkSaved looks at all that an image refers to before anything is read.
func (a *archive) checkSaved(image tarball.Descriptor) error {
	if len(image.Layers) > maxArchiveLayers {
		return fault(fmt.Sprintf("manifest.json has an image of more than %d layers", maxArchiveLayers))
	}
	config, ok := a.files[path.Clean(image.Config)]
	switch {
	case !ok || config.link != "":
		return fault(fmt.Sprintf("there is no configuration %q", shorten(image.Config)))
	case config.size > maxManifest:
		return fault(fmt.Sprintf("configuration %q is larger than %d bytes", shorten(image.Config), maxManifest))
	}
	for _, layer := range image.Layers {
		if _, ok := a.follow(layer); !ok {
			return fault(fmt.Sprintf("there is no layer %q", shorten(layer)))
		}
	}
	return nil
}

// sealSaved makes the manifest, for which all layers are read, and compares the
// layers with the configuration.
func (s *Source) sealSaved(a *archive, image tarball.Descriptor) error {
	config, err := s.image.ConfigFile()
	if err != nil {
		return savedFault(a.ctx, err)
	}
	if n, m := len(image.Layers), len(config.RootFS.DiffIDs); n != m {
		return fault(fmt.Sprintf("the image has %d layers, and its configuration %d", n, m))
	}
	layers, err := s.image.Layers()
	if err != nil {
		return savedFault(a.ctx, err)
	}
	for i, layer := range layers {
		if err := a.checkLayer(image, i, layer, config.RootFS.DiffIDs[i]); err != nil {
			return err
		}
	}
	raw, err := s.image.RawManifest()
	if err != nil {
		return savedFault(a.ctx, err)
	}
	mediaType, err := s.image.MediaType()
	if err != nil {
		return savedFault(a.ctx, err)
	}
	hash, size, err := v1.SHA256(bytes.NewReader(raw))
	s.manifest = manifestFile{v1.Descriptor{MediaType: mediaType, Digest: hash, Size: size}, raw}
	return err
}

// checkLayer compares a layer with the configuration and with the descriptor
// that newer versions of docker save put beside it, which would go into the
// manifest as it is.
func (a *archive) checkLayer(image tarball.Descriptor, i int, layer v1.Layer, want v1.Hash) error {
	if source, ok := image.LayerSources[want]; ok {
		file, _ := a.follow(image.Layers[i])
		got, size, err := v1.SHA256(boundReader{a.ctx, io.NewSectionReader(a.f, file.offset, file.size)})
		switch {
		case err != nil:
			return savedFault(a.ctx, err)
		case got != source.Digest || size != source.Size || len(source.URLs) > 0:
			return fault(fmt.Sprintf("layer %d is not the one that manifest.json describes", i+1))
		}
	}
	r, err := layer.Uncompressed()
	if err != nil {
		return savedFault(a.ctx, err)
	}
	defer r.Close()
	got, _, err := v1.SHA256(r)
	switch {
	case err != nil:
		return savedFault(a.ctx, err)
	case got != want:
		return fault(fmt.Sprintf("layer %d does not hash to what the configuration says, but to %s", i+1, got))
	}
	return nil
}

// savedFault keeps the library's words out, which may hold parts of the archive.
func savedFault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &hintedFault{fault("the image in the archive is damaged"), oneLine("the library says: " + withoutURLs(err.Error()))}
}
