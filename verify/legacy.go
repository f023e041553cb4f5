package verify

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore/pkg/signature/payload"
)

const (
	// simpleSigning is the media type of a layer that holds a signed text.
	simpleSigning types.MediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
	// dsseEnvelope is the media type of a layer that holds an attestation.
	dsseEnvelope types.MediaType = "application/vnd.dsse.envelope.v1+json"

	signatureAnnotation   = "dev.cosignproject.cosign/signature"
	certificateAnnotation = "dev.sigstore.cosign/certificate"
	chainAnnotation       = "dev.sigstore.cosign/chain"
	logAnnotation         = "dev.sigstore.cosign/bundle"
	timestampAnnotation   = "dev.sigstore.cosign/rfc3161timestamp"

	maxLayers        = 64
	maxPayloadSize   = 1 << 20
	maxSignatureText = 16 << 10 // base64; RSA-4096 takes 684 bytes
	maxLogText       = 2 << 20  // a log entry may hold the attestation
)

// signedText is the text that the older form of cosign signs.
type signedText struct {
	payload   []byte
	digest    string // what it says it signs
	reference string // the name under which the signer saw the image
	optional  map[string]any
}

// layer is what a manifest keeps beside a signed text: all of it written by
// whoever may write to the repository.
type layer struct {
	signature   []byte
	envelope    *protodsse.Envelope // of an attestation
	annotations map[string]string
	text        []byte
}

// readTag takes in the layers of a type under a tag of the image, .sig or .att.
func readTag(ctx context.Context, r source, j *judge, p place, suffix string, mediaType types.MediaType) {
	tag := p.prefix + j.digest.Algorithm + "-" + j.digest.Hex + suffix
	doc, err := r.manifest(ctx, tag)
	if isNotFound(err) {
		return
	}
	if err != nil {
		j.missed(err)
		return
	}
	storage := StorageTag
	if mediaType == dsseEnvelope {
		storage = StorageAttestationTag
	}
	readLayers(ctx, r, j, doc, mediaType, candidate{place: p, storage: storage,
		location: r.what(tag) + "@" + doc.digest.String()})
}

// readLayers takes in the layers of one type of a manifest. Each candidate has
// what is common to all of them.
func readLayers(ctx context.Context, r source, j *judge, doc *document, mediaType types.MediaType, common candidate) {
	m, err := doc.image()
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

func readLayer(ctx context.Context, r source, j *judge, l v1.Descriptor, c candidate) {
	var sig []byte
	limit := int64(maxBundleSize)
	if l.MediaType == simpleSigning {
		limit = maxPayloadSize
		var err error
		if sig, err = signatureText(l.Annotations); err != nil {
			j.malformed(err)
			return
		}
	}
	blob, err := r.blob(ctx, l, limit)
	if err != nil {
		j.missed(err)
		return
	}
	made, err := guarded(func() (*candidate, error) {
		if l.MediaType == simpleSigning {
			return newLegacy(blob, sig, l.Annotations)
		}
		return newAttestation(blob, l.Annotations)
	})
	if err != nil {
		j.malformed(err)
		return
	}
	made.place, made.location, made.storage = c.place, c.location, c.storage
	j.consider(ctx, made)
}

// signatureText finds the signature among the annotations of a layer.
func signatureText(annotations map[string]string) ([]byte, error) {
	text, ok := annotations[signatureAnnotation]
	switch {
	case !ok || text == "":
		return nil, malformed("no signature in the annotations")
	case len(text) > maxSignatureText:
		return nil, malformed("signature of %d bytes", len(text))
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 {
		return nil, malformed("signature is no base64")
	}
	return raw, nil
}

// newLegacy parses the signed text. The format says that a reader has to know
// everything under "critical", so anything more there is a refusal.
func newLegacy(blob, signature []byte, annotations map[string]string) (*candidate, error) {
	if countValues(blob) > maxBundleValues {
		return nil, malformed("payload with more than %d values", maxBundleValues)
	}
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
	l := &layer{signature: signature, annotations: annotations, text: blob}
	return &candidate{
		text: &signedText{
			payload:   blob,
			digest:    h.String(),
			reference: claim.Critical.Identity.DockerReference,
			optional:  claim.Optional,
		},
		entity: l.entity,
		chain:  l.chain,
	}, nil
}

// newAttestation parses the envelope of an attestation of the older form.
func newAttestation(blob []byte, annotations map[string]string) (*candidate, error) {
	var env struct {
		PayloadType string
		Payload     []byte
		Signatures  []struct {
			KeyID string
			Sig   []byte
		}
	}
	if countValues(blob) > maxBundleValues {
		return nil, malformed("envelope with more than %d values", maxBundleValues)
	}
	if err := json.Unmarshal(blob, &env); err != nil {
		return nil, malformed("envelope: %v", err)
	}
	if len(env.Signatures) != 1 {
		return nil, malformed("envelope has %s instead of one", count(len(env.Signatures), "signature"))
	}
	l := &layer{annotations: annotations, envelope: &protodsse.Envelope{
		Payload:     env.Payload,
		PayloadType: env.PayloadType,
		Signatures:  []*protodsse.Signature{{Sig: env.Signatures[0].Sig}},
	}}
	// The statement is read from the form of a bundle that needs nothing else.
	b, err := bundle.NewBundle(l.bundle(keyMaterial(), crypto.SHA256))
	if err != nil {
		return nil, malformed("envelope: %v", err)
	}
	c := &candidate{entity: l.entity, chain: l.chain}
	return c, c.open(b)
}

func keyMaterial() *protobundle.VerificationMaterial {
	return &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_PublicKey{
		PublicKey: &protocommon.PublicKeyIdentifier{}}}
}

// entity gives the layer the form of a bundle of version 0.1, which has the same
// parts. So the same checks hold for both forms, and the annotations are read
// when somebody needs them: cosign has panicked over crafted ones.
func (l *layer) entity(k material, h crypto.Hash) (*bundle.Bundle, error) {
	return guarded(func() (*bundle.Bundle, error) {
		m := keyMaterial()
		if k == byCertificate {
			certs, err := l.certificates(certificateAnnotation)
			if err != nil {
				return nil, err
			}
			m.Content = &protobundle.VerificationMaterial_Certificate{
				Certificate: &protocommon.X509Certificate{RawBytes: certs[0].Raw}}
		}
		err := l.witnesses(m)
		if err == nil {
			var b *bundle.Bundle
			if b, err = bundle.NewBundle(l.bundle(m, h)); err == nil {
				return b, nil
			}
			err = malformed("%v", err)
		}
		if k == byCertificate {
			return nil, err
		}
		// Beside a key the rest may mean nothing, and must not spoil it. Where it
		// means something, it is missed.
		b, err := bundle.NewBundle(l.bundle(keyMaterial(), h))
		if err != nil {
			return nil, malformed("%v", err)
		}
		return b, nil
	})
}

func (l *layer) bundle(m *protobundle.VerificationMaterial, h crypto.Hash) *protobundle.Bundle {
	b := &protobundle.Bundle{MediaType: bundleType + "+json;version=0.1", VerificationMaterial: m}
	if l.envelope != nil {
		b.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: l.envelope}
		return b
	}
	w := h.New()
	w.Write(l.text)
	names := map[crypto.Hash]protocommon.HashAlgorithm{
		crypto.SHA256: protocommon.HashAlgorithm_SHA2_256,
		crypto.SHA384: protocommon.HashAlgorithm_SHA2_384,
		crypto.SHA512: protocommon.HashAlgorithm_SHA2_512,
	}
	b.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
		MessageDigest: &protocommon.HashOutput{Algorithm: names[h], Digest: w.Sum(nil)},
		Signature:     l.signature,
	}}
	return b
}

