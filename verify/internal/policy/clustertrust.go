package policy

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/verify/internal/keys"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// withoutCertificateLogs is the same trust, for certificates that need not be in
// a certificate log.
func (t *Trust) withoutCertificateLogs() *Trust {
	return newTrust(t.FulcioCertificateAuthorities(), nil, t.TimestampingAuthorities(), t.RekorLogs())
}

// orAuthoritiesOf takes logs and timestamp authorities from t, and certificate
// authorities from other where that has some: a policy can name two TrustRoots.
func (t *Trust) orAuthoritiesOf(other *Trust) *Trust {
	if other == nil {
		return t
	}
	logs, stamps := t.RekorLogs(), t.TimestampingAuthorities()
	if len(logs) == 0 {
		logs = other.RekorLogs()
	}
	if len(stamps) == 0 {
		stamps = other.TimestampingAuthorities()
	}
	return newTrust(other.FulcioCertificateAuthorities(), other.CTLogs(), stamps, logs)
}

func newTrust(authorities []root.CertificateAuthority, ctLogs map[string]*root.TransparencyLog,
	stamps []root.TimestampingAuthority, logs map[string]*root.TransparencyLog) *Trust {
	// The one error is for a media type that is not known.
	r, _ := root.NewTrustedRoot(root.TrustedRootMediaType01, authorities, ctLogs, stamps, logs)
	return &Trust{r}
}

// clusterTrustRoot reads a TrustRoot that brings its keys along.
func (d *decoder) clusterTrustRoot(f *fieldSet) *Trust {
	s := d.need(f, "spec", "")
	if s == nil {
		return nil
	}
	spec := d.fields(s, "spec", "remote", "repository", "sigstoreKeys")
	if spec == nil {
		return nil
	}
	for _, name := range []string{"remote", "repository"} {
		if v := spec.get(name); v != nil {
			d.fail(v, "spec: {sigstoreKeys: ...}, with the keys themselves", "TrustRoot with %s is not read: its keys would have to be fetched", name)
			return nil
		}
	}
	v := d.need(spec, "sigstoreKeys", "")
	if v == nil {
		return nil
	}
	material := d.fields(v, "sigstoreKeys", "certificateAuthorities", "tLogs", "ctLogs", "timestampAuthorities")
	if material == nil {
		return nil
	}
	var authorities []root.CertificateAuthority
	for _, c := range d.clusterChains(material, "certificateAuthorities") {
		if last := len(c) - 1; last >= 0 {
			authorities = append(authorities, &root.FulcioCertificateAuthority{Root: c[last], Intermediates: c[:last]})
		}
	}
	var stamps []root.TimestampingAuthority
	for _, c := range d.clusterChains(material, "timestampAuthorities") {
		last := len(c) - 1
		if last < 0 {
			continue
		}
		a := &root.SigstoreTimestampingAuthority{Root: c[last], Intermediates: c[:last], URI: c[0].Subject.String()}
		if last > 0 && !c[0].IsCA {
			a.Leaf, a.Intermediates = c[0], c[1:last]
		}
		stamps = append(stamps, a)
	}
	return newTrust(authorities, d.clusterLogs(material, "ctLogs"), stamps, d.clusterLogs(material, "tLogs"))
}

// clusterChains reads a list of authorities, each with its chain, root last.
func (d *decoder) clusterChains(f *fieldSet, name string) [][]*x509.Certificate {
	var all [][]*x509.Certificate
	for _, e := range d.clusterList(f, name) {
		c := d.fields(e, "TrustRoot's "+name, "subject", "uri", "certChain")
		if c == nil {
			continue
		}
		n := d.need(c, "certChain", "")
		if n == nil {
			continue
		}
		chain, err := keys.ParseCertificates(d.base64(n, "certChain"))
		if err != nil {
			d.fail(n, "", "TrustRoot's %s: %s", name, err)
		} else if end := chain[len(chain)-1].NotAfter; end.Before(d.now) {
			d.warn(n, "", "TrustRoot's %s ended on %s, so what was signed since is rejected", name, end.UTC().Format(time.DateOnly))
		}
		all = append(all, chain)
	}
	return all
}

// clusterLogs reads a list of logs, each with its key.
func (d *decoder) clusterLogs(f *fieldSet, name string) map[string]*root.TransparencyLog {
	logs := map[string]*root.TransparencyLog{}
	for _, e := range d.clusterList(f, name) {
		l := d.fields(e, "TrustRoot's "+name, "baseURL", "hashAlgorithm", "publicKey")
		if l == nil {
			continue
		}
		url, n := d.need(l, "baseURL", ""), d.need(l, "publicKey", "")
		if url == nil || n == nil {
			continue
		}
		base, _ := d.text(url, "baseURL")
		key, err := logKey(d.base64(n, "publicKey"))
		if err != nil {
			d.fail(n, "", "TrustRoot's %s: %s", name, err)
			continue
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			d.fail(n, "", "TrustRoot's %s: %s", name, untrusted.OneLine(err.Error()))
			continue
		}
		id := sha256.Sum256(der)
		logs[hex.EncodeToString(id[:])] = &root.TransparencyLog{
			BaseURL: base, ID: id[:], PublicKey: key, HashFunc: crypto.SHA256, SignatureHashFunc: logHash(key),
			// There is no beginning in the resource, and there has to be one.
			ValidityPeriodStart: time.Unix(0, 0),
		}
	}
	return logs
}

func logKey(data []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New("key is not in PEM form")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("key cannot be parsed: " + untrusted.OneLine(err.Error()))
	}
	return key, nil
}

// logHash is the hash that goes with the key of a log.
func logHash(key crypto.PublicKey) crypto.Hash {
	hashes := keys.HashesFor(key)
	return hashes[len(hashes)-1]
}

// base64 reads bytes as Kubernetes writes them.
func (d *decoder) base64(n *yaml.Node, what string) []byte {
	s, ok := d.text(n, what)
	if !ok {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		d.fail(n, "", "%s is no base64", what)
	}
	return b
}
