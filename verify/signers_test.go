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

	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

// ownLeaf is a certificate of the authority for a key, as change makes it.
func ownLeaf(s *sigtest.Instance, t testing.TB, key *ecdsa.PrivateKey, change func(*x509.Certificate)) sigtest.Leaf {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, s.Middle, &key.PublicKey, s.MiddleKey)
	sigtest.Must(t, err)
	l := sigtest.Leaf{Key: key}
	l.Cert, err = x509.ParseCertificate(der)
	sigtest.Must(t, err)
	return l
}

func emails(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.EmailAddresses = names }
}

// ownLine is an authority with the certificates of an instance.
func ownLine(s *sigtest.Instance, name, subject string) string {
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Root.Raw})
	return fmt.Sprintf("    - {name: %s, certificate: {chain: {data: %q}, %s}}\n", name, chain, subject)
}

// certified puts signatures of the older form with certificates, and others, under the tag.
func (b *bench) certified(t *testing.T, s *sigtest.Instance, others []v1.Descriptor, leaves ...sigtest.Leaf) {
	t.Helper()
	all := others
	for _, l := range leaves {
		all = append(all, b.signedTag(t, s, l, sigtest.Signing{NoLog: true}, sigtest.Claim(b.image.Digest)))
	}
	b.Tag(t, b.image, all...)
}

