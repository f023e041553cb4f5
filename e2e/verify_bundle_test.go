package e2e

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// published is a bundle that ships inside a module that is a dependency anyway.
type published struct {
	name   string
	module string // whose folder the files are in
	file   string
	root   string // trusted root; empty: the one that is built in
	key    string // empty: an identity has signed, which the certificate names
	status int    // of verify-bundle
	want   string // in what it prints
}

const (
	sigstoreGo    = "github.com/sigstore/sigstore-go"
	protobufSpecs = "github.com/sigstore/protobuf-specs"
	cosignModule  = "github.com/sigstore/cosign/v2"
)

var publishedBundles = []published{
	{name: "v0.1, DSSE, log with promise and proof", module: sigstoreGo, file: "pkg/testing/data/bundles/sigstore.js@2.0.0-provenance.sigstore.json"},
	{name: "v0.1, DSSE, log with promise only", module: sigstoreGo, file: "examples/bundle-provenance.json"},
	{name: "v0.1, DSSE, key, log with promise only", module: sigstoreGo, file: "examples/bundle-publish.json", key: "examples/publish_key.pub"},
	{name: "v0.1, DSSE, another authority's certificate", module: sigstoreGo, file: "pkg/testing/data/bundles/dsse.sigstore.json"},
	{name: "v0.1, DSSE with two signatures", module: sigstoreGo, file: "pkg/testing/data/bundles/dsse-2sigs.sigstore.json", status: 3, want: "exactly one signature"},
	{name: "v0.2, message", module: protobufSpecs, file: "gen/pb-rust/sigstore-protobuf-specs/assets/a.txt.sigstore"},
	{name: "v0.3, DSSE", module: cosignModule, file: "pkg/cosign/testdata/oci-attestation.sigstore.json"},
	{name: "v0.3, message, by a root that has ended", module: sigstoreGo, file: "pkg/testing/data/bundles/othername.sigstore.json", root: "pkg/testing/data/trusted-roots/scaffolding.json", want: "warning: trusted root ended on 2025-07-11"},
	{name: "v0.3, message, of another instance", module: sigstoreGo, file: "pkg/testing/data/bundles/othername.sigstore.json", status: 3, want: "not trusted"},
}

// TestPublishedBundles verifies bundles that others have made, of every version,
// offline: the environment's proxy refuses all requests. The program gets the
// arguments that Sigstore's conformance tests give.
func TestPublishedBundles(t *testing.T) {
	t.Parallel()
	s := newShell(t, t.TempDir())
	s.run("cosign", "generate-key-pair")
	for _, p := range publishedBundles {
		t.Run(p.name, func(t *testing.T) {
			b := readBundle(t, p)
			s := &shell{T: t, dir: s.dir, env: s.env}
			var who []string
			if p.root != "" {
				who = []string{"--trusted-root", filepath.Join(b.dir, p.root)}
			}
			signer := append([]string{"--certificate-identity", b.identity, "--certificate-oidc-issuer", b.issuer}, who...)
			if p.key != "" {
				signer = append([]string{"--key", filepath.Join(b.dir, p.key)}, who...)
			}
			verify := func(status int, signer []string, artifact string) string {
				t.Helper()
				stdout, stderr := s.exits(status, "kubectl-promote", append(append([]string{"verify-bundle", "--bundle", b.file}, signer...), artifact)...)
				return stdout + stderr
			}
			out := verify(p.status, signer, b.digest)
			if !strings.Contains(out, p.want) {
				t.Errorf("no %q in\n%s", p.want, out)
			}
			t.Logf("%s: exit status %d", p.name, p.status)
			if p.status != 0 {
				return
			}
			algorithm, sum, _ := strings.Cut(b.digest, ":")
			verify(3, signer, algorithm+":"+strings.Repeat("0", len(sum)))
			verify(3, append([]string{"--certificate-identity", "nobody@example.com", "--certificate-oidc-issuer", b.issuer}, who...), b.digest)
			verify(3, append([]string{"--certificate-identity", b.identity, "--certificate-oidc-issuer", "https://issuer.example.com"}, who...), b.digest)
			verify(3, append([]string{"--key", "cosign.pub"}, who...), b.digest)
		})
	}
}

