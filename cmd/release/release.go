package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/v1/layout"
)

const (
	bundleSuffix = ".sigstore.json"
	imageBundle  = "image" + bundleSuffix
)

// release makes everything. What is signed are the checksums, which cover all
// other files, and the image's digest.
func (r *releaser) release(ctx context.Context) error {
	key, err := r.loadKey() // before the work of minutes
	if err != nil {
		return err
	}
	made, err := r.krew(ctx)
	if err != nil {
		return err
	}
	names := []string{manifestFile}
	for _, a := range made {
		name, err := r.writeSBOM(a)
		if err != nil {
			return err
		}
		names = append(names, a.file, name)
	}
	if err := writeChecksums(r.dist, names); err != nil {
		return err
	}
	image, err := r.releaseImage(ctx)
	if err != nil {
		return err
	}
	if key == nil {
		r.say("nothing is signed: there is no key\nhint: COSIGN_KEY=cosign.key COSIGN_PASSWORD=… make release")
		return nil
	}
	return r.sign(ctx, key, image)
}

// releaseImage makes the image, if its program is there, and gives its digest.
func (r *releaser) releaseImage(ctx context.Context) (digest string, err error) {
	if _, err := os.Stat(r.fn); err != nil {
		r.say("no image: %s is not there", r.fn)
		return "", nil
	}
	if err := r.image(ctx); err != nil {
		return "", err
	}
	index, err := layout.ImageIndexFromPath(r.imageDir())
	if err != nil {
		return "", err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", err
	}
	return manifest.Manifests[0].Digest.Hex, nil
}

func (r *releaser) sign(ctx context.Context, key *keypair, image string) error {
	checksums, err := os.ReadFile(filepath.Join(r.dist, checksumsFile))
	if err != nil {
		return err
	}
	if err := key.signBlob(ctx, checksums, filepath.Join(r.dist, checksumsFile+bundleSuffix)); err != nil {
		return err
	}
	r.say("signed %s", checksumsFile)
	if image == "" {
		return nil
	}
	if err := key.signImage(ctx, imageName, image, filepath.Join(r.dist, imageBundle)); err != nil {
		return err
	}
	r.say("signed the image's digest: %s", imageBundle)
	return nil
}