// One signer is one, whatever he shows.
func TestOneSignerInTwoForms(t *testing.T) {
	s := sigtest.NewInstance(t)
	both := sigtest.NewECDSA(t)
	holder := sigtest.Signer{Key: both, Pem: sigtest.PublicPEM(t, &both.PublicKey)}
	ann, bob := "ann@example.com", "bob@example.com"
	people := ownLine(s, "people", `subjectRegexp: '.*@example\.com'`)
	for _, tt := range []struct {
		name        string
		require     string
		authorities string
		keys        []sigtest.Signer
		leaves      []sigtest.Leaf
		want        Outcome
	}{
		{"key and its certificate", "2", sigtest.KeyLine("key", holder) + people, []sigtest.Signer{holder}, []sigtest.Leaf{ownLeaf(s, t, both, emails(ann))}, Rejected},
		{"key and its certificate, all", "all", sigtest.KeyLine("key", holder) + people, []sigtest.Signer{holder}, []sigtest.Leaf{ownLeaf(s, t, both, emails(ann))}, Rejected},
		{"key and another's certificate", "2", sigtest.KeyLine("key", holder) + people, []sigtest.Signer{holder}, []sigtest.Leaf{ownLeaf(s, t, sigtest.NewECDSA(t), emails(ann))}, Verified},
		{"two certificates of one key", "2", people, nil, []sigtest.Leaf{ownLeaf(s, t, both, emails(ann)), ownLeaf(s, t, both, emails(bob))}, Rejected},
		{"two certificates of one name", "2", people, nil, []sigtest.Leaf{ownLeaf(s, t, both, emails(ann)), ownLeaf(s, t, sigtest.NewECDSA(t), emails("Ann@example.com"))}, Rejected},
		{"names in another order", "2", people, nil, []sigtest.Leaf{ownLeaf(s, t, both, emails(ann, bob)), ownLeaf(s, t, sigtest.NewECDSA(t), emails(bob, ann))}, Rejected},
		{"both names in one", "all", ownLine(s, "ann", "subject: "+ann) + ownLine(s, "bob", "subject: "+bob), nil,
			[]sigtest.Leaf{ownLeaf(s, t, both, emails(ann, bob))}, Rejected},
		{"two people", "2", people, nil, []sigtest.Leaf{ownLeaf(s, t, both, emails(ann)), ownLeaf(s, t, sigtest.NewECDSA(t), emails(bob))}, Verified},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.Wire.Image(t, "cart")
			var others []v1.Descriptor
			for _, k := range tt.keys {
				others = append(others, b.Layer(t, k, sigtest.Claim(b.image.Digest)))
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
	s := sigtest.NewInstance(t)
	const second = "https://login.example.com"
	p := parseRule(t, "    require: 2\n", "    - {name: people, keyless: {issuerRegexp: 'https://.*\\.example\\.com', subjectRegexp: '.*@example\\.com'}}\n", s.TrustedRoot(t))
	for _, tt := range []struct {
		subjects [2]string
		want     Outcome
	}{
		{[2]string{"ann@example.com", "ann@example.com"}, Rejected},
		{[2]string{"ann@example.com", "bob@example.com"}, Verified},
	} {
		b := newBench(t, true)
		b.image = b.Wire.Image(t, "cart")
		for i, issuer := range []string{sigtest.TestIssuer, second} {
			b.Attach(t, b.image, sigtest.BundleJSON(t, s.Attested(t, s.Issue(t, tt.subjects[i], issuer), sigtest.Statement(b.image.Digest, statement.SignType), sigtest.Signing{})))
		}
		if got := b.with(t, p); got.Outcome != tt.want {
			t.Errorf("%v: %s: %s", tt.subjects, got.Outcome, got.Reason)
		}
	}
}

// An authority that may only confirm names of one kind must not be able to write
// a name of another kind that reads the same.
func TestNamesOfOtherKinds(t *testing.T) {
	s := sigtest.NewInstance(t)
	uri := func(u url.URL) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.URIs = []*url.URL{&u} }
	}
	names := func(raw asn1.RawValue) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			value, err := asn1.Marshal([]asn1.RawValue{raw})
			sigtest.Must(t, err)
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
		{"e-mail", sigtest.TestSubject, emails(sigtest.TestSubject), Verified},
		{"URI", workflow, uri(url.URL{Scheme: "https", Host: "github.com", Path: "/org/app/.github/workflows/release.yml@refs/heads/main"}), Verified},
		{"e-mail as URI", sigtest.TestSubject, uri(url.URL{Path: sigtest.TestSubject}), Rejected},
		{"e-mail as host", sigtest.TestSubject, names(text(2, sigtest.TestSubject)), Rejected},
		{"URI as e-mail", workflow, names(text(1, workflow)), Rejected},
		{"URI as host", workflow, names(text(2, workflow)), Rejected},
		{"host as e-mail", "build.example.com", names(text(1, "build.example.com")), Rejected},
		{"host as URI", "build.example.com", uri(url.URL{Path: "build.example.com"}), Rejected},
		{"common name", sigtest.TestSubject, func(c *x509.Certificate) { c.Subject.CommonName = sigtest.TestSubject }, Rejected},
		{"TLS server", sigtest.TestSubject, func(c *x509.Certificate) {
			c.EmailAddresses, c.ExtKeyUsage = []string{sigtest.TestSubject}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, Rejected},
		{"not valid yet", sigtest.TestSubject, func(c *x509.Certificate) {
			c.EmailAddresses, c.NotBefore = []string{sigtest.TestSubject}, time.Now().Add(time.Hour/2)
		}, Rejected},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.Wire.Image(t, "cart")
			b.certified(t, s, nil, ownLeaf(s, t, sigtest.NewECDSA(t), tt.change))
			if got := b.with(t, rulePolicy(t, "", ownLine(s, "release", "subject: "+tt.subject))); got.Outcome != tt.want {
				t.Errorf("%s: %s", got.Outcome, got.Reason)
			}
		})
	}
}

// The chain beside a signature leads to the authority, and is none.
func TestOwnRootBesideTheSignature(t *testing.T) {
	s, stranger := sigtest.NewInstance(t), sigtest.NewInstance(t)
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	l := ownLeaf(stranger, t, sigtest.NewECDSA(t), emails(sigtest.TestSubject))
	d := b.signedTag(t, stranger, l, sigtest.Signing{NoLog: true}, sigtest.Claim(b.image.Digest))
	d.Annotations[signature.ChainAnnotation] += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stranger.Root.Raw}))
	b.Tag(t, b.image, d)
	got := b.with(t, rulePolicy(t, "", ownLine(s, "release", "subject: "+sigtest.TestSubject)))
	if got.Outcome != Rejected || !strings.Contains(got.Reason, "is of no trusted authority") {
		t.Errorf("%s: %s", got.Outcome, got.Reason)
	}
}
