package verify

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ownLeaf is a certificate of the authority for a key, as change makes it.
func (s *instance) ownLeaf(t testing.TB, key *ecdsa.PrivateKey, change func(*x509.Certificate)) leaf {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, s.middle, &key.PublicKey, s.middleKey)
	must(t, err)
	l := leaf{key: key}
	l.cert, err = x509.ParseCertificate(der)
	must(t, err)
	return l
}

func emails(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.EmailAddresses = names }
}

// ownLine is an authority with the certificates of an instance.
func (s *instance) ownLine(name, subject string) string {
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.root.Raw})
	return fmt.Sprintf("    - {name: %s, certificate: {chain: {data: %q}, %s}}\n", name, chain, subject)
}

// certified puts signatures of the older form with certificates, and others, under the tag.
func (b *bench) certified(t *testing.T, s *instance, others []v1.Descriptor, leaves ...leaf) {
	t.Helper()
	all := others
	for _, l := range leaves {
		all = append(all, b.signedTag(t, s, l, signing{noLog: true}, claim(b.image.Digest)))
	}
	b.tag(t, b.image, all...)
}

// One signer is one, whatever he shows.
func TestOneSignerInTwoForms(t *testing.T) {
	s := newInstance(t)
	both := newECDSA(t)
	holder := signer{both, publicPEM(t, &both.PublicKey)}
	ann, bob := "ann@example.com", "bob@example.com"
	people := s.ownLine("people", `subjectRegexp: '.*@example\.com'`)
	for _, tt := range []struct {
		name        string
		require     string
		authorities string
		keys        []signer
		leaves      []leaf
		want        Outcome
	}{
		{"key and its certificate", "2", keyLine("key", holder) + people, []signer{holder}, []leaf{s.ownLeaf(t, both, emails(ann))}, Rejected},
		{"key and its certificate, all", "all", keyLine("key", holder) + people, []signer{holder}, []leaf{s.ownLeaf(t, both, emails(ann))}, Rejected},
		{"key and another's certificate", "2", keyLine("key", holder) + people, []signer{holder}, []leaf{s.ownLeaf(t, newECDSA(t), emails(ann))}, Verified},
		{"two certificates of one key", "2", people, nil, []leaf{s.ownLeaf(t, both, emails(ann)), s.ownLeaf(t, both, emails(bob))}, Rejected},
		{"two certificates of one name", "2", people, nil, []leaf{s.ownLeaf(t, both, emails(ann)), s.ownLeaf(t, newECDSA(t), emails("Ann@example.com"))}, Rejected},
		{"names in another order", "2", people, nil, []leaf{s.ownLeaf(t, both, emails(ann, bob)), s.ownLeaf(t, newECDSA(t), emails(bob, ann))}, Rejected},
		{"both names in one", "all", s.ownLine("ann", "subject: "+ann) + s.ownLine("bob", "subject: "+bob), nil,
			[]leaf{s.ownLeaf(t, both, emails(ann, bob))}, Rejected},
		{"two people", "2", people, nil, []leaf{s.ownLeaf(t, both, emails(ann)), s.ownLeaf(t, newECDSA(t), emails(bob))}, Verified},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.wire.image(t, "cart")
			var others []v1.Descriptor
			for _, k := range tt.keys {
				others = append(others, b.layer(t, k, claim(b.image.Digest)))
			}
			b.certified(t, s, others, tt.leaves...)
			if got := b.with(t, rulePolicy(t, "    require: "+tt.require+"\n", tt.authorities)); got.Outcome != tt.want {
				t.Errorf("%s: %s", got.Outcome, got.Reason)
			}
		})
	}
}

