package verify

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

// instance is a whole Sigstore in memory: a certificate authority whose
// certificates are in a certificate log, a transparency log and a timestamp
// authority.
type instance struct {
	logs       []*ca.VirtualSigstore // the first also has the timestamp authority
	root       *x509.Certificate
	rootKey    *ecdsa.PrivateKey
	middle     *x509.Certificate
	middleKey  *ecdsa.PrivateKey
	ctKey      *ecdsa.PrivateKey
	withoutCT  bool // the certificates are in no log
	strangerCT bool // or in one that nobody knows
}

func newInstance(t testing.TB) *instance {
	t.Helper()
	vs, err := ca.NewVirtualSigstore()
	must(t, err)
	s := &instance{logs: []*ca.VirtualSigstore{vs}, ctKey: newECDSA(t)}
	s.root, s.rootKey, err = ca.GenerateRootCa()
	must(t, err)
	s.middleKey = newECDSA(t)
	s.renew(t, time.Now().Add(-4*time.Hour), time.Now().Add(4*time.Hour))
	return s
}

// renew makes a certificate in the middle with the same key and other times.
func (s *instance) renew(t testing.TB, from, to time.Time) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(from.UnixNano()), Subject: pkix.Name{CommonName: "middle"}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		BasicConstraintsValid: true, IsCA: true,
	}, s.root, &s.middleKey.PublicKey, s.rootKey)
	must(t, err)
	s.middle, err = x509.ParseCertificate(der)
	must(t, err)
}

func newECDSA(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

// trustedRoot is the trusted_root.json of the instance.
func (s *instance) trustedRoot(t testing.TB) []byte {
	t.Helper()
	authority := &root.FulcioCertificateAuthority{
		Root: s.root, Intermediates: []*x509.Certificate{s.middle}, URI: "https://fulcio.localhost",
		ValidityPeriodStart: s.root.NotBefore}
	id := logID(t, &s.ctKey.PublicKey)
	ctLogs := map[string]*root.TransparencyLog{hex.EncodeToString(id): {
		BaseURL: "https://ct.localhost", ID: id, HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256,
		PublicKey: &s.ctKey.PublicKey, ValidityPeriodStart: time.Now().Add(-time.Hour)}}
	if s.withoutCT {
		ctLogs = nil
	}
	logs := map[string]*root.TransparencyLog{}
	for _, vs := range s.logs {
		for k, l := range vs.RekorLogs() {
			l.ID = rawID(t, k)
			logs[k] = l
		}
	}
	return marshalRoot(t, []root.CertificateAuthority{authority}, ctLogs, s.logs[0].TimestampingAuthorities(), logs)
}

func marshalRoot(t testing.TB, authorities []root.CertificateAuthority, ctLogs map[string]*root.TransparencyLog,
	stamps []root.TimestampingAuthority, logs map[string]*root.TransparencyLog) []byte {
	t.Helper()
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, authorities, ctLogs, stamps, logs)
	must(t, err)
	data, err := r.MarshalJSON()
	must(t, err)
	return data
}

func logID(t testing.TB, key *ecdsa.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	must(t, err)
	sum := sha256.Sum256(der)
	return sum[:]
}

// leaf is a certificate of the instance and its key.
type leaf struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

const (
	testSubject = "release@example.com"
	testIssuer  = "https://accounts.example.com"
)

// issue gives a certificate that is valid around now.
func (s *instance) issue(t testing.TB, subject, issuer string) leaf {
	t.Helper()
	return s.issueAt(t, subject, issuer, time.Now().Add(-5*time.Minute))
}

func (s *instance) issueAt(t testing.TB, subject, issuer string, from time.Time) leaf {
	t.Helper()
	l := leaf{key: newECDSA(t)}
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
	der, err := x509.CreateCertificate(rand.Reader, template, s.middle, &l.key.PublicKey, s.middleKey)
	must(t, err)
	if !s.withoutCT {
		template.ExtraExtensions = append(template.ExtraExtensions, s.sct(t, der))
		der, err = x509.CreateCertificate(rand.Reader, template, s.middle, &l.key.PublicKey, s.middleKey)
		must(t, err)
	}
	l.cert, err = x509.ParseCertificate(der)
	must(t, err)
	return l
}

