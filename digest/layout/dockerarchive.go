package layout

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	maxArchiveImages   = 1000
	maxArchiveLayers   = 1000
	maxArchiveLinkHops = 8
)

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
func (s *Image) openDocker(ctx context.Context) error {
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
		return fault.Text("manifest.json is not what docker save writes")
	}
	image, tag, err := chooseSaved(images, s.ref.Name)
	if err != nil {
		return err
	}
	if err := a.checkSaved(image); err != nil {
		return err
	}
	s.saved, err = tarball.Image(func() (io.ReadCloser, error) {
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
		return image, nil, fault.Text(fmt.Sprintf("manifest.json has more than %d images", maxArchiveImages))
	case len(images) == 0:
		return image, nil, fault.Missing("manifest.json has no image", "")
	case ref == "" && len(images) == 1:
		return images[0], nil, nil
	}
	found, tags, err := taggedImages(images, ref)
	hint := ""
	if len(tags) > 0 {
		hint = "its images are tagged " + fault.SomeOf(tags)
	}
	switch {
	case err != nil:
		return image, nil, err
	case ref == "":
		return image, nil, fault.WithHint(fault.Text(fmt.Sprintf("manifest.json has %d images, and the reference names none", len(images))), hint)
	case len(found) == 0:
		return image, nil, fault.Missing(fault.Text(fmt.Sprintf("manifest.json has no image tagged %q", ref)), hint)
	case len(found) > 1:
		return image, nil, fault.Text(fmt.Sprintf("manifest.json has %d images tagged %q", len(found), ref))
	case len(images) == 1:
		return found[0], nil, nil
	}
	t, err := name.NewTag(ref)
	if err != nil {
		return image, nil, fault.Text("tag not accepted") // as in newQuestion
	}
	return found[0], &t, nil
}

// taggedImages finds the images with a tag, in any of its spellings, and lists
// all tags.
func taggedImages(images tarball.Manifest, ref string) (found tarball.Manifest, tags []string, err error) {
	wanted, _, why := grammar.ParseReference(ref)
	for _, img := range images {
		for _, tag := range img.RepoTags {
			own, _, bad := grammar.ParseReference(tag)
			if bad != "" || own.Digest != "" {
				return nil, nil, fault.Text(fmt.Sprintf("manifest.json has tag %q, which is no reference with a tag", fault.Shorten(tag)))
			}
			tags = append(tags, tag)
			if why == "" && own.Canonical() == wanted.Canonical() {
				found = append(found, img)
			}
		}
	}
	return found, tags, nil
}

// checkSaved looks at all that an image refers to before anything is read.
func (a *archive) checkSaved(image tarball.Descriptor) error {
	if len(image.Layers) > maxArchiveLayers {
		return fault.Text(fmt.Sprintf("manifest.json has an image of more than %d layers", maxArchiveLayers))
	}
	config, ok := a.files[path.Clean(image.Config)]
	switch {
	case !ok || config.link != "":
		return fault.Text(fmt.Sprintf("there is no configuration %q", fault.Shorten(image.Config)))
	case config.size > content.MaxManifest:
		return fault.Text(fmt.Sprintf("configuration %q is larger than %d bytes", fault.Shorten(image.Config), content.MaxManifest))
	}
	for _, layer := range image.Layers {
		if _, ok := a.follow(layer); !ok {
			return fault.Text(fmt.Sprintf("there is no layer %q", fault.Shorten(layer)))
		}
	}
	return nil
}

// sealSaved makes the manifest, for which all layers are read, and compares the
// layers with the configuration.
func (s *Image) sealSaved(a *archive, image tarball.Descriptor) error {
	config, err := s.saved.ConfigFile()
	if err != nil {
		return savedFault(a.ctx, err)
	}
	if n, m := len(image.Layers), len(config.RootFS.DiffIDs); n != m {
		return fault.Text(fmt.Sprintf("the image has %d layers, and its configuration %d", n, m))
	}
	layers, err := s.saved.Layers()
	if err != nil {
		return savedFault(a.ctx, err)
	}
	for i, layer := range layers {
		if err := a.checkLayer(image, i, layer, config.RootFS.DiffIDs[i]); err != nil {
			return err
		}
	}
	raw, err := s.saved.RawManifest()
	if err != nil {
		return savedFault(a.ctx, err)
	}
	mediaType, err := s.saved.MediaType()
	if err != nil {
		return savedFault(a.ctx, err)
	}
	s.manifest = manifestFile{content.Describe(raw, string(mediaType)), raw}
	return nil
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
			return fault.Text(fmt.Sprintf("layer %d is not the one that manifest.json describes", i+1))
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
		return fault.Text(fmt.Sprintf("layer %d does not hash to what the configuration says, but to %s", i+1, got))
	}
	return nil
}

// savedFault keeps the library's words out, which may hold parts of the archive.
func savedFault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fault.WithHint(fault.Text("the image in the archive is damaged"), fault.OneLine("the library says: "+fault.WithoutURLs(err.Error())))
}