// The address of one person, confirmed by two issuers.
func TestOneIdentityOfTwoIssuers(t *testing.T) {
	s := newInstance(t)
	const second = "https://login.example.com"
	p := parseRule(t, "    require: 2\n", "    - {name: people, keyless: {issuerRegexp: 'https://.*\\.example\\.com', subjectRegexp: '.*@example\\.com'}}\n", s.trustedRoot(t))
	for _, tt := range []struct {
		subjects [2]string
		want     Outcome
	}{
		{[2]string{"ann@example.com", "ann@example.com"}, Rejected},
		{[2]string{"ann@example.com", "bob@example.com"}, Verified},
	} {
		b := newBench(t, true)
		b.image = b.wire.image(t, "cart")
		for i, issuer := range []string{testIssuer, second} {
			b.attach(t, b.image, bundleJSON(t, s.attested(t, s.issue(t, tt.subjects[i], issuer), statement(b.image.Digest, signPredicateType), signing{})))
		}
		if got := b.with(t, p); got.Outcome != tt.want {
			t.Errorf("%v: %s: %s", tt.subjects, got.Outcome, got.Reason)
		}
	}
}

// An authority that may only confirm names of one kind must not be able to write
// a name of another kind that reads the same.
func TestNamesOfOtherKinds(t *testing.T) {
	s := newInstance(t)
	uri := func(u url.URL) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.URIs = []*url.URL{&u} }
	}
	names := func(raw asn1.RawValue) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			value, err := asn1.Marshal([]asn1.RawValue{raw})
			must(t, err)
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}}
		}
	}
	text := func(tag int, s string) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(s)}
	}
	const workflow = "https://github.com/org/app/.github/workflows/release.yml@refs/heads/main"
	for _, tt := range []struct {
		name, subject string
		change        func(*x509.Certificate)
		want          Outcome
	}{
		{"e-mail", testSubject, emails(testSubject), Verified},
		{"URI", workflow, uri(url.URL{Scheme: "https", Host: "github.com", Path: "/org/app/.github/workflows/release.yml@refs/heads/main"}), Verified},
		{"e-mail as URI", testSubject, uri(url.URL{Path: testSubject}), Rejected},
		{"e-mail as host", testSubject, names(text(2, testSubject)), Rejected},
		{"URI as e-mail", workflow, names(text(1, workflow)), Rejected},
		{"URI as host", workflow, names(text(2, workflow)), Rejected},
		{"host as e-mail", "build.example.com", names(text(1, "build.example.com")), Rejected},
		{"host as URI", "build.example.com", uri(url.URL{Path: "build.example.com"}), Rejected},
		{"common name", testSubject, func(c *x509.Certificate) { c.Subject.CommonName = testSubject }, Rejected},
		{"TLS server", testSubject, func(c *x509.Certificate) {
			c.EmailAddresses, c.ExtKeyUsage = []string{testSubject}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, Rejected},
		{"not valid yet", testSubject, func(c *x509.Certificate) {
			c.EmailAddresses, c.NotBefore = []string{testSubject}, time.Now().Add(time.Hour/2)
		}, Rejected},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.wire.image(t, "cart")
			b.certified(t, s, nil, s.ownLeaf(t, newECDSA(t), tt.change))
			if got := b.with(t, rulePolicy(t, "", s.ownLine("release", "subject: "+tt.subject))); got.Outcome != tt.want {
				t.Errorf("%s: %s", got.Outcome, got.Reason)
			}
		})
	}
}

// The chain beside a signature leads to the authority, and is none.
func TestOwnRootBesideTheSignature(t *testing.T) {
	s, stranger := newInstance(t), newInstance(t)
	b := newBench(t, true)
	b.image = b.wire.image(t, "cart")
	l := stranger.ownLeaf(t, newECDSA(t), emails(testSubject))
	d := b.signedTag(t, stranger, l, signing{noLog: true}, claim(b.image.Digest))
	d.Annotations[chainAnnotation] += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stranger.root.Raw}))
	b.tag(t, b.image, d)
	got := b.with(t, rulePolicy(t, "", s.ownLine("release", "subject: "+testSubject)))
	if got.Outcome != Rejected || !strings.Contains(got.Reason, "is of no trusted authority") {
		t.Errorf("%s: %s", got.Outcome, got.Reason)
	}
}
