package policy

import (
	"bytes"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/verify/internal/keys"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// certificate reads an own certificate authority and the names it is trusted
// for. Its certificates need nothing that Fulcio puts into its own.
func (d *decoder) certificate(n *yaml.Node) Signer {
	const hint = "certificate: {chain: {file: ca.pem}, subject: ...}"
	f := d.fields(n, "certificate", "chain", "subject", "subjectRegexp")
	if f == nil {
		return nil
	}
	s := &CertificateSigner{}
	before := d.failed
	var ok bool
	if s.Subject, ok = d.matcher(f, "subject"); !ok && d.failed == before {
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

// Chain sorts the certificates of an authority: who signs itself is a root.
func (d *decoder) chain(at *yaml.Node, s *CertificateSigner, data []byte) {
	all, err := keys.ParseCertificates(data)
	if err != nil {
		d.fail(at, "the certificates of the authority, in PEM form", "%s", err)
		return
	}
	for _, c := range all {
		switch {
		case !c.IsCA:
			d.fail(at, "", "certificate of %s is none of an authority", untrusted.Quoted(c.Subject.String()))
		case bytes.Equal(c.RawIssuer, c.RawSubject):
			s.Roots = append(s.Roots, c)
			if c.NotAfter.Before(d.now) {
				d.warn(at, "", "certificate of %s ended on %s, so what was signed since is rejected", untrusted.Quoted(c.Subject.String()), c.NotAfter.UTC().Format(time.DateOnly))
			}
		default:
			s.Intermediates = append(s.Intermediates, c)
		}
	}
	if len(s.Roots) == 0 {
		d.fail(at, "add the certificate at the top, which signs itself", "chain has no root")
	}
}
