package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// The limits of a release's sizes, in bytes.
const (
	megabyte   = 1_000_000
	maxProgram = 70 * megabyte
	maxArchive = 25 * megabyte
)

// checkedPlatform is the one whose archive is built again by check.
var checkedPlatform = platform{"linux", "amd64"}

// check builds one archive and compares its hash with the root manifest's.
func (r *releaser) check(ctx context.Context) error {
	root, err := os.ReadFile(manifestFile)
	if err != nil {
		return fmt.Errorf("%w\nhint: make krew-manifest", err)
	}
	version, want, err := manifestHash(root, checkedPlatform)
	if err != nil {
		return err
	}
	if version != r.version {
		return fmt.Errorf("%s is for %s, VERSION says %s\nhint: make krew-manifest", manifestFile, version, r.version)
	}
	dir, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r.platforms = []platform{checkedPlatform}
	made, err := r.archives(ctx, dir)
	if err != nil {
		return err
	}
	if err := r.sizes(made); err != nil {
		return err
	}
	if made[0].sha256 != want {
		return fmt.Errorf("%s has the hash %s for %s, these sources give %s\nhint: the sources have changed since it was written: make krew-manifest, and commit it last", manifestFile, want, checkedPlatform, made[0].sha256)
	}
	r.say("%s is what %s says", made[0].file, manifestFile)
	return nil
}

// sizes prints what was made weighs, and fails where that is too much.
func (r *releaser) sizes(made []archive) error {
	var errs []error
	for _, a := range made {
		r.say("%-45s %5.1f MB, program %5.1f MB", a.file, float64(a.size)/1e6, float64(a.programSize)/1e6)
		if a.size > maxArchive || a.programSize > maxProgram {
			errs = append(errs, fmt.Errorf("%s is larger than %d MB, or its program than %d MB\nhint: docs/size.md says what costs most", a.file, maxArchive/megabyte, maxProgram/megabyte))
		}
	}
	return errors.Join(errs...)
}