// sct is the extension that promises that a certificate is in the log.
func (s *instance) sct(t testing.TB, der []byte) pkix.Extension {
	t.Helper()
	key := s.ctKey
	if s.strangerCT {
		key = newECDSA(t)
	}
	cert, err := ctx509.ParseCertificate(der)
	must(t, err)
	sct := ct.SignedCertificateTimestamp{SCTVersion: ct.V1, Timestamp: uint64(time.Now().Add(-time.Minute).UnixMilli())}
	copy(sct.LogID.KeyID[:], logID(t, &key.PublicKey))
	input, err := ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: ct.MerkleTreeLeaf{
		Version: ct.V1, LeafType: ct.TimestampedEntryLeafType,
		TimestampedEntry: &ct.TimestampedEntry{
			Timestamp: sct.Timestamp, EntryType: ct.PrecertLogEntryType,
			PrecertEntry: &ct.PreCert{
				IssuerKeyHash:  sha256.Sum256(s.middle.RawSubjectPublicKeyInfo),
				TBSCertificate: cert.RawTBSCertificate}}}})
	must(t, err)
	sum := sha256.Sum256(input)
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	must(t, err)
	sct.Signature = ct.DigitallySigned{
		Algorithm: tls.SignatureAndHashAlgorithm{Hash: tls.SHA256, Signature: tls.ECDSA}, Signature: sig}
	list, err := x509util.MarshalSCTsIntoSCTList([]*ct.SignedCertificateTimestamp{&sct})
	must(t, err)
	raw, err := tls.Marshal(*list)
	must(t, err)
	value, err := asn1.Marshal(raw)
	must(t, err)
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: value}
}

func (l leaf) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.cert.Raw})
}

func (l leaf) sign(t testing.TB, msg []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(msg)
	sig, err := ecdsa.SignASN1(rand.Reader, l.key, sum[:])
	must(t, err)
	return sig
}

// signing is how a signature is made; the zero value has a log entry with
// promise and proof, and no timestamp.
type signing struct {
	log       int  // which log
	noLog     bool // none
	noPromise bool
	noProof   bool
	stamp     bool
	stampedBy *instance // in place of the instance itself
	entryBy   *leaf     // the log entry is of another signature, by this certificate
	at        time.Time // of the log entry; zero: a minute ago
	version   string    // media type of the bundle; empty: 0.3
	alsoIn    []int     // further logs
}

func (o signing) time() time.Time {
	if o.at.IsZero() {
		return time.Now().Add(-time.Minute)
	}
	return o.at
}

// entry puts a body into a log.
func (s *instance) entry(t testing.TB, log int, body []byte, kind string, o signing) *protorekor.TransparencyLogEntry {
	t.Helper()
	vs := s.logs[log]
	id, err := vs.RekorLogID()
	must(t, err)
	raw, err := hex.DecodeString(id)
	must(t, err)
	e := &protorekor.TransparencyLogEntry{
		LogIndex: 7, LogId: &protocommon.LogId{KeyId: raw},
		KindVersion:       &protorekor.KindVersion{Kind: kind, Version: "0.0.1"},
		IntegratedTime:    o.time().Unix(),
		CanonicalizedBody: body,
	}
	if !o.noPromise {
		set, err := vs.RekorSignPayload(tlog.RekorPayload{Body: base64.StdEncoding.EncodeToString(body),
			IntegratedTime: e.IntegratedTime, LogIndex: e.LogIndex, LogID: id})
		must(t, err)
		e.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: set}
	}
	if !o.noProof {
		p, err := vs.GetInclusionProof(body)
		must(t, err)
		hash, err := hex.DecodeString(*p.RootHash)
		must(t, err)
		e.InclusionProof = &protorekor.InclusionProof{LogIndex: *p.LogIndex, TreeSize: *p.TreeSize, RootHash: hash,
			Checkpoint: &protorekor.Checkpoint{Envelope: *p.Checkpoint}}
	}
	return e
}

func hashedRekord(t testing.TB, message, sig, verifier []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(message)
	return marshal(t, map[string]any{"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": map[string]any{
		"data":      map[string]any{"hash": map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(sum[:])}},
		"signature": map[string]any{"content": sig, "publicKey": map[string]any{"content": verifier}}}})
}

func dsseRekord(t testing.TB, payload, sig, verifier []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(payload)
	hash := map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(sum[:])}
	return marshal(t, map[string]any{"apiVersion": "0.0.1", "kind": "dsse", "spec": map[string]any{
		"envelopeHash": hash, "payloadHash": hash,
		"signatures": []any{map[string]any{"signature": base64.StdEncoding.EncodeToString(sig), "verifier": verifier}}}})
}

// witnesses gives the log entries and timestamps of a signature.
func (s *instance) witnesses(t testing.TB, m *protobundle.VerificationMaterial, o signing, verifier, signed, sig []byte, dsse bool) {
	t.Helper()
	logged := sig
	if o.entryBy != nil {
		logged, verifier = o.entryBy.sign(t, signed), o.entryBy.pem()
	}
	body, kind := hashedRekord(t, signed, logged, verifier), "hashedrekord"
	if dsse {
		body, kind = dsseRekord(t, signed, logged, verifier), "dsse"
	}
	if !o.noLog {
		for _, log := range append([]int{o.log}, o.alsoIn...) {
			m.TlogEntries = append(m.TlogEntries, s.entry(t, log, body, kind, o))
		}
	}
	if o.stamp {
		by := s
		if o.stampedBy != nil {
			by = o.stampedBy
		}
		stamp, err := by.logs[0].TimestampResponse(sig)
		must(t, err)
		m.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp}}}
	}
}

