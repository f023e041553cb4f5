package sigtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
	"github.com/google/certificate-transparency-go/x509util"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
)

// Instance is a whole Sigstore in memory: a certificate authority whose
// certificates are in a certificate log, a transparency log and a timestamp
// authority.
type Instance struct {
	Logs       []*ca.VirtualSigstore // the first also has the timestamp authority
	Root       *x509.Certificate
	rootKey    *ecdsa.PrivateKey
	Middle     *x509.Certificate
	MiddleKey  *ecdsa.PrivateKey
	ctKey      *ecdsa.PrivateKey
	WithoutCT  bool             // the certificates are in no log
	StrangerCT bool             // or in one that nobody knows
	Extensions []pkix.Extension // further ones of the certificates
	End        time.Time        // of the authority; zero: that of its certificate
}

// NewInstance makes an instance with keys and certificates of its own.
func NewInstance(t testing.TB) *Instance {
	t.Helper()
	vs, err := ca.NewVirtualSigstore()
	Must(t, err)
	s := &Instance{Logs: []*ca.VirtualSigstore{vs}, ctKey: NewECDSA(t)}
	s.Root, s.rootKey, err = ca.GenerateRootCa()
	Must(t, err)
	s.MiddleKey = NewECDSA(t)
	s.Renew(t, time.Now().Add(-4*time.Hour), time.Now().Add(4*time.Hour))
	return s
}

// Renew makes a certificate in the middle with the same key and other times.
func (s *Instance) Renew(t testing.TB, from, to time.Time) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(from.UnixNano()), Subject: pkix.Name{CommonName: "middle"}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		BasicConstraintsValid: true, IsCA: true,
	}, s.Root, &s.MiddleKey.PublicKey, s.rootKey)
	Must(t, err)
	s.Middle, err = x509.ParseCertificate(der)
	Must(t, err)
}

// NewECDSA makes a key on P-256.
func NewECDSA(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Must(t, err)
	return key
}

// TrustedRoot is the trusted_root.json of the instance.
func (s *Instance) TrustedRoot(t testing.TB) []byte {
	t.Helper()
	authority := &root.FulcioCertificateAuthority{
		Root: s.Root, Intermediates: []*x509.Certificate{s.Middle}, URI: "https://fulcio.localhost",
		ValidityPeriodStart: s.Root.NotBefore, ValidityPeriodEnd: s.End}
	id := logID(t, &s.ctKey.PublicKey)
	ctLogs := map[string]*root.TransparencyLog{hex.EncodeToString(id): {
		BaseURL: "https://ct.localhost", ID: id, HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256,
		PublicKey: &s.ctKey.PublicKey, ValidityPeriodStart: time.Now().Add(-time.Hour)}}
	if s.WithoutCT {
		ctLogs = nil
	}
	logs := map[string]*root.TransparencyLog{}
	for _, vs := range s.Logs {
		for k, l := range vs.RekorLogs() {
			l.ID = RawID(t, k)
			logs[k] = l
		}
	}
	return MarshalRoot(t, []root.CertificateAuthority{authority}, ctLogs, s.Logs[0].TimestampingAuthorities(), logs)
}

// MarshalRoot is a trusted root as JSON, as it comes from TUF.
func MarshalRoot(t testing.TB, authorities []root.CertificateAuthority, ctLogs map[string]*root.TransparencyLog,
	stamps []root.TimestampingAuthority, logs map[string]*root.TransparencyLog) []byte {
	t.Helper()
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, authorities, ctLogs, stamps, logs)
	Must(t, err)
	data, err := r.MarshalJSON()
	Must(t, err)
	return data
}

func logID(t testing.TB, key *ecdsa.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	Must(t, err)
	sum := sha256.Sum256(der)
	return sum[:]
}

// Leaf is a certificate of the instance and its key.
type Leaf struct {
	Cert *x509.Certificate
	Key  *ecdsa.PrivateKey
}

const (
	TestSubject = "release@example.com"
	TestIssuer  = "https://accounts.example.com"
)

// Issue gives a certificate that is valid around now.
func (s *Instance) Issue(t testing.TB, subject, issuer string) Leaf {
	t.Helper()
	return s.IssueAt(t, subject, issuer, time.Now().Add(-5*time.Minute))
}

