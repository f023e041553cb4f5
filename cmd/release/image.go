package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	imageName = "ghcr.io/kubepromote/promote-fn"
	// nobody is the user that images without a distribution run as.
	nobody   = "65532:65532"
	certPath = "etc/ssl/certs/ca-certificates.crt" // where Go looks first
)

// image writes dist/image: an OCI layout with one index for all architectures.
func (r *releaser) image(ctx context.Context) error {
	if info, err := os.Stat(r.fn); err != nil || !info.IsDir() {
		return fmt.Errorf("the image's program %s is not there\nhint: -main ./cmd/…", r.fn)
	}
	common, err := r.imageEntries()
	if err != nil {
		return err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	platforms := slices.DeleteFunc(slices.Clone(imagePlatforms), func(p platform) bool { return !slices.Contains(r.platforms, p) })
	if len(platforms) == 0 {
		return fmt.Errorf("the image is made for none of %v\nhint: -platforms linux/amd64", r.platforms)
	}
	for _, p := range platforms {
		img, err := r.platformImage(ctx, p, common)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: p.oci()}})
	}
	index = mutate.Annotations(index, r.annotations()).(v1.ImageIndex)
	return r.writeLayout(index)
}

// writeLayout replaces dist/image.
func (r *releaser) writeLayout(index v1.ImageIndex) error {
	dir := r.imageDir()
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	out, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := out.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": r.version})); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	r.say("%s holds %s:%s@%s", dir, imageName, r.version, digest)
	return nil
}

func (r *releaser) imageDir() string { return filepath.Join(r.dist, "image") }

// oci is the platform as the image specification names it.
func (p platform) oci() *v1.Platform {
	o := &v1.Platform{OS: p.os, Architecture: p.arch}
	if p.arch == "arm" {
		o.Variant = "v6" // as GOARM says
	}
	return o
}

func (r *releaser) annotations() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       filepath.Base(r.fn),
		"org.opencontainers.image.description": "KRM functions that pin, verify and guard container images",
		"org.opencontainers.image.version":     r.version,
		"org.opencontainers.image.source":      "https://" + modulePath,
		"org.opencontainers.image.licenses":    "Apache-2.0",
	}
}

// imageEntries are the files beside the program. CA certificates are not among
// them unless given: they are the building machine's, and others would not get
// the same image.
func (r *releaser) imageEntries() ([]entry, error) {
	licence, err := os.ReadFile("LICENSE")
	if err != nil {
		return nil, err
	}
	entries := []entry{{"LICENSE", 0o644, licence}}
	if r.certs != "" {
		certs, err := os.ReadFile(r.certs)
		if err != nil {
			return nil, fmt.Errorf("the CA certificates: %w", err)
		}
		entries = append(entries, entry{certPath, 0o644, certs})
	}
	return entries, nil
}

// platformImage is the image for one architecture: one layer, no shell, no root.
func (r *releaser) platformImage(ctx context.Context, p platform, common []entry) (v1.Image, error) {
	name := filepath.Base(r.fn)
	target := filepath.Join(r.dist, "bin", p.os+"_"+p.arch, name)
	if err := r.build(ctx, p, r.fn, target); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(target)
	if err != nil {
		return nil, err
	}
	var tarred bytes.Buffer
	if err := writeTar(&tarred, append([]entry{{name, 0o755, data}}, common...)); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(tarred.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{
		OS: p.os, Architecture: p.arch, Variant: p.oci().Variant, Created: v1.Time{Time: entryTime},
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{User: nobody, Entrypoint: []string{"/" + name}, WorkingDir: "/", Labels: r.annotations()},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: entryTime}, CreatedBy: modulePath + "/cmd/release"}})
}
