package verify

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/source"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// readTag takes in the layers of a type under a tag of the image, .sig or .att.
func readTag(ctx context.Context, r source.Source, j *judge, in policy.Repository, suffix string, mediaType types.MediaType) {
	tag := in.TagPrefix + j.digest.Algorithm + "-" + j.digest.Hex + suffix
	doc, err := r.Manifest(ctx, tag)
	if source.IsNotFound(err) {
		return
	}
	if err != nil {
		j.missed(err)
		return
	}
	storage := StorageTag
	if mediaType == signature.DSSEEnvelope {
		storage = StorageAttestationTag
	}
	readLayers(ctx, r, j, doc, mediaType, signature.Signature{Repository: in, Storage: storage,
		Location: r.What(tag) + "@" + doc.Digest.String()})
}

// readLayers takes in the layers of one type of a manifest. Each signature has
// what is common to all of them.
func readLayers(ctx context.Context, r source.Source, j *judge, doc *source.Document, mediaType types.MediaType, common signature.Signature) {
	m, err := doc.Image()
	if err != nil {
		j.missed(err)
		return
	}
	looked := 0
	for _, l := range m.Layers {
		if l.MediaType != mediaType {
			continue
		}
		if looked == maxLayers {
			j.ignored++
			continue
		}
		looked++
		if !j.done() && ctx.Err() == nil {
			readLayer(ctx, r, j, l, common)
		}
	}
}

func readLayer(ctx context.Context, r source.Source, j *judge, l v1.Descriptor, c signature.Signature) {
	var sig []byte
	limit := int64(sigbundle.MaxSize)
	if l.MediaType == signature.SimpleSigning {
		limit = signature.MaxPayloadSize
		var err error
		if sig, err = signature.SignatureText(l.Annotations); err != nil {
			j.malformed(err)
			return
		}
	}
	blob, err := r.Blob(ctx, l, limit)
	if err != nil {
		j.missed(err)
		return
	}
	made, err := untrusted.Guarded(func() (*signature.Signature, error) {
		if l.MediaType == signature.SimpleSigning {
			return signature.NewLegacy(blob, sig, l.Annotations)
		}
		return signature.NewAttestation(blob, l.Annotations)
	})
	if err != nil {
		j.malformed(err)
		return
	}
	made.Repository, made.Location, made.Storage = c.Repository, c.Location, c.Storage
	j.consider(ctx, made)
}

// maxLayers bounds the layers of a manifest that are read.
const maxLayers = 64