// IssueAt makes a certificate that is valid from a time on.
func (s *Instance) IssueAt(t testing.TB, subject, issuer string, from time.Time) Leaf {
	t.Helper()
	l := Leaf{Key: NewECDSA(t)}
	template := &x509.Certificate{
		SerialNumber:   big.NewInt(from.UnixNano()),
		EmailAddresses: []string{subject},
		NotBefore:      from,
		NotAfter:       from.Add(10 * time.Minute),
		KeyUsage:       x509.KeyUsageDigitalSignature,
		ExtKeyUsage:    []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{{
			Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(issuer)}},
	}
	template.ExtraExtensions = append(template.ExtraExtensions, s.Extensions...)
	der, err := x509.CreateCertificate(rand.Reader, template, s.Middle, &l.Key.PublicKey, s.MiddleKey)
	Must(t, err)
	if !s.WithoutCT {
		template.ExtraExtensions = append(template.ExtraExtensions, s.sct(t, der))
		der, err = x509.CreateCertificate(rand.Reader, template, s.Middle, &l.Key.PublicKey, s.MiddleKey)
		Must(t, err)
	}
	l.Cert, err = x509.ParseCertificate(der)
	Must(t, err)
	return l
}

// sct is the extension that promises that a certificate is in the log.
func (s *Instance) sct(t testing.TB, der []byte) pkix.Extension {
	t.Helper()
	key := s.ctKey
	if s.StrangerCT {
		key = NewECDSA(t)
	}
	cert, err := ctx509.ParseCertificate(der)
	Must(t, err)
	sct := ct.SignedCertificateTimestamp{SCTVersion: ct.V1, Timestamp: uint64(time.Now().Add(-time.Minute).UnixMilli())}
	copy(sct.LogID.KeyID[:], logID(t, &key.PublicKey))
	input, err := ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: ct.MerkleTreeLeaf{
		Version: ct.V1, LeafType: ct.TimestampedEntryLeafType,
		TimestampedEntry: &ct.TimestampedEntry{
			Timestamp: sct.Timestamp, EntryType: ct.PrecertLogEntryType,
			PrecertEntry: &ct.PreCert{
				IssuerKeyHash:  sha256.Sum256(s.Middle.RawSubjectPublicKeyInfo),
				TBSCertificate: cert.RawTBSCertificate}}}})
	Must(t, err)
	sum := sha256.Sum256(input)
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	Must(t, err)
	sct.Signature = ct.DigitallySigned{
		Algorithm: tls.SignatureAndHashAlgorithm{Hash: tls.SHA256, Signature: tls.ECDSA}, Signature: sig}
	list, err := x509util.MarshalSCTsIntoSCTList([]*ct.SignedCertificateTimestamp{&sct})
	Must(t, err)
	raw, err := tls.Marshal(*list)
	Must(t, err)
	value, err := asn1.Marshal(raw)
	Must(t, err)
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: value}
}

// Pem is the certificate in PEM form.
func (l Leaf) Pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.Cert.Raw})
}

// Sign signs a message with the key of the certificate.
func (l Leaf) Sign(t testing.TB, msg []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(msg)
	sig, err := ecdsa.SignASN1(rand.Reader, l.Key, sum[:])
	Must(t, err)
	return sig
}

// Signing is how a signature is made; the zero value has a log entry with
// promise and proof, and no timestamp.
type Signing struct {
	Log       int  // which log
	NoLog     bool // none
	NoPromise bool
	NoProof   bool
	Stamp     bool
	StampedBy *Instance // in place of the instance itself
	EntryBy   *Leaf     // the log entry is of another signature, by this certificate
	At        time.Time // of the log entry; zero: a minute ago
	Version   string    // media type of the bundle; empty: 0.3
	AlsoIn    []int     // further logs
}

// Time is when the signature is made.
func (o Signing) Time() time.Time {
	if o.At.IsZero() {
		return time.Now().Add(-time.Minute)
	}
	return o.At
}

