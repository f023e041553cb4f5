package attest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

const (
	someIdentity = "promoter@example.com"
	someIssuer   = "https://issuer.example.com"
)

// services are Fulcio, Rekor (version 1) and a timestamp authority on the
// loopback interface, in one server. They speak what the real ones speak; the
// keys are those of the virtual Sigstore of sigstore-go, and a certificate
// authority of the test. They are not the real services: neither the login nor
// the certificate transparency log is there.
type services struct {
	*ca.VirtualSigstore
	authority *root.FulcioCertificateAuthority
	caKey     *ecdsa.PrivateKey
	tsa       *root.SigstoreTimestampingAuthority
	tsaKey    *ecdsa.PrivateKey
	url       string
	fail      string // the beginning of a path that answers with an error
	seen      []string
}

// FulcioCertificateAuthorities makes the authority of the test the trusted one.
func (s *services) FulcioCertificateAuthorities() []root.CertificateAuthority {
	return []root.CertificateAuthority{s.authority}
}

// TimestampingAuthorities makes that of the test the trusted one.
func (s *services) TimestampingAuthorities() []root.TimestampingAuthority {
	return []root.TimestampingAuthority{s.tsa}
}

func newServices(t *testing.T) *services {
	t.Helper()
	virtual, err := ca.NewVirtualSigstore()
	sigtest.Must(t, err)
	rootCert, rootKey, err := ca.GenerateRootCa()
	sigtest.Must(t, err)
	inter, interKey, err := ca.GenerateFulcioIntermediate(rootCert, rootKey)
	sigtest.Must(t, err)
	s := &services{VirtualSigstore: virtual, caKey: interKey, authority: &root.FulcioCertificateAuthority{
		Root: rootCert, Intermediates: []*x509.Certificate{inter},
		ValidityPeriodStart: time.Now().Add(-time.Hour), ValidityPeriodEnd: time.Now().Add(time.Hour)}}
	tsaInter, tsaInterKey, err := ca.GenerateTSAIntermediate(rootCert, rootKey)
	sigtest.Must(t, err)
	s.tsaKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	sigtest.Must(t, err)
	tsaLeaf, err := ca.GenerateTSALeafCert(time.Now().Add(-time.Minute), s.tsaKey, tsaInter, tsaInterKey)
	sigtest.Must(t, err)
	s.tsa = &root.SigstoreTimestampingAuthority{Root: rootCert, Intermediates: []*x509.Certificate{tsaInter}, Leaf: tsaLeaf,
		ValidityPeriodStart: time.Now().Add(-time.Hour), ValidityPeriodEnd: time.Now().Add(time.Hour)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /fulcio/api/v2/signingCert", s.certify)
	mux.HandleFunc("POST /rekor/api/v1/log/entries", s.Log)
	mux.HandleFunc("POST /tsa", s.Stamp)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.seen = append(s.seen, r.URL.Path)
		if s.fail != "" && strings.HasPrefix(r.URL.Path, s.fail) {
			http.Error(w, "no\nway "+r.Header.Get("Authorization"), http.StatusBadRequest)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// onlyPublic lets ca.GenerateLeafCert certify a key that somebody else has.
type onlyPublic struct{ pub crypto.PublicKey }

func (k onlyPublic) Public() crypto.PublicKey { return k.pub }
func (k onlyPublic) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no private key")
}

func (s *services) certify(w http.ResponseWriter, r *http.Request) {
	var req struct {
		PublicKeyRequest struct {
			PublicKey         struct{ Content string }
			ProofOfPossession []byte
		}
	}
	err := json.NewDecoder(r.Body).Decode(&req)
	block, _ := pem.Decode([]byte(req.PublicKeyRequest.PublicKey.Content))
	if err != nil || block == nil || r.Header.Get("Authorization") != "Bearer "+someToken() {
		http.Error(w, "bad request", http.StatusUnauthorized)
		return
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := pub.(*ecdsa.PublicKey)
	sum := crypto.SHA256.New()
	sum.Write([]byte(someIdentity))
	if err != nil || !ok || !ecdsa.VerifyASN1(key, sum.Sum(nil), req.PublicKeyRequest.ProofOfPossession) {
		http.Error(w, "no proof of possession", http.StatusBadRequest)
		return
	}
	cert, err := ca.GenerateLeafCert(someIdentity, someIssuer, time.Now(), onlyPublic{pub}, s.authority.Intermediates[0], s.caKey)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	_ = json.NewEncoder(w).Encode(map[string]any{"signedCertificateEmbeddedSct": map[string]any{
		"chain": map[string]any{"certificates": []string{string(text)}}}})
}

func (s *services) Log(w http.ResponseWriter, r *http.Request) {
	entry, err := models.UnmarshalProposedEntry(r.Body, jsonConsumer{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	impl, err := types.CreateVersionedEntry(entry)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, err := types.CanonicalizeEntry(r.Context(), impl)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id, _ := s.RekorLogID()
	payload := tlog.RekorPayload{Body: base64.StdEncoding.EncodeToString(body),
		IntegratedTime: time.Now().Unix(), LogIndex: 1000, LogID: id}
	set, err := s.RekorSignPayload(payload)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	proof, err := s.GetInclusionProof(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	uuid := hex.EncodeToString(make([]byte, 32))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", uuid)
	w.Header().Set("Location", "/rekor/api/v1/log/entries/"+uuid)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(models.LogEntry{uuid: models.LogEntryAnon{
		Body: payload.Body, IntegratedTime: new(payload.IntegratedTime),
		LogID: &id, LogIndex: new(payload.LogIndex),
		Verification: &models.LogEntryAnonVerification{InclusionProof: proof, SignedEntryTimestamp: set}}})
}

// jsonConsumer reads what the client of Rekor sends.
type jsonConsumer struct{}

func (jsonConsumer) Consume(r io.Reader, v any) error { return json.NewDecoder(r).Decode(v) }

func (s *services) Stamp(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	req, err := timestamp.ParseRequest(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ts := timestamp.Timestamp{HashAlgorithm: req.HashAlgorithm, HashedMessage: req.HashedMessage, Time: time.Now(),
		Policy: asn1.ObjectIdentifier{2, 4, 5, 6}, Qualified: true, AddTSACertificate: true, ExtraExtensions: req.Extensions}
	answer, err := ts.CreateResponseWithOpts(s.tsa.Leaf, s.tsaKey, crypto.SHA256)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(answer)
}

// someToken is an identity token; nobody looks at its signature here.
func someToken() string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"none"}`) + "." + part(`{"email":"`+someIdentity+`","email_verified":true,"iss":"`+someIssuer+`"}`) + ".c2ln"
}

func token(context.Context) (string, error) { return someToken(), nil }

func TestAttestKeyless(t *testing.T) {
	for name, c := range map[string]struct {
		log, stamp bool
		checks     []verify.VerifierOption
		requests   string
	}{
		"log": {true, false, []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithIntegratedTimestamps(1)},
			"/fulcio/api/v2/signingCert /rekor/api/v1/log/entries"},
		"timestamp": {false, true, []verify.VerifierOption{verify.WithSignedTimestamps(1)},
			"/fulcio/api/v2/signingCert /tsa"},
		"both": {true, true, []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithSignedTimestamps(1)},
			"/fulcio/api/v2/signingCert /rekor/api/v1/log/entries /tsa"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServices(t)
			o := KeylessOptions{Token: token, Fulcio: s.url + "/fulcio"}
			if c.log {
				o.Rekor = s.url + "/rekor"
			}
			if c.stamp {
				o.TSA = s.url + "/tsa"
			}
			signer, err := NewKeylessSigner(o)
			sigtest.Must(t, err)
			data, err := signer.Attest(t.Context(), someVSA(t))
			sigtest.Must(t, err)
			b := new(bundle.Bundle)
			sigtest.Must(t, b.UnmarshalJSON(data))
			v, err := verify.NewVerifier(s, c.checks...)
			sigtest.Must(t, err)
			who, err := verify.NewShortCertificateIdentity(someIssuer, "", someIdentity, "")
			sigtest.Must(t, err)
			raw, err := hex.DecodeString(sigtest.SomeHex)
			sigtest.Must(t, err)
			result, err := v.Verify(b, verify.NewPolicy(verify.WithArtifactDigest("sha256", raw), verify.WithCertificateIdentity(who)))
			sigtest.Must(t, err)
			if result.Statement.GetPredicateType() != statement.VSAType || strings.Join(s.seen, " ") != c.requests || signer.KeyID() != "" {
				t.Errorf("%+v, requests %q", result.Statement, s.seen)
			}
		})
	}
}

func TestKeylessFailures(t *testing.T) {
	for fail, want := range map[string]string{
		"/fulcio": "Fulcio at 127.0.0.1:",
		"/rekor":  "Rekor at 127.0.0.1:",
		"/tsa":    "the timestamp authority at 127.0.0.1:",
	} {
		s := newServices(t)
		s.fail = fail
		signer, err := NewKeylessSigner(KeylessOptions{Token: token, Fulcio: s.url + "/fulcio", Rekor: s.url + "/rekor", TSA: s.url + "/tsa"})
		sigtest.Must(t, err)
		_, err = signer.Attest(t.Context(), someVSA(t))
		if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "did not sign") ||
			strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), someToken()) {
			t.Errorf("%s: %v", fail, err)
		}
	}
}

func TestKeylessStops(t *testing.T) {
	reached := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client is gone
		close(reached)
		select {
		case <-r.Context().Done():
		case <-t.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	signer, err := NewKeylessSigner(KeylessOptions{Token: token, Fulcio: server.URL, TSA: server.URL})
	sigtest.Must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	if _, err := signer.Attest(ctx, someVSA(t)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	gone := errors.New("no token today")
	signer, err = NewKeylessSigner(KeylessOptions{Fulcio: server.URL, TSA: server.URL,
		Token: func(context.Context) (string, error) { return "", gone }})
	sigtest.Must(t, err)
	if _, err := signer.Attest(t.Context(), someVSA(t)); !errors.Is(err, gone) {
		t.Error(err)
	}
}

// A person who logs in takes longer than a service may: a minute for all of it ended the login
// of whoever had to look for a password.
func TestKeylessLogin(t *testing.T) {
	late := errors.New("too late")
	signer, err := NewKeylessSigner(KeylessOptions{Fulcio: "https://fulcio.example.com", TSA: "https://tsa.example.com",
		Token: func(ctx context.Context) (string, error) {
			if at, ok := ctx.Deadline(); ok {
				return "", fmt.Errorf("there is time until %s", at)
			}
			return "", late
		}})
	sigtest.Must(t, err)
	if _, err := signer.Attest(t.Context(), someVSA(t)); !errors.Is(err, late) {
		t.Error(err)
	}
}

func TestKeylessOptions(t *testing.T) {
	const fulcio, rekor, tsa = "https://fulcio.example.com", "https://rekor.example.com", "https://tsa.example.com/api"
	for _, c := range []struct {
		o    KeylessOptions
		want string
	}{
		{KeylessOptions{Token: token, Fulcio: fulcio, Rekor: rekor}, ""},
		{KeylessOptions{Token: token, Fulcio: fulcio, Rekor: rekor, RekorVersion: 2, TSA: tsa}, ""},
		{KeylessOptions{Token: token, Fulcio: "http://localhost:5555", TSA: "http://[::1]:1"}, ""},
		{KeylessOptions{Fulcio: fulcio, Rekor: rekor}, "no identity token"},
		{KeylessOptions{Token: token, Rekor: rekor}, "no Fulcio"},
		{KeylessOptions{Token: token, Fulcio: fulcio}, "nothing would show when"},
		{KeylessOptions{Token: token, Fulcio: fulcio, Rekor: rekor, RekorVersion: 2}, "nothing would show when"},
		{KeylessOptions{Token: token, Fulcio: fulcio, Rekor: rekor, RekorVersion: 3}, "no version 3"},
		{KeylessOptions{Token: token, Fulcio: "http://fulcio.example.com", TSA: tsa}, "is not https"},
		{KeylessOptions{Token: token, Fulcio: fulcio, TSA: "ftp://tsa"}, "is not https"},
		{KeylessOptions{Token: token, Fulcio: "fulcio.example.com", TSA: tsa}, "is no URL of a service"},
		{KeylessOptions{Token: token, Fulcio: "https://u:p@fulcio.example.com", TSA: tsa}, "is no URL of a service"},
	} {
		_, err := NewKeylessSigner(c.o)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}