// TestPublishedArtifact verifies a file, and not a file that was changed.
func TestPublishedArtifact(t *testing.T) {
	t.Parallel()
	p := published{module: protobufSpecs, file: "gen/pb-rust/sigstore-protobuf-specs/assets/a.txt.sigstore"}
	b := readBundle(t, p)
	s := newShell(t, t.TempDir())
	args := []string{"verify-bundle", "--bundle", b.file, "--certificate-identity", b.identity, "--certificate-oidc-issuer", b.issuer}
	artifact := strings.TrimSuffix(b.file, ".sigstore")
	s.run("kubectl-promote", append(args, artifact)...)
	altered := filepath.Join(s.dir, "a.txt")
	write(t, altered, read(t, artifact)+"\n")
	if stdout, _ := s.exits(3, "kubectl-promote", append(args, altered)...); !strings.Contains(stdout, "made for another digest") {
		t.Error(stdout)
	}
	// A bundle of which one byte of the signature is other.
	var bundle map[string]any
	if err := json.Unmarshal([]byte(read(t, b.file)), &bundle); err != nil {
		t.Fatal(err)
	}
	content := bundle["messageSignature"].(map[string]any)
	signature := content["signature"].(string)
	content["signature"] = signature[:20] + strings.Map(func(r rune) rune { return 'A' + (r+1)%26 }, signature[20:21]) + signature[21:]
	data, err := json.Marshal(bundle)
	if err != nil {
		t.Fatal(err)
	}
	args[2] = filepath.Join(s.dir, "broken.json")
	write(t, args[2], string(data))
	s.exits(3, "kubectl-promote", append(args, artifact)...)
}

// bundleFile is what a bundle says of itself.
type bundleFile struct{ dir, file, digest, identity, issuer string }

func readBundle(t *testing.T, p published) bundleFile {
	t.Helper()
	b := bundleFile{dir: moduleDir(t, p.module)}
	b.file = filepath.Join(b.dir, p.file)
	if _, err := os.Stat(b.file); err != nil {
		t.Skipf("%s does not have it: %v", p.module, err)
	}
	var text struct {
		VerificationMaterial struct {
			Certificate          struct{ RawBytes []byte }
			X509CertificateChain struct{ Certificates []struct{ RawBytes []byte } }
		}
		MessageSignature struct{ MessageDigest struct{ Digest []byte } }
		DsseEnvelope     struct{ Payload []byte }
	}
	if err := json.Unmarshal([]byte(read(t, b.file)), &text); err != nil {
		t.Fatal(err)
	}
	b.digest = "sha256:" + hex.EncodeToString(text.MessageSignature.MessageDigest.Digest)
	if payload := text.DsseEnvelope.Payload; payload != nil {
		var statement struct {
			Subject []struct{ Digest map[string]string }
		}
		if err := json.Unmarshal(payload, &statement); err != nil || len(statement.Subject) == 0 {
			t.Fatalf("%v: %s", err, payload)
		}
		for algorithm, sum := range statement.Subject[0].Digest {
			b.digest = algorithm + ":" + sum
		}
	}
	raw := text.VerificationMaterial.Certificate.RawBytes
	if chain := text.VerificationMaterial.X509CertificateChain.Certificates; len(chain) > 0 {
		raw = chain[0].RawBytes
	}
	if raw != nil {
		b.identity, b.issuer = certified(t, raw)
	} else {
		b.identity, b.issuer = "nobody@example.com", "https://issuer.example.com"
	}
	return b
}

var (
	fulcioIssuer = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}
	otherNames   = asn1.ObjectIdentifier{2, 5, 29, 17}
)

// certified gives the identity in a certificate of Fulcio's, and who has
// confirmed it.
func certified(t *testing.T, raw []byte) (identity, issuer string) {
	t.Helper()
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Extensions {
		switch {
		case e.Id.Equal(fulcioIssuer):
			issuer = string(e.Value)
		case e.Id.Equal(otherNames) && len(c.EmailAddresses)+len(c.URIs) == 0:
			identity = otherName(t, e.Value)
		}
	}
	for _, u := range c.URIs {
		identity = u.String()
	}
	for _, a := range c.EmailAddresses {
		identity = a
	}
	return identity, issuer
}

// otherName gives the text of the first name, which is neither an address nor a
// URI.
func otherName(t *testing.T, value []byte) string {
	t.Helper()
	var names []asn1.RawValue
	if _, err := asn1.Unmarshal(value, &names); err != nil || len(names) == 0 {
		t.Fatalf("%v: %x", err, value)
	}
	var kind asn1.ObjectIdentifier
	rest, err := asn1.Unmarshal(names[0].Bytes, &kind)
	if err != nil {
		t.Fatal(err)
	}
	var wrapped, text asn1.RawValue
	if _, err := asn1.Unmarshal(rest, &wrapped); err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(wrapped.Bytes, &text); err != nil {
		t.Fatal(err)
	}
	return string(text.Bytes)
}

// moduleDir finds the sources of a module that the product or its tests need, and
// skips the test where they are not on the machine.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	for _, dir := range []string{"..", "."} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off", "GOPROXY=off")
		if out, err := cmd.Output(); err == nil && strings.TrimSpace(string(out)) != "" {
			return strings.TrimSpace(string(out))
		}
	}
	t.Skipf("the sources of %s are not on this machine", module)
	return ""
}