// Entry puts a body into a log.
func (s *Instance) Entry(t testing.TB, log int, body []byte, kind string, o Signing) *protorekor.TransparencyLogEntry {
	t.Helper()
	vs := s.Logs[log]
	id, err := vs.RekorLogID()
	Must(t, err)
	raw, err := hex.DecodeString(id)
	Must(t, err)
	e := &protorekor.TransparencyLogEntry{
		LogIndex: 7, LogId: &protocommon.LogId{KeyId: raw},
		KindVersion:       &protorekor.KindVersion{Kind: kind, Version: "0.0.1"},
		IntegratedTime:    o.Time().Unix(),
		CanonicalizedBody: body,
	}
	if !o.NoPromise {
		set, err := vs.RekorSignPayload(tlog.RekorPayload{Body: base64.StdEncoding.EncodeToString(body),
			IntegratedTime: e.IntegratedTime, LogIndex: e.LogIndex, LogID: id})
		Must(t, err)
		e.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: set}
	}
	if !o.NoProof {
		p, err := vs.GetInclusionProof(body)
		Must(t, err)
		hash, err := hex.DecodeString(*p.RootHash)
		Must(t, err)
		e.InclusionProof = &protorekor.InclusionProof{LogIndex: *p.LogIndex, TreeSize: *p.TreeSize, RootHash: hash,
			Checkpoint: &protorekor.Checkpoint{Envelope: *p.Checkpoint}}
	}
	return e
}

// HashedRekord is the body of a log entry about the signature of a message.
func HashedRekord(t testing.TB, message, sig, verifier []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(message)
	return Marshal(t, map[string]any{"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": map[string]any{
		"data":      map[string]any{"hash": map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(sum[:])}},
		"signature": map[string]any{"content": sig, "publicKey": map[string]any{"content": verifier}}}})
}

// DsseRekord is the body of a log entry about a signed statement.
func DsseRekord(t testing.TB, payload, sig, verifier []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(payload)
	hash := map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(sum[:])}
	return Marshal(t, map[string]any{"apiVersion": "0.0.1", "kind": "dsse", "spec": map[string]any{
		"envelopeHash": hash, "payloadHash": hash,
		"signatures": []any{map[string]any{"signature": base64.StdEncoding.EncodeToString(sig), "verifier": verifier}}}})
}

// witnesses gives the log entries and timestamps of a signature.
func (s *Instance) witnesses(t testing.TB, m *protobundle.VerificationMaterial, o Signing, verifier, signed, sig []byte, dsse bool) {
	t.Helper()
	logged := sig
	if o.EntryBy != nil {
		logged, verifier = o.EntryBy.Sign(t, signed), o.EntryBy.Pem()
	}
	body, kind := HashedRekord(t, signed, logged, verifier), "hashedrekord"
	if dsse {
		body, kind = DsseRekord(t, signed, logged, verifier), "dsse"
	}
	if !o.NoLog {
		for _, log := range append([]int{o.Log}, o.AlsoIn...) {
			m.TlogEntries = append(m.TlogEntries, s.Entry(t, log, body, kind, o))
		}
	}
	if o.Stamp {
		by := s
		if o.StampedBy != nil {
			by = o.StampedBy
		}
		stamp, err := by.Logs[0].TimestampResponse(sig)
		Must(t, err)
		m.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp}}}
	}
}

// InTotoType is the type of the payload of a signed statement.
const InTotoType = "application/vnd.in-toto+json"

// Pae is what is signed of a statement (PAE of the DSSE protocol).
func Pae(payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(InTotoType), InTotoType, len(payload), payload)
}

// Attested is a bundle over a statement.
func (s *Instance) Attested(t testing.TB, l Leaf, payload []byte, o Signing) *protobundle.Bundle {
	t.Helper()
	sig := l.Sign(t, Pae(payload))
	b := s.newBundle(l, o)
	b.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
		Payload: payload, PayloadType: InTotoType, Signatures: []*protodsse.Signature{{Sig: sig}}}}
	s.witnesses(t, b.VerificationMaterial, o, l.Pem(), payload, sig, true)
	return b
}

// Messaged is a bundle over bytes themselves.
func (s *Instance) Messaged(t testing.TB, l Leaf, message []byte, o Signing) *protobundle.Bundle {
	t.Helper()
	sig, sum := l.Sign(t, message), sha256.Sum256(message)
	b := s.newBundle(l, o)
	b.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
		MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: sum[:]}, Signature: sig}}
	s.witnesses(t, b.VerificationMaterial, o, l.Pem(), message, sig, false)
	return b
}

