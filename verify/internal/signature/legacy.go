package signature

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/kubepromote/kubepromote/verify/internal/keys"
	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const (
	// SimpleSigning is the media type of a layer that holds a signed text.
	SimpleSigning types.MediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
	// DSSEEnvelope is the media type of a layer that holds an attestation.
	DSSEEnvelope types.MediaType = "application/vnd.dsse.envelope.v1+json"

	SignatureAnnotation   = "dev.cosignproject.cosign/signature"
	CertificateAnnotation = "dev.sigstore.cosign/certificate"
	ChainAnnotation       = "dev.sigstore.cosign/chain"
	LogAnnotation         = "dev.sigstore.cosign/bundle"
	TimestampAnnotation   = "dev.sigstore.cosign/rfc3161timestamp"

	MaxPayloadSize   = 1 << 20
	maxSignatureText = 16 << 10 // base64; RSA-4096 takes 684 bytes
	MaxLogText       = 2 << 20  // a log entry may hold the attestation
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

// SignatureText finds the signature among the annotations of a layer.
func SignatureText(annotations map[string]string) ([]byte, error) {
	text, ok := annotations[SignatureAnnotation]
	switch {
	case !ok || text == "":
		return nil, mismatch.Malformed("no signature in the annotations")
	case len(text) > maxSignatureText:
		return nil, mismatch.Malformed("signature of %d bytes", len(text))
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 {
		return nil, mismatch.Malformed("signature is no base64")
	}
	return raw, nil
}

// NewLegacy parses the signed text. The format says that a reader has to know
// everything under "critical", so anything more there is a refusal.
func NewLegacy(blob, signature []byte, annotations map[string]string) (*Signature, error) {
	if untrusted.CountValues(blob) > sigbundle.MaxValues {
		return nil, mismatch.Malformed("payload with more than %d values", sigbundle.MaxValues)
	}
	text, err := readClaim(blob)
	if err != nil {
		return nil, mismatch.Malformed("payload %v", err)
	}
	l := &layer{signature: signature, annotations: annotations, text: blob}
	return &Signature{text: text, entity: l.entity, Chain: l.chain}, nil
}

// readClaim reads the signed text. Names of fields are compared letter by letter and
// may come once: the decoder of the standard library would take Critical for
// critical and the last of two, and another reader would see something else.
func readClaim(blob []byte) (*signedText, error) {
	fields, err := statement.ParseObject(blob)
	if err != nil {
		return nil, fmt.Errorf("is no JSON object: %w", err)
	}
	top := statement.Object(fields)
	critical := top.Object("critical")
	image, identity := critical.Object("image"), critical.Object("identity")
	for _, level := range []struct {
		of    statement.Object
		known []string
	}{
		{top, []string{"critical", "optional"}},
		{critical, []string{"type", "image", "identity"}},
		{image, []string{"docker-manifest-digest"}},
		{identity, []string{"docker-reference"}},
	} {
		for name := range level.of {
			if !slices.Contains(level.known, name) {
				return nil, fmt.Errorf("has the unknown field %s", untrusted.Quoted(name))
			}
		}
	}
	if t := critical.Text("type"); t != payload.CosignSignatureType {
		return nil, fmt.Errorf("is of type %s", untrusted.Quoted(t))
	}
	h, err := v1.NewHash(image.Text("docker-manifest-digest"))
	if err != nil {
		return nil, errors.New("names no digest")
	}
	return &signedText{payload: blob, digest: h.String(), reference: identity.Text("docker-reference"), optional: top.Object("optional")}, nil
}

// NewAttestation parses the envelope of an attestation of the older form.
func NewAttestation(blob []byte, annotations map[string]string) (*Signature, error) {
	var env struct {
		PayloadType string
		Payload     []byte
		Signatures  []struct {
			KeyID string
			Sig   []byte
		}
	}
	if untrusted.CountValues(blob) > sigbundle.MaxValues {
		return nil, mismatch.Malformed("envelope with more than %d values", sigbundle.MaxValues)
	}
	if err := json.Unmarshal(blob, &env); err != nil {
		return nil, mismatch.Malformed("envelope: %v", err)
	}
	if len(env.Signatures) != 1 {
		return nil, mismatch.Malformed("envelope has %s instead of one", untrusted.Number(len(env.Signatures), "signature"))
	}
	l := &layer{annotations: annotations, envelope: &protodsse.Envelope{
		Payload:     env.Payload,
		PayloadType: env.PayloadType,
		Signatures:  []*protodsse.Signature{{Sig: env.Signatures[0].Sig}},
	}}
	// The statement is read from the form of a bundle that needs nothing else.
	b, err := bundle.NewBundle(l.bundle(keyMaterial(), crypto.SHA256))
	if err != nil {
		return nil, mismatch.Malformed("envelope: %v", err)
	}
	c := &Signature{entity: l.entity, Chain: l.chain}
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
	return untrusted.Guarded(func() (*bundle.Bundle, error) {
		m := keyMaterial()
		if k == byCertificate {
			certs, err := l.certificates(CertificateAnnotation)
			if err != nil {
				return nil, err
			}
			m.Content = &protobundle.VerificationMaterial_Certificate{
				Certificate: &protocommon.X509Certificate{RawBytes: certs[0].Raw}}
		}
		err := l.logAndTimestamp(m)
		if err == nil {
			var b *bundle.Bundle
			if b, err = bundle.NewBundle(l.bundle(m, h)); err == nil {
				return b, nil
			}
			err = mismatch.Malformed("%v", err)
		}
		if k == byCertificate {
			return nil, err
		}
		// Beside a key the rest may mean nothing, and must not spoil it. Where it
		// means something, it is missed.
		b, err := bundle.NewBundle(l.bundle(keyMaterial(), h))
		if err != nil {
			return nil, mismatch.Malformed("%v", err)
		}
		return b, nil
	})
}

func (l *layer) bundle(m *protobundle.VerificationMaterial, h crypto.Hash) *protobundle.Bundle {
	b := &protobundle.Bundle{MediaType: sigbundle.TypePrefix + "+json;version=0.1", VerificationMaterial: m}
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

// logAndTimestamp reads the log entry and the timestamp, where there are any.
func (l *layer) logAndTimestamp(m *protobundle.VerificationMaterial) error {
	if s := l.annotations[LogAnnotation]; s != "" {
		e, err := parseLogEntry(s)
		if err != nil {
			return err
		}
		m.TlogEntries = append(m.TlogEntries, e)
	}
	s := l.annotations[TimestampAnnotation]
	if s == "" {
		return nil
	}
	var stamp struct{ SignedRFC3161Timestamp []byte }
	if len(s) > MaxLogText || json.Unmarshal([]byte(s), &stamp) != nil || len(stamp.SignedRFC3161Timestamp) == 0 ||
		len(stamp.SignedRFC3161Timestamp) > sigbundle.MaxTimestamp {
		return mismatch.Malformed("timestamp annotation")
	}
	m.TimestampVerificationData = &protobundle.TimestampVerificationData{
		Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp.SignedRFC3161Timestamp}}}
	return nil
}

// parseLogEntry reads the annotation in which cosign keeps a log entry.
func parseLogEntry(s string) (*protorekor.TransparencyLogEntry, error) {
	if len(s) > MaxLogText {
		return nil, mismatch.Malformed("log entry of %d bytes", len(s))
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
		return nil, mismatch.Malformed("log entry: %v", err)
	}
	if untrusted.CountValues(kept.Payload.Body) > sigbundle.MaxValues {
		return nil, mismatch.Malformed("log entry with more than %d values", sigbundle.MaxValues)
	}
	var kind struct{ Kind, APIVersion string }
	if err := json.Unmarshal(kept.Payload.Body, &kind); err != nil {
		return nil, mismatch.Malformed("log entry: %v", err)
	}
	id, err := hex.DecodeString(kept.Payload.LogID)
	if err != nil || len(id) == 0 || len(kept.SignedEntryTimestamp) == 0 {
		return nil, mismatch.Malformed("log entry has no log or no promise")
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
		return nil, mismatch.New(mismatch.RankOtherKey, "made with a key, not with a certificate")
	}
	all, err := keys.ParseCertificates([]byte(s))
	if err != nil {
		return nil, mismatch.Malformed("annotation %s: %v", key, err)
	}
	return all, nil
}

// Chain lists the certificates that came along.
func (l *layer) chain() []*x509.Certificate {
	all, err := l.certificates(ChainAnnotation)
	if err != nil {
		return nil
	}
	return all
}
