package sigtest

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

// PolicyText is a policy with one rule and an authority for each name and key.
func PolicyText(authorities ...string) []byte {
	var b strings.Builder
	b.WriteString("apiVersion: kubepromote.dev/v1alpha1\nkind: VerificationPolicy\nspec:\n" +
		"  unmatched: reject\n  rules:\n  - images: ['**/shop/*']\n    authorities:\n")
	for i := 0; i < len(authorities); i += 2 {
		fmt.Fprintf(&b, "    - name: %s\n      key: {data: %q}\n", authorities[i], authorities[i+1])
	}
	return []byte(b.String())
}

// RuleText is a policy with one rule, whose further lines and authorities are given.
func RuleText(rule, authorities string) string {
	return Head + "spec:\n  unmatched: reject\n  trustedRoot: {file: root.json}\n  rules:\n  - images: ['**/shop/*']\n" +
		rule + "    authorities:\n" + authorities
}

// KeyLine is an authority with keys.
func KeyLine(name string, keys ...Signer) string {
	if len(keys) == 1 {
		return fmt.Sprintf("    - {name: %s, key: {data: %q}}\n", name, keys[0].Pem)
	}
	var all []string
	for _, k := range keys {
		all = append(all, fmt.Sprintf("{data: %q}", k.Pem))
	}
	return fmt.Sprintf("    - {name: %s, keys: [%s]}\n", name, strings.Join(all, ", "))
}

// Head begins a policy file.
const Head = "apiVersion: kubepromote.dev/v1alpha1\nkind: VerificationPolicy\n"

// WithHints gives each problem with its hint on a line of its own.
func WithHints(err error) string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err.Error()
	}
	var lines []string
	for _, e := range joined.Unwrap() {
		lines = append(lines, e.Error())
		if p, ok := e.(interface{ HintText() string }); ok && p.HintText() != "" {
			lines = append(lines, "hint: "+p.HintText())
		}
	}
	return strings.Join(lines, "\n")
}

// TestKeys are the key files the policies of these tests name.
func TestKeys(t testing.TB) map[string]string {
	t.Helper()
	good := NewSigner(t, "p256").Pem
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	Must(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	Must(t, err)
	odd := func(bits uint) crypto.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
	}
	block := func(kind string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("x")}))
	}
	return map[string]string{
		"good.pub":   good,
		"two.pub":    good + good,
		"empty.pub":  "",
		"text.pub":   "hello",
		"cut.pub":    block("PUBLIC KEY"),
		"cosign.key": block("ENCRYPTED SIGSTORE PRIVATE KEY"),
		"old.key":    block("ENCRYPTED COSIGN PRIVATE KEY"),
		"ec.key":     block("EC PRIVATE KEY"),
		"rsa.key":    block("RSA PRIVATE KEY"),
		"pkcs8.key":  block("PRIVATE KEY"),
		"cert.pem":   block("CERTIFICATE"),
		"pkcs1.pub":  block("RSA PUBLIC KEY"),
		"good.der":   string(derOf(good)),
		"weak.pub":   PublicPEM(t, odd(1024)),
		"odd.pub":    PublicPEM(t, odd(2560)),
		"p224.pub":   PublicPEM(t, p224.Public()),
		"x25519.pub": PublicPEM(t, x25519.PublicKey()),
		"large.pub":  good + strings.Repeat("\n", 64<<10),
	}
}

func derOf(text string) []byte {
	block, _ := pem.Decode([]byte(text))
	return block.Bytes
}

// Cluster is a ClusterImagePolicy with the authorities given.
func Cluster(authorities string) string {
	return "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata:\n  name: images\n  labels: {a: b}\n" +
		"spec:\n  images:\n  - glob: '**/shop/*'\n  authorities:\n" + authorities
}

// ClusterKeyLine is an authority of a ClusterImagePolicy with a key.
func ClusterKeyLine(k Signer) string { return fmt.Sprintf("  - key: {data: %q}\n", k.Pem) }

// Provenance is a predicate with a value of every kind.
const Provenance = `{
  "_type": "https://in-toto.io/Statement/v1",
  "subject": [{"name": "shop/cart", "digest": {"sha256": "` + SomeHex + `"}}],
  "predicateType": "https://slsa.dev/provenance/v1",
  "predicate": {
    "builder": {"id": "https://ci.example.com/runner", "trusted": true},
    "level": 3, "score": 7.5, "big": 9007199254740993, "exp": 1e3, "none": null,
    "findings": [{"id": "CVE-1", "severity": "low"}, {"id": "CVE-2", "severity": "medium"}]
  }
}`

// SomeHex is the digest of nothing in particular.
const SomeHex = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// Minimal is a statement without a predicate and without its last brace.
const Minimal = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + SomeHex + `"}}],"predicateType":"a:b"`