// witnesses reads the log entry and the timestamp, where there are any.
func (l *layer) witnesses(m *protobundle.VerificationMaterial) error {
	if s := l.annotations[logAnnotation]; s != "" {
		e, err := parseLogEntry(s)
		if err != nil {
			return err
		}
		m.TlogEntries = append(m.TlogEntries, e)
	}
	s := l.annotations[timestampAnnotation]
	if s == "" {
		return nil
	}
	var stamp struct{ SignedRFC3161Timestamp []byte }
	if len(s) > maxLogText || json.Unmarshal([]byte(s), &stamp) != nil || len(stamp.SignedRFC3161Timestamp) == 0 ||
		len(stamp.SignedRFC3161Timestamp) > maxTimestamp {
		return malformed("timestamp annotation")
	}
	m.TimestampVerificationData = &protobundle.TimestampVerificationData{
		Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp.SignedRFC3161Timestamp}}}
	return nil
}

// parseLogEntry reads the annotation in which cosign keeps a log entry.
func parseLogEntry(s string) (*protorekor.TransparencyLogEntry, error) {
	if len(s) > maxLogText {
		return nil, malformed("log entry of %d bytes", len(s))
	}
	var kept struct {
		SignedEntryTimestamp []byte
		Payload              struct {
			Body           []byte
			IntegratedTime int64
			LogIndex       int64
			LogID          string
		}
	}
	if err := json.Unmarshal([]byte(s), &kept); err != nil {
		return nil, malformed("log entry: %v", err)
	}
	if countValues(kept.Payload.Body) > maxBundleValues {
		return nil, malformed("log entry with more than %d values", maxBundleValues)
	}
	var kind struct{ Kind, APIVersion string }
	if err := json.Unmarshal(kept.Payload.Body, &kind); err != nil {
		return nil, malformed("log entry: %v", err)
	}
	id, err := hex.DecodeString(kept.Payload.LogID)
	if err != nil || len(id) == 0 || len(kept.SignedEntryTimestamp) == 0 {
		return nil, malformed("log entry has no log or no promise")
	}
	return &protorekor.TransparencyLogEntry{
		LogIndex:          kept.Payload.LogIndex,
		LogId:             &protocommon.LogId{KeyId: id},
		KindVersion:       &protorekor.KindVersion{Kind: kind.Kind, Version: kind.APIVersion},
		IntegratedTime:    kept.Payload.IntegratedTime,
		InclusionPromise:  &protorekor.InclusionPromise{SignedEntryTimestamp: kept.SignedEntryTimestamp},
		CanonicalizedBody: kept.Payload.Body,
	}, nil
}

// certificates reads an annotation that holds certificates.
func (l *layer) certificates(key string) ([]*x509.Certificate, error) {
	s := strings.TrimSpace(l.annotations[key])
	if s == "" {
		return nil, &mismatch{rankOtherKey, "made with a key, not with a certificate"}
	}
	all, err := parseCertificates([]byte(s))
	if err != nil {
		return nil, malformed("annotation %s: %v", key, err)
	}
	return all, nil
}

// chain lists the certificates that came along.
func (l *layer) chain() []*x509.Certificate {
	all, err := l.certificates(chainAnnotation)
	if err != nil {
		return nil
	}
	return all
}
