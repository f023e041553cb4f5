package digest

import (
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// maxIndexDepth bounds indexes in indexes.
const maxIndexDepth = 4

// Platforms lists the platforms of the image or index with the digests of their
// manifests, in the order of the index. Manifests without a platform, such as
// attestations ("unknown/unknown"), are left out. The platform of a single image
// is in its configuration.
func (s *Source) Platforms() ([]LockedPlatform, error) {
	platforms, err := s.platforms()
	if err != nil {
		return nil, sourceFailure(s.given, err)
	}
	return platforms, nil
}

func (s *Source) platforms() ([]LockedPlatform, error) {
	if s.index != nil {
		return nestedPlatforms(s.index, 1)
	}
	config, err := s.image.ConfigFile()
	if err != nil {
		var own fault
		if errors.As(err, &own) {
			return nil, own
		}
		return nil, fault("configuration of the image is not JSON")
	}
	return addPlatform(nil, config.Platform(), s.manifest.desc.Digest)
}

func nestedPlatforms(index v1.ImageIndex, depth int) ([]LockedPlatform, error) {
	if depth > maxIndexDepth {
		return nil, fault(fmt.Sprintf("indexes are nested more than %d deep", maxIndexDepth))
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var all []LockedPlatform
	for _, desc := range m.Manifests {
		if desc.Platform == nil && desc.MediaType.IsIndex() {
			inner, err := index.ImageIndex(desc.Digest)
			if err != nil {
				return nil, err
			}
			more, err := nestedPlatforms(inner, depth+1)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
		if all, err = addPlatform(all, desc.Platform, desc.Digest); err != nil {
			return nil, err
		}
		if len(all) > maxPlatforms {
			return nil, fault(fmt.Sprintf("more than %d platforms", maxPlatforms))
		}
	}
	return all, nil
}

// addPlatform leaves out what names no platform.
func addPlatform(all []LockedPlatform, p *v1.Platform, digest v1.Hash) ([]LockedPlatform, error) {
	if !isPlatform(p) {
		return all, nil
	}
	name := strings.TrimSuffix(p.String(), ":")
	if at, why := checkPlatform(name); why != "" {
		return nil, platformFault(name, at, why)
	}
	return append(all, LockedPlatform{Platform: name, Digest: digest.String()}), nil
}
