package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// maxBody bounds what is read whole: manifests, configurations, lists. It is
	// what the distribution protocol has registries accept at least.
	maxBody = 4 << 20

	errTooLarge fault = "answered with more than 4 MiB"
	errForged   fault = "content has another digest, "
)

// artifactManifest was in drafts of the image specification 1.1, and is still
// found in registries.
const artifactManifest types.MediaType = "application/vnd.oci.artifact.manifest.v1+json"

// manifestTypes are the manifests that are asked for: all there are. A registry
// converts one that is not accepted, or denies having it.
const manifestTypes = string(types.OCIManifestSchema1) + ", " + string(types.OCIImageIndex) + ", " +
	string(types.DockerManifestSchema2) + ", " + string(types.DockerManifestList) + ", " +
	string(types.DockerManifestSchema1Signed) + ", " + string(types.DockerManifestSchema1) + ", " +
	string(artifactManifest)

func isManifestType(t types.MediaType) bool {
	return t.IsIndex() || t.IsImage() || t == artifactManifest
}

// mediaTypeOf finds the media type of a manifest from its content; empty when
// it cannot be told. An OCI manifest may leave it to be seen from its fields.
func mediaTypeOf(body []byte) types.MediaType {
	var m struct {
		MediaType types.MediaType `json:"mediaType"`
		Config    *v1.Descriptor  `json:"config"`
		Manifests json.RawMessage `json:"manifests"`
	}
	if json.Unmarshal(body, &m) != nil {
		return ""
	}
	switch {
	case m.MediaType != "":
		return m.MediaType
	case m.Manifests != nil && m.Config == nil:
		return types.OCIImageIndex
	case m.Config != nil && m.Config.Digest.Hex != "" && m.Manifests == nil:
		return types.OCIManifestSchema1
	}
	return ""
}

// bareMediaType leaves out the parameters of a Content-Type.
func bareMediaType(contentType string) types.MediaType {
	bare, _, _ := strings.Cut(contentType, ";")
	return types.MediaType(strings.TrimSpace(bare))
}

func hashOf(data []byte) v1.Hash {
	sum := sha256.Sum256(data)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

func describeContent(body []byte, mediaType string) v1.Descriptor {
	return v1.Descriptor{MediaType: bareMediaType(mediaType), Digest: hashOf(body), Size: int64(len(body))}
}

// tagOf is the tag that stands for a digest: sha256-….
func tagOf(digest string) string { return strings.Replace(digest, ":", "-", 1) }

// readAtMost reads r whole, unless there is more than limit: over tells so, and
// data is then as much of it.
func readAtMost(r io.Reader, limit int64) (data []byte, over bool, err error) {
	data, err = io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(data)) > limit {
		return data[:limit], true, err
	}
	return data, false, err
}

// readBounded reads an answer of a registry whole.
func readBounded(r io.Reader) ([]byte, error) {
	data, over, err := readAtMost(r, maxBody)
	if over {
		return nil, errTooLarge
	}
	return data, err
}
