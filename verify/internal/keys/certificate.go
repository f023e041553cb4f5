package keys

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// ParseCertificates reads certificates in PEM form, and nothing else.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	if len(data) > MaxChainSize {
		return nil, fmt.Errorf("certificates are over %d KiB", MaxChainSize>>10)
	}
	var all []*x509.Certificate
	for len(bytes.TrimSpace(data)) > 0 {
		block, rest := pem.Decode(data)
		switch {
		case block == nil:
			return nil, fmt.Errorf("certificate is not in PEM form")
		case block.Type != certificateBegin:
			return nil, fmt.Errorf("PEM block of type %q is no certificate", untrusted.OneLine(block.Type))
		case len(all) == MaxCertificates:
			return nil, fmt.Errorf("more than %d certificates", MaxCertificates)
		case len(block.Bytes) > MaxCertificate:
			return nil, fmt.Errorf("certificate of %d bytes", len(block.Bytes))
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate cannot be parsed: %s", untrusted.OneLine(err.Error()))
		}
		all, data = append(all, c), rest
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no certificate")
	}
	return all, nil
}

const (
	MaxChainSize     = 256 << 10
	MaxCertificates  = 16
	MaxCertificate   = 64 << 10
	certificateBegin = "CERTIFICATE"
)
