package verify

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	"github.com/sigstore/sigstore/pkg/signature/payload"
)

const (
	// simpleSigning is the media type of a layer that holds a signed text.
	simpleSigning types.MediaType = "application/vnd.dev.cosign.simplesigning.v1+json"

	maxLayers        = 64
	maxPayloadSize   = 1 << 20
	maxSignatureText = 16 << 10 // base64; RSA-4096 takes 684 bytes
)

// legacySignature is one layer under the signature tag. The certificate, chain,
// bundle and timestamp annotations a layer may have are not part of it: they
// mean nothing for a key, and cosign has panicked over crafted ones.
type legacySignature struct {
	payload   []byte
	signature string // base64
	digest    string // what the payload says it signs
}

// readTag takes in the signatures under the tag of the image.
func readTag(ctx context.Context, r *repository, j *judge) {
	tag := j.digest.Algorithm + "-" + j.digest.Hex + ".sig"
	doc, err := r.manifest(ctx, tag)
	if isNotFound(err) {
		return
	}
	if err != nil {
		j.missed(err)
		return
	}
	m, err := doc.image()
	if err != nil {
		j.missed(err)
		return
	}
	looked := 0
	for _, l := range m.Layers {
		if l.MediaType != simpleSigning {
			continue
		}
		if looked == maxLayers {
			j.ignored++
			continue
		}
		looked++
		if !j.done() && ctx.Err() == nil {
			readLayer(ctx, r, j, l, r.name.Name()+":"+tag+"@"+doc.digest.String())
		}
	}
}

func readLayer(ctx context.Context, r *repository, j *judge, l v1.Descriptor, location string) {
	text, err := signatureText(l.Annotations)
	if err != nil {
		j.malformed(err)
		return
	}
	blob, err := r.blob(ctx, l, maxPayloadSize)
	if err != nil {
		j.missed(err)
		return
	}
	s, err := newLegacy(blob, text)
	if err != nil {
		j.malformed(err)
		return
	}
	j.consider(candidate{location: location, legacy: s})
}

// signatureText finds the signature among the annotations of a layer.
func signatureText(annotations map[string]string) (string, error) {
	text, ok := annotations[static.SignatureAnnotationKey]
	switch {
	case !ok || text == "":
		return "", malformed("no signature in the annotations")
	case len(text) > maxSignatureText:
		return "", malformed("signature of %d bytes", len(text))
	}
	if raw, err := base64.StdEncoding.DecodeString(text); err != nil || len(raw) == 0 {
		return "", malformed("signature is no base64")
	}
	return text, nil
}

// newLegacy parses the signed text. The format says that a reader has to know
// everything under "critical", so anything more there is a refusal.
func newLegacy(blob []byte, text string) (*legacySignature, error) {
	dec := json.NewDecoder(bytes.NewReader(blob))
	dec.DisallowUnknownFields()
	var claim payload.SimpleContainerImage
	if err := dec.Decode(&claim); err != nil {
		return nil, malformed("payload: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("payload: more than one value")
	}
	if t := claim.Critical.Type; t != payload.CosignSignatureType {
		return nil, malformed("payload is of type %s", quoted(t))
	}
	h, err := v1.NewHash(claim.Critical.Image.DockerManifestDigest)
	if err != nil {
		return nil, malformed("payload names no digest")
	}
	// critical.identity.docker-reference is the name under which the signer saw
	// the image. It is not compared: images are copied to other registries with
	// their signatures, cosign never compared it, and what decides is the digest,
	// which names the same bytes everywhere. A policy that maps names to names
	// has to come before a comparison can be asked for.
	return &legacySignature{payload: blob, signature: text, digest: h.String()}, nil
}
