// Package content has what registries and layouts have in common: media types of
// manifests, descriptors, digests, and lists of referrers.
package content

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	// MaxManifest bounds what is read whole: manifests, configurations, lists. It is
	// what the distribution protocol has registries accept at least.
	MaxManifest = 4 << 20

	// ErrTooLarge is about an answer of more than MaxManifest, ErrForged about one whose
	// bytes are not those that its digest names; the digest they have is added.
	ErrTooLarge fault.Text = "answered with more than 4 MiB"
	ErrForged   fault.Text = "content has another digest, "
)

// artifactManifest was in drafts of the image specification 1.1, and is still
// found in registries.
const artifactManifest types.MediaType = "application/vnd.oci.artifact.manifest.v1+json"

// ManifestTypes are the manifests that are asked for: all there are. A registry
// converts one that is not accepted, or denies having it.
const ManifestTypes = string(types.OCIManifestSchema1) + ", " + string(types.OCIImageIndex) + ", " +
	string(types.DockerManifestSchema2) + ", " + string(types.DockerManifestList) + ", " +
	string(types.DockerManifestSchema1Signed) + ", " + string(types.DockerManifestSchema1) + ", " +
	string(artifactManifest)

// IsManifestType knows the types of all that is a manifest.
func IsManifestType(t types.MediaType) bool {
	return t.IsIndex() || t.IsImage() || t == artifactManifest
}

// MediaTypeOf finds the media type of a manifest from its content; empty when
// it cannot be told. An OCI manifest may leave it to be seen from its fields.
func MediaTypeOf(body []byte) types.MediaType {
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

// IsManifest tells a manifest, of any kind, from what else a web server may answer
// with: an empty body, a page, a JSON error. A media type that is a manifest's does
// not make one, and another may be a proxy's fault; a page is never one.
func IsManifest(mediaType types.MediaType, body []byte) bool {
	var m struct {
		SchemaVersion json.RawMessage `json:"schemaVersion"`
		Manifests     json.RawMessage `json:"manifests"`
		Config        json.RawMessage `json:"config"`
		Layers        json.RawMessage `json:"layers"`
		OldLayers     json.RawMessage `json:"fsLayers"` // of schema 1
	}
	if IsWebPage(mediaType) || json.Unmarshal(body, &m) != nil {
		return false
	}
	if IsManifestType(MediaTypeOf(body)) || m.OldLayers != nil {
		return true
	}
	// What is not right in it is told by whoever needs it.
	named := IsManifestType(mediaType) || mediaType.IsSchema1()
	return named && (m.SchemaVersion != nil || m.Manifests != nil || m.Config != nil || m.Layers != nil)
}

// IsWebPage tells the media types of what is for people to read.
func IsWebPage(t types.MediaType) bool {
	return strings.EqualFold(string(t), "text/html") || strings.EqualFold(string(t), "application/xhtml+xml")
}

// BareMediaType leaves out the parameters of a Content-Type.
func BareMediaType(contentType string) types.MediaType {
	bare, _, _ := strings.Cut(contentType, ";")
	return types.MediaType(strings.TrimSpace(bare))
}

// Hash is the digest of content.
func Hash(data []byte) v1.Hash {
	sum := sha256.Sum256(data)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

// Describe makes the descriptor of content; parameters of its media type are left out.
func Describe(body []byte, mediaType string) v1.Descriptor {
	return v1.Descriptor{MediaType: BareMediaType(mediaType), Digest: Hash(body), Size: int64(len(body))}
}

// FallbackTag is the tag that stands for a digest: sha256-….
func FallbackTag(digest string) string { return strings.Replace(digest, ":", "-", 1) }

// ReadAtMost reads r whole, unless there is more than limit: over tells so, and
// data is then as much of it.
func ReadAtMost(r io.Reader, limit int64) (data []byte, over bool, err error) {
	data, err = io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(data)) > limit {
		return data[:limit], true, err
	}
	return data, false, err
}

// ReadBounded reads an answer of a registry whole.
func ReadBounded(r io.Reader) ([]byte, error) {
	data, over, err := ReadAtMost(r, MaxManifest)
	if over {
		return nil, ErrTooLarge
	}
	return data, err
}