const inTotoType = "application/vnd.in-toto+json"

func pae(payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(inTotoType), inTotoType, len(payload), payload)
}

// attested is a bundle over a statement.
func (s *instance) attested(t testing.TB, l leaf, payload []byte, o signing) *protobundle.Bundle {
	t.Helper()
	sig := l.sign(t, pae(payload))
	b := s.newBundle(l, o)
	b.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
		Payload: payload, PayloadType: inTotoType, Signatures: []*protodsse.Signature{{Sig: sig}}}}
	s.witnesses(t, b.VerificationMaterial, o, l.pem(), payload, sig, true)
	return b
}

// messaged is a bundle over bytes themselves.
func (s *instance) messaged(t testing.TB, l leaf, message []byte, o signing) *protobundle.Bundle {
	t.Helper()
	sig, sum := l.sign(t, message), sha256.Sum256(message)
	b := s.newBundle(l, o)
	b.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
		MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: sum[:]}, Signature: sig}}
	s.witnesses(t, b.VerificationMaterial, o, l.pem(), message, sig, false)
	return b
}

func (s *instance) newBundle(l leaf, o signing) *protobundle.Bundle {
	cert := &protocommon.X509Certificate{RawBytes: l.cert.Raw}
	b := &protobundle.Bundle{MediaType: bundleV03, VerificationMaterial: &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_Certificate{Certificate: cert}}}
	if o.version != "" {
		b.MediaType = bundleType + "+json;version=" + o.version
		b.VerificationMaterial.Content = &protobundle.VerificationMaterial_X509CertificateChain{
			X509CertificateChain: &protocommon.X509CertificateChain{Certificates: []*protocommon.X509Certificate{cert}}}
	}
	return b
}

// annotations are what cosign keeps beside a signature of the older form.
func (s *instance) annotations(t testing.TB, l leaf, o signing, signed, sig []byte, dsse bool) map[string]string {
	t.Helper()
	m := &protobundle.VerificationMaterial{}
	s.witnesses(t, m, o, l.pem(), signed, sig, dsse)
	a := map[string]string{
		certificateAnnotation: string(l.pem()),
		chainAnnotation:       string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.middle.Raw})),
	}
	for _, e := range m.TlogEntries {
		a[logAnnotation] = logText(t, e)
	}
	for _, stamp := range m.GetTimestampVerificationData().GetRfc3161Timestamps() {
		a[timestampAnnotation] = string(marshal(t, map[string]any{"SignedRFC3161Timestamp": stamp.SignedTimestamp}))
	}
	return a
}

// keyless is a policy for one identity of an instance. extra are further lines of
// the authority.
func keyless(t testing.TB, s *instance, extra string) *Policy {
	t.Helper()
	return parse(t, fmt.Sprintf("    - name: release\n      keyless: {issuer: %s, subject: %s}\n%s", testIssuer, testSubject, extra),
		s.trustedRoot(t))
}

// parse is a policy with the authorities given.
func parse(t testing.TB, authorities string, trusted []byte) *Policy {
	t.Helper()
	return parseRule(t, "", authorities, trusted)
}

func ruleText(rule, authorities string) string {
	return head + "spec:\n  unmatched: reject\n  trustedRoot: {file: root.json}\n  rules:\n  - images: ['**/shop/*']\n" +
		rule + "    authorities:\n" + authorities
}

func parseRule(t testing.TB, rule, authorities string, trusted []byte) *Policy {
	t.Helper()
	p, err := ParsePolicy("p.yaml", []byte(ruleText(rule, authorities)), func(path string) ([]byte, error) {
		if path != "root.json" {
			return nil, fmt.Errorf("no file %s", path)
		}
		return trusted, nil
	})
	if err != nil {
		t.Fatal(withHints(err))
	}
	return p
}

// logText is a log entry as cosign keeps it.
func logText(t testing.TB, e *protorekor.TransparencyLogEntry) string {
	t.Helper()
	return string(marshal(t, map[string]any{
		"SignedEntryTimestamp": e.GetInclusionPromise().GetSignedEntryTimestamp(),
		"Payload": map[string]any{"body": e.CanonicalizedBody, "integratedTime": e.IntegratedTime,
			"logIndex": e.LogIndex, "logID": hex.EncodeToString(e.LogId.KeyId)}}))
}

func rawID(t testing.TB, id string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(id)
	must(t, err)
	return raw
}
