package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	function = "promote-fn"
	// nobody is the user that images without a distribution run as.
	nobody = "65532:65532"
)

// entryTime is the time of everything in an image, as in the archives.
var entryTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// binary is one program that goreleaser has built, as in its artifacts.json.
type binary struct {
	Name, Path, Goos, Goarch, Type string
}

// writeImage writes DIST/image: an OCI layout with one index for the Linux
// programs in DIST. ko, which goreleaser has, wants a base image from a registry;
// here is none, not even CA certificates: they would be the building machine's.
func writeImage(version, dist string) error {
	programs, err := functions(dist)
	if err != nil {
		return err
	}
	if len(programs) == 0 {
		log.Printf("no image: %s was not built for linux", function)
		return nil
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range programs {
		img, err := b.image(version)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: b.platform()}})
	}
	index = mutate.Annotations(index, annotations(version)).(v1.ImageIndex)
	dir := filepath.Join(dist, "image")
	out, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := out.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": version})); err != nil {
		return err
	}
	digest, err := index.Digest()
	log.Printf("%s holds %s:%s@%s", dir, function, version, digest)
	return err
}

// functions finds the Linux programs, in an order that is always the same.
func functions(dist string) ([]binary, error) {
	list := filepath.Join(dist, "artifacts.json")
	data, err := os.ReadFile(list)
	if err != nil {
		return nil, err
	}
	var all []binary
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", list, err)
	}
	all = slices.DeleteFunc(all, func(b binary) bool { return b.Type != "Binary" || b.Name != function || b.Goos != "linux" })
	slices.SortFunc(all, func(a, b binary) int { return strings.Compare(a.Goarch, b.Goarch) })
	return all, nil
}

// platform is the program's as the image specification names it.
func (b binary) platform() *v1.Platform {
	p := &v1.Platform{OS: b.Goos, Architecture: b.Goarch}
	if b.Goarch == "arm" {
		p.Variant = "v6" // as .goreleaser.yaml says
	}
	return p
}

// image is the program and the licence in one layer: no shell, no root.
func (b binary) image(version string) (v1.Image, error) {
	files, err := tarred(file{"LICENSE", "LICENSE", 0o644}, file{function, b.Path, 0o755})
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files)), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{
		OS: b.Goos, Architecture: b.Goarch, Variant: b.platform().Variant, Created: v1.Time{Time: entryTime},
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{User: nobody, Entrypoint: []string{"/" + function}, WorkingDir: "/", Labels: annotations(version)},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: entryTime}, CreatedBy: home}})
}

func annotations(version string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       function,
		"org.opencontainers.image.description": "KRM functions that pin, verify and guard container images",
		"org.opencontainers.image.version":     version,
		"org.opencontainers.image.source":      home,
		"org.opencontainers.image.licenses":    "Apache-2.0",
	}
}

// file is one file of an image.
type file struct {
	name, source string
	mode         int64
}

// tarred packs files as root's, in the oldest format that does.
func tarred(files ...file) ([]byte, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for _, f := range files {
		data, err := os.ReadFile(f.source)
		if err != nil {
			return nil, err
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(data)), ModTime: entryTime, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := t.Write(data); err != nil {
			return nil, err
		}
	}
	err := t.Close()
	return b.Bytes(), err
}
