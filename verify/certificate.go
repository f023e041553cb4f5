package verify

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"go.yaml.in/yaml/v3"
)

const (
	maxChainSize     = 256 << 10
	maxCertificates  = 16
	maxCertificate   = 64 << 10
	certificateBegin = "CERTIFICATE"
)

// parseCertificates reads certificates in PEM form, and nothing else.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	if len(data) > maxChainSize {
		return nil, fmt.Errorf("certificates are over %d KiB", maxChainSize>>10)
	}
	var all []*x509.Certificate
	for len(bytes.TrimSpace(data)) > 0 {
		block, rest := pem.Decode(data)
		switch {
		case block == nil:
			return nil, fmt.Errorf("certificate is not in PEM form")
		case block.Type != certificateBegin:
			return nil, fmt.Errorf("PEM block of type %q is no certificate", oneLine(block.Type))
		case len(all) == maxCertificates:
			return nil, fmt.Errorf("more than %d certificates", maxCertificates)
		case len(block.Bytes) > maxCertificate:
			return nil, fmt.Errorf("certificate of %d bytes", len(block.Bytes))
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate cannot be parsed: %s", oneLine(err.Error()))
		}
		all, data = append(all, c), rest
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no certificate")
	}
	return all, nil
}

// certificate reads an own certificate authority and the names it is trusted
// for. Its certificates need nothing that Fulcio puts into its own.
func (d *decoder) certificate(n *yaml.Node) party {
	const hint = "certificate: {chain: {file: ca.pem}, subject: ...}"
	f := d.fields(n, "certificate", "chain", "subject", "subjectRegexp")
	if f == nil {
		return nil
	}
	s := &certificateParty{}
	before := len(d.problems)
	var ok bool
	if s.subject, ok = d.matcher(f, "subject"); !ok && len(d.problems) == before {
		d.fail(n, hint, "certificate has neither subject nor subjectRegexp")
	}
	v := d.need(f, "chain", hint)
	if v == nil {
		return nil
	}
	c := d.fields(v, "chain", "file", "data")
	if c == nil {
		return nil
	}
	if len(c.values) != 1 {
		d.fail(v, hint, "chain needs one of file and data")
		return nil
	}
	at, data := d.content(c, "chain")
	if data == nil {
		return nil
	}
	d.chain(at, s, data)
	return s
}

// chain sorts the certificates of an authority: who signs itself is a root.
func (d *decoder) chain(at *yaml.Node, s *certificateParty, data []byte) {
	all, err := parseCertificates(data)
	if err != nil {
		d.fail(at, "the certificates of the authority, in PEM form", "%s", err)
		return
	}
	for _, c := range all {
		switch {
		case !c.IsCA:
			d.fail(at, "", "certificate of %s is none of an authority", quoted(c.Subject.String()))
		case bytes.Equal(c.RawIssuer, c.RawSubject):
			s.roots = append(s.roots, c)
			if c.NotAfter.Before(d.now) {
				d.fail(at, "", "certificate of %s ended on %s", quoted(c.Subject.String()), c.NotAfter.UTC().Format(time.DateOnly))
			}
		default:
			s.intermediates = append(s.intermediates, c)
		}
	}
	if len(s.roots) == 0 {
		d.fail(at, "add the certificate at the top, which signs itself", "chain has no root")
	}
}

// subjectNames lists the names in a certificate, each of them as what it is. A name
// that reads like one of another kind is left out: authorities are limited by
// the kind of a name (name constraints), and policies say only the text.
func subjectNames(c *x509.Certificate) []string {
	var names []string
	add := func(name string, good bool) {
		if good {
			names = append(names, name)
		}
	}
	for _, n := range c.DNSNames {
		add(n, !strings.ContainsAny(n, "@/:!"))
	}
	for _, n := range c.EmailAddresses {
		add(n, strings.Contains(n, "@") && !strings.ContainsAny(n, "/:!"))
	}
	for _, ip := range c.IPAddresses {
		add(ip.String(), true)
	}
	for _, u := range c.URIs {
		add(u.String(), u.Scheme != "")
	}
	// What else there is, Fulcio's names of users among them, looks like user!domain.
	other, _ := cryptoutils.UnmarshalOtherNameSAN(c.Extensions) // an error: there is none
	add(other, strings.Contains(other, "!"))
	return names
}