func (s *Instance) newBundle(l Leaf, o Signing) *protobundle.Bundle {
	cert := &protocommon.X509Certificate{RawBytes: l.Cert.Raw}
	b := &protobundle.Bundle{MediaType: BundleV03, VerificationMaterial: &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_Certificate{Certificate: cert}}}
	if o.Version != "" {
		b.MediaType = "application/vnd.dev.sigstore.bundle" + "+json;version=" + o.Version
		b.VerificationMaterial.Content = &protobundle.VerificationMaterial_X509CertificateChain{
			X509CertificateChain: &protocommon.X509CertificateChain{Certificates: []*protocommon.X509Certificate{cert}}}
	}
	return b
}

// Annotations are what cosign keeps beside a signature of the older form.
func (s *Instance) Annotations(t testing.TB, l Leaf, o Signing, signed, sig []byte, dsse bool) map[string]string {
	t.Helper()
	m := &protobundle.VerificationMaterial{}
	s.witnesses(t, m, o, l.Pem(), signed, sig, dsse)
	a := map[string]string{
		"dev.sigstore.cosign/certificate": string(l.Pem()),
		"dev.sigstore.cosign/chain":       string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Middle.Raw})),
	}
	for _, e := range m.TlogEntries {
		a["dev.sigstore.cosign/bundle"] = LogText(t, e)
	}
	for _, stamp := range m.GetTimestampVerificationData().GetRfc3161Timestamps() {
		a["dev.sigstore.cosign/rfc3161timestamp"] = string(Marshal(t, map[string]any{"SignedRFC3161Timestamp": stamp.SignedTimestamp}))
	}
	return a
}

// LogText is a log entry as cosign keeps it.
func LogText(t testing.TB, e *protorekor.TransparencyLogEntry) string {
	t.Helper()
	return string(Marshal(t, map[string]any{
		"SignedEntryTimestamp": e.GetInclusionPromise().GetSignedEntryTimestamp(),
		"Payload": map[string]any{"body": e.CanonicalizedBody, "integratedTime": e.IntegratedTime,
			"logIndex": e.LogIndex, "logID": hex.EncodeToString(e.LogId.KeyId)}}))
}

// RawID decodes the hexadecimal digits of a log ID.
func RawID(t testing.TB, id string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(id)
	Must(t, err)
	return raw
}

// TrustRoot is the instance as a TrustRoot brings it.
func (s *Instance) TrustRoot(t testing.TB, name string) string {
	t.Helper()
	chain := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Middle.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Root.Raw})...)
	tsa := s.Logs[0].TimestampingAuthorities()[0].(*root.SigstoreTimestampingAuthority)
	var stamps []byte
	for _, raw := range [][]byte{tsa.Leaf.Raw, tsa.Intermediates[0].Raw, tsa.Root.Raw} {
		stamps = append(stamps, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
	}
	b64 := base64.StdEncoding.EncodeToString
	text := fmt.Sprintf("---\napiVersion: policy.sigstore.dev/v1alpha1\nkind: TrustRoot\nmetadata: {name: %s}\nspec:\n  sigstoreKeys:\n"+
		"    certificateAuthorities:\n    - {uri: 'https://f.localhost', subject: {organization: o, commonName: c}, certChain: %s}\n"+
		"    timestampAuthorities:\n    - {uri: 'https://t.localhost', subject: {organization: o, commonName: c}, certChain: %s}\n"+
		"    ctLogs:\n    - {baseURL: 'https://c.localhost', hashAlgorithm: sha-256, publicKey: %s}\n    tLogs:\n",
		name, b64(chain), b64(stamps), b64([]byte(PublicPEM(t, &s.ctKey.PublicKey))))
	for _, vs := range s.Logs {
		for _, l := range vs.RekorLogs() {
			text += fmt.Sprintf("    - {baseURL: 'https://rekor.localhost', hashAlgorithm: sha-256, publicKey: %s}\n", b64([]byte(PublicPEM(t, l.PublicKey))))
		}
	}
	return text
}
